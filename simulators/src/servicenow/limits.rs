//! What an instance can bear: rate limit rules, semaphores, the queue of a session.

use std::collections::BTreeMap;

use super::acl::has_role;
use super::config::{AppliesTo, Config, User};
use super::ids;
use super::reply::{Body, Reply};

const HOUR_MS: i64 = 3_600_000;

/// How busy an instance is.
#[derive(Debug, Clone, Default)]
pub(super) struct Limits {
    /// (rule, user) → (clock hour, calls).
    counted: BTreeMap<(usize, String), (i64, u64)>,
    /// When each call that is under way ends.
    under_way: Vec<i64>,
    /// The same per session whose cookie came back.
    sessions: BTreeMap<String, Vec<i64>>,
}

/// Whether a call may run.
#[derive(Debug, PartialEq)]
pub(super) enum Admission {
    /// It runs, and its reply comes after this many milliseconds.
    Runs(i64),
    /// It is turned away.
    Refused(Reply),
}

impl Limits {
    /// Counts a call of `takes_ms`. A session runs its calls one after the other; without a cookie each call is its own session.
    pub(super) fn admit(
        &mut self,
        config: &Config,
        session: Option<&str>,
        takes_ms: i64,
        now_ms: i64,
    ) -> Admission {
        self.under_way.retain(|end| *end > now_ms);
        if let Some(semaphores) = config.semaphores
            && self.under_way.len() >= semaphores.parallel + semaphores.queue
        {
            return Admission::Refused(too_many_at_once());
        }
        let mut end = now_ms + takes_ms;
        if let Some(session) = session {
            let queue = self.sessions.entry(session.to_owned()).or_default();
            queue.retain(|end| *end > now_ms);
            if queue.len() > config.session_queue_max {
                return Admission::Refused(Reply::new(202, Body::Empty));
            }
            end = queue.last().copied().unwrap_or(now_ms) + takes_ms;
            if end > now_ms {
                queue.push(end);
            }
        }
        if end > now_ms {
            self.under_way.push(end);
        }
        Admission::Runs(end - now_ms)
    }

    /// The rate limit headers of a call, or its refusal.
    pub(super) fn rate(
        &mut self,
        config: &Config,
        user: &User,
        now_ms: i64,
    ) -> Result<Vec<(&'static str, String)>, Reply> {
        let matching = |wanted: &dyn Fn(&AppliesTo) -> bool| {
            let rules = config
                .rate_limits
                .iter()
                .enumerate()
                .filter(|(_, rule)| wanted(&rule.applies_to));
            rules.min_by_key(|(_, rule)| rule.per_hour)
        };
        let rule = matching(&|to| matches!(to, AppliesTo::User(name) if *name == user.name))
            .or_else(|| matching(&|to| matches!(to, AppliesTo::Role(role) if has_role(user, role))))
            .or_else(|| matching(&|to| *to == AppliesTo::AllUsers));
        let Some((index, rule)) = rule else {
            return Ok(Vec::new());
        };
        let hour = now_ms.div_euclid(HOUR_MS);
        let counted = self
            .counted
            .entry((index, user.name.clone()))
            .or_insert((hour, 0));
        if counted.0 != hour {
            *counted = (hour, 0);
        }
        counted.1 += 1;
        let headers = rate_headers(
            rule.per_hour,
            (hour + 1) * HOUR_MS / 1000,
            &ids::sys_id(config.seed, "rule", &index.to_string()),
        );
        if counted.1 <= rule.per_hour {
            return Ok(headers);
        }
        let wait_s = ((hour + 1) * HOUR_MS - now_ms + 999) / 1000;
        Err(rate_limited(rule.per_hour, headers).with("retry-after", wait_s.to_string()))
    }
}

/// The headers of a rate limit rule.
pub(super) fn rate_headers(per_hour: u64, reset_s: i64, rule: &str) -> Vec<(&'static str, String)> {
    vec![
        ("x-ratelimit-limit", per_hour.to_string()),
        ("x-ratelimit-reset", reset_s.to_string()),
        ("x-ratelimit-rule", rule.to_owned()),
    ]
}

/// 429 by a rule.
pub(super) fn rate_limited(per_hour: u64, headers: Vec<(&'static str, String)>) -> Reply {
    let detail = format!("Rate limit of {per_hour} requests per hour for Table API exceeded");
    Reply {
        headers,
        ..Reply::error(429, "Rate limit exceeded", Some(&detail))
    }
}

/// 429 by the semaphores: without headers.
pub(super) fn too_many_at_once() -> Reply {
    Reply::error(
        429,
        "Too many requests",
        Some("Maximum number of concurrent API_INT transactions exceeded"),
    )
}

#[cfg(test)]
mod tests {
    use super::super::config::{RateLimit, Semaphores};
    use super::*;

    fn limit(applies_to: AppliesTo, per_hour: u64) -> RateLimit {
        RateLimit {
            applies_to,
            per_hour,
        }
    }

    #[test]
    fn the_most_special_rule_counts_and_of_roles_the_lowest() {
        let user = |name: &str, roles: &[&str]| User {
            name: name.into(),
            roles: roles.iter().map(|role| (*role).into()).collect(),
            ..User::default()
        };
        let config = Config {
            rate_limits: vec![
                limit(AppliesTo::AllUsers, 1),
                limit(AppliesTo::Role("itil".into()), 30),
                limit(AppliesTo::Role("rest".into()), 20),
                limit(AppliesTo::User("ann".into()), 40),
            ],
            ..Config::default()
        };
        let cases = [
            (user("ann", &["itil"]), "40"),
            (user("bob", &["itil", "rest"]), "20"),
            (user("cy", &[]), "1"),
        ];
        for (user, expected) in cases {
            let headers = Limits::default().rate(&config, &user, 0).unwrap();
            assert_eq!(
                headers[0],
                ("x-ratelimit-limit", expected.to_owned()),
                "{}",
                user.name
            );
        }
    }

    #[test]
    fn the_window_is_the_clock_hour() {
        let config = Config {
            rate_limits: vec![limit(AppliesTo::AllUsers, 2)],
            ..Config::default()
        };
        let (user, mut limits, now) = (User::default(), Limits::default(), 10 * HOUR_MS + 600_000);
        assert!(limits.rate(&config, &user, now).is_ok());
        assert!(limits.rate(&config, &user, now).is_ok());
        let refused = limits.rate(&config, &user, now).unwrap_err();
        assert_eq!(refused.status, 429);
        assert!(refused.headers.contains(&("retry-after", "3000".into())));
        assert!(
            refused
                .headers
                .contains(&("x-ratelimit-reset", "39600".into()))
        );
        assert!(limits.rate(&config, &user, 11 * HOUR_MS).is_ok());
    }

    #[test]
    fn a_session_runs_one_call_at_a_time_and_drops_what_queues_too_long() {
        let (config, mut limits) = (Config::default(), Limits::default());
        for n in 1..=11 {
            assert_eq!(
                limits.admit(&config, Some("s"), 100, 0),
                Admission::Runs(n * 100)
            );
        }
        assert_eq!(
            limits.admit(&config, Some("s"), 100, 0),
            Admission::Refused(Reply::new(202, Body::Empty))
        );
        assert_eq!(limits.admit(&config, None, 100, 0), Admission::Runs(100));
        assert_eq!(
            limits.admit(&config, Some("s"), 100, 100),
            Admission::Runs(1100)
        );
    }

    #[test]
    fn semaphores_refuse_what_exceeds_them() {
        let config = Config {
            semaphores: Some(Semaphores {
                parallel: 2,
                queue: 1,
            }),
            ..Config::default()
        };
        let mut limits = Limits::default();
        for _ in 0..3 {
            assert_eq!(limits.admit(&config, None, 100, 0), Admission::Runs(100));
        }
        assert!(
            matches!(limits.admit(&config, None, 100, 50), Admission::Refused(reply) if reply.status == 429 && reply.headers.is_empty())
        );
        assert_eq!(limits.admit(&config, None, 100, 100), Admission::Runs(100));
    }
}
