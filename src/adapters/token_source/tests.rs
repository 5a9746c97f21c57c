//! Who may spend what: readers over an issuer and a vault that the test holds.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;

use super::*;
use crate::adapters::itsm::servicenow::TOKEN_PATH;
use crate::domain::definition;
use crate::domain::kept::{Kept, VaultVersion, VersionSeen};
use crate::domain::network::AllowedHosts;
use crate::ports::{Transport, TransportFailure, TransportTrouble};

const WITHIN: Duration = Duration::from_secs(20);
const MINUTE: i64 = 60;

/// Issuer, vault and clock in one.
#[derive(Default)]
struct World {
    seconds: AtomicI64,
    /// The set in the vault.
    stored: Mutex<Option<TokenSet>>,
    reads: AtomicUsize,
    /// The vault takes a call and never answers.
    hangs: AtomicBool,
    /// How often the issuer was asked.
    asked: AtomicUsize,
    /// What it gives next, and for how many seconds; nothing: it is away.
    gives: Mutex<Option<(String, i64)>>,
    /// It asks everybody to be left alone.
    is_busy: AtomicBool,
}

#[async_trait]
impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_772_359_200_000 + self.seconds.load(Ordering::Relaxed) * 1000)
    }
    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.seconds.load(Ordering::Relaxed).unsigned_abs())
    }
    async fn sleep(&self, _: Duration) {}
}

#[async_trait]
impl Transport for World {
    async fn send(
        &self,
        _: http::Request<Bytes>,
        _: Duration,
    ) -> Result<http::Response<Bytes>, TransportFailure> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.is_busy.load(Ordering::Relaxed) {
            let response = http::Response::builder().status(429);
            let response = response.header("retry-after", "3600");
            return Ok(response.body(Bytes::new()).unwrap());
        }
        let Some((token, seconds)) = self.gives.lock().unwrap().clone() else {
            return Err(TransportFailure::Unknown(TransportTrouble::TimedOut));
        };
        let body = serde_json::json!({
            "access_token": token, "token_type": "Bearer", "expires_in": seconds
        });
        let response = http::Response::builder().header("content-type", "application/json");
        Ok(response.body(Bytes::from(body.to_string())).unwrap())
    }
}

#[async_trait]
impl Vault for World {
    async fn get(&self, _: &str) -> Result<Option<Kept>, CallFailure> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        if self.hangs.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        let stored = self.stored.lock().unwrap();
        Ok(stored.as_ref().map(|set| Kept::only(set.to_vault_text())))
    }
    async fn set(
        &self,
        _: &str,
        _: &Secret,
        _: Option<Timestamp>,
    ) -> Result<VaultVersion, CallFailure> {
        panic!("a reader writes nothing")
    }
    async fn list(&self, _: &str) -> Result<Vec<String>, CallFailure> {
        Ok(Vec::new())
    }
    async fn versions(&self, _: &str) -> Result<Vec<VersionSeen>, CallFailure> {
        Ok(Vec::new())
    }
    async fn disable(&self, _: &str, _: &VaultVersion) -> Result<(), CallFailure> {
        Ok(())
    }
    async fn remove(&self, _: &str) -> Result<(), CallFailure> {
        Ok(())
    }
}

impl World {
    fn pass(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::Relaxed);
    }

    fn gives(&self, token: &str, seconds: i64) {
        *self.gives.lock().unwrap() = Some((token.to_owned(), seconds));
    }

    fn is_away(&self) {
        *self.gives.lock().unwrap() = None;
    }

    /// The refresher stores a set whose access token lives so long.
    fn stores(&self, access: &str, seconds: u64) {
        let now = self.now();
        *self.stored.lock().unwrap() = Some(TokenSet {
            access: Some(AccessToken {
                secret: Secret::from(access),
                obtained_at: Some(now),
                expires_at: now.plus(Duration::from_secs(seconds)),
            }),
            refresh: Some(Secret::from("refresh")),
            refresh_expires_at: None,
            logged_in_at: now,
            mark: None,
            superseded: Vec::new(),
        });
    }

    fn counts(&self) -> (usize, usize) {
        let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        (count(&self.reads), count(&self.asked))
    }
}

fn reader(world: &Arc<World>, grant: &str, replaces: bool) -> TokenSource {
    let definition = format!(
        r#"{{"name":"contoso","partner_type":"servicenow","server_url":"https://contoso.service-now.com",
        "client_id":"id","client_secret":"s"{grant}}}"#
    );
    let connection = definition::parse(definition.as_bytes(), &AllowedHosts::default()).unwrap();
    let connection = Arc::new(connection);
    let clock: Arc<dyn Clock> = Arc::<World>::clone(world);
    let endpoint = TokenEndpoint::new(
        Arc::<World>::clone(world),
        Arc::clone(&clock),
        &connection,
        TOKEN_PATH,
    );
    let vault: Arc<dyn Vault> = Arc::<World>::clone(world);
    let name = "itsm-tokens-contoso".to_owned();
    TokenSource::new(endpoint, vault, clock, &connection, name, replaces)
}

const BY_CLIENT: &str = "";
const BY_LOGIN: &str = r#","username":"svc""#;

async fn bearer(reader: &TokenSource) -> String {
    let secret = reader.bearer(WITHIN).await.unwrap();
    secret.expose().to_owned()
}

/// Another token than these; `Err(None)`: there is none that would do.
async fn instead_of(reader: &TokenSource, refused: &[&str]) -> Result<String, Option<CallFailure>> {
    let refused: Vec<Secret> = refused.iter().copied().map(Secret::from).collect();
    let found = reader.bearer_instead_of(&refused, WITHIN).await;
    let found = found.map_err(Some)?.ok_or(None)?;
    Ok(found.expose().to_owned())
}

#[tokio::test]
async fn a_token_of_the_vault_costs_one_read_ahead_of_its_end_and_one_at_it() {
    let world = Arc::new(World::default());
    world.stores("a1", 3600);
    let reader = reader(&world, BY_LOGIN, true);
    for _ in 0..52 {
        assert_eq!(bearer(&reader).await, "a1");
        world.pass(MINUTE);
    }
    assert_eq!(world.counts(), (1, 0), "warm");
    world.stores("a2", 3600);
    world.pass(6 * MINUTE);
    for _ in 0..40 {
        assert_eq!(bearer(&reader).await, "a2", "it came in time");
        world.pass(MINUTE);
    }
    assert_eq!(world.counts(), (2, 0));
}

#[tokio::test]
async fn a_refresh_token_that_its_use_replaces_is_never_used_by_a_reader() {
    let world = Arc::new(World::default());
    world.stores("a1", 600);
    world.gives("mine", 600);
    let reader = reader(&world, BY_LOGIN, true);
    assert_eq!(bearer(&reader).await, "a1");
    // Refused by the product: the vault is read once more, and has nothing newer.
    let failure = instead_of(&reader, &["a1"]).await.unwrap_err().unwrap();
    assert_eq!(
        (failure.kind, failure.effect),
        (Kind::RefreshWanted, Effect::NotSent)
    );
    world.pass(1);
    world.stores("a2", 600);
    assert_eq!(instead_of(&reader, &["a1"]).await.unwrap(), "a2");
    // Ended, and the refresher does not run.
    world.pass(11 * MINUTE);
    let failure = reader.bearer(WITHIN).await.unwrap_err();
    assert_eq!(failure.kind, Kind::RefreshWanted);
    assert_eq!(world.counts().1, 0, "the issuer was never asked");
}

#[tokio::test]
async fn one_that_stays_is_used_in_this_process_alone_when_the_vault_has_nothing_newer() {
    let world = Arc::new(World::default());
    world.stores("a1", 600);
    world.gives("mine", 3600);
    let reader = reader(&world, BY_LOGIN, false);
    assert_eq!(bearer(&reader).await, "a1");
    world.pass(11 * MINUTE);
    assert_eq!(bearer(&reader).await, "mine");
    assert_eq!(world.counts(), (2, 1));
    world.stores("a2", 600);
    let found = instead_of(&reader, &["mine"]).await.unwrap();
    assert_eq!(found, "a2", "the vault comes first");
}

/// An administrator has ended all access tokens: the one in memory, and the vault's.
#[tokio::test]
async fn a_token_of_the_vault_that_is_refused_too_makes_way_for_one_of_the_issuer() {
    let world = Arc::new(World::default());
    world.stores("a1", 3600);
    world.gives("mine", 3600);
    let warm = reader(&world, BY_LOGIN, false);
    let cannot = reader(&world, BY_LOGIN, true);
    assert_eq!(bearer(&warm).await, "a1");
    assert_eq!(bearer(&cannot).await, "a1");
    world.stores("a2", 3600);
    for reader in [&warm, &cannot] {
        assert_eq!(instead_of(reader, &["a1"]).await.unwrap(), "a2");
    }
    assert_eq!(world.counts().1, 0, "the vault comes first");
    assert_eq!(instead_of(&warm, &["a1", "a2"]).await.unwrap(), "mine");
    let failure = instead_of(&cannot, &["a1", "a2"]).await.unwrap_err();
    assert_eq!(
        failure.map(|failure| failure.kind),
        Some(Kind::RefreshWanted)
    );
    // What is refused right from the issuer is refused for another reason.
    let after = instead_of(&warm, &["a1", "a2", "mine"]).await;
    assert!(matches!(after, Err(None)));
    assert_eq!(world.counts().1, 1);
}

#[tokio::test]
async fn a_second_token_right_from_the_issuer_is_the_last() {
    let world = Arc::new(World::default());
    world.gives("a1", 1800);
    let reader = reader(&world, BY_CLIENT, false);
    assert_eq!(bearer(&reader).await, "a1");
    world.gives("a2", 1800);
    assert_eq!(instead_of(&reader, &["a1"]).await.unwrap(), "a2");
    assert!(matches!(
        instead_of(&reader, &["a1", "a2"]).await,
        Err(None)
    ));
    assert_eq!(world.counts().1, 2);
}

#[tokio::test]
async fn a_token_that_still_serves_is_used_while_the_issuer_is_away() {
    let world = Arc::new(World::default());
    world.gives("a1", 1800);
    let reader = reader(&world, BY_CLIENT, false);
    assert_eq!(bearer(&reader).await, "a1");
    world.is_away();
    world.pass(26 * MINUTE);
    for _ in 0..20 {
        assert_eq!(bearer(&reader).await, "a1");
        world.pass(10);
    }
    assert_eq!(world.counts(), (0, 1 + 7), "asked again every half minute");
    world.pass(MINUTE);
    assert!(reader.bearer(WITHIN).await.is_err(), "it has ended");
}

/// The token would do, but the product has said to all of us that it wants no calls: the gate must hear of it.
#[tokio::test]
async fn an_issuer_that_asks_to_be_left_alone_is_heard_although_the_token_still_serves() {
    let world = Arc::new(World::default());
    world.gives("a1", 1800);
    let reader = reader(&world, BY_CLIENT, false);
    assert_eq!(bearer(&reader).await, "a1");
    world.is_busy.store(true, Ordering::Relaxed);
    world.pass(26 * MINUTE);
    let failure = reader.bearer(WITHIN).await.unwrap_err();
    assert_eq!(
        (failure.effect, failure.kind),
        (Effect::NotSent, Kind::RateLimited)
    );
    assert_eq!(failure.retry_after(), Some(Duration::from_secs(3600)));
}

/// ServiceNow may give the same access token again inside its life; the issuer is not asked before each call then.
#[tokio::test]
async fn a_token_that_the_issuer_only_repeats_is_sent_to_its_end_and_asked_for_now_and_then() {
    let world = Arc::new(World::default());
    world.gives("a1", 1800);
    let reader = reader(&world, BY_CLIENT, false);
    let mut left = 1800;
    while left > 5 {
        assert_eq!(bearer(&reader).await, "a1");
        world.pass(5);
        left -= 5;
        world.gives("a1", left);
    }
    let asked = world.counts().1;
    assert!((8..=18).contains(&asked), "{asked}");
    world.gives("a2", 1800);
    world.pass(5);
    assert_eq!(bearer(&reader).await, "a2");
}

#[tokio::test]
async fn a_vault_that_hangs_costs_a_call_no_more_than_the_time_it_has() {
    let world = Arc::new(World::default());
    world.stores("first", 1800);
    let warm = reader(&world, BY_LOGIN, true);
    warm.bearer(WITHIN).await.unwrap();
    world.hangs.store(true, Ordering::Relaxed);
    let within = Duration::from_millis(20);
    let ends = 500 * within;
    // Cold, there is nothing to call with.
    let cold = reader(&world, BY_LOGIN, true);
    let asked = tokio::time::timeout(ends, cold.bearer(within)).await;
    let failure = asked.expect("it ends by itself").unwrap_err();
    assert_eq!(
        (failure.effect, failure.kind),
        (Effect::NotSent, Kind::TimedOut)
    );
    // Ahead of the end of a token that serves, it goes on serving.
    world.pass(1800 - 2 * MINUTE);
    let asked = tokio::time::timeout(ends, warm.bearer(within)).await;
    let secret = asked.expect("it ends by itself").unwrap();
    assert_eq!(secret.expose(), "first");
}
