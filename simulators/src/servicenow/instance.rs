//! An instance without its faults: who may do what, and to whom a call goes.

use std::sync::Arc;

use super::acl::{Operation, has_role};
use super::call::Call;
use super::config::{Config, User};
use super::limits::{Admission, Limits};
use super::oauth::basic;
use super::reply::{Body, Reply, cookies};
use super::schema::Schema;
use super::store::Store;
use super::tokens::Tokens;

/// The state of an instance.
#[derive(Debug)]
pub(super) struct Instance {
    pub config: Config,
    pub schema: Arc<Schema>,
    pub store: Store,
    pub tokens: Tokens,
    pub limits: Limits,
    pub transactions: u64,
}

/// What became of a call.
#[derive(Debug)]
pub(super) struct Outcome {
    pub reply: Reply,
    /// Whether it had its effect.
    pub executed: bool,
    /// Key and correlation id of the one record that it touched.
    pub touched: Option<(String, String)>,
    pub user: Option<String>,
    /// How much later the reply comes.
    pub delay_ms: i64,
}

impl Outcome {
    pub(super) fn done(reply: Reply) -> Self {
        Self {
            reply,
            executed: true,
            touched: None,
            user: None,
            delay_ms: 0,
        }
    }

    pub(super) fn refused(reply: Reply) -> Self {
        Self {
            executed: false,
            ..Self::done(reply)
        }
    }
}

/// What surrounds one call while it is executed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Circumstances {
    pub now_ms: i64,
    /// How long the call takes beyond what any call takes.
    pub extra_ms: i64,
    /// Records changed in this last while are not found.
    pub stale_ms: i64,
}

impl Instance {
    /// Executes a call.
    pub(super) fn execute(&mut self, call: &Call, at: Circumstances) -> Outcome {
        match call.path.as_str() {
            "/oauth_token.do" => return self.token(call, at.now_ms),
            "/oauth_revoke_token.do" => return self.revoke(call),
            _ => {}
        }
        if call.target_bytes() > self.config.url_bytes_max {
            return Outcome::refused(Reply::new(414, Body::Html(URL_TOO_LONG)));
        }
        let Some(user) = self.user_of(call, at.now_ms) else {
            return Outcome::refused(Reply::unauthorized());
        };
        let takes_ms =
            i64::try_from(self.config.call_takes_ms).unwrap_or(i64::MAX / 2) + at.extra_ms;
        let delay_ms = match self
            .limits
            .admit(&self.config, session(call), takes_ms, at.now_ms)
        {
            Admission::Runs(delay_ms) => delay_ms,
            Admission::Refused(reply) => {
                return Outcome {
                    user: Some(user.name),
                    ..Outcome::refused(reply)
                };
            }
        };
        let rate = match self.limits.rate(&self.config, &user, at.now_ms) {
            Ok(headers) => headers,
            Err(reply) => {
                return Outcome {
                    user: Some(user.name),
                    ..Outcome::refused(reply)
                };
            }
        };
        let mut outcome = self.execute_as(call, &user, at);
        outcome.reply.headers.extend(rate);
        if session(call).is_none() {
            self.transactions += 1;
            outcome
                .reply
                .headers
                .extend(cookies(self.config.seed, self.transactions));
        }
        Outcome {
            user: Some(user.name),
            delay_ms,
            ..outcome
        }
    }

    /// Executes a call for a user who has been let in.
    pub(super) fn execute_as(&mut self, call: &Call, user: &User, at: Circumstances) -> Outcome {
        if call.path == super::events::PATH {
            return self.receive_events(call, user, at.now_ms);
        }
        let Some(route) = call.route().filter(|route| !route.longer) else {
            return Outcome::refused(Reply::no_such_resource(&call.path));
        };
        match (route.api, route.table) {
            ("table", Some(table)) => self.table_api(call, user, route, table, at),
            ("import", Some(table)) if route.key.is_none() => {
                self.import(call, user, table, at.now_ms)
            }
            ("stats", Some(table)) if route.key.is_none() => self.stats_api(call, user, table),
            _ => Outcome::refused(Reply::no_such_resource(&call.path)),
        }
    }

    /// Who calls: by bearer token, or by HTTP Basic.
    pub(super) fn user_of(&self, call: &Call, now_ms: i64) -> Option<User> {
        let header = call.header("authorization")?;
        let users = || self.config.users.iter().filter(|user| user.active);
        if let Some((name, password)) = basic(header) {
            return users()
                .find(|user| user.name == name && user.password == password)
                .cloned();
        }
        let name = self.tokens.user_of(bearer(header)?, now_ms)?;
        users().find(|user| user.name == name).cloned()
    }

    /// Whether a user may do this to records of a class.
    pub(super) fn allows(&self, user: &User, operation: Operation, class: &str) -> bool {
        let applies = |table: &str| self.schema.extends(class, table);
        self.config
            .acls
            .iter()
            .filter(|acl| acl.operation == operation && applies(&acl.table))
            .all(|acl| has_role(user, &acl.role))
    }
}

/// The token of a bearer header.
pub(super) fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The session whose cookie came back.
fn session(call: &Call) -> Option<&str> {
    let cookies = call.header("cookie")?.split(';');
    cookies
        .filter_map(|cookie| cookie.trim().strip_prefix("JSESSIONID="))
        .next()
}

const URL_TOO_LONG: &str = "<html><head><title>414 Request-URI Too Large</title></head><body><center><h1>414 \
     Request-URI Too Large</h1></center><hr><center>snow_adc</center></body></html>";
