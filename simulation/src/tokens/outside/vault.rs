//! The vault, as one process sees it.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use itsm_connector::domain::failure::{CallFailure, Effect};
use itsm_connector::domain::kept::{Kept, VaultVersion, VersionSeen};
use itsm_connector::domain::secret::Secret;
use itsm_connector::domain::timestamp::Timestamp;
use itsm_connector::domain::token::{AccessToken, Issued, Mark, TokenSet};
use itsm_connector::ports::Vault;
use simulators::issuer::Rotation;
use simulators::machine::Machine as _;

use super::{Ports, lost};
use crate::tokens::bugs::Bug;
use crate::tokens::check;
use crate::tokens::weather::Part;
use crate::tokens::world::{TOKENS, Version, World};

/// How likely somebody else renews while we ask the issuer, where there is somebody.
const RIVAL_RENEWS: f64 = 0.01;

#[async_trait]
impl Vault for Ports {
    async fn get(&self, name: &str) -> Result<Option<Kept>, CallFailure> {
        let what = "reads the vault";
        if self.0.is_down(Part::Vault, what) {
            return Err(lost(Effect::NotSent));
        }
        let read = || {
            let mut inner = self.world().inner();
            let versions = inner.vault.get_mut(name)?;
            let number = versions.len();
            let newest = versions.last_mut()?;
            newest.was_read = true;
            Some(Kept {
                value: newest.value.clone(),
                version: VaultVersion::parse(&format!("v{number}")).ok()?,
                expires: newest.expires,
            })
        };
        let kept = self.0.risky(what, read).await;
        kept.map(|kept| self.remembered(name, kept))
            .ok_or_else(|| lost(Effect::Unknown))
    }

    async fn set(
        &self,
        name: &str,
        value: &Secret,
        expires: Option<Timestamp>,
    ) -> Result<VaultVersion, CallFailure> {
        let what = "writes to the vault";
        if self.0.is_down(Part::Vault, what) {
            return Err(lost(Effect::NotSent));
        }
        let ports = self.clone();
        let (name, value) = (name.to_owned(), value.clone());
        let write = move || ports.world().put(&name, value, expires);
        self.0.may_stand().await;
        let written = self.0.risky_or_late(what, write).await;
        self.0.may_stand().await;
        let written = written.ok_or_else(|| lost(Effect::Unknown))?;
        written.map_err(|_| lost(Effect::Unknown))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, CallFailure> {
        if self.0.is_down(Part::Vault, "lists the vault") {
            return Err(lost(Effect::NotSent));
        }
        let inner = self.world().inner();
        let names = inner.vault.keys().filter(|name| name.starts_with(prefix));
        Ok(names.cloned().collect())
    }

    async fn versions(&self, _: &str) -> Result<Vec<VersionSeen>, CallFailure> {
        Ok(Vec::new())
    }

    async fn disable(&self, name: &str, version: &VaultVersion) -> Result<(), CallFailure> {
        let what = "disables a version";
        if self.0.is_down(Part::Vault, what) {
            return Err(lost(Effect::NotSent));
        }
        let ports = self.clone();
        let (name, version) = (name.to_owned(), version.clone());
        let disable = move || ports.world().disable(&name, &version);
        self.0.may_stand().await;
        let disabled = self.0.risky_or_late(what, disable).await;
        self.0.may_stand().await;
        disabled.ok_or_else(|| lost(Effect::Unknown))
    }

    async fn remove(&self, _: &str) -> Result<(), CallFailure> {
        Ok(())
    }
}

impl Ports {
    /// What a process whose look at the vault is taken away believes to see: after a refusal it is what it saw before.
    fn remembered(&self, name: &str, kept: Option<Kept>) -> Option<Kept> {
        if self.world().bug != Some(Bug::NoSecondLook) || name != TOKENS {
            return kept;
        }
        let mut inner = self.world().inner();
        let book = &mut inner.book;
        let was_refused = book.refused_last == Some(self.0.id);
        if was_refused {
            book.refused_last = None;
            return book.seen_last.get(&self.0.id).cloned().or(kept);
        }
        if let Some(kept) = &kept {
            book.seen_last.insert(self.0.id, kept.clone());
        }
        kept
    }
}

impl World {
    /// Now and then somebody who knows nothing of our lease renews the vault's tokens at this very moment: another
    /// installation over the same vault.
    pub(super) fn somebody_renews(&self) {
        let now_ms = self.now_ms();
        let does = {
            let mut inner = self.inner();
            inner.book.has_rival && inner.dice.chance(RIVAL_RENEWS)
        };
        let Some(set) = self.stored().filter(|_| does) else {
            return;
        };
        let Some(refresh) = set.refresh.as_ref() else {
            return;
        };
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "refresh_token")
            .append_pair("refresh_token", refresh.expose())
            .finish();
        let Ok(request) = http::Request::post("/token").body(Bytes::from(form)) else {
            return;
        };
        let (answer, mark, life) = {
            let mut inner = self.inner();
            let answer = inner.issuer.answer(request, now_ms).response;
            let mark = Mark::of_dice(inner.dice.bits(), inner.dice.bits());
            (answer, mark, inner.issuer.refresh_ttl_s)
        };
        let document: serde_json::Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        let seconds = |of: i64| Duration::from_secs(of.unsigned_abs());
        let now = Timestamp::from_millis(now_ms);
        let (Some(access), Some(refresh)) = (
            document["access_token"].as_str(),
            document["refresh_token"].as_str(),
        ) else {
            return;
        };
        let lives = document["expires_in"].as_i64().unwrap_or(0);
        let issued = Issued {
            access: AccessToken {
                secret: Secret::from(access),
                obtained_at: Some(now),
                expires_at: now.plus(seconds(lives)),
            },
            refresh: Some(Secret::from(refresh)),
            refresh_expires_at: Some(now.plus(seconds(life))),
        };
        let set = set.renewed(issued, true, seconds(life), mark);
        self.note(|| "somebody else has renewed the vault's tokens".to_owned());
        let _ = self.put(TOKENS, set.to_vault_text(), set.refresh_expires_at);
    }

    fn put(
        &self,
        name: &str,
        value: Secret,
        expires: Option<Timestamp>,
    ) -> Result<VaultVersion, itsm_connector::domain::kept::NotAVersion> {
        let now_ms = self.now_ms();
        if name == TOKENS && !check::could_be_had(self, now_ms, now_ms) {
            self.inner().book.had_again_ms = now_ms;
        }
        let mut inner = self.inner();
        let versions = inner.vault.entry(name.to_owned()).or_default();
        if self.bug == Some(Bug::WritesAreLost) && !versions.is_empty() {
            return VaultVersion::parse(&format!("v{}", versions.len()));
        }
        versions.push(Version::new(value.clone(), expires));
        let count = versions.len();
        if self.bug == Some(Bug::DisabledUnread) {
            // Who disables right behind the write, and looks at it afterwards.
            for n in 1..count {
                drop(inner);
                if let Ok(version) = VaultVersion::parse(&format!("v{n}")) {
                    self.disable(name, &version);
                }
                inner = self.inner();
            }
        }
        if let (TOKENS, Ok(set)) = (name, TokenSet::from_vault_text(&value)) {
            let same_login = inner.book.epochs.last().filter(|epoch| {
                self.rotation == Rotation::Kept
                    && epoch.logged_in_ms == set.logged_in_at.as_millis()
            });
            // A login whose answer was lost has prolonged what the vault has, and nobody knows.
            let ends = match same_login {
                Some(epoch) => epoch.refresh_ends_ms,
                None => {
                    let refresh = set.refresh.as_ref();
                    refresh.and_then(|refresh| inner.issuer.refresh_ends_at(refresh.expose()))
                }
            };
            inner.book.stored(&set, now_ms, ends);
        }
        drop(inner);
        self.tell();
        VaultVersion::parse(&format!("v{count}"))
    }

    fn disable(&self, name: &str, version: &VaultVersion) {
        let mut inner = self.inner();
        let Some(versions) = inner.vault.get_mut(name) else {
            return;
        };
        let number: usize = version
            .as_str()
            .trim_start_matches('v')
            .parse()
            .unwrap_or(0);
        let is_newest = number == versions.len();
        // Not the newest: a write that was done late may have come behind what was read back.
        let is_unread = !versions.iter().skip(number).any(|newer| newer.was_read);
        if let Some(version) = number.checked_sub(1).and_then(|n| versions.get_mut(n)) {
            version.enabled = false;
        }
        drop(inner);
        if is_newest {
            self.violated("the newest version was disabled".to_owned());
        } else if is_unread {
            self.violated("a version was disabled before a newer one was read back".to_owned());
        }
    }
}
