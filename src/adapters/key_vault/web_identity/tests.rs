//! What AWS says, in our words, and what is taken for a token.

use super::*;

const REFUSAL: &str = r#"<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
  <Code>OutboundWebIdentityFederationDisabledException</Code><Message>canary</Message></Error><RequestId>1</RequestId></ErrorResponse>"#;

#[test]
fn what_sts_refuses_is_told_in_our_words() {
    assert_eq!(
        element(REFUSAL, "Code"),
        Some("OutboundWebIdentityFederationDisabledException")
    );
    let failure = meaning(403, element(REFUSAL, "Code"));
    assert_eq!(
        (failure.kind, failure.effect),
        (Kind::Unusable, Effect::NotSent)
    );
    assert!(
        failure
            .hint()
            .contains("enable-outbound-web-identity-federation")
    );
    assert!(
        meaning(403, Some("AccessDenied"))
            .hint()
            .contains("sts:GetWebIdentityToken")
    );
    assert_eq!(meaning(400, Some("Throttling")).kind, Kind::RateLimited);
    assert_eq!(meaning(503, None).kind, Kind::Unavailable);
    assert_eq!(meaning(400, None).kind, Kind::Unusable);
}

#[test]
fn only_a_token_is_taken_for_one() {
    assert!(is_token("aa.bb-_.cc"));
    for text in ["", "a.b", "a.b.c.d", "a.b.<c>", "a.b.c\n"] {
        assert!(!is_token(text), "{text}");
    }
    assert_eq!(element("<a>b", "a"), None);
    assert_eq!(element("<a></a>", "a"), Some(""));
}
