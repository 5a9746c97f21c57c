//! How a simulated instance is set up: plain data, readable from a JSON file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How an instance is set up. The default is a small company's instance for a demo.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Everything that looks random follows from it.
    pub seed: u64,
    /// The number of the first incident; the first change request has 20,000 more.
    pub first_number: u64,
    /// The address in `link` and `Location`, where it differs from the one that was called.
    pub instance_url: Option<String>,
    /// The registered OAuth clients.
    pub clients: Vec<Client>,
    /// The users.
    pub users: Vec<User>,
    /// How tokens behave.
    pub tokens: TokenRules,
    /// Tables beyond the built-in ones, and columns beyond theirs.
    pub tables: Vec<GenericTable>,
    /// Whether a `sys_id` in an insert is honoured; else it is ignored without a word.
    pub accepts_chosen_sys_id: bool,
    /// Whether the detail of a refused duplicate key is shown (`glide.db.loguser`).
    pub shows_unique_key_detail: bool,
    /// Further fields whose values the database keeps unique, per table.
    pub unique_fields: BTreeMap<String, Vec<String>>,
    /// What a condition on a field that does not exist does.
    pub unknown_query_field: UnknownField,
    /// Whether `=`, `IN`, `LIKE` and their kin ignore case, as many databases do; the documentation says they do not.
    pub ignores_case: bool,
    /// Whether a choice that does not exist is stored (`glide.rest.choice.allow_non_existing_value`).
    pub allows_unknown_choice: bool,
    /// Fields that a data policy makes mandatory on insert, per table.
    pub mandatory: BTreeMap<String, Vec<String>>,
    /// Business rules that abort a write of matching records: table, condition as an encoded query.
    pub business_rules: Vec<BusinessRule>,
    /// How incidents and change requests are closed.
    pub closing: ClosingRules,
    /// Which role each operation on a table needs.
    pub acls: Vec<Acl>,
    /// Records that an ACL hides from whoever is not `admin`: table, encoded query. Applied after the limit.
    pub hidden: BTreeMap<String, String>,
    /// Whether deletes are filed in `sys_audit_delete`.
    pub audits_deletes: bool,
    /// How the `Link` header looks.
    pub link_style: LinkStyle,
    /// The limit of a list when the request has none.
    pub default_limit: usize,
    /// Longer request targets are refused with 414.
    pub url_bytes_max: usize,
    /// Longer queries are refused with 400 unless the pagination header is suppressed.
    pub pagination_query_bytes_max: usize,
    /// Larger request bodies are refused with 400 (`glide.rest.max_content_length`).
    pub body_bytes_max: usize,
    /// Staging tables of import sets, with their transform maps.
    pub import_sets: Vec<ImportSet>,
    /// Whether Event Management is installed.
    pub event_management: bool,
    /// How long an event waits until it is processed into an alert.
    pub events_take_ms: u64,
    /// Rate limit rules.
    pub rate_limits: Vec<RateLimit>,
    /// How many calls may be under way at once; none: any number.
    pub semaphores: Option<Semaphores>,
    /// How long one call keeps the instance busy. With 0 nothing ever queues.
    pub call_takes_ms: u64,
    /// How many calls may queue on one session before further ones are dropped with 202.
    pub session_queue_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seed: 1,
            first_number: 10_001,
            instance_url: None,
            clients: vec![Client::default()],
            users: demo_users(),
            tokens: TokenRules::default(),
            tables: Vec::new(),
            accepts_chosen_sys_id: true,
            shows_unique_key_detail: true,
            unique_fields: BTreeMap::new(),
            unknown_query_field: UnknownField::Vanishes,
            ignores_case: false,
            allows_unknown_choice: false,
            mandatory: BTreeMap::new(),
            business_rules: Vec::new(),
            closing: ClosingRules::default(),
            acls: Acl::usual(),
            hidden: BTreeMap::new(),
            audits_deletes: true,
            link_style: LinkStyle::Current,
            default_limit: 10_000,
            url_bytes_max: 16_384,
            pagination_query_bytes_max: 8_192,
            body_bytes_max: 10 * 1024 * 1024,
            import_sets: Vec::new(),
            event_management: true,
            events_take_ms: 5_000,
            rate_limits: Vec::new(),
            semaphores: None,
            call_takes_ms: 0,
            session_queue_max: 10,
        }
    }
}

/// An OAuth client registration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Client {
    /// Its id.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// The grants that it may use, by their `grant_type`.
    pub grants: Vec<String>,
    /// The "OAuth Application User", whose rights a client-credentials token has.
    pub application_user: Option<String>,
}

impl Default for Client {
    fn default() -> Self {
        Self {
            client_id: "d0c5a3e1b7f84c0a9e2b6d4f8a1c3e5f".into(),
            client_secret: "demo-client-secret".into(),
            grants: ["password", "refresh_token", "client_credentials"]
                .map(String::from)
                .to_vec(),
            application_user: Some("svc-monitor".into()),
        }
    }
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct User {
    /// The login.
    pub name: String,
    /// The password.
    pub password: String,
    /// What `display_value` shows.
    pub display_name: String,
    /// The roles, without those that they contain.
    pub roles: Vec<String>,
    /// Whether the user may log in at all.
    pub active: bool,
    /// A web-service-only user cannot have an interactive session, so it gets no token by password.
    pub web_service_only: bool,
    /// The user's time zone, for display values.
    pub utc_offset_minutes: i32,
}

impl Default for User {
    fn default() -> Self {
        Self {
            name: String::new(),
            password: String::new(),
            display_name: String::new(),
            roles: Vec::new(),
            active: true,
            web_service_only: false,
            utc_offset_minutes: 0,
        }
    }
}

fn demo_users() -> Vec<User> {
    let user = |name: &str, display_name: &str, roles: &[&str]| User {
        name: name.into(),
        password: format!("{name}-password"),
        display_name: display_name.into(),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        ..User::default()
    };
    vec![
        user(
            "svc-monitor",
            "Monitor Service",
            &[
                "itil",
                "itil_admin",
                "evt_mgmt_integration",
                "evt_mgmt_operator",
                "import_set_loader",
                "import_transformer",
            ],
        ),
        user("admin", "System Administrator", &["admin"]),
        user("abel.tuter", "Abel Tuter", &["itil"]),
        user("joe.employee", "Joe Employee", &[]),
    ]
}

/// How tokens behave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenRules {
    /// Life of an access token, seconds.
    pub access_ttl_s: i64,
    /// Life of a refresh token, seconds.
    pub refresh_ttl_s: i64,
    /// Whether the reply to a refresh grant repeats the refresh token.
    pub refresh_reply_has_refresh_token: bool,
    /// Whether the password grant is switched off (`glide.oauth.inbound.ropc.grant_type.disabled`).
    pub ropc_disabled: bool,
    /// Whether client credentials work (`glide.oauth.inbound.client.credential.grant_type.enabled`).
    pub client_credentials_enabled: bool,
    /// Whether client credentials give the same access token again inside its life. Not documented.
    pub client_credentials_repeat: bool,
    /// Whether parameters in the query string are refused (`glide.oauth.allow.parameters.in.post.body.only`).
    pub parameters_in_body_only: bool,
}

impl Default for TokenRules {
    fn default() -> Self {
        Self {
            access_ttl_s: 1_800,
            refresh_ttl_s: 8_640_000,
            refresh_reply_has_refresh_token: true,
            ropc_disabled: false,
            client_credentials_enabled: true,
            client_credentials_repeat: true,
            parameters_in_body_only: true,
        }
    }
}

/// A table beyond the built-in ones; of one that is there, only the columns are added.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GenericTable {
    /// Its name.
    pub name: String,
    /// The table that it extends.
    pub extends: Option<String>,
    /// Its own columns: `name` (a text of 255 characters), `name:LENGTH`, or `name:TYPE` with `int`, `bool`, `time`,
    /// `journal` or `ref(TABLE)`.
    pub columns: Vec<String>,
    /// The prefix of its numbers.
    pub number_prefix: Option<String>,
}

/// A staging table, and what becomes of its rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImportSet {
    /// Its name.
    pub staging_table: String,
    /// Its transform maps, in the order in which they run.
    pub maps: Vec<TransformMap>,
    /// Whether the user may read the staging table; else the reply has no body.
    pub is_readable: bool,
}

impl Default for ImportSet {
    fn default() -> Self {
        Self {
            staging_table: "u_azure_alert".into(),
            maps: vec![TransformMap::default()],
            is_readable: true,
        }
    }
}

/// A transform map.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TransformMap {
    /// Its name.
    pub name: String,
    /// The table that its records are in.
    pub table: String,
    /// The column by which a record is found to be changed; compared without case. None: every row makes a record.
    pub coalesce: Option<String>,
    /// The columns that it takes over, each into the field of the same name; all, if none is named.
    pub columns: Vec<String>,
    /// Whether its script ignores every row.
    pub ignores: bool,
}

impl Default for TransformMap {
    fn default() -> Self {
        Self {
            name: "Alert to incident".into(),
            table: "incident".into(),
            coalesce: Some("correlation_id".into()),
            columns: Vec::new(),
            ignores: false,
        }
    }
}

/// What a condition on a field that does not exist does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownField {
    /// It vanishes and the rest runs: the documented default.
    Vanishes,
    /// The query returns nothing (`glide.invalid_query.returns_no_rows`).
    NoRows,
}

/// A business rule that aborts writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BusinessRule {
    /// Its name.
    pub name: String,
    /// The table that it is for.
    pub table: String,
    /// Which records, as they would be after the write: an encoded query.
    pub condition: String,
}

/// How incidents and change requests are closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClosingRules {
    /// Whether resolving and closing needs a close code and close notes.
    pub needs_code_and_notes: bool,
    /// The close codes of an incident that there are.
    pub incident_close_codes: Vec<String>,
    /// The role that closing (state 7) needs; resolving needs none.
    pub closing_role: Option<String>,
    /// Whether a closed incident stays closed for all but `admin`.
    pub closed_is_final: bool,
    /// Whether the state of a change request moves by the steps of its model only.
    pub checks_change_steps: bool,
}

impl Default for ClosingRules {
    fn default() -> Self {
        Self {
            needs_code_and_notes: true,
            incident_close_codes: super::choices::INCIDENT_CLOSE_CODES
                .map(String::from)
                .to_vec(),
            closing_role: Some("itil_admin".into()),
            closed_is_final: true,
            checks_change_steps: true,
        }
    }
}

pub use super::acl::{Acl, Operation};

/// How the `Link` header looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkStyle {
    /// As recorded in 2026: always there, with a `prev` of negative offset on the first page.
    Current,
    /// As recorded before: no `prev` on the first page, no header when all fits in one page.
    Older,
}

/// A rate limit rule for the Table API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Whom it is for.
    pub applies_to: AppliesTo,
    /// How many calls per clock hour.
    pub per_hour: u64,
}

/// Whom a rate limit rule is for. A rule for the user beats one for a role, that beats one for all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppliesTo {
    /// One user.
    User(String),
    /// Whoever has this role; of several, the lowest limit counts.
    Role(String),
    /// Everybody.
    AllUsers,
}

/// The semaphore set for integrations (`API_INT`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Semaphores {
    /// How many calls run at once.
    pub parallel: usize,
    /// How many more may wait.
    pub queue: usize,
}
