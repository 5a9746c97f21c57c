//! What a body is: an alert that its action takes, or something for a person to look at.

use super::{Answer, KEEP_TRIES, Labelled, NotKept, Outcome};
use crate::domain::alert::Alert;
use crate::domain::allow_list::Foreign;
use crate::domain::connection::Action;
use crate::flows::Core;
use crate::inbound::common_alert_schema::{self, NotAnAlert};
use crate::inbound::webhook::Delivery;

/// The alert in a body, if it is one and the action takes it. Where the action is not known, the drain looks again.
pub(in crate::flows) fn look(
    delivery: &Delivery,
    action: Option<&Action>,
) -> Result<Alert, NotAnAlert> {
    let alert = common_alert_schema::parse(delivery)?;
    match action.map(|action| action.allowed.admit(&alert)) {
        None | Some(Ok(())) => Ok(alert),
        Some(Err(Foreign::Subscription)) => Err(NotAnAlert {
            reason: "foreign_subscription",
            path: "data.essentials.alertId".to_owned(),
            expected: "a subscription among the action's `subscriptions`",
        }),
        Some(Err(Foreign::Rule)) => Err(NotAnAlert {
            reason: "foreign_rule",
            path: "data.essentials.alertRule".to_owned(),
            expected: "a rule among the action's `rules`",
        }),
    }
}

/// Keeps a body for a person, unless its sender meant somebody else.
pub(super) async fn keep(
    core: &Core,
    delivery: &Delivery,
    reason: &NotAnAlert,
    labelled: Labelled,
) -> Result<Answer, NotKept> {
    if labelled == Labelled::Otherwise {
        return Err(NotKept::NotJson);
    }
    let mut tries = 0;
    loop {
        tries += 1;
        let now = core.clock.now();
        let kept = core
            .quarantine
            .keep(
                delivery.connection(),
                delivery.action(),
                reason.reason,
                &reason.to_string(),
                now,
                delivery.body(),
            )
            .await;
        match kept {
            Ok(id) => {
                tracing::warn!(connection = %delivery.connection(), action = %delivery.action(), body = %id, reason = reason.reason, "the body is not understood; it is kept in quarantine");
                return Ok(Answer {
                    event: id.to_string(),
                    outcome: Outcome::Quarantined,
                    work_items: Vec::new(),
                });
            }
            Err(failure) if tries >= KEEP_TRIES => return Err(failure.into()),
            Err(_) => {}
        }
    }
}
