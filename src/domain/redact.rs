//! What may be said of what others sent: nothing but a short, harmless echo.

/// Longest text of others that one of our messages repeats.
const ECHO_CHARS_MAX: usize = 40;

/// A short echo of a value for an error about it: one line, cut, and never for a key that names a secret.
pub fn echo(key: &str, value: &str) -> String {
    if names_a_secret(key) {
        return "a text (not shown: it may be a secret)".to_owned();
    }
    format!(
        "`{}`",
        super::text::cut(&super::text::one_line(value), ECHO_CHARS_MAX)
    )
}

/// True for keys such as `client_secret`, `password`, `access_token`.
pub fn names_a_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    [
        "secret",
        "password",
        "token",
        "authorization",
        "assertion",
        "api_key",
        "apikey",
    ]
    .iter()
    .any(|word| key.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_echoed() {
        assert_eq!(
            echo("client_secret", "hunter2"),
            "a text (not shown: it may be a secret)"
        );
        assert_eq!(echo("name", "Contoso\nProd"), "`Contoso Prod`");
    }
}
