//! What really happened in a run, by which it is judged: what the vault had when, what people were told, who was refused,
//! and when something was wrong.

use std::collections::BTreeMap;

use itsm_connector::domain::gate::Gate;
use itsm_connector::domain::kept::Kept;
use itsm_connector::domain::renewal::Renewal;
use itsm_connector::domain::token::TokenSet;

use super::check::Sum;
use super::outside::Who;
use super::weather::{DAY, MINUTE};

/// How long a calm must last for a renewal to come to its end in it, milliseconds: the lease of a process that died
/// (150 s), what clocks differ by (30 s, both ways), two ticks, and a run.
pub const CHANCE: i64 = 16 * 60_000;

/// What clocks and slow calls may shift a moment by.
pub const BLUR: i64 = 3 * 60_000;

/// What the vault had from a moment on.
#[derive(Debug, Clone)]
pub struct Epoch {
    /// Since when, Unix milliseconds.
    pub from_ms: i64,
    /// When the issuer really ends its refresh token.
    pub refresh_ends_ms: Option<i64>,
    /// When the login was that it comes from.
    pub logged_in_ms: i64,
    /// When it is to be renewed, two ticks or a fifth of its life ahead of its end.
    pub renew_at_ms: i64,
}

/// Something that people were told to end.
#[derive(Debug, Clone)]
pub struct Told {
    /// When.
    pub at_ms: i64,
    /// True if it was the connection's own secret.
    pub is_credentials: bool,
    /// At which milestone.
    pub days: u32,
    /// When it ends, as they were told.
    pub end_ms: i64,
}

/// What a process has to tell once it is written down: of a planted bug.
#[derive(Debug)]
pub struct Held {
    /// Which process.
    pub by: u64,
    /// What.
    pub told: Told,
    /// It is written down.
    pub is_written: bool,
}

/// That people were told that somebody must log in.
#[derive(Debug, Clone)]
pub struct Called {
    /// When.
    pub at_ms: i64,
    /// Since when, as they were told.
    pub since: String,
}

/// A refresh token that a process has in memory.
#[derive(Debug, Clone)]
pub struct Delivered {
    /// Which.
    pub refresh: String,
    /// Which process.
    pub to: u64,
    /// Since when, Unix milliseconds.
    pub at_ms: i64,
}

/// What really happened.
#[derive(Debug, Default)]
pub struct Book {
    /// The state of the renewal, as last written.
    pub renewal: Option<Renewal>,
    /// The gate, as last written.
    pub gate: Gate,
    /// Somebody wishes for another token.
    pub is_wished: bool,
    /// From when to when something was wrong with the issuer, the vault, the store or a refresher.
    pub troubles: Vec<(i64, i64)>,
    /// From when to when the user was locked.
    pub locks: Vec<(i64, i64)>,
    /// When the last outage ended.
    pub mended_ms: i64,
    /// Counts.
    pub sum: Sum,
    /// When a call of ours failed, lost its answer or was late, or a process died.
    pub strikes: Vec<i64>,
    /// What the vault had.
    pub epochs: Vec<Epoch>,
    /// Until when the connection's own secret was said to be good, from when on.
    pub credentials: Vec<(i64, i64)>,
    /// What was told.
    pub told: Vec<Told>,
    /// And of logins.
    pub called: Vec<Called>,
    /// What a process is about to have told, if its next state is written down: of a planted bug.
    pub held_back: Vec<Held>,
    /// What each process last saw in the vault, and who was refused last: of a planted bug.
    pub seen_last: BTreeMap<u64, Kept>,
    /// See [`Book::seen_last`].
    pub refused_last: Option<u64>,
    /// Calls with a refresh token that was refused: when, and of whom.
    pub refused: Vec<(i64, Who)>,
    /// A refresh token that a process has, and the vault does not.
    pub delivered: Option<Delivered>,
    /// When each process last began to stand still, Unix milliseconds.
    pub stood_ms: BTreeMap<u64, i64>,
    /// Counts what may have made a token of a warm process useless.
    pub breaks: u64,
    /// Which set was put into the vault how often.
    pub puts: BTreeMap<String, u32>,
    /// Whoever tells something dies now and then right behind it.
    pub kills_tellers: bool,
    /// There is somebody who renews the vault's tokens and knows nothing of our lease.
    pub has_rival: bool,
    /// Who last took the lease of the renewal.
    pub leased_to: Option<u64>,
    /// When who last wrote that lease, Unix milliseconds.
    pub leases: BTreeMap<u64, i64>,
    /// When the vault last got tokens while none could be had by what it had, Unix milliseconds.
    pub had_again_ms: i64,
    /// When the issuer first ended what the vault has ahead of its time, and a reader has seen it.
    pub missed_at_ms: Option<i64>,
    /// Logins that were made, from when to when.
    pub logins: Vec<(i64, i64)>,
    /// When the issuer, or somebody at it, last ended a refresh token of ours, or it ended by itself.
    pub killed_ms: Vec<i64>,
    /// Processes that died.
    pub died: u64,
    /// Whose turn it is.
    pub now_runs: u64,
}

impl Book {
    /// True if there was a calm between the two moments in which a renewal could be done.
    pub fn had_chance(&self, from: i64, to: i64) -> bool {
        self.had_chance_of(from, to, CHANCE)
    }

    /// The same where it needs so long a calm.
    pub fn had_chance_of(&self, from: i64, to: i64, span: i64) -> bool {
        self.is_calm(self.troubles.iter().chain(&self.locks), from, to, span)
    }

    /// The same of what needs no issuer that gives something: so long a calm.
    pub fn is_calm_for(&self, from: i64, to: i64, span: i64) -> bool {
        self.is_calm(self.troubles.iter(), from, to, span)
    }

    fn is_calm<'a>(
        &self,
        troubles: impl Iterator<Item = &'a (i64, i64)>,
        from: i64,
        to: i64,
        span: i64,
    ) -> bool {
        let mut troubles: Vec<(i64, i64)> = troubles
            .copied()
            .filter(|(begins, ends)| *ends >= from && *begins <= to)
            .collect();
        troubles.sort_unstable();
        let mut calm_since = from;
        for (begins, ends) in troubles {
            if begins - calm_since >= span {
                return true;
            }
            calm_since = calm_since.max(ends);
        }
        to - calm_since >= span
    }

    /// How long it has been calm.
    pub fn calm_for(&self, now: i64) -> i64 {
        let all = self.troubles.iter().chain(&self.locks);
        let begun = all.filter(|(begins, _)| *begins <= now);
        let last = begun.map(|(_, ends)| *ends).max().unwrap_or(i64::MIN / 2);
        now - last
    }

    /// A refresh token that a process has, and that others could know of: it did not stand still with it.
    pub fn delivered_and_at_work(&self) -> Option<&Delivered> {
        let stood_with_it = |one: &&Delivered| {
            let stood_ms = self.stood_ms.get(&one.to);
            stood_ms.is_some_and(|stood_ms| *stood_ms >= one.at_ms)
        };
        let delivered = self.delivered.as_ref();
        delivered.filter(|one| !stood_with_it(one))
    }

    /// True if something of ours went wrong between the two moments.
    pub fn was_struck(&self, from: i64, to: i64) -> bool {
        let from = self.strikes.partition_point(|at| *at < from);
        self.strikes.get(from).is_some_and(|at| *at <= to)
    }

    /// A process has written its state down: what was held back of it is told, if it goes on.
    pub fn wrote(&mut self, writer: u64) {
        let of = |held: &&mut Held| held.by == writer;
        self.held_back
            .iter_mut()
            .filter(of)
            .for_each(|held| held.is_written = true);
    }

    /// A process goes on.
    pub fn goes_on(&mut self, id: u64) {
        if self.held_back.is_empty() {
            return;
        }
        let held_back = std::mem::take(&mut self.held_back);
        let is_told = |held: &Held| held.by == id && held.is_written;
        let (told, kept) = held_back.into_iter().partition(is_told);
        self.held_back = kept;
        let told: Vec<Held> = told;
        self.told.extend(told.into_iter().map(|held| held.told));
    }

    /// Something of ours went wrong.
    pub fn struck(&mut self, now_ms: i64) {
        self.strikes.push(now_ms);
    }

    /// A set has come into the vault. `refresh_ends_ms` is what the issuer says of its refresh token at this moment.
    pub fn stored(&mut self, set: &TokenSet, now_ms: i64, refresh_ends_ms: Option<i64>) {
        *self.puts.entry(set.mark().to_string()).or_default() += 1;
        let logged_in_ms = set.logged_in_at.as_millis();
        let (tick, fifth) = (10 * MINUTE, 5);
        let access = set.access.as_ref().map(|token| {
            let (at, end) = (token.obtained_at, token.expires_at.as_millis());
            let life = at.map_or(0, |at| end - at.as_millis());
            end - (life / fifth).max(tick)
        });
        let refresh = set.refresh_expires_at.map(|end| end.as_millis() - tick);
        // By the clock of whoever obtained it, as everything that is written in a set.
        let obtained = set.access.as_ref().and_then(|token| token.obtained_at);
        let refresh = refresh.filter(|at| obtained.is_some_and(|from| from.as_millis() < *at));
        let renew_at_ms = access.unwrap_or(now_ms).min(refresh.unwrap_or(i64::MAX));
        self.epochs.push(Epoch {
            from_ms: now_ms,
            refresh_ends_ms,
            logged_in_ms,
            renew_at_ms,
        });
        self.missed_at_ms = None;
        let is_stored = |delivered: &Delivered| {
            set.refresh.as_ref().map(|own| own.expose()) == Some(delivered.refresh.as_str())
        };
        if self.delivered.as_ref().is_some_and(is_stored) {
            self.delivered = None;
        }
    }

    /// The milestone before which another counts, days: 14 after nothing, 7 after 14 …
    pub fn window(end_ms: i64, days: u32) -> (i64, i64) {
        let from = end_ms - i64::from(days) * DAY;
        let until = match days {
            14 => end_ms - 7 * DAY,
            7 => end_ms - 3 * DAY,
            3 => end_ms - DAY,
            1 => end_ms,
            _ => i64::MAX,
        };
        (from, until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_back_is_told_once_its_process_has_written_it_down_and_goes_on() {
        let told = Told {
            at_ms: 0,
            is_credentials: false,
            days: 14,
            end_ms: 0,
        };
        let held = |by| Held {
            by,
            told: told.clone(),
            is_written: false,
        };
        let mut book = Book {
            held_back: vec![held(1), held(2)],
            ..Book::default()
        };
        book.goes_on(1);
        assert!(book.told.is_empty(), "not written down");
        book.wrote(1);
        assert!(book.told.is_empty(), "it may still die");
        book.goes_on(1);
        assert_eq!((book.told.len(), book.held_back.len()), (1, 1));
    }

    #[test]
    fn a_chance_is_a_calm_that_is_long_enough_and_in_time() {
        let book = Book {
            troubles: vec![(CHANCE, CHANCE + 5)],
            locks: vec![(2 * CHANCE, 3 * CHANCE)],
            ..Book::default()
        };
        assert!(book.had_chance(0, CHANCE + 1));
        assert!(!book.had_chance(1, 3 * CHANCE), "too short each time");
        assert!(
            book.is_calm_for(1, 3 * CHANCE, CHANCE),
            "who is locked can be told"
        );
    }
}
