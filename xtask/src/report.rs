//! Data to stdout, words to stderr.

use std::io::Write as _;

/// Writes data.
pub(crate) fn data(text: &str) -> Result<(), String> {
    writeln!(std::io::stdout().lock(), "{text}").map_err(|error| format!("stdout: {error}"))
}

/// Tells a person something. Whoever closed stderr does not want to know.
pub(crate) fn told(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
