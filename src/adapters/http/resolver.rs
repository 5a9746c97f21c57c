//! Name resolution that gives only addresses which may be dialled: what is checked is what is connected to, so that a
//! name which changes its address between two look-ups gains nothing (row C3).

use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::domain::network::AllowedHosts;
use crate::domain::server_url::may_dial;

/// A name has no address that may be dialled.
#[derive(Debug, thiserror::Error)]
#[error("every address of the host is private")]
pub(super) struct ForbiddenAddress;

pub(super) struct GuardedResolver {
    allowed: AllowedHosts,
}

impl GuardedResolver {
    pub(super) fn new(allowed: AllowedHosts) -> Self {
        Self { allowed }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = self.allowed.clone();
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            let dialled: Vec<SocketAddr> = found
                .into_iter()
                .filter(|address| may_dial(&host, address.ip(), &allowed))
                .collect();
            if dialled.is_empty() {
                return Err(ForbiddenAddress.into());
            }
            let addresses: Addrs = Box::new(dialled.into_iter());
            Ok(addresses)
        })
    }
}
