//! The JSON of a definition as people write it, and nothing else. The doc comments are what the JSON Schema tells.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::domain::alert::Severity;
use crate::domain::connection::{
    AlreadyOver, AuthMode, ClientAuthentication, Grant, Grouping, ImpactAndUrgency, Mode, OnRepeat,
    OnResolve, PartnerType, RecordType,
};
use crate::domain::secret::Secret;
use crate::domain::work_item::{EventSeverity, WorkItemType};

/// A connection, as people write it down.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "desk", derive(schemars::JsonSchema))]
#[cfg_attr(
    feature = "desk",
    schemars(title = "Connection definition of itsm-connector")
)]
#[serde(deny_unknown_fields)]
pub(super) struct Definition {
    /// The connection's name: lower-case letters and digits in groups joined by single hyphens, at most 60 characters.
    pub(super) name: String,
    /// The ITSM product.
    pub(super) partner_type: PartnerType,
    /// The instance's address, such as `https://contoso.service-now.com`.
    pub(super) server_url: String,
    /// The certificate of the authority that signed the instance's certificate (PEM), where the system does not trust it:
    /// then only what that authority signed is trusted, by this connection alone.
    #[serde(default)]
    pub(super) ca_certificate: Option<String>,
    /// The private networks in which the instance stands, such as `10.20.0.0/16`: for an instance on premises. Then no
    /// other address is called for it.
    #[serde(default)]
    pub(super) allow_networks: Vec<String>,
    /// The OAuth client's id.
    pub(super) client_id: String,
    /// The OAuth client's secret.
    #[serde(default)]
    #[cfg_attr(feature = "desk", schemars(with = "Option<String>"))]
    pub(super) client_secret: Option<SecretText>,
    /// The integration user. With it the grant is `password`, without it `client_credentials`.
    #[serde(default)]
    pub(super) username: Option<String>,
    /// How tokens are obtained, where `username` does not say it well enough.
    #[serde(default)]
    pub(super) grant: Option<Grant>,
    /// Where client id and secret stand in a token request.
    #[serde(default)]
    pub(super) client_authentication: ClientAuthentication,
    /// The Entra tenant that gives the tokens (Provance), such as `https://login.microsoftonline.com/<tenant id>`. Where it
    /// is absent the instance is asked which it is; `itsmc connection add` writes down what it says.
    #[serde(default)]
    pub(super) entra_authority: Option<String>,
    /// Where the integration user's account is kept (Cherwell; default: internal).
    #[serde(default)]
    pub(super) auth_mode: Option<AuthMode>,
    /// Days that a refresh token lives from a login on (default 90).
    #[serde(default)]
    pub(super) refresh_token_days: Option<i64>,
    /// Seconds that the product may go on executing a request whose answer nobody waits for (default 60).
    #[serde(default)]
    pub(super) longest_transaction_seconds: Option<i64>,
    /// How incidents are written (ServiceNow; default: table).
    #[serde(default)]
    pub(super) transport: Transport,
    /// The staging table of `transport` `import_set`, such as `u_azure_alert`.
    #[serde(default)]
    pub(super) staging_table: Option<String>,
    /// What is read back into Log Analytics.
    #[serde(default)]
    pub(super) sync: SyncDefinition,
    /// Whether configuration items that the product does not know are made there.
    #[serde(default)]
    pub(super) create_configuration_items: bool,
    /// How alerts become work items, by the action's name; `default` is used when the webhook's address names none.
    #[serde(default)]
    pub(super) actions: BTreeMap<String, ActionDefinition>,
}

/// How incidents are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(feature = "desk", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(super) enum Transport {
    /// Into the table of incidents, by the Table API.
    #[default]
    Table,
    /// Into a staging table, by the Import Set API: its transform map makes incidents of the rows.
    ImportSet,
}

/// What is read back into Log Analytics.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "desk", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct SyncDefinition {
    /// Which records (default: incidents and change requests).
    #[serde(default)]
    pub(super) record_types: Option<Vec<RecordType>>,
    /// How many past days the first run reads, 1 to 120 (default 30).
    #[serde(default)]
    pub(super) days: Option<i64>,
    /// Only records that meet this encoded query of ServiceNow, such as `active=true^priorityIN1,2` (default: all).
    #[serde(default)]
    pub(super) filter: Option<String>,
    /// Only records of this assignment group, by its name or `sys_id`.
    #[serde(default)]
    pub(super) assignment_group: Option<String>,
    /// Only records of this category, as the product stores it: `network`.
    #[serde(default)]
    pub(super) category: Option<String>,
    /// Whether the work notes of a record are read as well (default: no; they make rows long).
    #[serde(default)]
    pub(super) work_notes: bool,
}

/// How alerts become work items.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "desk", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct ActionDefinition {
    /// The kind of work item (default: incident).
    #[serde(default)]
    pub(super) work_item_type: Option<WorkItemType>,
    /// What counts as the same problem (default: alert).
    #[serde(default)]
    pub(super) grouping: Option<Grouping>,
    /// What a further alert of a group does to its work item (grouping `rule` and `configuration_item`; default: update).
    #[serde(default)]
    pub(super) on_repeat: Option<OnRepeat>,
    /// How long after it was resolved a group's work item is reopened rather than followed by another: `30m`, `12h`, `7d`.
    #[serde(default)]
    pub(super) reopen_within: Option<String>,
    /// What becomes of the work item when the alert resolves (of a group: when its last alert does).
    #[serde(default)]
    pub(super) on_resolve: OnResolve,
    /// What becomes of an alert that is over before its work item could be made.
    #[serde(default)]
    pub(super) already_over: AlreadyOver,
    /// More alerts of one rule than this share one work item, which lists them (grouping `alert`; absent: never). The
    /// alerts of such an action are not made at once but within the minute: they are counted first.
    #[serde(default)]
    pub(super) storm: Option<StormDefinition>,
    /// `shadow`: everything but the call to the product, logged.
    #[serde(default)]
    pub(super) mode: Mode,
    /// Ids of the subscriptions whose alerts are taken; others are kept in quarantine (absent: all).
    #[serde(default)]
    pub(super) subscriptions: Vec<String>,
    /// Names or resource ids of the rules whose alerts are taken; others are kept in quarantine (absent: all).
    #[serde(default)]
    pub(super) rules: Vec<String>,
    /// Whether alerts of these subscriptions whose webhook never came are looked for in Azure's own list and taken up all the
    /// same (default: where `subscriptions` are named). Every alert of them then belongs here that `rules` do not leave out.
    #[serde(default)]
    pub(super) find_missed: Option<bool>,
    /// The product's code for how it was solved, where its default is not among the instance's choices.
    #[serde(default)]
    pub(super) close_code: Option<String>,
    /// Impact and urgency by severity.
    #[serde(default)]
    pub(super) severity: BTreeMap<Severity, ImpactAndUrgency>,
    /// How bad the events of alerts are, by severity (`work_item_type` `event` and `alert`).
    #[serde(default)]
    pub(super) event_severity: BTreeMap<Severity, EventSeverity>,
    /// Who gets it, as the product keys the group.
    #[serde(default)]
    pub(super) assignment_group: Option<String>,
    /// Further fields of the product, by the product's own names: fixed values, or templates over the alert such as
    /// `{{ alert.custom_properties.team }}` (docs/templates.md).
    #[serde(default, deserialize_with = "each_once")]
    pub(super) fields: BTreeMap<String, String>,
    /// Microsoft's JSON of an ITSM action, as it is. It says the kind, the grouping and fields.
    #[serde(default)]
    #[cfg_attr(
        feature = "desk",
        schemars(with = "Option<super::ticket_configuration::Written>")
    )]
    pub(super) ticket_configuration: Option<serde_json::Value>,
}

/// When many alerts of a rule share one work item.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "desk", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct StormDefinition {
    /// How many alerts of one rule are still made one by one, 2 to 500 (default 50).
    #[serde(default)]
    pub(super) threshold: Option<i64>,
    /// Within which time, `1m` to `1h` (default `1m`).
    #[serde(default)]
    pub(super) within: Option<String>,
}

/// A map whose keys may not repeat: of two values for one field, nobody can say which was meant.
fn each_once<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    struct EachOnce;
    impl<'de> serde::de::Visitor<'de> for EachOnce {
        type Value = BTreeMap<String, String>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a map")
        }
        fn visit_map<A: serde::de::MapAccess<'de>>(
            self,
            mut map: A,
        ) -> Result<Self::Value, A::Error> {
            let mut values = BTreeMap::new();
            while let Some((name, value)) = map.next_entry::<String, String>()? {
                if values.contains_key(&name) {
                    return Err(serde::de::Error::custom(format_args!(
                        "duplicate field `{name}`"
                    )));
                }
                values.insert(name, value);
            }
            Ok(values)
        }
    }
    deserializer.deserialize_map(EachOnce)
}

/// A secret in a definition. Its parser repeats nothing of a value of the wrong kind.
#[derive(Debug, Clone)]
pub(super) struct SecretText(pub(super) Secret);

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl serde::de::Visitor<'_> for Text {
            type Value = SecretText;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<SecretText, E> {
                Ok(SecretText(Secret::from(text)))
            }
            fn visit_string<E: serde::de::Error>(self, text: String) -> Result<SecretText, E> {
                Ok(SecretText(Secret::new(text)))
            }
        }
        deserializer.deserialize_string(Text)
    }
}
