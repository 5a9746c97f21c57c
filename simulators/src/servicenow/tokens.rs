//! The OAuth tokens that an instance has given out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::config::TokenRules;
use super::ids;

/// All tokens, live and expired.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Tokens {
    access: BTreeMap<String, Token>,
    refresh: BTreeMap<String, Token>,
    /// `client user grant family` → the access token that a repeated grant gives again.
    current: BTreeMap<String, String>,
    made: u64,
}

/// Whose a token is, and until when.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Token {
    client: String,
    user: String,
    expires_ms: i64,
}

/// What a grant gave.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Granted {
    pub access: String,
    pub refresh: Option<String>,
    pub expires_in_s: i64,
}

impl Tokens {
    /// The user of a live access token.
    pub(super) fn user_of(&self, access: &str, now_ms: i64) -> Option<&str> {
        self.access
            .get(access)
            .filter(|token| token.expires_ms > now_ms)
            .map(|token| token.user.as_str())
    }

    /// By password: the same access token inside its life; the refresh token there is, its life renewed.
    pub(super) fn by_password(
        &mut self,
        rules: &TokenRules,
        seed: u64,
        client: &str,
        user: &str,
        now_ms: i64,
    ) -> Granted {
        let (access, expires_in_s) =
            self.current_or_new(rules, seed, client, user, "user", now_ms, true);
        let expires_ms = now_ms + rules.refresh_ttl_s * 1000;
        let live = self.refresh.iter_mut().find(|(_, token)| {
            token.client == client && token.user == user && token.expires_ms > now_ms
        });
        let refresh = match live {
            Some((text, token)) => {
                token.expires_ms = expires_ms;
                text.clone()
            }
            None => {
                self.made += 1;
                let text = ids::token(seed, "refresh", self.made);
                self.refresh.insert(
                    text.clone(),
                    Token {
                        client: client.to_owned(),
                        user: user.to_owned(),
                        expires_ms,
                    },
                );
                text
            }
        };
        Granted {
            access,
            refresh: Some(refresh),
            expires_in_s,
        }
    }

    /// By refresh token: a new access token; the refresh token stays and its life is not prolonged.
    pub(super) fn by_refresh(
        &mut self,
        rules: &TokenRules,
        seed: u64,
        client: &str,
        refresh: &str,
        now_ms: i64,
    ) -> Option<Granted> {
        let token = self
            .refresh
            .get(refresh)
            .filter(|token| token.client == client && token.expires_ms > now_ms)?;
        let user = token.user.clone();
        let (access, expires_in_s) =
            self.current_or_new(rules, seed, client, &user, "user", now_ms, false);
        let refresh = rules
            .refresh_reply_has_refresh_token
            .then(|| refresh.to_owned());
        Some(Granted {
            access,
            refresh,
            expires_in_s,
        })
    }

    /// By client credentials: no refresh token.
    pub(super) fn by_client(
        &mut self,
        rules: &TokenRules,
        seed: u64,
        client: &str,
        user: &str,
        now_ms: i64,
    ) -> Granted {
        let again = rules.client_credentials_repeat;
        let (access, expires_in_s) =
            self.current_or_new(rules, seed, client, user, "client", now_ms, again);
        Granted {
            access,
            refresh: None,
            expires_in_s,
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one private function that the three grants share"
    )]
    fn current_or_new(
        &mut self,
        rules: &TokenRules,
        seed: u64,
        client: &str,
        user: &str,
        family: &str,
        now_ms: i64,
        again: bool,
    ) -> (String, i64) {
        let key = format!("{client} {user} {family}");
        if again
            && let Some(text) = self.current.get(&key)
            && let Some(token) = self.access.get(text)
            && token.expires_ms > now_ms
        {
            return (text.clone(), (token.expires_ms - now_ms) / 1000);
        }
        self.made += 1;
        let text = ids::token(seed, "access", self.made);
        let expires_ms = now_ms + rules.access_ttl_s * 1000;
        self.access.insert(
            text.clone(),
            Token {
                client: client.to_owned(),
                user: user.to_owned(),
                expires_ms,
            },
        );
        self.current.insert(key, text.clone());
        (text, rules.access_ttl_s)
    }

    /// Marks a token of either kind expired.
    pub(super) fn revoke(&mut self, text: &str) {
        if let Some(token) = self
            .access
            .get_mut(text)
            .or_else(|| self.refresh.get_mut(text))
        {
            token.expires_ms = 0;
        }
    }

    /// Expires every access token.
    pub(super) fn expire_access(&mut self) {
        self.access
            .values_mut()
            .for_each(|token| token.expires_ms = 0);
    }

    /// Expires every refresh token.
    pub(super) fn expire_refresh(&mut self) {
        self.refresh
            .values_mut()
            .for_each(|token| token.expires_ms = 0);
    }

    /// How many tokens of each kind live: access, refresh.
    pub(super) fn live(&self, now_ms: i64) -> (usize, usize) {
        let live = |tokens: &BTreeMap<String, Token>| {
            tokens
                .values()
                .filter(|token| token.expires_ms > now_ms)
                .count()
        };
        (live(&self.access), live(&self.refresh))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    #[test]
    fn a_second_password_grant_gives_the_same_access_token_inside_its_life() {
        let (rules, mut tokens) = (TokenRules::default(), Tokens::default());
        let first = tokens.by_password(&rules, 1, "c", "u", 0);
        let second = tokens.by_password(&rules, 1, "c", "u", 1_000_500);
        assert_eq!(
            (&first.access, &first.refresh),
            (&second.access, &second.refresh)
        );
        assert_eq!((first.expires_in_s, second.expires_in_s), (1800, 799));
        let third = tokens.by_password(&rules, 1, "c", "u", HOUR);
        assert_ne!(first.access, third.access);
        assert_eq!(first.refresh, third.refresh);
    }

    #[test]
    fn a_refresh_gives_a_new_access_token_and_prolongs_nothing() {
        let (rules, mut tokens) = (TokenRules::default(), Tokens::default());
        let first = tokens.by_password(&rules, 1, "c", "u", 0);
        let refresh = first.refresh.clone().unwrap();
        let second = tokens
            .by_refresh(&rules, 1, "c", &refresh, 50 * 24 * HOUR)
            .unwrap();
        assert_ne!(first.access, second.access);
        assert_eq!(second.refresh, first.refresh);
        assert_eq!(
            tokens.by_refresh(&rules, 1, "c", &refresh, 100 * 24 * HOUR),
            None
        );
        assert_eq!(
            tokens.by_refresh(&rules, 1, "other client", &refresh, 0),
            None
        );
    }

    #[test]
    fn a_password_grant_renews_the_refresh_token() {
        let (rules, mut tokens) = (TokenRules::default(), Tokens::default());
        let refresh = tokens.by_password(&rules, 1, "c", "u", 0).refresh.unwrap();
        tokens.by_password(&rules, 1, "c", "u", 50 * 24 * HOUR);
        assert!(
            tokens
                .by_refresh(&rules, 1, "c", &refresh, 120 * 24 * HOUR)
                .is_some()
        );
    }

    #[test]
    fn a_revoked_token_is_expired() {
        let (rules, mut tokens) = (TokenRules::default(), Tokens::default());
        let granted = tokens.by_password(&rules, 1, "c", "u", 0);
        tokens.revoke(&granted.access);
        assert_eq!(tokens.user_of(&granted.access, 0), None);
        let refresh = granted.refresh.unwrap();
        assert!(tokens.by_refresh(&rules, 1, "c", &refresh, 0).is_some());
        tokens.revoke(&refresh);
        assert!(tokens.by_refresh(&rules, 1, "c", &refresh, 0).is_none());
    }
}
