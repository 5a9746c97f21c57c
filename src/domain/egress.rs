//! What a call may reach: a host that its connection names, an address that is public or in a network that the
//! connection names, and certificates that the system trusts, or the connection's own authority alone.

mod authorities;
mod networks;
mod proxy;

use std::net::IpAddr;

use url::{Host, Url};

use super::network::{self, AllowedHosts};
use super::server_url::ServerUrl;
pub use authorities::{AUTHORITIES_MAX, Authorities, NotAuthorities};
pub use networks::{NETWORKS_MAX, Networks, NotANetwork};
pub use proxy::{NotAProxy, Proxy};

/// What the calls of one connection may reach: its own server and nothing else (rows C17 and S16). Tokens that Entra gives
/// are asked for by an egress of their own, to Entra's host alone.
///
/// A request carries it among its extensions, in an `Arc`. One that carries none may reach public addresses only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Egress {
    host: String,
    port: u16,
    networks: Networks,
    authorities: Authorities,
}

impl Egress {
    /// To a connection's server, in `networks` if there are any, whose certificate comes from `authorities` if there are any.
    pub fn to(server: &ServerUrl, networks: Networks, authorities: Authorities) -> Self {
        Self {
            host: server.host().to_owned(),
            port: server.port(),
            networks,
            authorities,
        }
    }

    /// To the host and port of an address, whose certificate the system trusts.
    pub fn to_origin(url: &Url) -> Self {
        Self {
            host: url.host_str().unwrap_or_default().to_owned(),
            port: url.port_or_known_default().unwrap_or(443),
            networks: Networks::default(),
            authorities: Authorities::default(),
        }
    }

    /// Whose certificates count; none: those that the system trusts.
    pub fn authorities(&self) -> &Authorities {
        &self.authorities
    }
}

/// Which addresses a call may dial.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dial {
    /// Public ones.
    Public,
    /// Those of a connection's own networks, and no others.
    Within(Networks),
    /// Any: `ITSMC_ALLOW_HOSTS` has the host.
    Any,
}

impl Dial {
    /// What a call to this address may dial; `None` if it may not be made. Literal addresses are looked at here, because
    /// they never reach a resolver (rust-ecosystem §1.6); names are looked at once they are resolved.
    pub fn for_call(url: &Url, egress: Option<&Egress>, allowed: &AllowedHosts) -> Option<Self> {
        let (host, port) = (url.host()?, url.port_or_known_default()?);
        let name = host.to_string();
        if egress.is_some_and(|egress| (egress.host.as_str(), egress.port) != (&name, port)) {
            return None;
        }
        if allowed.contains(&name, port) && matches!(url.scheme(), "https" | "http") {
            return Some(Self::Any);
        }
        if url.scheme() != "https" {
            return None;
        }
        let dial = match egress {
            Some(egress) if !egress.networks.is_empty() => Self::Within(egress.networks.clone()),
            _ => Self::Public,
        };
        let may = match host {
            Host::Domain(_) => true,
            Host::Ipv4(address) => dial.admits(address.into()),
            Host::Ipv6(address) => dial.admits(address.into()),
        };
        may.then_some(dial)
    }

    /// True if this address may be dialled.
    pub fn admits(&self, address: IpAddr) -> bool {
        match self {
            Self::Public => network::is_public(address),
            Self::Within(networks) => networks.contain(address) && !network::is_metadata(address),
            Self::Any => true,
        }
    }
}

#[cfg(test)]
mod tests;
