//! The steps of a turn: each does the one thing that the machine asked for, and says what came of it.

use super::super::storing::{self, Ours, Storing};
use super::super::{NotRefreshed, told};
use super::{CALL_MAX, Turn};
use crate::domain::failure::{CallFailure, Effect as Outcome, Kind};
use crate::domain::kept::VaultVersion;
use crate::domain::renewal::{Input, SetFacts, Sight};
use crate::domain::token::{Mark, TokenSet};
use crate::flows::gatekeeper;
use crate::stores::token_sets::Found;

impl Turn<'_> {
    /// What was read of the vault is what the turn goes on with.
    fn take(&mut self, found: Found) -> Sight {
        let sight = found.sight();
        self.set = match found {
            Found::Set(set, _) => Some(set),
            Found::Nothing | Found::Unreadable => None,
        };
        sight
    }

    pub(super) async fn look(&mut self) -> Input {
        let (core, name) = (self.core, &self.connection.name);
        let sets = &core.token_sets;
        let (found, ends_at) =
            futures_util::future::join(sets.read(name), sets.credentials_end_at(name)).await;
        match (found, ends_at) {
            (Ok(found), Ok(ends_at)) => {
                self.forget_ours_unless_wanted(&found);
                Input::Seen(self.take(found), ends_at)
            }
            (Err(failure), _) | (_, Err(failure)) => Input::NotCalled(failure),
        }
    }

    /// A set of ours that the vault has meanwhile, or that another has taken the place of, is kept no longer.
    fn forget_ours_unless_wanted(&mut self, found: &Found) {
        let name = &self.connection.name;
        let Some(ours) = self.core.unstored.of(name) else {
            return;
        };
        let there = storing::mark_of(found);
        if there == ours.from {
            return;
        }
        self.core.unstored.drop(name);
        if there != Some(ours.set.mark()) {
            self.orphan(&ours.set);
        }
    }

    fn orphan(&mut self, set: &TokenSet) {
        let access = set.access.iter().map(|token| token.secret.clone());
        self.orphans.extend(access.chain(set.refresh.clone()));
    }

    pub(super) async fn call(&mut self) -> Result<Input, NotRefreshed> {
        let (core, name) = (self.core, self.connection.name.clone());
        let issuer = self.issuer()?;
        let Some((set, refresh)) = self
            .set
            .as_ref()
            .and_then(|set| Some((set.clone(), set.refresh.clone()?)))
        else {
            return Ok(self.look().await);
        };
        // Writing the intent down may have taken long.
        if !self.may_call() {
            return Ok(Input::NotCalled(too_late()));
        }
        let issued = match issuer.refresh(&refresh, CALL_MAX).await {
            Ok(issued) => issued,
            Err(failure) if failure.kind == Kind::Unauthorized => {
                tracing::warn!(connection = %name, %failure, "the issuer refused the refresh token; the vault is looked at once more");
                return Ok(match core.token_sets.read(&name).await {
                    Ok(found) => Input::Refused(self.take(found)),
                    Err(failure) => Input::NotCalled(failure),
                });
            }
            Err(failure) => return Ok(Input::NotCalled(failure)),
        };
        // From here to the vault there is nothing in between (rule R36).
        let mark = Mark::of_dice(core.entropy.dice(), core.entropy.dice());
        let (replaces, life) = (
            issuer.replaces_refresh_tokens(),
            self.connection.refresh_token_life,
        );
        let ours = Ours {
            from: Some(set.mark()),
            set: set.renewed(issued, replaces, life, mark),
        };
        core.unstored.keep(&name, ours);
        Ok(Input::Issued)
    }

    /// Stores a set that was obtained otherwise than by the refresh token: a login's.
    pub(in crate::flows) async fn store_login(&mut self, set: TokenSet, before: &Found) -> Input {
        let ours = Ours {
            from: storing::mark_of(before),
            set,
        };
        self.core.unstored.keep(&self.connection.name, ours);
        self.store().await
    }

    pub(super) async fn store(&mut self) -> Input {
        let (core, name) = (self.core, self.connection.name.clone());
        let Some(ours) = core.unstored.of(&name) else {
            return self.look().await;
        };
        match storing::store(core, &name, &ours).await {
            Storing::Done(set, version) => {
                core.unstored.drop(&name);
                let facts = SetFacts::of(&set, version);
                self.set = Some(set);
                Input::Stored(facts)
            }
            Storing::Overtaken(found) => {
                core.unstored.drop(&name);
                tracing::warn!(connection = %name, "somebody else has stored tokens meanwhile; theirs stand");
                self.orphan(&ours.set);
                Input::Overtaken(self.take(found))
            }
            Storing::Failed(failure) => {
                told::unstored(&name, &failure);
                Input::NotStored(failure)
            }
        }
    }

    pub(super) async fn prove(&mut self) -> Result<Input, NotRefreshed> {
        let access = self.set.as_ref().and_then(|set| set.access.clone());
        let Some(access) = access else {
            return Ok(self.look().await);
        };
        let proved = self.issuer()?.prove(&access.secret, CALL_MAX).await;
        if proved.is_ok() {
            gatekeeper::mended(self.core, &self.connection.name).await;
        }
        Ok(Input::Proved(proved))
    }

    pub(super) async fn disable(&mut self, version: VaultVersion) -> Input {
        let name = &self.connection.name;
        let disabled = self.core.token_sets.disable(name, &version).await;
        Input::Disabled(version, disabled)
    }

    pub(super) async fn revoke(&mut self) -> Result<Input, NotRefreshed> {
        let Some(set) = &self.set else {
            return Ok(self.look().await);
        };
        let (issuer, now) = (self.issuer()?, self.core.clock.now());
        let superseded = set.to_revoke(now).map(|old| &old.secret);
        let orphans = self.orphans.iter().filter(|orphan| !set.has(orphan));
        let mut revoked = Ok(());
        for token in superseded.chain(orphans) {
            let done = issuer.revoke(token, CALL_MAX).await;
            revoked = revoked.and(done);
        }
        Ok(Input::Revoked(revoked))
    }
}

fn too_late() -> CallFailure {
    CallFailure::new(
        "the token-refresher",
        "renew tokens",
        Outcome::NotSent,
        Kind::TimedOut,
        "too little was left of the run's time after the intent was written down",
    )
}
