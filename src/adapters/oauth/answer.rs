//! An issuer's token answer, read with patience.

use std::time::Duration;

use oauth2::basic::BasicTokenType;
use oauth2::{RefreshToken, Scope, TokenResponse};
use serde::{Deserialize, Serialize};

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
