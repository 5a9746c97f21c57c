//! One step of a renewal.

use super::announcement::next_milestone;
use super::{
    ASK_AGAIN_EVERY, Count, DAY, Effect, Input, LOGIN_LOOK_EVERY, LOOK_EVERY, LoginNeeded, Phase,
    Reason, Renewal, Rules, SetFacts, Sight, UNSTORED_PATIENCE, is_final,
};
use crate::domain::connection::Grant;
use crate::domain::failure::{CallFailure, Kind};
use crate::domain::timestamp::Timestamp;

/// What follows: the state to write down, and what to do then.
pub fn next(state: &Renewal, now: Timestamp, rules: &Rules, input: Input) -> (Renewal, Effect) {
    let mut step = Step {
        state: state.clone(),
        now,
        rules,
    };
    let effect = step.take(input);
    let set = step.state.current.as_ref().filter(|_| rules.replaces);
    let due_at = set.and_then(|set| set.renew_at(rules.tick));
    step.state.ends_from = due_at.map(|at| at.plus(2 * rules.tick));
    (step.state, effect)
}

struct Step<'a> {
    state: Renewal,
    now: Timestamp,
    rules: &'a Rules,
}

impl Step<'_> {
    fn take(&mut self, input: Input) -> Effect {
        let now = self.now;
        match input {
            Input::Begin if self.rules.forced || self.state.is_due(now, None) => Effect::Look,
            Input::Begin => Effect::Rest,
            Input::Seen(sight, credentials_end_at) => {
                self.state.credentials_end_at = credentials_end_at;
                self.seen(sight)
            }
            Input::Issued => Effect::Store,
            Input::Refused(sight) => self.refused(sight),
            Input::NotCalled(failure) => {
                let asked = failure.retry_after();
                self.trouble(failure);
                self.state.due_at = asked.map(|wait| now.plus(wait));
                Effect::Rest
            }
            Input::Stored(set) => {
                self.stored(set);
                Effect::Prove
            }
            Input::Overtaken(sight) => self.seen(sight),
            Input::NotStored(failure) => {
                self.trouble(failure);
                let since = match self.state.phase {
                    Phase::Unstored { since } => since,
                    _ => now,
                };
                self.state.phase = Phase::Unstored { since };
                Effect::Rest
            }
            Input::Proved(result) => self.proved(result),
            Input::Disabled(version, result) => match result {
                Err(failure) if !is_final(&failure) => self.waits(failure),
                result => {
                    self.state.trouble = result.err();
                    self.state.replaced.retain(|other| *other != version);
                    self.disable()
                }
            },
            Input::Revoked(result) => match result {
                Err(failure) if !is_final(&failure) => self.waits(failure),
                result => {
                    self.state.trouble = result.err();
                    self.rest_idle()
                }
            },
        }
    }

    fn seen(&mut self, sight: Sight) -> Effect {
        if self.rules.grant == Grant::ClientCredentials {
            // Whoever needs a token asks for one, and keeps it in memory.
            self.state.current = None;
            self.state.login = None;
            self.state.trouble = None;
            self.state.replaced.clear();
            return self.rest_idle();
        }
        match sight {
            Sight::Nothing => self.needs_login(Reason::NobodyLoggedIn),
            Sight::Unreadable => self.needs_login(Reason::Unreadable),
            Sight::Set(set) => {
                let known = self.state.current.as_ref().map(|known| &known.mark);
                match known == Some(&set.mark) {
                    true => self.seen_again(set),
                    false => self.seen_first(set),
                }
            }
        }
    }

    /// Somebody has logged in, or a renewal stored its set and did not live to say so.
    fn seen_first(&mut self, set: SetFacts) -> Effect {
        let is_fresh = set.is_fresh(self.now);
        self.stored(set);
        match is_fresh {
            true => Effect::Prove,
            // There is nothing to prove it by; its refresh token shows itself.
            false => self.call(),
        }
    }

    fn seen_again(&mut self, set: SetFacts) -> Effect {
        let is_fresh = set.is_fresh(self.now);
        let is_due = (set.renew_at(self.rules.tick)).is_none_or(|at| at <= self.now);
        let may_renew = set.has_refresh && self.rules.may_call;
        self.state.current = Some(set);
        let (now, rules) = (self.now, self.rules);
        match self.state.phase {
            Phase::Idle if is_due || rules.forced => {
                if !is_due {
                    self.state.heeded_at = Some(now);
                }
                self.call()
            }
            Phase::Idle => self.rest_idle(),
            Phase::Unstored { .. } | Phase::NeedsLogin { .. } if rules.holds => Effect::Store,
            Phase::Unstored { since } if rules.replaces && now.since(since) < UNSTORED_PATIENCE => {
                self.rest_until(None)
            }
            Phase::Calling { .. } | Phase::Unstored { .. } => self.call(),
            Phase::Stored { .. } if is_fresh && !is_due => Effect::Prove,
            Phase::Stored { .. } => self.call(),
            // What is to be put away can wait, and goes with the next set.
            Phase::Proved { .. } | Phase::Disabled { .. } if is_due && may_renew => self.call(),
            Phase::Proved { .. } | Phase::Disabled { .. } => self.disable(),
            Phase::NeedsLogin { asked_at }
                if rules.forced || now.since(asked_at) >= ASK_AGAIN_EVERY =>
            {
                self.call()
            }
            Phase::NeedsLogin { .. } => self.rest_until(Some(now.plus(LOGIN_LOOK_EVERY))),
        }
    }

    /// The issuer is asked, if there is something to ask it by and time for it.
    fn call(&mut self) -> Effect {
        let now = self.now;
        let set = self.state.current.clone();
        let Some(set) = set.filter(|set| set.has_refresh) else {
            let ends_at = self
                .state
                .current
                .as_ref()
                .and_then(|set| set.access_ends_at);
            return match ends_at {
                Some(end) if end > now => {
                    self.state.phase = Phase::Idle;
                    self.rest_until(Some(end.min(now.plus(LOOK_EVERY))))
                }
                _ => self.needs_login(Reason::NoRefreshToken),
            };
        };
        if !self.rules.may_call {
            return self.rest_until(None);
        }
        let (since, calls) = match self.state.phase {
            Phase::Calling { since, calls } => (since, calls),
            _ => (now, 0),
        };
        debug_assert!(set.has_refresh);
        self.state.due_at = None;
        self.state.phase = Phase::Calling {
            since,
            calls: calls.saturating_add(1),
        };
        Effect::Call
    }

    fn refused(&mut self, sight: Sight) -> Effect {
        let current = self.state.current.as_ref().map(|set| &set.mark);
        if let Sight::Set(set) = &sight
            && current != Some(&set.mark)
        {
            return self.seen(sight);
        }
        let was_lost = matches!(self.state.phase, Phase::Calling { calls, .. } if calls > 1);
        self.needs_login(match was_lost && self.rules.replaces {
            true => Reason::AnswerLost,
            false => Reason::Refused,
        })
    }

    /// A set is in the vault that was not there before.
    fn stored(&mut self, set: SetFacts) {
        let now = self.now;
        if let Some(before) = self.state.current.take()
            && before.version != set.version
            && !self.state.replaced.contains(&before.version)
        {
            self.state.replaced.push(before.version);
        }
        // A vault without versions has one only, and that is in use.
        self.state.replaced.retain(|old| *old != set.version);
        let count = self.state.count;
        self.state.count = match now.since(count.since) < DAY {
            true => Count {
                sets: count.sets.saturating_add(1),
                ..count
            },
            false => Count {
                since: now,
                sets: 1,
            },
        };
        self.state.current = Some(set);
        self.state.phase = Phase::Stored { since: now };
        self.state.login = None;
        self.state.trouble = None;
        self.state.due_at = None;
    }

    fn proved(&mut self, result: Result<(), CallFailure>) -> Effect {
        match result {
            // Whoever may not see, or sees nothing there, was let in all the same.
            Ok(()) => {}
            Err(failure) if matches!(failure.kind, Kind::NoRights | Kind::NotFound) => {}
            Err(failure) => return self.waits(failure),
        }
        self.state.trouble = None;
        self.state.phase = Phase::Proved { since: self.now };
        self.disable()
    }

    fn disable(&mut self) -> Effect {
        let in_use = self.state.current.as_ref().map(|set| &set.version);
        self.state.replaced.retain(|old| Some(old) != in_use);
        if let Some(version) = self.state.replaced.first().cloned() {
            self.state.phase = Phase::Proved { since: self.now };
            return Effect::Disable(version);
        }
        self.state.phase = Phase::Disabled { since: self.now };
        Effect::Revoke
    }

    fn needs_login(&mut self, because: Reason) -> Effect {
        let now = self.now;
        if matches!(because, Reason::NobodyLoggedIn | Reason::Unreadable) {
            self.state.current = None;
        }
        self.state.phase = Phase::NeedsLogin { asked_at: now };
        self.state.trouble = None;
        let since = self.state.login.map_or(now, |login| login.since);
        self.state.login = Some(LoginNeeded { since, because });
        self.rest_until(Some(now.plus(LOGIN_LOOK_EVERY)))
    }

    fn trouble(&mut self, failure: CallFailure) {
        self.state.trouble = Some(failure);
        self.state.due_at = None;
    }

    /// The step is tried again at the next tick.
    fn waits(&mut self, failure: CallFailure) -> Effect {
        self.trouble(failure);
        Effect::Rest
    }

    fn rest_until(&mut self, due_at: Option<Timestamp>) -> Effect {
        self.state.due_at = due_at;
        Effect::Rest
    }

    /// Nothing is left to do until the token must be renewed, an end is to be announced, or a while has passed.
    fn rest_idle(&mut self) -> Effect {
        let now = self.now;
        self.state.phase = Phase::Idle;
        let set = self.state.current.as_ref();
        let ends = [
            set.and_then(|set| set.refresh_ends_at),
            self.state.credentials_end_at,
        ];
        let due_at = ends
            .into_iter()
            .flatten()
            .filter_map(|end| next_milestone(end, now))
            .chain(set.and_then(|set| set.renew_at(self.rules.tick)))
            .fold(now.plus(LOOK_EVERY), Timestamp::min);
        self.rest_until(Some(due_at))
    }
}
