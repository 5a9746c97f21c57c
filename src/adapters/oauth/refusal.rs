//! Why an issuer refused, in our own words: what it says by OAuth's own words, and by the numbers of Entra (provance-api §1.2).

use oauth2::basic::BasicErrorResponseType;
use serde::Deserialize;

use super::By;
use crate::domain::failure::Kind;

/// What a refusal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) kind: Kind,
    pub(super) detail: &'static str,
    pub(super) advice: Option<&'static str>,
}

impl Refusal {
    const fn told(detail: &'static str, advice: &'static str) -> Self {
        Self {
            kind: Kind::Unauthorized,
            detail,
            advice: Some(advice),
        }
    }
}

/// The first number of Entra's in a refusal; 0 if there is none.
pub(super) fn entra_code(body: &[u8]) -> u32 {
    #[derive(Deserialize)]
    struct Codes {
        #[serde(default)]
        error_codes: Vec<u32>,
    }
    let codes: Option<Codes> = serde_json::from_slice(body).ok();
    codes
        .and_then(|codes| codes.error_codes.first().copied())
        .unwrap_or(0)
}

/// What the refusal of a request `by` means.
pub(super) fn meaning(by: &By<'_>, error: &BasicErrorResponseType, entra_code: u32) -> Refusal {
    if let Some(refusal) = by_entra(entra_code) {
        return refusal;
    }
    match error {
        BasicErrorResponseType::Extension(word) if word == "invalid_client_id" => Refusal::told(
            "the issuer does not know the client id",
            "copy the client id (Cherwell: API client key) from the product's own list of API clients",
        ),
        // RFC 6749 §4.1.2.1 has it for other requests; issuers give it for this one too. Not so `server_error`: that is how
        // ServiceNow says that it refuses (servicenow-api §2.5).
        BasicErrorResponseType::Extension(word) if word == "temporarily_unavailable" => Refusal {
            kind: Kind::Unavailable,
            detail: "the issuer is not available",
            advice: None,
        },
        _ => Refusal {
            kind: Kind::Unauthorized,
            detail: refused(by),
            advice: None,
        },
    }
}

/// Both possibilities are told, because ServiceNow's answer does not distinguish them (servicenow-api §2.5).
pub(super) fn refused(by: &By<'_>) -> &'static str {
    match by {
        By::ClientCredentials => {
            "the issuer refused: client id or secret is wrong, or the grant `client_credentials` is switched off"
        }
        By::Password { .. } => {
            "the issuer refused: user, password, client id or secret is wrong, the user is locked, or the grant `password` is switched off"
        }
        By::Refresh(_) => {
            "the issuer refused: the refresh token has expired or was revoked, or client id or secret is wrong"
        }
    }
}

/// The numbers of Entra's that a person can do something about (its list of AADSTS error codes).
fn by_entra(code: u32) -> Option<Refusal> {
    Some(match code {
        50126 | 50034 => Refusal::told(
            "Entra refused: user or password is wrong",
            "`username` is the user's sign-in name, such as `svc-monitor@contoso.com`; type the password again",
        ),
        50053 | 50055 | 50057 => Refusal::told(
            "Entra refused: the user is locked or disabled, or the password has expired",
            "have the user unlocked or given a new password in Entra, then log in again",
        ),
        50072 | 50074 | 50076 | 50079 | 50158 | 53003 => Refusal::told(
            "Entra refused: the user must show a second factor, which a login by password cannot",
            "leave `username` out and give the app a secret (client credentials), or exempt this user from that policy",
        ),
        65001 => Refusal::told(
            "Entra refused: nobody has consented to this app",
            "an administrator grants the app registration the permission `user_impersonation` of Dynamics CRM",
        ),
        7_000_218 => Refusal::told(
            "Entra refused: the app must show a secret",
            "give `client_secret`, or allow public client flows in the app registration",
        ),
        7_000_215 | 7_000_222 => Refusal::told(
            "Entra refused: the client secret is wrong or has expired",
            "make a new client secret in the app registration, then `itsmc connection add NAME --replace --client-secret-stdin`",
        ),
        700_016 => Refusal::told(
            "Entra refused: the tenant has no app with this client id",
            "copy the application (client) id from the app registration; `entra_authority` must be that registration's tenant",
        ),
        90002 => Refusal::told(
            "Entra refused: there is no such tenant",
            "correct `entra_authority` in the connection's definition",
        ),
        70_008 | 700_082 | 50173 => Refusal::told(
            "Entra refused: the refresh token has expired or was revoked",
            "run `itsmc connection login NAME`",
        ),
        70_011 | 500_011 | 650_057 => Refusal::told(
            "Entra refused: the app may not ask for tokens of this instance",
            "`server_url` must be the environment's own address, such as `https://contoso.crm.dynamics.com`, and the app registration must have a permission of Dynamics CRM",
        ),
        90033 => Refusal {
            kind: Kind::Unavailable,
            detail: "Entra is not available",
            advice: None,
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entras_numbers_are_told_in_our_words_each_with_what_to_do() {
        let told = |code: u32| {
            let by = By::ClientCredentials;
            meaning(&by, &BasicErrorResponseType::InvalidGrant, code)
        };
        for code in [
            50126, 50034, 50053, 50055, 50057, 50072, 50074, 50076, 50079, 50158, 53003, 65001,
            7_000_218, 7_000_215, 7_000_222, 700_016, 90002, 70_008, 700_082, 50173, 70_011,
            500_011, 650_057,
        ] {
            let refusal = told(code);
            assert_eq!(refusal.kind, Kind::Unauthorized, "{code}");
            assert!(refusal.advice.is_some(), "{code}");
            assert!(refusal.detail.starts_with("Entra refused: "), "{code}");
        }
        assert_eq!(told(90033).kind, Kind::Unavailable);
        assert_eq!(told(0).detail, refused(&By::ClientCredentials));
        assert_eq!(told(1).advice, None);
    }

    #[test]
    fn words_of_oauth_are_told_apart_where_it_matters() {
        let told = |word: &str| {
            let word = BasicErrorResponseType::Extension(word.to_owned());
            meaning(&By::ClientCredentials, &word, 0)
        };
        assert!(told("invalid_client_id").detail.contains("client id"));
        assert_eq!(told("temporarily_unavailable").kind, Kind::Unavailable);
        assert_eq!(told("server_error").kind, Kind::Unauthorized);
        assert_eq!(told("anything").kind, Kind::Unauthorized);
    }

    #[test]
    fn a_body_without_numbers_has_none() {
        assert_eq!(entra_code(br#"{"error_codes":[50126,1]}"#), 50126);
        for body in [
            "",
            "[]",
            "{}",
            r#"{"error_codes":"x"}"#,
            r#"{"error_codes":[]}"#,
        ] {
            assert_eq!(entra_code(body.as_bytes()), 0, "{body}");
        }
    }
}
