//! Alerts as Azure Monitor sends them: the captured ones, and small changes of them.

use serde_json::Value;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");

/// A body of the Common Alert Schema.
#[derive(Debug, Clone)]
pub(crate) struct Alert(Value);

impl Alert {
    /// A captured one, by the name of its file.
    pub(crate) fn captured(name: &str) -> Self {
        Self::at(&format!("common_alert_schema/{name}"))
    }

    /// One of the schemas that were there before the common one.
    pub(crate) fn older(name: &str) -> Self {
        Self::at(&format!("older_schemas/{name}"))
    }

    /// One by its folder and name.
    #[expect(clippy::disallowed_methods, reason = "the bed owns the fixtures")]
    pub(crate) fn at(place: &str) -> Self {
        let text = std::fs::read(format!("{FIXTURES}/{place}.json")).unwrap();
        Self(serde_json::from_slice(&text).unwrap())
    }

    /// The folders and names of all that are there.
    #[expect(clippy::disallowed_methods, reason = "the bed owns the fixtures")]
    pub(crate) fn places() -> Vec<String> {
        let mut found = Vec::new();
        for folder in ["common_alert_schema", "older_schemas"] {
            for entry in std::fs::read_dir(format!("{FIXTURES}/{folder}")).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
                found.push(format!("{folder}/{name}"));
            }
        }
        found.sort();
        found
    }

    /// The same with another value somewhere, by its JSON pointer; a new member where there is none.
    #[must_use]
    pub(crate) fn changed(mut self, pointer: &str, value: impl Into<Value>) -> Self {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        self.0.pointer_mut(parent).unwrap()[name] = value.into();
        self
    }

    /// The same without a member.
    #[must_use]
    pub(crate) fn without(mut self, pointer: &str) -> Self {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let parent = self.0.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        parent.remove(name);
        self
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
