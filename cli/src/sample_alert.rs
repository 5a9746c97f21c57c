//! A sample alert, as Azure Monitor sends one: fresh each time, so that each makes a work item of its own.

use itsm_connector::domain::timestamp::Timestamp;
use itsm_connector::ports::Entropy;
use serde_json::{Value, json};

const SAMPLE: &str = include_str!("sample_alert.json");

/// A new firing of the sample's alert rule.
pub(crate) fn fired(now: Timestamp, entropy: &dyn Entropy) -> Value {
    let mut alert: Value = serde_json::from_str(SAMPLE).unwrap_or_default();
    freshen(&mut alert, now, entropy);
    alert
}

/// The same firing, resolved.
pub(crate) fn resolved(fired: &Value, now: Timestamp) -> Value {
    let mut alert = fired.clone();
    let essentials = &mut alert["data"]["essentials"];
    essentials["monitorCondition"] = json!("Resolved");
    essentials["resolvedDateTime"] = json!(now);
    alert["data"]["alertContext"]["condition"]["allOf"][0]["metricValue"] = json!(41);
    alert
}

/// Gives an alert another id and makes it fire now. False: it has none of the fields that an alert has.
pub(crate) fn freshen(alert: &mut Value, now: Timestamp, entropy: &dyn Entropy) -> bool {
    let Some(Value::Object(essentials)) = alert.pointer_mut("/data/essentials") else {
        return false;
    };
    let id = essentials.get("alertId").and_then(Value::as_str);
    let before = id
        .and_then(|id| id.rsplit_once('/'))
        .map_or("", |(before, _)| before);
    let fresh = format!("{before}/{}", uuid(entropy));
    essentials.insert("alertId".to_owned(), json!(fresh));
    essentials.insert("firedDateTime".to_owned(), json!(now));
    true
}

/// A random id in the form that Azure uses (version 4).
fn uuid(entropy: &dyn Entropy) -> String {
    let (high, low) = (entropy.dice(), entropy.dice());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        0x8000 | (low >> 50) & 0x3fff,
        low & 0xffff_ffff_ffff,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Dice;

    impl Entropy for Dice {
        fn dice(&self) -> u64 {
            0x0123_4567_89ab_cdef
        }
    }

    #[test]
    fn the_sample_is_fresh_and_resolves_itself() {
        let now = Timestamp::from_millis(1_772_359_200_000);
        let fired = fired(now, &Dice);
        let essentials = &fired["data"]["essentials"];
        let id = essentials["alertId"].as_str().unwrap();
        assert!(id.starts_with("/subscriptions/"), "{id}");
        assert!(
            id.ends_with("/01234567-89ab-4def-8048-456789abcdef"),
            "{id}"
        );
        assert_eq!(essentials["firedDateTime"], "2026-03-01T10:00:00.000Z");
        assert_eq!(essentials["monitorCondition"], "Fired");
        let resolved = resolved(&fired, now);
        assert_eq!(resolved["data"]["essentials"]["alertId"], id);
        assert_eq!(
            resolved["data"]["essentials"]["monitorCondition"],
            "Resolved"
        );
        assert!(!freshen(&mut json!({"x": 1}), now, &Dice));
    }
}
