//! A tenant of Entra whose keys come and go, callers with any token, and a clock that is moved.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use simulators::entra::Entra;

use crate::domain::entra::{Cloud, EntraAuth};
use crate::domain::timestamp::Timestamp;
use crate::flows::callers::*;

pub(super) const TENANT: &str = "aaaaaaaa-0001-4000-8000-000000000001";
pub(super) const APP_URI: &str = "api://itsm-connector";
pub(super) const APP_ID: &str = "bbbbbbbb-0001-4000-8000-000000000001";
/// Microsoft's, as its documentation has it.
pub(super) const ACTION_GROUPS: &str = "461e8683-5575-4561-ac7f-899cc907d62a";
pub(super) const START_MS: i64 = 1_772_359_200_000;

#[derive(Default)]
pub(super) struct MovedClock(AtomicU64);

impl MovedClock {
    pub(super) fn forward(&self, span: Duration) {
        let ms = u64::try_from(span.as_millis()).unwrap();
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for MovedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(START_MS + i64::try_from(self.0.load(Ordering::SeqCst)).unwrap())
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }

    async fn sleep(&self, _: Duration) {}
}

/// The tenant's keys as a port: what it publishes, or nothing.
pub(super) struct Published {
    entra: Mutex<Entra>,
    asked: AtomicI64,
}

impl Published {
    pub(super) fn entra(&self) -> MutexGuard<'_, Entra> {
        self.entra.lock().unwrap()
    }
}

#[async_trait]
impl KeySet for Published {
    async fn key_set(&self, _: Duration) -> Result<Bytes, CallFailure> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let entra = self.entra();
        if entra.is_away {
            return Err(CallFailure::new(
                SERVICE,
                OPERATION,
                Effect::Unknown,
                Kind::TimedOut,
                "away",
            ));
        }
        Ok(match &entra.instead {
            Some((_, body)) => body.clone(),
            None => entra.key_set().to_string(),
        }
        .into())
    }
}

pub(super) struct Bed {
    pub(super) callers: Callers,
    pub(super) issuer: Arc<Published>,
    pub(super) clock: Arc<MovedClock>,
}

impl Bed {
    pub(super) fn new() -> Self {
        Self::demanding(None)
    }

    pub(super) fn demanding(role: Option<&str>) -> Self {
        let auth = EntraAuth {
            cloud: Cloud::Public,
            tenant: TENANT.to_owned(),
            audiences: vec![APP_URI.to_owned(), APP_ID.to_owned()],
            caller: Cloud::Public.action_groups().unwrap().to_owned(),
            role: role.map(str::to_owned),
        };
        let issuer = Arc::new(Published {
            entra: Mutex::new(Entra::new(TENANT).unwrap()),
            asked: AtomicI64::new(0),
        });
        let clock = Arc::new(MovedClock::default());
        Self {
            callers: Callers::by_token(
                WebhookAuth::Entra(auth, Vec::new()),
                Arc::<MovedClock>::clone(&clock),
                Arc::<Published>::clone(&issuer),
            ),
            issuer,
            clock,
        }
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.clock.now().as_millis()
    }

    pub(super) fn claims(&self) -> Value {
        let entra = self.issuer.entra();
        entra.claims_v1(APP_URI, ACTION_GROUPS, self.now_ms())
    }

    pub(super) fn claims_v2(&self) -> Value {
        let entra = self.issuer.entra();
        entra.claims_v2(APP_ID, ACTION_GROUPS, self.now_ms())
    }

    /// The good claims with one of them changed; null takes it away.
    pub(super) fn with(&self, name: &str, value: Value) -> String {
        self.changed(self.claims(), name, value)
    }

    pub(super) fn changed(&self, mut claims: Value, name: &str, value: Value) -> String {
        match value {
            Value::Null => {
                claims.as_object_mut().unwrap().remove(name);
            }
            value => claims[name] = value,
        }
        self.issuer.entra().token(&claims).unwrap()
    }

    pub(super) fn good(&self) -> String {
        let claims = self.claims();
        self.issuer.entra().token(&claims).unwrap()
    }

    /// A good token under another header.
    pub(super) fn headed(&self, name: &str, value: Value) -> String {
        let claims = self.claims();
        let entra = self.issuer.entra();
        let mut header = entra.header();
        match value {
            Value::Null => {
                header.as_object_mut().unwrap().remove(name);
            }
            value => header[name] = value,
        }
        entra.signed(&header, &claims).unwrap()
    }

    pub(super) async fn show(&self, token: &str) -> Result<(), NotAdmitted> {
        let shown = Shown {
            key: Some(Secret::from("a key opens nothing")),
            bearer: Some(Secret::from(token)),
        };
        self.callers.admit(&shown).await.map(|_| ())
    }

    pub(super) async fn status(&self, token: &str) -> u16 {
        match self.show(token).await {
            Ok(()) => 202,
            Err(NotAdmitted::NoKey | NotAdmitted::NoToken(_)) => 401,
            Err(NotAdmitted::NotAllowed(_)) => 403,
            Err(NotAdmitted::Unknown(_)) => 503,
        }
    }

    pub(super) async fn expect(&self, row: &str, token: &str, status: u16) {
        let found = self.show(token).await;
        assert_eq!(self.status(token).await, status, "{row}: {found:?}");
    }

    pub(super) fn asked(&self) -> i64 {
        self.issuer.asked.load(Ordering::SeqCst)
    }
}

impl Bed {
    /// A token by a key that nobody has, with a signature that nobody looks at.
    pub(super) fn headed_cheaply(&self, n: u32) -> String {
        let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let header = json!({ "typ": "JWT", "alg": "RS256", "kid": format!("random-{n}") });
        format!("{}.{}.AAAA", part(&header), part(&json!({})))
    }
}
