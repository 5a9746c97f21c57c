//! The bodies that are read by all tests here.

use std::path::Path;
use std::sync::LazyLock;

use bytes::Bytes;
use itsm_connector::domain::alert::Alert;
use itsm_connector::domain::name::{ActionName, ConnectionName};
use itsm_connector::inbound::common_alert_schema::{self, NotAnAlert};
use itsm_connector::inbound::webhook::Delivery;

const FOLDERS: [&str; 2] = ["common_alert_schema", "older_schemas"];

static ALL: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(read_all);

/// All bodies, by `folder/name`.
pub(crate) fn all() -> Vec<(String, Vec<u8>)> {
    ALL.clone()
}

#[expect(clippy::disallowed_methods, reason = "these tests own their fixtures")]
fn read_all() -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut found = Vec::new();
    for folder in FOLDERS {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            found.push((format!("{folder}/{name}"), std::fs::read(path).unwrap()));
        }
    }
    found.sort();
    found
}

pub(crate) fn delivery(body: impl Into<Bytes>) -> Delivery {
    let connection = ConnectionName::parse("contoso").unwrap();
    Delivery::from_journal(connection, ActionName::default(), body.into())
}

pub(crate) fn parsed(body: impl Into<Bytes>) -> Result<Alert, NotAnAlert> {
    common_alert_schema::parse(&delivery(body))
}
