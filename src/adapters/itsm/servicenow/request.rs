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
    Probe,
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
        }
    }

    pub(super) fn query(&self) -> Vec<(&'static str, String)> {
        let fields = match self {
            Self::Events(_) | Self::Import(..) => return Vec::new(),
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
