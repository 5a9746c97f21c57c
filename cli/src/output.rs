//! What the person sees: data on standard output, words on standard error, colour only for a terminal that wants it.

use std::cell::Cell;
use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use anstyle::{AnsiColor, Effects, Style};
use clap::error::ErrorKind;
use itsm_connector::domain::text;
use serde::Serialize;

use crate::failure::{Exit, Failure};

/// What works.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().effects(Effects::BOLD);
/// What does not.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().effects(Effects::BOLD);
/// What to do.
const HINT: Style = AnsiColor::Cyan.on_default().effects(Effects::BOLD);
/// What to look out for.
const WARNING: Style = AnsiColor::Yellow.on_default().effects(Effects::BOLD);
/// What is not the news.
pub(crate) const QUIET: Style = Style::new().effects(Effects::DIMMED);

/// Longest text of others that is printed on one line.
const LINE_CHARS_MAX: usize = 400;

/// The person's terminal, or what stands in its place.
#[derive(Debug)]
pub(crate) struct Output {
    /// One JSON document in place of text.
    json: bool,
    /// True while a line of progress stands on the terminal.
    waiting: Cell<bool>,
}

impl Output {
    /// As the command line asks.
    pub(crate) fn new(json: bool) -> Self {
        Self {
            json,
            waiting: Cell::new(false),
        }
    }

    /// True if one JSON document is wanted.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// A line of data.
    pub(crate) fn line(&self, line: impl Display) {
        self.clear();
        // A reader that has gone away (`| head`) is no trouble of ours.
        let _ = writeln!(anstream::stdout(), "{line}");
    }

    /// The JSON document.
    pub(crate) fn document(&self, value: &impl Serialize) {
        let text = serde_json::to_string_pretty(value).unwrap_or_default();
        self.line(text);
    }

    /// Words.
    pub(crate) fn words(&self, line: impl Display) {
        self.clear();
        let _ = writeln!(anstream::stderr(), "{line}");
    }

    /// Words that are not to be overlooked, and what to do.
    pub(crate) fn warning(&self, warning: impl Display, hint: impl Display) {
        self.words(format!("{WARNING}warning:{WARNING:#} {warning}"));
        self.words(hint_line(hint));
    }

    /// What is being waited for; it goes away with the next line. A log gets none of it.
    pub(crate) fn progress(&self, what: impl Display) {
        if !std::io::stderr().is_terminal() {
            return;
        }
        self.clear();
        let mut stderr = anstream::stderr();
        let _ = write!(stderr, "{QUIET}{what} …{QUIET:#}");
        let _ = stderr.flush();
        self.waiting.set(true);
    }

    /// Nothing is waited for any more.
    pub(crate) fn settle(&self) {
        self.clear();
    }

    fn clear(&self) {
        if self.waiting.take() {
            let _ = write!(std::io::stderr(), "\r\u{1b}[K");
        }
    }

    /// Why it was not done: words for the person, and with `--json` a document for the script.
    pub(crate) fn failure(&self, failure: &Failure) {
        if failure.troubles.is_empty() {
            return;
        }
        if self.json {
            self.document(&serde_json::json!({ "errors": failure.troubles }));
        }
        self.mistake(failure);
    }

    /// The same in words alone, where it is not the end.
    pub(crate) fn mistake(&self, failure: &Failure) {
        for trouble in &failure.troubles {
            self.words(format!("{BAD}error:{BAD:#} {}", trouble.error));
            self.words(hint_line(&trouble.hint));
        }
    }

    /// Rows under their headings, in columns.
    pub(crate) fn table(&self, headings: &[&str], rows: &[Vec<String>]) {
        let width = |at: usize| {
            let cells = rows
                .iter()
                .filter_map(|row| row.get(at))
                .map(String::as_str);
            cells
                .chain(headings.get(at).copied())
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let line = |cells: &[String]| {
            let mut line = String::new();
            for (at, cell) in cells.iter().enumerate() {
                line.push_str(&format!("{cell:<width$}  ", width = width(at)));
            }
            line.trim_end().to_owned()
        };
        let headings: Vec<String> = headings
            .iter()
            .map(|heading| (*heading).to_owned())
            .collect();
        self.line(format!("{QUIET}{}{QUIET:#}", line(&headings)));
        for row in rows {
            self.line(line(row));
        }
    }
}

/// `hint: …`, below an error or a step.
pub(crate) fn hint_line(hint: impl Display) -> String {
    format!("{HINT}hint:{HINT:#} {hint}")
}

/// A text that others sent, harmless for a terminal.
pub(crate) fn harmless(text: &str) -> String {
    text::cut(&text::one_line(text), LINE_CHARS_MAX)
}

/// What clap has to say: help and version as they are, mistakes with the hint at the end.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
        }
        _ => {
            let text = error.render().ansi().to_string();
            let told = text
                .split("\n\nFor more information")
                .next()
                .unwrap_or(&text);
            let output = Output::new(false);
            output.words(told.trim_end());
            output.words(hint_line(
                "`--help` after the command shows all it takes, with an example",
            ));
        }
    }
    Exit::WrongUsage.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_sent_cannot_move_the_cursor() {
        assert_eq!(harmless("a\u{1b}[2Jb\nc"), "a [2Jb c");
    }
}
