//! Which alerts an action takes: those of named subscriptions and rules, or all. Every action group of an Entra directory
//! calls by the same app, so that who may call says nothing of whose alerts come (reliability-security row S9).

use super::alert::Alert;

/// What an action takes. Empty lists take everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllowList {
    /// Ids of subscriptions, lower case.
    subscriptions: Vec<String>,
    /// Names or resource ids of rules, lower case.
    rules: Vec<String>,
}

/// What is foreign about an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// Its subscription.
    Subscription,
    /// Its rule.
    Rule,
}

impl AllowList {
    /// Of these subscriptions and rules, in any case.
    pub fn new(subscriptions: &[String], rules: &[String]) -> Self {
        let lower = |texts: &[String]| {
            texts
                .iter()
                .map(|text| text.trim().to_lowercase())
                .collect()
        };
        Self {
            subscriptions: lower(subscriptions),
            rules: lower(rules),
        }
    }

    /// The subscriptions, lower case; none where all are taken.
    pub fn subscriptions(&self) -> &[String] {
        &self.subscriptions
    }

    /// Looks whether an alert may be taken. One that says no subscription or rule at all is foreign where a list is kept.
    pub fn admit(&self, alert: &Alert) -> Result<(), Foreign> {
        if !self.subscriptions.is_empty() {
            let subscription = subscription_of(alert).map(str::to_lowercase);
            if subscription.is_none_or(|one| !self.subscriptions.contains(&one)) {
                return Err(Foreign::Subscription);
            }
        }
        if !self.rules.is_empty() {
            let names = [alert.rule.as_deref(), alert.rule_id.as_deref()];
            let is_ours = names
                .into_iter()
                .flatten()
                .any(|name| self.rules.contains(&name.trim().to_lowercase()));
            if !is_ours {
                return Err(Foreign::Rule);
            }
        }
        Ok(())
    }
}

/// The subscription that an alert says it is of: its own id's, else its rule's, else its first target's.
fn subscription_of(alert: &Alert) -> Option<&str> {
    let ids = [Some(alert.alert_id.as_str()), alert.rule_id.as_deref()];
    let targets = alert.targets.iter().map(String::as_str);
    ids.into_iter().flatten().chain(targets).find_map(|id| {
        let mut segments = id.trim().trim_start_matches('/').split('/');
        let is_subscription = segments.next()?.eq_ignore_ascii_case("subscriptions");
        segments.next().filter(|_| is_subscription)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::connection::Action;

    #[test]
    fn empty_lists_take_everything_and_others_only_what_they_name() {
        let mut alert = Alert::default();
        assert_eq!(Action::default().allowed.admit(&alert), Ok(()));
        let subscriptions =
            AllowList::new(&["AAAAAAAA-0001-4000-8000-000000000001".to_owned()], &[]);
        assert_eq!(subscriptions.admit(&alert), Err(Foreign::Subscription));
        for (id, admitted) in [
            (
                "/subscriptions/aaaaaaaa-0001-4000-8000-000000000001/providers/x",
                true,
            ),
            ("/SUBSCRIPTIONS/Aaaaaaaa-0001-4000-8000-000000000001", true),
            (
                "/subscriptions/aaaaaaaa-0001-4000-8000-000000000002/providers/aaaaaaaa-0001-4000-8000-000000000001",
                false,
            ),
            ("/providers/aaaaaaaa-0001-4000-8000-000000000001", false),
        ] {
            alert.alert_id = id.to_owned();
            assert_eq!(subscriptions.admit(&alert).is_ok(), admitted, "{id}");
        }
        let rules = AllowList::new(&[], &["CPU over 80 %".to_owned()]);
        assert_eq!(rules.admit(&alert), Err(Foreign::Rule));
        alert.rule = Some("cpu over 80 % ".to_owned());
        assert_eq!(rules.admit(&alert), Ok(()));
    }
}
