//! The calls that are made of the APIs, as method, path, query and body. What goes into a query has passed
//! [`crate::domain::text::for_query`] or is made of letters and digits.

use http::Method;

use crate::domain::identity::CorrelationId;

/// The fields that are read of an incident.
const FIELDS: &str = "sys_id,number,correlation_id,state,sys_created_on";

/// The fields that are read of an alert of Event Management.
const ALERT_FIELDS: &str = "sys_id,number,message_key,state,sys_created_on";

/// Records that a search by correlation id reads: more than one is one too many already.
const FOUND_MAX: u32 = 20;

/// The calls that are made of the Table API.
pub(super) enum Request<'a> {
    Insert(Vec<u8>),
    Get(&'a str),
    Update(&'a str, Vec<u8>),
    Find(&'a CorrelationId),
    LookUp(&'a str),
    Events(Vec<u8>),
    Import(&'a str, Vec<u8>),
    FindAlert(&'a str),
    LookUpAlert(&'a str),
    List(&'a List),
    Count(&'a Counted),
    Probe,
}

/// One page of a table.
pub(super) struct List {
    pub table: &'static str,
    pub fields: String,
    pub query: String,
    pub limit: u32,
    pub skip: u32,
    /// Both what is stored, which is UTC, and what a person reads.
    pub shown: bool,
}

/// How many rows of a table meet a condition, and the sum of how often they were changed.
pub(super) struct Counted {
    pub table: &'static str,
    pub query: String,
}

impl List {
    /// The count of rows is asked for: it alone tells an end from a page whose rows we may not see.
    fn parameters(&self) -> Vec<(&'static str, String)> {
        let mut query = vec![
            ("sysparm_query", self.query.clone()),
            ("sysparm_fields", self.fields.clone()),
            ("sysparm_limit", self.limit.to_string()),
            ("sysparm_exclude_reference_link", "true".to_owned()),
        ];
        if self.shown {
            query.push(("sysparm_display_value", "all".to_owned()));
        }
        if self.skip > 0 {
            query.push(("sysparm_offset", self.skip.to_string()));
        }
        query
    }
}

impl Request<'_> {
    pub(super) fn method(&self) -> Method {
        match self {
            Self::Insert(_) | Self::Events(_) | Self::Import(..) => Method::POST,
            Self::Update(..) => Method::PATCH,
            _ => Method::GET,
        }
    }

    pub(super) fn path(&self) -> String {
        match self {
            Self::Insert(_) | Self::Find(_) | Self::LookUp(_) | Self::Probe => {
                "/api/now/table/incident".to_owned()
            }
            Self::Get(id) | Self::Update(id, _) => format!("/api/now/table/incident/{id}"),
            Self::Events(_) => "/api/global/em/jsonv2".to_owned(),
            Self::Import(table, _) => format!("/api/now/import/{table}"),
            Self::FindAlert(_) | Self::LookUpAlert(_) => "/api/now/table/em_alert".to_owned(),
            Self::List(list) => format!("/api/now/table/{}", list.table),
            Self::Count(counted) => format!("/api/now/stats/{}", counted.table),
        }
    }

    pub(super) fn query(&self) -> Vec<(&'static str, String)> {
        let fields = match self {
            Self::Events(_) | Self::Import(..) => return Vec::new(),
            Self::List(list) => return list.parameters(),
            Self::Count(counted) => {
                return vec![
                    ("sysparm_count", "true".to_owned()),
                    ("sysparm_sum_fields", "sys_mod_count".to_owned()),
                    ("sysparm_query", counted.query.clone()),
                ];
            }
            Self::FindAlert(_) | Self::LookUpAlert(_) => ALERT_FIELDS,
            _ => FIELDS,
        };
        let mut query = vec![
            ("sysparm_fields", fields.to_owned()),
            ("sysparm_exclude_reference_link", "true".to_owned()),
        ];
        match self {
            // The id's alphabet needs no escaping, and there is none in this query language.
            Self::Find(correlation) => query.extend([
                (
                    "sysparm_query",
                    format!("correlation_id={correlation}^ORDERBYsys_created_on^ORDERBYsys_id"),
                ),
                ("sysparm_limit", FOUND_MAX.to_string()),
                ("sysparm_no_count", "true".to_owned()),
            ]),
            Self::LookUp(number) => query.extend([
                ("sysparm_query", format!("number={number}")),
                ("sysparm_limit", "2".to_owned()),
                ("sysparm_no_count", "true".to_owned()),
            ]),
            Self::FindAlert(key) => query.extend([
                (
                    "sysparm_query",
                    format!("message_key={key}^ORDERBYsys_created_on^ORDERBYsys_id"),
                ),
                ("sysparm_limit", FOUND_MAX.to_string()),
                ("sysparm_no_count", "true".to_owned()),
            ]),
            Self::LookUpAlert(number) => query.extend([
                (
                    "sysparm_query",
                    format!("number={number}^ORmessage_key={number}"),
                ),
                ("sysparm_limit", "2".to_owned()),
                ("sysparm_no_count", "true".to_owned()),
            ]),
            Self::Probe => query.extend([
                ("sysparm_limit", "1".to_owned()),
                ("sysparm_no_count", "true".to_owned()),
            ]),
            Self::Insert(_)
            | Self::Get(_)
            | Self::Update(..)
            | Self::Events(_)
            | Self::List(_)
            | Self::Count(_)
            | Self::Import(..) => {}
        }
        query
    }

    pub(super) fn body(&self) -> Option<Vec<u8>> {
        match self {
            Self::Insert(body)
            | Self::Update(_, body)
            | Self::Events(body)
            | Self::Import(_, body) => Some(body.clone()),
            _ => None,
        }
    }
}
