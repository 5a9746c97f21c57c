//! Where rows go: `ITSMC_LOG_ANALYTICS`, and `ITSMC_DCR_ID` with an endpoint of Azure.

use std::fmt;
use std::path::PathBuf;

use super::{SettingsError, folder, shown};
use crate::domain::network::AllowedHosts;

/// Domains of the clouds' endpoints for logs: only there does a token for them go by itself (azure-platform §4.1).
const ENDPOINT_DOMAINS: &[&str] = &[
    ".monitor.azure.com",
    ".monitor.azure.us",
    ".monitor.azure.cn",
];

/// What a rule's immutable id begins with.
const RULE_PREFIX: &str = "dcr-";

/// Longest immutable id that is taken; Azure's own have 36 characters.
const RULE_CHARS_MAX: usize = 64;

/// Where rows go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowsLocation {
    /// Log Analytics, through a data collection rule.
    LogAnalytics {
        /// Its endpoint for logs.
        endpoint: url::Url,
        /// The rule's immutable id.
        rule: String,
    },
    /// A folder of files, a line a row.
    Folder(PathBuf),
    /// A database of one file.
    #[cfg(feature = "desk")]
    Sqlite(PathBuf),
}

impl fmt::Display for RowsLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LogAnalytics { endpoint, .. } => write!(f, "{endpoint}"),
            Self::Folder(folder) => write!(f, "{}", folder.display()),
            #[cfg(feature = "desk")]
            Self::Sqlite(file) => write!(f, "{}", file.display()),
        }
    }
}

/// `ITSMC_LOG_ANALYTICS`; `None` if it is not set.
pub(super) fn rows(
    variable: &dyn Fn(&str) -> Option<String>,
    allowed: &AllowedHosts,
) -> Result<Option<RowsLocation>, SettingsError> {
    let Some(value) = variable("ITSMC_LOG_ANALYTICS") else {
        return Ok(None);
    };
    let error = |expected, hint| SettingsError {
        variable: "ITSMC_LOG_ANALYTICS",
        found: if value.contains('@') {
            "an address with credentials (not shown)".to_owned()
        } else {
            shown(&value)
        },
        expected,
        hint,
    };
    if value.starts_with("file:") {
        let folder = folder(&value).map(RowsLocation::Folder);
        let folder = folder.ok_or_else(|| {
            error(
                "`file:///DIR` with an absolute path",
                "three slashes: two of the scheme, one of the path",
            )
        });
        return folder.map(Some);
    }
    if value.starts_with("sqlite:") {
        return sqlite(&value).map(Some).ok_or_else(|| {
            error(
                "the endpoint's `https://` address or `file:///DIR`; at the desk also `sqlite:///FILE` with an absolute path",
                "a function keeps no database: its disk is gone with it",
            )
        });
    }
    let endpoint = endpoint(&value, allowed).ok_or_else(|| {
        error(
            "`https://NAME.REGION-1.ingest.monitor.azure.com`, without a path, or `file:///DIR`",
            "it is `properties.endpoints.logsIngestion` of the data collection rule, or of its endpoint; another host must be in `ITSMC_ALLOW_HOSTS`",
        )
    })?;
    let rule = rule(variable("ITSMC_DCR_ID"))?;
    Ok(Some(RowsLocation::LogAnalytics { endpoint, rule }))
}

#[cfg(feature = "desk")]
fn sqlite(value: &str) -> Option<RowsLocation> {
    let file = value.strip_prefix("sqlite://")?;
    let path = folder(&format!("file://{file}"))?;
    path.file_name()
        .is_some()
        .then_some(RowsLocation::Sqlite(path))
}

#[cfg(not(feature = "desk"))]
fn sqlite(_: &str) -> Option<RowsLocation> {
    None
}

/// Without TLS, or elsewhere than in Azure, only where the list of hosts says so: whoever is there is given a token.
fn endpoint(value: &str, allowed: &AllowedHosts) -> Option<url::Url> {
    let url = url::Url::parse(value).ok()?;
    let host = url.host_str()?;
    let is_azure = url.scheme() == "https"
        && ENDPOINT_DOMAINS
            .iter()
            .any(|domain| host.len() > domain.len() && host.ends_with(domain));
    let is_listed = matches!(url.scheme(), "http" | "https")
        && allowed.contains(host, url.port_or_known_default()?);
    let is_bare = url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    ((is_azure || is_listed) && is_bare).then_some(url)
}

fn rule(value: Option<String>) -> Result<String, SettingsError> {
    let error = |found| SettingsError {
        variable: "ITSMC_DCR_ID",
        found,
        expected: "the data collection rule's immutable id, such as `dcr-0123456789abcdef0123456789abcdef`",
        hint: "`az monitor data-collection rule show --query immutableId` shows it; the resource id does not do",
    };
    let value = value.ok_or_else(|| error("nothing".to_owned()))?;
    let is_sound = value.len() <= RULE_CHARS_MAX
        && value.strip_prefix(RULE_PREFIX).is_some_and(|rest| {
            !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        });
    if is_sound {
        Ok(value)
    } else {
        Err(error(shown(&value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = "dcr-0123456789abcdef0123456789abcdef";

    fn said(value: &str, rule: Option<&str>) -> Result<Option<RowsLocation>, SettingsError> {
        let allowed = AllowedHosts::parse("127.0.0.1:8443, ingest.corp.example");
        rows(
            &|name| match name {
                "ITSMC_LOG_ANALYTICS" => Some(value.to_owned()),
                "ITSMC_DCR_ID" => rule.map(str::to_owned),
                other => panic!("{other}"),
            },
            &allowed,
        )
    }

    #[test]
    fn good_places_are_taken() {
        for value in [
            "https://itsm-abcd.westeurope-1.ingest.monitor.azure.com",
            "https://a.usgovvirginia-1.ingest.monitor.azure.us/",
            "https://a.chinaeast2-1.ingest.monitor.azure.cn",
            "https://127.0.0.1:8443",
            "http://127.0.0.1:8443",
            "https://ingest.corp.example",
        ] {
            let found = said(value, Some(RULE)).unwrap();
            assert!(
                matches!(&found, Some(RowsLocation::LogAnalytics { rule, .. }) if rule == RULE),
                "{value}"
            );
        }
        let folder = said("file:///var/rows", None).unwrap();
        assert_eq!(folder, Some(RowsLocation::Folder("/var/rows".into())));
        let nothing = rows(&|_| None, &AllowedHosts::default());
        assert_eq!(nothing, Ok(None));
    }

    #[cfg(feature = "desk")]
    #[test]
    fn the_desk_has_a_database() {
        let found = said("sqlite:///var/rows.sqlite", None).unwrap();
        let expected = RowsLocation::Sqlite("/var/rows.sqlite".into());
        assert_eq!(found, Some(expected));
        assert!(said("sqlite:///", None).is_err());
    }

    #[cfg(not(feature = "desk"))]
    #[test]
    fn a_function_has_no_database() {
        assert!(said("sqlite:///var/rows.sqlite", None).is_err());
    }

    #[test]
    fn every_mistake_names_its_variable() {
        let endpoint = "https://a.westeurope-1.ingest.monitor.azure.com";
        let with_path = format!("{endpoint}/dataCollectionRules");
        let with_password = "https://user:canary@a.westeurope-1.ingest.monitor.azure.com";
        let cases = [
            ("file://relative", None),
            ("sqlite:relative", None),
            ("https://a.monitor.azure.com.example", Some(RULE)),
            ("https://.monitor.azure.com", Some(RULE)),
            ("http://a.westeurope-1.ingest.monitor.azure.com", Some(RULE)),
            ("127.0.0.1:8443", Some(RULE)),
            (with_path.as_str(), Some(RULE)),
            (with_password, Some(RULE)),
            (endpoint, None),
            (endpoint, Some("dcr-")),
            (endpoint, Some("/subscriptions/1/dataCollectionRules/a")),
        ];
        let told: Vec<String> = cases
            .iter()
            .map(|(value, rule)| {
                let told = said(value, *rule).err();
                told.unwrap_or_else(|| panic!("{value} is taken"))
                    .to_string()
            })
            .collect();
        let told = told.join("\n");
        assert!(!told.contains("canary"), "{told}");
        insta::assert_snapshot!(told);
    }
}
