//! Alerts as Azure Monitor sends them: the captured ones, and small changes of them.

use serde_json::Value;

/// A body of the Common Alert Schema.
#[derive(Debug, Clone)]
pub(crate) struct Alert(Value);

impl Alert {
    /// A captured one, by the name of its file.
    #[expect(clippy::disallowed_methods, reason = "the bed owns the fixtures")]
    pub(crate) fn captured(name: &str) -> Self {
        let folder = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/common_alert_schema"
        );
        let text = std::fs::read(format!("{folder}/{name}.json")).unwrap();
        Self(serde_json::from_slice(&text).unwrap())
    }

    /// The same alert from another instance.
    #[must_use]
    pub(crate) fn number(self, n: u32) -> Self {
        let id = format!("/subscriptions/1/providers/Microsoft.AlertsManagement/alerts/{n}");
        self.with("alertId", id)
    }

    /// The same alert with another value among its essentials.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0["data"]["essentials"][name] = value.into();
        self
    }

    /// The same alert with another value beside its essentials.
    #[must_use]
    pub(crate) fn beside(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0["data"][name] = value.into();
        self
    }

    /// The same Simple Log Alert with these rows, each told by what its column `Account` says.
    #[must_use]
    pub(crate) fn rows(mut self, accounts: impl IntoIterator<Item = String>) -> Self {
        let row = |account| serde_json::json!([{ "name": "Account", "value": account }]);
        let rows: Vec<Value> = accounts.into_iter().map(row).collect();
        self.0["data"]["alertContext"]["condition"]["allOf"][0]["event"] = rows.into();
        self
    }

    /// A value among its essentials.
    pub(crate) fn essential(&self, name: &str) -> &str {
        self.0["data"]["essentials"][name].as_str().unwrap()
    }

    pub(crate) fn text(&self) -> String {
        self.0.to_string()
    }
}

impl From<&str> for Alert {
    fn from(name: &str) -> Self {
        Self::captured(name)
    }
}

impl From<&Alert> for Alert {
    fn from(alert: &Alert) -> Self {
        alert.clone()
    }
}
