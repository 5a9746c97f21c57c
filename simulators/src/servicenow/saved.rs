//! What of an instance survives a restart: its records, its tokens, and the calls that are still to be executed.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ServiceNow;
use super::call::Call;
use super::config::{Config, User};
use super::store::Store;
use super::tokens::Tokens;

/// A call that is executed later, without a reply.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LateCall {
    pub due_ms: i64,
    pub call: Call,
    /// Who was let in when it came; a token request has nobody.
    pub user: Option<User>,
    /// Its place in the journal.
    #[serde(skip)]
    pub place: Option<usize>,
}

/// A saved state that cannot be read.
#[derive(Debug)]
pub struct LoadError(serde_json::Error);

impl std::fmt::Display for LoadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "the saved state is not one of this simulator: {}",
            self.0
        )
    }
}

impl std::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[derive(Serialize)]
struct Saving<'a> {
    store: &'a Store,
    tokens: &'a Tokens,
    late: &'a [LateCall],
    transactions: u64,
}

#[derive(Deserialize)]
struct Saved {
    store: Store,
    tokens: Tokens,
    late: Vec<LateCall>,
    transactions: u64,
}

impl ServiceNow {
    /// All that has to survive a restart. The journal and the faults do not.
    pub fn save(&self) -> Value {
        let instance = &self.instance;
        let saving = Saving {
            store: &instance.store,
            tokens: &instance.tokens,
            late: &self.late,
            transactions: instance.transactions,
        };
        serde_json::to_value(saving).unwrap_or_default()
    }

    /// An instance as it was saved.
    pub fn load(config: Config, saved: &Value) -> Result<Self, LoadError> {
        let saved = Saved::deserialize(saved).map_err(LoadError)?;
        let mut loaded = Self::new(config);
        loaded.instance.store = saved.store;
        loaded.instance.tokens = saved.tokens;
        loaded.instance.transactions = saved.transactions;
        loaded.late = saved.late;
        Ok(loaded)
    }
}
