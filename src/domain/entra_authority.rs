//! The Entra tenant that gives a connection's tokens. Passwords and client secrets go there, so that it is a host of
//! Microsoft's and nothing else, whoever names it.

use std::fmt;

use url::Url;

use super::egress::Egress;
use super::entra::{Cloud, guid};
use super::network::AllowedHosts;

/// Further names of Entra's hosts, and the one that is called in their place (they are the same service by older names).
const ALIASES: [(&str, Cloud); 2] = [
    ("login.windows.net", Cloud::Public),
    ("login.chinacloudapi.cn", Cloud::China),
];

/// Longest name of a tenant: that of a domain.
const TENANT_CHARS_MAX: usize = 253;

/// A tenant and the host that speaks for it.
#[derive(Clone, PartialEq, Eq)]
pub struct Authority {
    /// Scheme, host and port.
    origin: Url,
    tenant: String,
}

/// Why a text names no tenant that tokens may come from. Nothing of a path or a query is repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAuthority {
    /// Not an absolute address, or one with credentials.
    #[error("no address of a tenant")]
    NotAUrl,
    /// Not a host of Entra's.
    #[error("the host `{0}`")]
    Host(String),
    /// No tenant, or one of the words that mean any.
    #[error("no single tenant")]
    Tenant,
    /// A challenge that names none.
    #[error("a challenge that names no tenant")]
    NoChallenge,
}

impl NotAnAuthority {
    /// What was expected instead.
    pub const EXPECTED: &str = "`https://`, a host of Microsoft Entra ID such as `login.microsoftonline.com`, and the tenant's id or domain";

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Host(_) => {
                "passwords and secrets go to this host: take `login.microsoftonline.com`, `login.microsoftonline.us` or `login.partner.microsoftonline.cn`; a simulator only if `ITSMC_ALLOW_HOSTS` lists it"
            }
            Self::NotAUrl | Self::Tenant | Self::NoChallenge => {
                "the tenant's id stands on Entra's overview page: `https://login.microsoftonline.com/<tenant id>`"
            }
        }
    }
}

impl Authority {
    /// Reads `https://HOST/TENANT`; what follows the tenant is left out, as every address of a tenant has it.
    pub fn parse(text: &str, allowed: &AllowedHosts) -> Result<Self, NotAnAuthority> {
        let url = Url::parse(text.trim()).map_err(|_| NotAnAuthority::NotAUrl)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(NotAnAuthority::NotAUrl);
        }
        let segment = url.path_segments().and_then(|mut all| all.next());
        let tenant = segment.and_then(tenant).ok_or(NotAnAuthority::Tenant);
        Ok(Self {
            origin: origin(&url, allowed)?,
            tenant: tenant?,
        })
    }

    /// Reads the challenge of a product that asks for a token (RFC 9110 §11.6.1; provance-api §1.1):
    /// `Bearer authorization_uri=https://HOST/TENANT/oauth2/authorize, resource_id=…`. The tenant must be told by its id: a
    /// challenge is not the place for `common`.
    pub fn of_challenge(challenge: &str, allowed: &AllowedHosts) -> Result<Self, NotAnAuthority> {
        let (scheme, parameters) = challenge
            .trim()
            .split_once(' ')
            .ok_or(NotAnAuthority::NoChallenge)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(NotAnAuthority::NoChallenge);
        }
        let mut named = parameters.split(',').filter_map(|one| {
            let (name, value) = one.split_once('=')?;
            let is_it = ["authorization_uri", "authorization"]
                .iter()
                .any(|known| name.trim().eq_ignore_ascii_case(known));
            is_it.then(|| value.trim().trim_matches('"'))
        });
        let uri = named.next().ok_or(NotAnAuthority::NoChallenge)?;
        let found = Self::parse(uri, allowed)?;
        match guid(&found.tenant) {
            Some(_) => Ok(found),
            None => Err(NotAnAuthority::Tenant),
        }
    }

    /// Its token endpoint of version 2.0.
    pub fn token_endpoint(&self) -> Url {
        let mut url = self.origin.clone();
        url.set_path(&format!("/{}/oauth2/v2.0/token", self.tenant));
        url
    }

    /// What a request for its tokens may reach.
    pub fn egress(&self) -> Egress {
        Egress::to_origin(&self.origin)
    }
}

/// The origin, if it is Entra's or on the list.
fn origin(url: &Url, allowed: &AllowedHosts) -> Result<Url, NotAnAuthority> {
    let host = url.host_str().ok_or(NotAnAuthority::NotAUrl)?;
    let refused = || NotAnAuthority::Host(host.chars().take(80).collect());
    let port = url.port_or_known_default().ok_or_else(refused)?;
    let text = if allowed.contains(host, port) && matches!(url.scheme(), "https" | "http") {
        url.origin().ascii_serialization()
    } else {
        let known = Cloud::ALL
            .into_iter()
            .find(|cloud| cloud.authority() == host)
            .or_else(|| Some(ALIASES.iter().find(|(alias, _)| *alias == host)?.1));
        let cloud = known.filter(|_| url.scheme() == "https" && url.port().is_none());
        format!("https://{}", cloud.ok_or_else(refused)?.authority())
    };
    Url::parse(&text).map_err(|_| NotAnAuthority::NotAUrl)
}

/// A tenant's id or one of its domains; never a word that means any tenant.
fn tenant(text: &str) -> Option<String> {
    if let Some(id) = guid(text) {
        return Some(id);
    }
    let is_domain = text.contains('.')
        && text.len() <= TENANT_CHARS_MAX
        && text.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        });
    is_domain.then(|| text.to_ascii_lowercase())
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.tenant)
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "22222222-aaaa-4000-8000-00000000000a";

    fn read(text: &str) -> Result<String, NotAnAuthority> {
        let allowed = AllowedHosts::parse("127.0.0.1:8080");
        Authority::parse(text, &allowed).map(|found| found.token_endpoint().to_string())
    }

    fn told(challenge: &str) -> Result<String, NotAnAuthority> {
        let allowed = AllowedHosts::parse("127.0.0.1:8080");
        Authority::of_challenge(challenge, &allowed).map(|found| found.to_string())
    }

    #[test]
    fn a_tenant_is_a_host_of_entras_and_an_id_or_a_domain() {
        let endpoint = |host: &str, tenant: &str| Ok(format!("{host}/{tenant}/oauth2/v2.0/token"));
        let host = "https://login.microsoftonline.com";
        for text in [
            format!("{host}/{TENANT}"),
            format!("{host}/{}/", TENANT.to_uppercase()),
            format!("{host}/{TENANT}/v2.0"),
            format!("https://login.windows.net/{TENANT}/oauth2/authorize"),
        ] {
            assert_eq!(read(&text), endpoint(host, TENANT), "{text}");
        }
        let domain = "contoso.onmicrosoft.com";
        assert_eq!(read(&format!("{host}/{domain}")), endpoint(host, domain));
        assert_eq!(
            read(&format!("https://login.chinacloudapi.cn/{TENANT}")),
            endpoint("https://login.partner.microsoftonline.cn", TENANT)
        );
        assert_eq!(
            read(&format!("http://127.0.0.1:8080/{TENANT}")),
            endpoint("http://127.0.0.1:8080", TENANT)
        );
    }

    #[test]
    fn nothing_else_is_one() {
        use NotAnAuthority as Not;
        let host = |name: &str| Not::Host(name.to_owned());
        for (text, expected) in [
            ("contoso", Not::NotAUrl),
            ("https://login.microsoftonline.com", Not::Tenant),
            ("https://login.microsoftonline.com/common", Not::Tenant),
            ("https://login.microsoftonline.com/consumers/", Not::Tenant),
            ("https://login.microsoftonline.com/a..b", Not::Tenant),
            (
                "https://u:p@login.microsoftonline.com/contoso.com",
                Not::NotAUrl,
            ),
            ("https://evil.example/contoso.com", host("evil.example")),
            (
                "https://login.microsoftonline.com.evil.example/contoso.com",
                host("login.microsoftonline.com.evil.example"),
            ),
            (
                "https://login.microsoftonline.com:8443/contoso.com",
                host("login.microsoftonline.com"),
            ),
            (
                "http://login.microsoftonline.com/contoso.com",
                host("login.microsoftonline.com"),
            ),
            ("http://127.0.0.1:8081/contoso.com", host("127.0.0.1")),
        ] {
            assert_eq!(read(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn a_challenge_names_the_tenant_in_any_of_its_forms() {
        let host = "https://login.microsoftonline.com";
        let found = format!("{host}/{TENANT}");
        for challenge in [
            format!(
                "Bearer authorization_uri={found}/oauth2/authorize, resource_id=https://org.crm.dynamics.com/"
            ),
            format!("Bearer authorization_uri=\"{found}/oauth2/authorize\",resource_id=\"x\""),
            format!("bearer resource_id=x, Authorization={found}"),
        ] {
            assert_eq!(told(&challenge), Ok(found.clone()), "{challenge}");
        }
        use NotAnAuthority as Not;
        for (challenge, expected) in [
            ("Bearer".to_owned(), Not::NoChallenge),
            ("Bearer realm=\"x\"".to_owned(), Not::NoChallenge),
            (format!("Basic authorization_uri={found}"), Not::NoChallenge),
            (
                format!("Bearer authorization_uri={host}/common/oauth2/authorize"),
                Not::Tenant,
            ),
            (
                format!("Bearer authorization_uri=https://evil.example/{TENANT}"),
                Not::Host("evil.example".to_owned()),
            ),
        ] {
            assert_eq!(told(&challenge), Err(expected), "{challenge}");
        }
    }
}
