//! The calls that are made of the Table API, as method, path, query and body.

use http::Method;

use crate::domain::identity::CorrelationId;

/// The fields that are read of an incident.
const FIELDS: &str = "sys_id,number,correlation_id,state,sys_created_on";

/// Records that a search by correlation id reads: more than one is one too many already.
const FOUND_MAX: u32 = 20;

/// The calls that are made of the Table API.
pub(super) enum Request<'a> {
    Insert(Vec<u8>),
    Get(&'a str),
    Update(&'a str, Vec<u8>),
    Find(&'a CorrelationId),
    LookUp(&'a str),
    Probe,
}

impl Request<'_> {
    pub(super) fn method(&self) -> Method {
        match self {
            Self::Insert(_) => Method::POST,
            Self::Update(..) => Method::PATCH,
            Self::Get(_) | Self::Find(_) | Self::LookUp(_) | Self::Probe => Method::GET,
        }
    }

    pub(super) fn path(&self) -> String {
        match self {
            Self::Insert(_) | Self::Find(_) | Self::LookUp(_) | Self::Probe => {
                "/api/now/table/incident".to_owned()
            }
            Self::Get(id) | Self::Update(id, _) => format!("/api/now/table/incident/{id}"),
        }
    }

    pub(super) fn query(&self) -> Vec<(&'static str, String)> {
        let mut query = vec![
            ("sysparm_fields", FIELDS.to_owned()),
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
            Self::Probe => query.extend([
                ("sysparm_limit", "1".to_owned()),
                ("sysparm_no_count", "true".to_owned()),
            ]),
            Self::Insert(_) | Self::Get(_) | Self::Update(..) => {}
        }
        query
    }

    pub(super) fn body(&self) -> Option<Vec<u8>> {
        match self {
            Self::Insert(body) | Self::Update(_, body) => Some(body.clone()),
            Self::Get(_) | Self::Find(_) | Self::LookUp(_) | Self::Probe => None,
        }
    }
}
