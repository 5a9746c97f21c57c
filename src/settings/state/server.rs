//! The address of a cloud's store: with TLS, or one that may go without.

use url::Host;

use super::error;
use crate::domain::network::AllowedHosts;
use crate::settings::{SettingsError, shown};

/// A server that may be asked.
pub(super) struct Server(url::Url);

impl Server {
    /// Its address, unless it is one of the cloud's own.
    pub(super) fn unless(&self, is_own: impl Fn(&str) -> bool) -> Option<String> {
        let host = self.0.host_str().unwrap_or_default().to_ascii_lowercase();
        let is_own = self.0.scheme() == "https" && self.0.port().is_none() && is_own(&host);
        let shown = || self.0.as_str().trim_end_matches('/').to_owned();
        (!is_own).then(shown)
    }
}

/// Without TLS only this machine is asked, and whoever is on the list: alerts and keys would be read on the way.
pub(super) fn server(
    variable: &'static str,
    value: &str,
    allowed: &AllowedHosts,
) -> Result<Server, SettingsError> {
    let hint =
        "with TLS; without it only this machine may be named, and hosts in `ITSMC_ALLOW_HOSTS`";
    // What somebody put before the host may be a key: nothing of such an address is shown.
    let not_taken = |found| error(variable, found, "`https://HOST`", hint);
    let Ok(url) = url::Url::parse(value) else {
        return Err(not_taken("no address (not shown)".to_owned()));
    };
    let is_bare = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    let (true, Some(host)) = (is_bare, url.host()) else {
        return Err(not_taken(
            "more than a scheme, a host and a path (not shown)".to_owned(),
        ));
    };
    let is_this_machine = match &host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    let port = url.port_or_known_default().unwrap_or(0);
    let may_be_plain = is_this_machine || allowed.contains(&host.to_string(), port);
    match url.scheme() {
        "https" => Ok(Server(url)),
        "http" if may_be_plain => Ok(Server(url)),
        _ => Err(not_taken(shown(value))),
    }
}
