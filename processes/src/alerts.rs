//! The alerts of a round: each with a tag of its own, by which its work item is known without knowing anything of the
//! connector.

use itsm_connector::domain::timestamp::Timestamp;
use simulation::dice::Dice;

const FIRED: &str = include_str!("../../tests/fixtures/common_alert_schema/metric_fired.json");
const RESOLVED: &str =
    include_str!("../../tests/fixtures/common_alert_schema/metric_resolved.json");

/// What both fixtures have, and each alert has of its own.
const INSTANCE: &str = "aaaaaaaa-0001-4000-8000-000000000001";
const RULE: &str = "CPU over 80 %";
const SEVERITY: &str = "Sev1";
const FIRED_AT: &str = "2026-03-01T10:00:00.1239171Z";
const RESOLVED_AT: &str = "2026-03-01T10:12:03.001Z";

/// What a tag begins with.
pub const TAG_PREFIX: &str = "alert-";

/// Fired or Resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Condition {
    /// It began.
    Fired,
    /// It ended.
    Resolved,
}

/// How an alert is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// As it should be.
    Well,
    /// With a key that opens nothing.
    WrongKey,
    /// To a connection that does not exist.
    Nowhere,
}

/// One alert and when it is sent.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Its tag.
    pub tag: String,
    /// `Sev0` to `Sev4`.
    pub severity: String,
    /// When its Fired is sent, milliseconds after the beginning.
    pub fired_ms: u64,
    /// When its Resolved is sent, if it is; it may be before the Fired.
    pub resolved_ms: Option<u64>,
    /// How.
    pub manner: Manner,
}

impl Plan {
    /// Alert `n` of a round, somewhere in `span_ms`.
    pub fn draw(dice: &mut Dice, n: usize, span_ms: u64) -> Self {
        let fired_ms = dice.below(span_ms);
        let resolved_ms = dice
            .chance(0.6)
            .then(|| (fired_ms + dice.below(10_000)).saturating_sub(1_000));
        let manner = match dice.below(40) {
            0 => Manner::WrongKey,
            1 => Manner::Nowhere,
            _ => Manner::Well,
        };
        Self {
            tag: tag(n),
            severity: format!("Sev{}", dice.below(5)),
            fired_ms,
            resolved_ms,
            manner,
        }
    }

    /// The body.
    pub fn body(&self, condition: Condition) -> Vec<u8> {
        let fixture = match condition {
            Condition::Fired => FIRED,
            Condition::Resolved => RESOLVED,
        };
        fixture
            .replace(INSTANCE, &self.tag)
            .replace(RULE, &self.tag)
            .replace(SEVERITY, &self.severity)
            .lines()
            .map(str::trim_start)
            .collect::<String>()
            .into_bytes()
    }

    /// The body of an alert that began and ended then.
    pub fn body_at(
        &self,
        condition: Condition,
        fired_at: Timestamp,
        resolved_at: Option<Timestamp>,
    ) -> Vec<u8> {
        let body = String::from_utf8(self.body(condition)).unwrap_or_default();
        let ended = resolved_at.unwrap_or(fired_at);
        body.replace(FIRED_AT, &fired_at.to_string())
            .replace(RESOLVED_AT, &ended.to_string())
            .into_bytes()
    }
}

/// The tag of alert `n`.
pub fn tag(n: usize) -> String {
    format!("{TAG_PREFIX}{n:06}")
}

/// The tag in a text.
pub fn tag_in(text: &str) -> Option<String> {
    let tail = text.get(text.find(TAG_PREFIX)?..)?;
    Some(tail.get(..TAG_PREFIX.len() + 6)?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_alert_has_its_tag_in_its_body() {
        let plan = Plan::draw(&mut Dice::new(1, "test"), 17, 1_000);
        for condition in [Condition::Fired, Condition::Resolved] {
            let body: serde_json::Value = serde_json::from_slice(&plan.body(condition)).unwrap();
            let essentials = &body["data"]["essentials"];
            assert_eq!(essentials["alertRule"], plan.tag);
            assert_eq!(essentials["severity"], plan.severity);
            assert!(essentials["alertId"].as_str().unwrap().ends_with(&plan.tag));
        }
        let at = Timestamp::from_millis(0);
        let body = plan.body_at(Condition::Resolved, at, Some(at));
        assert_eq!(
            String::from_utf8(body)
                .unwrap()
                .matches("1970-01-01")
                .count(),
            2
        );
        assert_eq!(tag_in("[Sev1] alert-000017 on web01"), Some(plan.tag));
        assert_eq!(tag_in("Backup failed"), None);
    }
}
