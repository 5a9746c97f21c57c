//! An issuer's token answer, read with patience.

use std::time::Duration;

use oauth2::basic::BasicTokenType;
use oauth2::{RefreshToken, Scope, TokenResponse};
use serde::{Deserialize, Serialize};

use crate::domain::timestamp::Timestamp;

/// A token answer, read with patience: `expires_in` comes as number, string, nonsense or not at all (row N25).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LenientToken {
    pub(super) access_token: oauth2::AccessToken,
    #[serde(default = "bearer", deserialize_with = "token_type")]
    pub(super) token_type: BasicTokenType,
    #[serde(default, deserialize_with = "seconds", skip_serializing)]
    pub(super) expires_in: Option<Duration>,
    #[serde(default)]
    pub(super) refresh_token: Option<RefreshToken>,
    #[serde(
        default,
        alias = "refresh_token_expires_in",
        deserialize_with = "seconds",
        skip_serializing
    )]
    pub(super) refresh_expires_in: Option<Duration>,
    /// When Cherwell says that it gave the token and when it ends, by its own clock (cherwell-api §2).
    #[serde(
        default,
        rename = ".issued",
        deserialize_with = "text",
        skip_serializing
    )]
    pub(super) issued: Option<String>,
    /// See [`LenientToken::issued`].
    #[serde(
        default,
        rename = ".expires",
        deserialize_with = "text",
        skip_serializing
    )]
    pub(super) expires: Option<String>,
}

impl LenientToken {
    /// How long the access token lives. Two moments of one clock give that as well as a span does, however that clock goes.
    pub(super) fn life(&self) -> Option<Duration> {
        let moment = |text: &Option<String>| Timestamp::parse_http_date(text.as_deref()?);
        self.expires_in
            .or_else(|| Some(moment(&self.expires)?.since(moment(&self.issued)?)))
    }
}

fn bearer() -> BasicTokenType {
    BasicTokenType::Bearer
}

/// The name is compared without case (RFC 6749 §5.1).
fn token_type<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<BasicTokenType, D::Error> {
    let name = String::deserialize(deserializer)?;
    if name.eq_ignore_ascii_case("bearer") {
        Ok(BasicTokenType::Bearer)
    } else {
        Ok(BasicTokenType::Extension(name))
    }
}

/// A text; anything else is as if it were not there.
fn text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Told {
        Text(String),
        Other(serde::de::IgnoredAny),
    }
    Ok(match Option::<Told>::deserialize(deserializer)? {
        Some(Told::Text(text)) => Some(text),
        Some(Told::Other(_)) | None => None,
    })
}

fn seconds<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Told {
        Number(f64),
        Text(String),
        Other(serde::de::IgnoredAny),
    }
    let told = match Option::<Told>::deserialize(deserializer)? {
        Some(Told::Number(number)) => Some(number),
        Some(Told::Text(text)) => text.trim().parse::<f64>().ok(),
        Some(Told::Other(_)) | None => None,
    };
    Ok(told
        .filter(|number| number.is_finite())
        .map(|number| Duration::from_secs_f64(number.clamp(0.0, 1e9))))
}

impl TokenResponse for LenientToken {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &oauth2::AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &self.token_type
    }

    fn expires_in(&self) -> Option<Duration> {
        self.expires_in
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(more: &str) -> Option<u64> {
        let text = format!(r#"{{"access_token":"x"{more}}}"#);
        let token: LenientToken = serde_json::from_str(&text).unwrap();
        token.life().map(|life| life.as_secs())
    }

    #[test]
    fn a_life_is_told_in_seconds_or_by_two_moments_of_the_issuers_own_clock() {
        let moments = r#","as:client_id":"y",".issued":"Mon, 17 Jun 2019 15:31:39 GMT",".expires":"Mon, 17 Jun 2019 15:51:39 GMT""#;
        assert_eq!(life(moments), Some(1200));
        assert_eq!(life(&format!(r#"{moments},"expires_in":1199"#)), Some(1199));
        assert_eq!(
            life(&format!(r#"{moments},"expires_in":"soon""#)),
            Some(1200)
        );
        for nonsense in [
            "",
            r#","expires_in":null"#,
            r#","expires_in":[],".expires":7,".issued":{}"#,
            r#","expires_in":{},".expires":"soon",".issued":"Mon, 17 Jun 2019 15:31:39 GMT""#,
            r#",".expires":"Mon, 17 Jun 2019 15:51:39 GMT""#,
        ] {
            assert_eq!(life(nonsense), None, "{nonsense}");
        }
    }
}
