//! The proxy through which public hosts are called, where there is no other way out: `ITSMC_PROXY`.

use url::Url;

/// A proxy for HTTP that takes `CONNECT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy(Url);

/// Why an address is no proxy's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no address of a proxy")]
pub struct NotAProxy;

impl Proxy {
    /// Reads `http://HOST:PORT`.
    pub fn parse(text: &str) -> Result<Self, NotAProxy> {
        let url = Url::parse(text).map_err(|_| NotAProxy)?;
        let fine = url.scheme() == "http"
            && url.host().is_some()
            && url.username().is_empty()
            && url.password().is_none()
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none();
        fine.then_some(Self(url)).ok_or(NotAProxy)
    }

    /// Its host, lower case.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Its address.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}
