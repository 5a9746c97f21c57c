//! Name resolution that gives only addresses which may be dialled: what is checked is what is connected to, so that a
//! name which changes its address between two look-ups gains nothing (row C3).

use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::domain::egress::{Dial, Proxy};

/// From a name to its addresses.
pub(super) type LookUp =
    Arc<dyn Fn(String) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// The operating system's.
pub(super) fn of_the_system() -> LookUp {
    Arc::new(|name| {
        Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) })
    })
}

/// A name has no address that may be dialled.
#[derive(Debug, thiserror::Error)]
#[error("no address of the host may be called")]
pub(super) struct ForbiddenAddress;

pub(super) struct GuardedResolver {
    dial: Dial,
    /// Where there is one, no other name is ever looked up, and its address may be any: the settings name it.
    proxy: Option<Proxy>,
    look_up: LookUp,
}

impl GuardedResolver {
    pub(super) fn new(dial: Dial, proxy: Option<Proxy>, look_up: LookUp) -> Self {
        Self {
            dial,
            proxy,
            look_up,
        }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let dial = match &self.proxy {
            None => self.dial.clone(),
            Some(proxy) if proxy.host() == name.as_str() => Dial::Any,
            Some(_) => return Box::pin(async { Err(ForbiddenAddress.into()) }),
        };
        let found = (self.look_up)(name.as_str().to_owned());
        Box::pin(async move {
            let mut found = found.await?;
            found.retain(|address| dial.admits(address.ip()));
            if found.is_empty() {
                return Err(ForbiddenAddress.into());
            }
            let addresses: Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}
