//! The HTTP clients: one for each reach, built at its first call and shared by all that reach the same. Their connections are
//! apart, so that none is used by a call that could not have made it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::CONNECT_MAX;
use super::resolver::{self, GuardedResolver, LookUp};
use crate::domain::egress::{Authorities, Dial, Egress, Proxy};

/// How long an unused connection is kept: shorter than the idle time-outs of common load balancers.
const IDLE_MAX: Duration = Duration::from_secs(50);

/// Clients that are kept. Definitions that change their authorities or networks over and over leave none behind for good.
const CLIENTS_MAX: usize = 64;

/// What the calls of a client may reach.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reach {
    dial: Dial,
    authorities: Authorities,
}

impl Reach {
    pub(super) fn new(dial: Dial, egress: Option<&Egress>) -> Self {
        let authorities = egress.map_or_else(Authorities::default, |of| of.authorities().clone());
        Self { dial, authorities }
    }
}

pub(super) struct Clients {
    proxy: Option<Proxy>,
    look_up: LookUp,
    built: Mutex<BTreeMap<Reach, reqwest::Client>>,
}

impl std::fmt::Debug for Clients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clients")
            .field("proxy", &self.proxy)
            .finish_non_exhaustive()
    }
}

impl Default for Clients {
    fn default() -> Self {
        Self {
            proxy: None,
            look_up: resolver::of_the_system(),
            built: Mutex::default(),
        }
    }
}

impl Clients {
    pub(super) fn by_way_of(self, proxy: Option<Proxy>) -> Self {
        Self { proxy, ..self }
    }

    #[cfg(test)]
    pub(super) fn looking_up(self, look_up: LookUp) -> Self {
        Self { look_up, ..self }
    }

    /// The client for a reach. It is built under the lock: two that come at once would both read the root certificates.
    pub(super) fn get(&self, reach: Reach) -> Result<reqwest::Client, reqwest::Error> {
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = built.get(&reach) {
            return Ok(client.clone());
        }
        let client = self.build(&reach)?;
        if built.len() >= CLIENTS_MAX {
            built.clear();
        }
        built.insert(reach, client.clone());
        Ok(client)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the HTTP client's owner")]
    fn build(&self, reach: &Reach) -> Result<reqwest::Client, reqwest::Error> {
        let proxy = self.proxy.clone().filter(|_| reach.dial == Dial::Public);
        let mut builder = reqwest::Client::builder()
            .user_agent(super::USER_AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_MAX)
            .pool_idle_timeout(IDLE_MAX);
        if let Some(proxy) = &proxy {
            builder = builder.proxy(reqwest::Proxy::all(proxy.as_str())?);
        }
        if !reach.authorities.is_empty() {
            let own = reach.authorities.iter().map(reqwest::Certificate::from_der);
            builder = builder.tls_certs_only(own.collect::<Result<Vec<_>, _>>()?);
        }
        let look_up = Arc::clone(&self.look_up);
        builder
            .dns_resolver(Arc::new(GuardedResolver::new(
                reach.dial.clone(),
                proxy,
                look_up,
            )))
            .build()
    }
}
