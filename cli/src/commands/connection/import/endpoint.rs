//! Where Azure reaches the function: what every webhook's address begins with.

use itsm_connector::domain::name::{ActionName, ConnectionName};
use url::{Host, Url};

/// An address that webhooks begin with, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint(String);

impl Endpoint {
    /// Reads `https://HOST`, with a path where something stands before the function. Without TLS a key would travel in
    /// the open; only this machine may go without.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text)
            .map_err(|_| "expected an address such as https://alerts.contoso.example")?;
        let is_here = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        if url.scheme() != "https" && !(url.scheme() == "http" && is_here) {
            return Err("expected https: the address carries a key".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("expected an address without a user and password".to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(
                "expected an address without `?` and `#`: the key is a parameter of the template"
                    .to_owned(),
            );
        }
        let bare = url.as_str().trim_end_matches('/');
        if bare.contains("/api/create-work-item") {
            return Err("expected what stands before /api/create-work-item".to_owned());
        }
        Ok(Self(bare.to_owned()))
    }

    /// The address of an action's webhook, without its key.
    pub(super) fn webhook(&self, connection: &ConnectionName, action: &ActionName) -> String {
        format!("{}/api/create-work-item/{connection}/{action}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_a_key_may_travel_to() {
        let webhook = |text: &str| {
            let contoso = ConnectionName::parse("contoso").unwrap();
            Endpoint::parse(text).map(|endpoint| endpoint.webhook(&contoso, &ActionName::default()))
        };
        for (text, begins) in [
            (
                "https://alerts.contoso.example",
                "https://alerts.contoso.example",
            ),
            (
                "https://alerts.contoso.example/itsm/",
                "https://alerts.contoso.example/itsm",
            ),
            ("http://127.0.0.1:7071", "http://127.0.0.1:7071"),
        ] {
            let whole = format!("{begins}/api/create-work-item/contoso/default");
            assert_eq!(webhook(text), Ok(whole));
        }
        for wrong in [
            "alerts.contoso.example",
            "http://alerts.contoso.example",
            "https://user:pass@alerts.contoso.example",
            "https://alerts.contoso.example?key=x",
            "https://alerts.contoso.example/api/create-work-item/contoso",
            "ftp://alerts.contoso.example",
        ] {
            assert!(webhook(wrong).is_err(), "{wrong}");
        }
    }
}
