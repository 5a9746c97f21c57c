//! The token-refresher, when the story wants it, and what stands in vault and state after it.

use std::time::Duration;

use itsm_connector::domain::name::ConnectionName;
use itsm_connector::domain::renewal::Renewal;
use itsm_connector::domain::secret::Secret;
use itsm_connector::domain::token::TokenSet;
use itsm_connector::flows::Core;
use itsm_connector::flows::refresh_tokens::{self, Order, Refreshed};
use itsm_connector::ports::Clock as _;

use super::{CONNECTION, TestBed};

/// How far two ticks are apart.
pub(crate) const TICK: Duration = Duration::from_secs(5 * 60);

/// A run of the refresher as it is on a platform that gives it four minutes.
pub(crate) const ORDER: Order = Order {
    span: Duration::from_secs(240),
    tick: TICK,
    forced: false,
};

impl TestBed {
    /// One run of the refresher.
    pub(crate) async fn refreshes(&self) -> Refreshed {
        self.refreshes_with(self.core(), ORDER).await
    }

    /// The same in another process, or otherwise.
    pub(crate) async fn refreshes_with(&self, core: &Core, order: Order) -> Refreshed {
        let report = Box::pin(refresh_tokens::run(core, order, None)).await;
        let mine = report
            .unwrap()
            .into_iter()
            .find(|(name, _)| name.as_str() == CONNECTION);
        mine.expect("the connection is in the vault").1.unwrap()
    }

    /// Runs of the refresher, a tick apart, until nothing is begun any more.
    pub(crate) async fn refreshes_until_it_rests(&self) -> Renewal {
        for _ in 0..10 {
            self.refreshes().await;
            let renewal = self.renewal().await;
            if renewal.phase == Default::default() && renewal.due_at.is_some() {
                return renewal;
            }
            self.pass(TICK);
        }
        panic!("{:?}", self.renewal().await);
    }

    /// Where the renewal stands.
    pub(crate) async fn renewal(&self) -> Renewal {
        let name = ConnectionName::parse(CONNECTION).unwrap();
        let head = self.core().renewals.read(&name).await.unwrap();
        head.map(|head| head.state).unwrap_or_default()
    }

    /// The tokens in the vault.
    pub(crate) async fn tokens(&self) -> TokenSet {
        let text = self.secret(&format!("itsm-tokens-{CONNECTION}")).await;
        TokenSet::from_vault_text(&Secret::new(text)).unwrap()
    }

    /// How long ago somebody logged in.
    pub(crate) async fn since_the_login(&self) -> Duration {
        self.clock.now().since(self.tokens().await.logged_in_at)
    }
}
