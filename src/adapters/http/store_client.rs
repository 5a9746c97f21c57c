//! The client of the state store, and of the endpoints of the clouds that give an identity for it. Whom it asks stands in
//! the settings, which nobody but the deployer writes: private addresses are as good as public ones.

use std::time::Duration;

/// How long a connection is waited for: with one more try it is there within the two seconds of a call.
const CONNECT_MAX: Duration = Duration::from_secs(1);

/// How long an unused connection is kept. A connection that the store closes while a function is frozen costs the first
/// alert after it a try, so it is given up before the store does so.
const IDLE_MAX: Duration = Duration::from_secs(15);

/// Builds it; that reads the root certificates.
#[expect(clippy::disallowed_methods, reason = "this is the HTTP client's owner")]
pub(in crate::adapters) fn build() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .user_agent(super::USER_AGENT)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_MAX)
        .pool_idle_timeout(IDLE_MAX)
        .build()
}
