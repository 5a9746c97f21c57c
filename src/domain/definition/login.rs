//! By whom a connection's tokens are given, and for what: the grants and keys that each product knows.

use super::problem::{Problem, Problems};
use crate::domain::connection::{AuthMode, Grant, PartnerType};
use crate::domain::entra_authority::{Authority, NotAnAuthority};
use crate::domain::network::AllowedHosts;

/// A product is asked for tokens only in ways that it has (cherwell-api §2, provance-api §1).
pub(super) fn check_grant(
    partner: PartnerType,
    grant: Grant,
    has_secret: bool,
    problems: &mut Problems,
) {
    match (partner, grant) {
        (PartnerType::Cherwell, Grant::ClientCredentials) => problems.push(Problem::new(
            "username",
            "nothing",
            "the integration user",
            "Cherwell gives tokens for a user's login only; `itsmc connection add` asks for the password and stores it nowhere",
        )),
        (PartnerType::Provance, Grant::ClientCredentials) if !has_secret => {
            problems.push(Problem::new(
                "client_secret",
                "nothing",
                "the app registration's secret, or `username`",
                "without a user, the app itself logs in by its secret; `itsmc connection add` asks for either",
            ));
        }
        _ => {}
    }
}

/// `entra_authority`.
pub(super) fn authority(
    text: Option<&str>,
    partner: PartnerType,
    allowed: &AllowedHosts,
    problems: &mut Problems,
) -> Option<Authority> {
    let text = text?;
    if partner != PartnerType::Provance {
        problems.push(Problem::new(
            "entra_authority",
            "a tenant of Entra's",
            "nothing",
            "only the tokens of Provance come from Entra: leave it out",
        ));
        return None;
    }
    let read = Authority::parse(text, allowed).map_err(|refused| {
        // The text itself is not repeated: it may hold a password.
        Problem::new(
            "entra_authority",
            refused.to_string(),
            NotAnAuthority::EXPECTED,
            refused.hint(),
        )
    });
    problems.keep(read)
}

/// `auth_mode`.
pub(super) fn auth_mode(
    mode: Option<AuthMode>,
    partner: PartnerType,
    problems: &mut Problems,
) -> AuthMode {
    if mode.is_some() && partner != PartnerType::Cherwell {
        problems.push(Problem::new(
            "auth_mode",
            "where accounts are kept",
            "nothing",
            "only Cherwell asks for it: leave it out",
        ));
    }
    mode.unwrap_or_default()
}
