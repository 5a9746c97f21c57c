//! The proxy through which public hosts are called. What other programs read (`HTTPS_PROXY` and its kin) is not followed: a
//! platform or a parent that sets one for somebody else must not see our calls.

use super::{SettingsError, shown};
use crate::domain::egress::Proxy;

/// `ITSMC_PROXY`.
pub(super) fn proxy(
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Proxy>, SettingsError> {
    variable("ITSMC_PROXY")
        .map(|value| {
            Proxy::parse(&value).map_err(|_| SettingsError {
                variable: "ITSMC_PROXY",
                // It may hold a password.
                found: if value.contains('@') {
                    "an address with credentials (not shown)".to_owned()
                } else {
                    shown(&value)
                },
                expected: "`http://HOST:PORT` of a proxy that takes CONNECT, without credentials",
                hint: "TLS goes through it to the product itself; hosts of `ITSMC_ALLOW_HOSTS` and of `allow_networks` are called directly",
            })
        })
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(value: Option<&str>) -> Result<Option<Proxy>, SettingsError> {
        proxy(&|name| {
            assert_eq!(name, "ITSMC_PROXY", "no other variable names a proxy");
            value.map(str::to_owned)
        })
    }

    #[test]
    fn there_is_a_proxy_only_where_the_setting_names_one() {
        assert_eq!(said(None), Ok(None));
        let proxy = said(Some("http://proxy.corp.example:3128")).unwrap();
        assert_eq!(proxy.unwrap().host(), "proxy.corp.example");
    }

    #[test]
    fn a_password_in_it_is_refused_and_not_shown() {
        let refused = said(Some("http://svc:hunter2canary@proxy.corp.example:3128")).unwrap_err();
        assert_eq!(refused.variable, "ITSMC_PROXY");
        assert!(!refused.to_string().contains("canary"), "{refused}");
    }
}
