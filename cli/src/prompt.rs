//! Asking the person, and reading secrets that a script pipes in.

use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _};

use itsm_connector::domain::secret::Secret;

use crate::failure::Failure;

/// Longest line that is read from a pipe.
const LINES_BYTES_MAX: u64 = 64 * 1024;

/// True if somebody is there to answer.
pub(crate) fn somebody_is_there() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks for one line; empty if the person has nothing to say.
pub(crate) fn ask(question: &str) -> Result<String, Failure> {
    let mut stderr = std::io::stderr();
    let _ = write!(stderr, "{question}: ");
    let _ = stderr.flush();
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    match read {
        Ok(1..) => Ok(line.trim().to_owned()),
        Ok(0) | Err(_) => Err(nothing_typed()),
    }
}

/// Asks for a secret; what is typed is not shown.
pub(crate) fn ask_hidden(question: &str) -> Result<Secret, Failure> {
    let typed = rpassword::prompt_password(format!("{question} (not shown): "))
        .map(Secret::new)
        .map_err(|_| nothing_typed())?;
    if typed.is_empty() {
        return Err(nothing_typed());
    }
    Ok(typed)
}

/// Asks before something that cannot be taken back.
pub(crate) fn confirm(question: &str) -> Result<bool, Failure> {
    let answer = ask(&format!("{question} [y/N]"))?;
    Ok(matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes"))
}

fn nothing_typed() -> Failure {
    Failure::wrong_usage(
        "nothing was typed",
        "run it again, or give the value on the command line; `--help` shows how",
    )
}

/// The first lines of standard input, one secret each, in the order of `names`.
pub(crate) fn piped_secrets(names: &[&'static str]) -> Result<Vec<Secret>, Failure> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let mut bytes = Vec::new();
    let read = std::io::stdin()
        .lock()
        .take(LINES_BYTES_MAX)
        .read_to_end(&mut bytes);
    let text = read
        .ok()
        .and_then(|_| String::from_utf8(bytes).ok())
        .map(Secret::new);
    let Some(text) = text else {
        return Err(Failure::wrong_usage(
            "standard input is no text",
            "pipe the secret in as one line",
        ));
    };
    let mut lines = text.expose().lines();
    names
        .iter()
        .map(|name| match lines.next().map(str::trim_end) {
            Some(line) if !line.is_empty() => Ok(Secret::from(line)),
            _ => Err(Failure::wrong_usage(
                format!("{name}: found nothing on standard input, expected a line"),
                "one line each, the client secret before the password",
            )),
        })
        .collect()
}
