//! Masks what looks like a secret in text of others (row T14): people put passwords into custom properties and keys into
//! rule names, and a work item is read by many.

/// What stands in a secret's place.
pub const MASK: &str = "********";

/// Words that a name ends with whose value is a secret.
const SECRET_NAMES: [&str; 13] = [
    "password",
    "passwd",
    "pwd",
    "secret",
    "apikey",
    "api_key",
    "api-key",
    "accountkey",
    "accesskey",
    "access_key",
    "access_token",
    "refresh_token",
    "authorization",
];

/// The signature of a shared access signature; its name is too short to be looked for inside of words.
const SIGNATURE: &str = "sig";

/// Shortest value that is taken for a secret: `password: no` is none.
const VALUE_CHARS_MIN: usize = 4;

/// The text with what looks like a secret masked: values that a name announces (`password=…`, `AccountKey: …`, `sig=…`),
/// JSON Web Tokens, keys of AWS, GitHub and Slack, and private keys.
pub fn mask(text: &str) -> String {
    if !may_hold_a_secret(text) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((word, after)) = next_word(rest) {
        let before = &rest[..rest.len() - word.len() - after.len()];
        out.push_str(before);
        let bare = word.trim_end_matches('.');
        if is_shaped_like_a_secret(bare) {
            out.push_str(MASK);
            out.push_str(&word[bare.len()..]);
            rest = after;
        } else if let Some((separator, after)) = announced_value(word, after) {
            out.push_str(word);
            out.push_str(separator);
            out.push_str(MASK);
            rest = after;
        } else {
            out.push_str(word);
            rest = after;
        }
    }
    out.push_str(rest);
    without_private_keys(out)
}

/// A look that costs little: most texts hold nothing.
fn may_hold_a_secret(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    SECRET_NAMES.iter().any(|name| lower.contains(name))
        || [
            "sig=",
            "eyj",
            "akia",
            "asia",
            "ghp_",
            "github_pat_",
            "xox",
            "-----begin",
        ]
        .iter()
        .any(|sign| lower.contains(sign))
}

fn is_of_a_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

/// The next run of letters, digits, `_`, `-` and `.`, and what follows it.
fn next_word(text: &str) -> Option<(&str, &str)> {
    let start = text.find(is_of_a_word)?;
    let rest = &text[start..];
    let end = rest.find(|c| !is_of_a_word(c)).unwrap_or(rest.len());
    Some(rest.split_at(end))
}

/// What stands between a secret's name and its value (`=` or `:`), and what follows the value.
fn announced_value<'a>(name: &str, after: &'a str) -> Option<(&'a str, &'a str)> {
    let lower = name.to_ascii_lowercase();
    let announces = lower == SIGNATURE || SECRET_NAMES.iter().any(|word| lower.ends_with(word));
    if !announces {
        return None;
    }
    let closed = after.trim_start_matches(['"', '\'']);
    let spaced = closed.trim_start_matches(' ');
    let assigned = spaced
        .strip_prefix('=')
        .or_else(|| spaced.strip_prefix(':'))?;
    // A comparison in a query (`password == x`) tells nothing, and an address (`secret://…`) is none.
    if assigned.starts_with(['=', '~', '/']) {
        return None;
    }
    let value = assigned.trim_start_matches([' ', '"', '\'']);
    // `Authorization: Bearer x`: the scheme is no secret, what follows is.
    let value = ["Bearer ", "Basic ", "bearer ", "basic "]
        .iter()
        .find_map(|scheme| value.strip_prefix(scheme))
        .unwrap_or(value);
    let end = value
        .find(|c: char| c.is_whitespace() || matches!(c, ';' | '&' | '"' | '\'' | ',' | '<'))
        .unwrap_or(value.len());
    if value[..end].chars().count() < VALUE_CHARS_MIN {
        return None;
    }
    let separator = &after[..after.len() - value.len()];
    Some((separator, &value[end..]))
}

fn is_shaped_like_a_secret(word: &str) -> bool {
    let is_upper = |text: &str| {
        text.bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    };
    let is_jwt = || {
        let parts: Vec<&str> = word.split('.').collect();
        parts.len() == 3
            && parts[0].starts_with("eyJ")
            && parts[..2].iter().all(|part| part.len() >= 10)
    };
    let is_aws = || {
        word.len() == 20 && (word.starts_with("AKIA") || word.starts_with("ASIA")) && is_upper(word)
    };
    let is_prefixed = || {
        let known = [
            "ghp_",
            "gho_",
            "ghs_",
            "github_pat_",
            "xoxb-",
            "xoxp-",
            "xoxa-",
        ];
        word.len() >= 24 && known.iter().any(|prefix| word.starts_with(prefix))
    };
    is_jwt() || is_aws() || is_prefixed()
}

/// From `-----BEGIN … PRIVATE` on up to its end, or all of it.
fn without_private_keys(text: String) -> String {
    let Some(begin) = text.find("-----BEGIN ") else {
        return text;
    };
    let head = &text[begin..];
    let is_private = head
        .lines()
        .next()
        .is_some_and(|line| line.contains("PRIVATE"));
    if !is_private {
        return text;
    }
    let rest = head
        .find("-----END ")
        .and_then(|end| {
            head[end..]
                .find("-----\n")
                .map(|close| &head[end + close + 5..])
        })
        .unwrap_or_default();
    format!("{}{MASK}{rest}", &text[..begin])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t14_what_looks_like_a_secret_is_masked() {
        let jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl";
        for (text, expected) in [
            ("password=hunter2!", "password=********"),
            ("password: hunter2!", "password: ********"),
            (
                "DbPassword = 'hunter2!';Server=x",
                "DbPassword = '********';Server=x",
            ),
            (
                "{\"client_secret\":\"abcdef\",\"a\":1}",
                "{\"client_secret\":\"********\",\"a\":1}",
            ),
            (
                "AccountName=a;AccountKey=abc+/==;b",
                "AccountName=a;AccountKey=********;b",
            ),
            (
                "https://x.example/?sv=1&sig=abc%2Fdef&se=2",
                "https://x.example/?sv=1&sig=********&se=2",
            ),
            (
                "Authorization: Bearer abcdef",
                "Authorization: Bearer ********",
            ),
            ("key AKIAIOSFODNN7EXAMPLE.", "key ********."),
            ("key AKIAIOSFODNN7EXAMPLE, x", "key ********, x"),
            ("ghp_0123456789abcdefghij0123", "********"),
        ] {
            assert_eq!(mask(text), expected, "{text}");
        }
        assert_eq!(mask(&format!("token {jwt} end")), "token ******** end");
        let pem = concat!(
            "a\n-----BEGIN RSA PRIVATE",
            " KEY-----\nMIIE\n-----END RSA PRIVATE",
            " KEY-----\nb"
        );
        assert_eq!(mask(pem), "a\n********\nb");
    }

    #[test]
    fn what_only_speaks_of_secrets_stays() {
        for text in [
            "The password expires in 3 days",
            "SecurityEvent | where password == \"x\"",
            "Secret expiry: prod",
            "passwords: 7",
            "CPU over 80 % on web01",
            "design=new",
        ] {
            assert_eq!(mask(text), text);
        }
    }
}
