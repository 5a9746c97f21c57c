//! Which alert instance: its subscription and its own id, however its resource id is spelled.
//!
//! The webhook's `alertId` stands below the subscription, the list of the Alerts Management API may have it below the
//! resource that is watched (azure-platform §1.2); both name the same instance.

use std::fmt;

/// One alert instance of Azure Monitor.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertKey {
    /// A GUID, lower case.
    subscription: String,
    /// A GUID or another word without a slash, lower case.
    instance: String,
}

/// What stands before the instance in a resource id.
const COLLECTION: &str = "/providers/microsoft.alertsmanagement/alerts/";

impl AlertKey {
    /// The instance that a resource id names; `None` if it names none.
    pub fn of(id: &str) -> Option<Self> {
        let id = id.trim().to_ascii_lowercase();
        let (before, instance) = id.rsplit_once(COLLECTION)?;
        let mut segments = before.strip_prefix("/subscriptions/")?.split('/');
        let subscription = segments.next()?;
        let is_word = |text: &str| {
            !text.is_empty()
                && text.len() <= 128
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        (is_word(subscription) && is_word(instance)).then(|| Self {
            subscription: subscription.to_owned(),
            instance: instance.to_owned(),
        })
    }

    /// The subscription, lower case.
    pub fn subscription(&self) -> &str {
        &self.subscription
    }

    /// The resource id as the webhook spells it.
    pub fn alert_id(&self) -> String {
        format!(
            "/subscriptions/{}/providers/Microsoft.AlertsManagement/alerts/{}",
            self.subscription, self.instance
        )
    }
}

impl fmt::Debug for AlertKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.alert_id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_an_id_name_one_instance() {
        let plain = "/subscriptions/aaaaaaaa-0001-4000-8000-000000000001/providers/Microsoft.AlertsManagement/alerts/bbbbbbbb-0001-4000-8000-000000000001";
        let below = "/SUBSCRIPTIONS/AAAAAAAA-0001-4000-8000-000000000001/resourceGroups/rg/providers/x/y/z/providers/Microsoft.AlertsManagement/alerts/BBBBBBBB-0001-4000-8000-000000000001";
        assert_eq!(AlertKey::of(plain), AlertKey::of(below));
        assert_eq!(AlertKey::of(below).unwrap().alert_id(), plain);
        for odd in [
            "",
            "/subscriptions/a/providers/Microsoft.AlertsManagement/alerts/",
            "/subscriptions//providers/Microsoft.AlertsManagement/alerts/b",
            "/subscriptions/a/providers/Microsoft.AlertsManagement/alerts/../../b",
            "/subscriptions/a/providers/Microsoft.CostManagement/alerts/b",
        ] {
            assert_eq!(AlertKey::of(odd), None, "{odd}");
        }
    }
}
