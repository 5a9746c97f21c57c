//! A connection: one ITSM instance with its credentials and options, checked and ready to use.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::alert::{Alert, Severity};
use super::allow_list::AllowList;
use super::egress::Egress;
use super::entra_authority::Authority;
use super::name::{ActionName, ConnectionName};
use super::secret::Secret;
use super::server_url::ServerUrl;
use super::storm::StormOptions;
use super::template::Template;
use super::work_item::{EventSeverity, Level, WorkItemType};

/// The ITSM products that the retired connector knew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "desk", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PartnerType {
    /// ServiceNow.
    Servicenow,
    /// System Center Service Manager, through the web app that ITSMC's script deployed.
    SystemCenterServiceManager,
    /// Provance ITSM.
    Provance,
    /// Cherwell Service Management.
    Cherwell,
}

impl PartnerType {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Servicenow,
        Self::SystemCenterServiceManager,
        Self::Provance,
        Self::Cherwell,
    ];

    /// The word in definitions.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Servicenow => "servicenow",
            Self::SystemCenterServiceManager => "system_center_service_manager",
            Self::Provance => "provance",
            Self::Cherwell => "cherwell",
        }
    }

    /// The product's name for people.
    pub fn product(self) -> &'static str {
        match self {
            Self::Servicenow => "ServiceNow",
            Self::SystemCenterServiceManager => "System Center Service Manager",
            Self::Provance => "Provance",
            Self::Cherwell => "Cherwell",
        }
    }

    /// The product's own domains; empty where every customer has another, as a web app of one's own is (servicenow-api
    /// §1, provance-api §1, cherwell-api §1). Dynamics 365 has a domain per cloud and a host per region below it.
    pub fn domains(self) -> &'static [&'static str] {
        match self {
            Self::Servicenow => &[
                "service-now.com",
                "servicenow.com",
                "servicenowservices.com",
            ],
            Self::Provance => &[
                "dynamics.com",
                "microsoftdynamics.us",
                "appsplatform.us",
                "dynamics.cn",
            ],
            Self::Cherwell => &["cherwellondemand.com", "experiencecherwell.com"],
            Self::SystemCenterServiceManager => &[],
        }
    }
}

/// How tokens are obtained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "desk", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// By client id and secret alone: nothing is stored and nothing expires on a person.
    ClientCredentials,
    /// By a person's login once, then by the refresh token.
    Password,
}

/// Where client id and secret stand in a token request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "desk", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthentication {
    /// In the form.
    #[default]
    Body,
    /// In the `Authorization` header (HTTP Basic).
    Basic,
}

/// Where an account of Cherwell's is kept: its `auth_mode` (cherwell-api §2). `SAML` takes no password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "desk", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum AuthMode {
    /// In Cherwell itself.
    #[default]
    Internal,
    /// In Windows.
    Windows,
    /// In a directory, by LDAP.
    Ldap,
    /// As the server finds out.
    Auto,
}

impl AuthMode {
    /// The word of the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "Internal",
            Self::Windows => "Windows",
            Self::Ldap => "LDAP",
            Self::Auto => "Auto",
        }
    }
}

/// What is read back by the sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "desk", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RecordType {
    /// Incidents.
    Incident,
    /// Change requests.
    ChangeRequest,
}

/// What the sync reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncOptions {
    /// Which records.
    pub record_types: Vec<RecordType>,
    /// How many past days the first run reads, 1 to 120.
    pub days: u16,
    /// Which of them, as a condition in the product's own language (ServiceNow: an encoded query without `^NQ` and order).
    pub filter: Option<String>,
    /// Whether the notes of those who work on a record are read as well.
    pub work_notes: bool,
}

/// One ITSM instance, checked.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Its name.
    pub name: ConnectionName,
    /// The product.
    pub partner_type: PartnerType,
    /// Where it is.
    pub server: ServerUrl,
    /// What its calls may reach.
    pub egress: Arc<Egress>,
    /// How tokens are obtained.
    pub grant: Grant,
    /// The OAuth client.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Option<Secret>,
    /// Where both stand in a token request.
    pub client_authentication: ClientAuthentication,
    /// The Entra tenant that gives the tokens, where it was told.
    pub authority: Option<Authority>,
    /// Where the integration user's account is kept (Cherwell).
    pub auth_mode: AuthMode,
    /// The integration user, for the password grant.
    pub username: Option<String>,
    /// How long a refresh token lives from a login on.
    pub refresh_token_life: Duration,
    /// By which way incidents are written.
    pub transport: WriteBy,
    /// The longest time that the product may go on executing a request whose answer we no longer wait for.
    pub longest_transaction: Duration,
    /// What the sync reads.
    pub sync: SyncOptions,
    /// Whether unknown configuration items are made.
    pub create_configuration_items: bool,
    /// How alerts become work items.
    pub actions: BTreeMap<ActionName, Action>,
}

/// By which way incidents are written. They are read by the product's own table always.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum WriteBy {
    /// Into their own table.
    #[default]
    Table,
    /// Into a staging table, whose transform map makes incidents of its rows.
    ImportSet {
        /// The staging table.
        staging_table: String,
    },
}

/// What counts as the same problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "desk", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Grouping {
    /// Each firing of an alert has a work item of its own.
    #[default]
    Alert,
    /// All alerts of a rule share one while it is open.
    Rule,
    /// All alerts about a configuration item share one while it is open.
    ConfigurationItem,
    /// Each row that a log alert brings with it has a work item of its own (Log V1 and Simple Log Alerts; Log Alerts V2
    /// bring none, and have one for the alert).
    Row,
}

/// What a further alert does to the work item that its group has already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "desk", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OnRepeat {
    /// It gets a note.
    #[default]
    Update,
    /// Nothing.
    Ignore,
    /// The alert gets a work item of its own.
    New,
}

/// Whether work items are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "desk", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// They are.
    #[default]
    Live,
    /// Everything but the call to the product happens, and is logged: to run beside the product's own connector.
    Shadow,
}

/// What becomes of the work item when the alert resolves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "desk", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OnResolve {
    /// It is resolved.
    #[default]
    Resolve,
    /// It is closed for good.
    Close,
    /// It gets a note.
    Comment,
    /// Nothing.
    Ignore,
}

/// What becomes of an alert that is over before its work item was made: nobody could make it in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "desk", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum AlreadyOver {
    /// It gets one that is resolved from the start, so that there is a record of it.
    #[default]
    CreateAndClose,
    /// It gets none.
    Nothing,
}

/// Impact and urgency for a severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "desk", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ImpactAndUrgency {
    /// How much is affected.
    pub impact: Level,
    /// How soon something must be done.
    pub urgency: Level,
}

/// How a connection's alerts become work items.
#[derive(Debug, Clone, Default)]
pub struct Action {
    /// The kind of work item.
    pub work_item_type: WorkItemType,
    /// What counts as the same problem.
    pub grouping: Grouping,
    /// True if other alerts than log alerts are not grouped: each has its own item (Microsoft's `ticketConfiguration`).
    pub groups_log_alerts_only: bool,
    /// What a further alert of the group does.
    pub on_repeat: OnRepeat,
    /// How long after it was resolved the group's work item is reopened rather than followed by another.
    pub reopen_within: Option<Duration>,
    /// What happens on resolve.
    pub on_resolve: OnResolve,
    /// What becomes of an alert that is over already.
    pub already_over: AlreadyOver,
    /// When many alerts of a rule share one work item; `None`: never.
    pub storm: Option<StormOptions>,
    /// Whether work items are made.
    pub mode: Mode,
    /// Which alerts it takes.
    pub allowed: AllowList,
    /// Whether alerts of its subscriptions whose webhook never came are looked for in Azure's list.
    pub finds_missed: bool,
    /// The product's code for how it was solved.
    pub close_code: Option<String>,
    /// Impact and urgency where they differ from the default.
    pub severity: BTreeMap<Severity, ImpactAndUrgency>,
    /// How bad events are where that differs from the default.
    pub event_severity: BTreeMap<Severity, EventSeverity>,
    /// Who gets it, as the product keys the group.
    pub assignment_group: Option<String>,
    /// Further fields of the product.
    pub fields: BTreeMap<String, FieldValue>,
}

/// What a field of the product is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldValue {
    /// Always this.
    Fixed(String),
    /// What a template makes of the alert.
    Template(Template),
}

impl FieldValue {
    /// A value of this kind without an alert: what a test of the connection writes.
    pub fn sample(&self) -> String {
        match self {
            Self::Fixed(text) => text.clone(),
            Self::Template(template) => template.sample(),
        }
    }
}

impl Action {
    /// Impact and urgency of an alert: as configured, else Sev0 high and high down to Sev3–4 low and low. In ServiceNow's
    /// own table that makes priorities 1, 2, 4 and 5.
    pub fn levels(&self, alert: &Alert) -> ImpactAndUrgency {
        let severity = alert.severity.unwrap_or(Severity::Sev3);
        let default = match severity {
            Severity::Sev0 => ImpactAndUrgency {
                impact: Level::High,
                urgency: Level::High,
            },
            Severity::Sev1 => ImpactAndUrgency {
                impact: Level::Medium,
                urgency: Level::High,
            },
            Severity::Sev2 => ImpactAndUrgency {
                impact: Level::Medium,
                urgency: Level::Low,
            },
            Severity::Sev3 | Severity::Sev4 => ImpactAndUrgency {
                impact: Level::Low,
                urgency: Level::Low,
            },
        };
        self.severity.get(&severity).copied().unwrap_or(default)
    }

    /// How bad an alert's event is: as configured, else as ServiceNow's own connector for Azure has it, so that alerts of both
    /// compare (servicenow-api §13).
    pub fn event_severity(&self, alert: &Alert) -> EventSeverity {
        let severity = alert.severity.unwrap_or(Severity::Sev3);
        let default = match severity {
            Severity::Sev0 => EventSeverity::Critical,
            Severity::Sev1 => EventSeverity::Major,
            Severity::Sev2 | Severity::Sev3 => EventSeverity::Warning,
            Severity::Sev4 => EventSeverity::Info,
        };
        let own = self.event_severity.get(&severity).copied();
        own.unwrap_or(default)
    }
}
