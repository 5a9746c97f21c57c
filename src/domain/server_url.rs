//! The address of an ITSM instance: parsed once, by a rule per product, so that nothing else can be called by it.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

use super::egress::Networks;
use super::network::{self, AllowedHosts};

/// The base address of an ITSM instance: `https`, a host that the product's rule or the allow-list admits, no user
/// information, query or fragment.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerUrl(Url);

/// Why an address is refused. The address itself is not part of the text: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAServerUrl {
    /// Not an absolute address.
    #[error("not an absolute URL")]
    NotAUrl,
    /// Another scheme than `https`.
    #[error("the scheme `{0}`")]
    NotHttps(String),
    /// `user:password@host`.
    #[error("a user name or password inside the URL")]
    Credentials,
    /// `?…` or `#…`.
    #[error("a query or fragment")]
    QueryOrFragment,
    /// `/path` where the product has none, or one that climbs.
    #[error("the path `{0}`")]
    Path(String),
    /// An IP address that is not on the allow-list.
    #[error("the IP address `{0}` in place of a host name")]
    Address(String),
    /// A host that the product's rule does not admit.
    #[error("the host `{0}`")]
    Host(String),
    /// Another port than 443.
    #[error("the port {0}")]
    Port(u16),
}

impl NotAServerUrl {
    /// What was expected instead.
    pub fn expected(&self) -> &'static str {
        match self {
            Self::NotAUrl => "the instance's address, such as `https://contoso.service-now.com`",
            Self::NotHttps(_) => "`https`",
            Self::Credentials => {
                "an address without credentials; they have keys of their own in the definition"
            }
            Self::QueryOrFragment => "an address that ends after the host or path",
            Self::Path(_) => "no path",
            Self::Address(_) => "a host name",
            Self::Host(_) => "a host name below the product's own domain",
            Self::Port(_) => "no port, which means 443",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotAUrl => {
                "copy the address from the browser's address bar and leave only `https://` and the host"
            }
            Self::NotHttps(_) => {
                "tokens travel to this address; only a simulator may go without TLS, by `ITSMC_ALLOW_HOSTS`"
            }
            Self::Credentials => {
                "remove everything before `@`; put the user into `username` and give the password to `itsmc connection add`"
            }
            Self::QueryOrFragment | Self::Path(_) => "remove everything after the host",
            Self::Address(_) => {
                "an instance on premises is reached by `allow_networks` of its connection; a simulator only if `ITSMC_ALLOW_HOSTS` lists it"
            }
            Self::Host(_) => {
                "if this is your own domain for the product, list it in `ITSMC_ALLOW_HOSTS`; if it is on premises, its network in `allow_networks`"
            }
            Self::Port(_) => {
                "an instance at another port is reached only if `ITSMC_ALLOW_HOSTS` lists `host:port`, or on premises by `allow_networks`"
            }
        }
    }
}

impl ServerUrl {
    /// Reads an address. `domains` are the product's own domains (a host must have at least one label before one of
    /// them); an empty list admits every public host name. Hosts in `allowed` may be anything, also without TLS. Where the
    /// connection names `networks` of its own, the instance is on premises: any name and port, or an address in them, with TLS.
    pub fn parse(
        text: &str,
        domains: &[&str],
        networks: &Networks,
        allowed: &AllowedHosts,
    ) -> Result<Self, NotAServerUrl> {
        let url = Url::parse(text.trim()).map_err(|_| NotAServerUrl::NotAUrl)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(NotAServerUrl::Credentials);
        }
        let Some(host) = url.host() else {
            return Err(NotAServerUrl::NotAUrl);
        };
        let exempt = url
            .port_or_known_default()
            .is_some_and(|port| allowed.contains(&host.to_string(), port));
        if url.scheme() != "https" && !(exempt && url.scheme() == "http") {
            return Err(NotAServerUrl::NotHttps(url.scheme().to_owned()));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(NotAServerUrl::QueryOrFragment);
        }
        // The parser resolves `..`; what a person wrote must not have needed it.
        let wrote_dots = text.split(['/', '\\']).skip(3).any(|part| {
            matches!(
                part.to_ascii_lowercase().as_str(),
                "." | ".." | "%2e" | "%2e%2e"
            )
        });
        if url.path() != "/" || wrote_dots {
            return Err(NotAServerUrl::Path(url.path().chars().take(40).collect()));
        }
        if !exempt {
            match &host {
                Host::Domain(_) if !networks.is_empty() => {}
                Host::Domain(name) => admit_domain(name, domains)?,
                Host::Ipv4(address) => admit_address((*address).into(), networks)?,
                Host::Ipv6(address) => admit_address((*address).into(), networks)?,
            }
            if let Some(port) = url.port().filter(|_| networks.is_empty()) {
                return Err(NotAServerUrl::Port(port));
            }
        }
        let mut url = url;
        if let Some(bare) = url
            .host_str()
            .and_then(|name| name.strip_suffix('.'))
            .map(str::to_owned)
        {
            url.set_host(Some(&bare))
                .map_err(|_| NotAServerUrl::NotAUrl)?;
        }
        Ok(Self(url))
    }

    /// The address of a path of the instance; `path` begins with `/`.
    pub fn join(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(path);
        url
    }

    /// The host, lower case.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The port, 443 where the address names none.
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or(443)
    }

    /// The address as text, without a slash at the end.
    pub fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }
}

fn admit_domain(name: &str, domains: &[&str]) -> Result<(), NotAServerUrl> {
    let name = name.trim_end_matches('.');
    let local = !name.contains('.')
        || name.ends_with(".localhost")
        || name.ends_with(".local")
        || name.ends_with(".internal");
    let below = |domain: &&str| {
        name.strip_suffix(domain)
            .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
    };
    if local || !(domains.is_empty() || domains.iter().any(below)) {
        return Err(NotAServerUrl::Host(name.chars().take(80).collect()));
    }
    Ok(())
}

fn admit_address(address: IpAddr, networks: &Networks) -> Result<(), NotAServerUrl> {
    if networks.contain(address) && !network::is_metadata(address) {
        return Ok(());
    }
    Err(NotAServerUrl::Address(address.to_string()))
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICENOW: &[&str] = &[
        "service-now.com",
        "servicenow.com",
        "servicenowservices.com",
    ];

    fn parse(text: &str) -> Result<String, NotAServerUrl> {
        ServerUrl::parse(
            text,
            SERVICENOW,
            &Networks::default(),
            &AllowedHosts::default(),
        )
        .map(|url| url.to_string())
    }

    #[test]
    fn the_products_own_hosts_pass() {
        for (text, expected) in [
            (
                "https://contoso.service-now.com",
                "https://contoso.service-now.com",
            ),
            (
                "https://Contoso.Service-Now.com:443/",
                "https://contoso.service-now.com",
            ),
            (
                "https://lab.dept.service-now.com.",
                "https://lab.dept.service-now.com",
            ),
            (
                "https://contoso.servicenow.com",
                "https://contoso.servicenow.com",
            ),
            (
                "https://agency.servicenowservices.com",
                "https://agency.servicenowservices.com",
            ),
        ] {
            assert_eq!(parse(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_its_reason() {
        let cases: [(&str, &str); 22] = [
            ("contoso.service-now.com", "not an absolute URL"),
            ("http://contoso.service-now.com", "the scheme `http`"),
            ("ftp://contoso.service-now.com", "the scheme `ftp`"),
            (
                "https://127.0.0.1",
                "the IP address `127.0.0.1` in place of a host name",
            ),
            (
                "https://[::1]",
                "the IP address `::1` in place of a host name",
            ),
            (
                "https://0",
                "the IP address `0.0.0.0` in place of a host name",
            ),
            (
                "https://2130706433",
                "the IP address `127.0.0.1` in place of a host name",
            ),
            (
                "https://0x7f.1",
                "the IP address `127.0.0.1` in place of a host name",
            ),
            (
                "https://[::ffff:169.254.169.254]",
                "the IP address `::ffff:169.254.169.254` in place of a host name",
            ),
            (
                "https://169.254.169.254",
                "the IP address `169.254.169.254` in place of a host name",
            ),
            ("https://localhost", "the host `localhost`"),
            (
                "https://x.service-now.com.evil.example",
                "the host `x.service-now.com.evil.example`",
            ),
            (
                "https://evil-service-now.com",
                "the host `evil-service-now.com`",
            ),
            ("https://service-now.com", "the host `service-now.com`"),
            (
                "https://x.service-now.com@evil.example",
                "a user name or password inside the URL",
            ),
            (
                "https://user:hunter2@contoso.service-now.com",
                "a user name or password inside the URL",
            ),
            ("https://contoso.service-now.com?x=1", "a query or fragment"),
            ("https://contoso.service-now.com#x", "a query or fragment"),
            ("https://contoso.service-now.com/a/../..", "the path `/`"),
            ("https://contoso.service-now.com/api", "the path `/api`"),
            ("https://contoso.service-now.com:8443", "the port 8443"),
            (
                "https://сontoso.service-now.com.example",
                "the host `xn--ontoso-hrf.service-now.com.example`",
            ),
        ];
        for (text, reason) in cases {
            let refused = parse(text).expect_err(text);
            assert_eq!(refused.to_string(), reason, "{text}");
            assert!(!refused.hint().is_empty() && !refused.expected().is_empty());
        }
    }

    #[test]
    fn an_allowed_host_may_be_anything() {
        let allowed = AllowedHosts::parse("127.0.0.1:8080,sm.corp.example");
        assert!(
            ServerUrl::parse(
                "http://127.0.0.1:8080",
                SERVICENOW,
                &Networks::default(),
                &allowed
            )
            .is_ok()
        );
        assert!(
            ServerUrl::parse(
                "http://127.0.0.1:8081",
                SERVICENOW,
                &Networks::default(),
                &allowed
            )
            .is_err()
        );
        assert!(
            ServerUrl::parse(
                "https://sm.corp.example:8443",
                SERVICENOW,
                &Networks::default(),
                &allowed
            )
            .is_ok()
        );
    }
}
