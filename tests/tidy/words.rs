//! One thing has one word, and some words are not ours to publish.

use crate::tree::{Complaint, File};

/// Where our own words count. Test data and simulators speak as others do.
const OUR_WORDS: &[&str] = &["src/", "functions/", "cli/", "docs/", "infra/", "README.md"];
const TEXT: &[&str] = &["rs", "md", "toml", "json", "yaml", "yml", "bicep"];

/// A word we do not use, what we say instead, and what excuses a line: it must contain one of these, in any case.
struct Avoided {
    word: &'static str,
    instead: &'static str,
    unless: &'static [&'static str],
}

const AVOIDED: &[Avoided] = &[
    Avoided {
        word: "ticket",
        instead: "work item",
        unless: &["microsoft"],
    },
    Avoided {
        word: "issue",
        instead: "work item, or say what is wrong",
        unless: &["token", "key", "certificate", "github", "repository", "jwt"],
    },
    Avoided {
        word: "tenant",
        instead: "connection or organisation",
        unless: &["entra", "tenant_id", "tenantid", "tid"],
    },
];

/// Names that others chose and that we must spell as they do.
const THEIR_NAMES: &[&str] = &[
    "ticket_configuration",
    "ticketConfiguration",
    "TicketConfiguration",
    "TroubleTicket",
];

/// Paths of somebody's machine, and what a private key begins with. Written in two halves: this file is checked too.
const LEAKS: &[(&str, &str)] = &[
    (
        concat!("/wo", "rk/"),
        "a path of one machine: write it relative to the repository",
    ),
    (
        concat!("/ro", "ot/"),
        "a path of one machine: write it relative to the repository",
    ),
    (
        concat!("PRIVATE", " KEY-----"),
        "a private key: make one when the test runs",
    ),
];

/// Words that we avoid in code and docs, also inside longer names: `ticket_id`, `TicketId`.
pub(crate) fn check_vocabulary(file: &File) -> Vec<Complaint> {
    if !file.is_under(OUR_WORDS) || !file.has_extension(TEXT) {
        return Vec::new();
    }
    let lines = file.text.lines().enumerate();
    lines
        .flat_map(|(index, line)| {
            avoided(&file.path, line).map(move |rule| complain(file, index + 1, rule))
        })
        .collect()
}

/// What must not be published, anywhere.
pub(crate) fn check_leaks(file: &File) -> Vec<Complaint> {
    let lines = file.text.lines().enumerate();
    lines
        .flat_map(|(index, line)| {
            let found = LEAKS.iter().filter(move |(leak, _)| line.contains(leak));
            found.map(move |(leak, why)| file.complain(index + 1, format!("`{leak}`: {why}")))
        })
        .collect()
}

fn complain(file: &File, line: usize, rule: &Avoided) -> Complaint {
    file.complain(line, format!("`{}`: we say {}", rule.word, rule.instead))
}

fn avoided(path: &str, line: &str) -> impl Iterator<Item = &'static Avoided> {
    let ours = THEIR_NAMES
        .iter()
        .fold(without_addresses(line), |line, name| {
            line.replace(name, " ")
        });
    let words: Vec<String> = words(&ours);
    let context = format!("{path} {line}").to_lowercase();
    let used = move |rule: &&Avoided| {
        let said = words
            .iter()
            .any(|word| word.strip_suffix('s').unwrap_or(word) == rule.word);
        said && !rule.unless.iter().any(|excuse| context.contains(excuse))
    };
    AVOIDED.iter().filter(used)
}

/// Sources are cited by address, and an address is nobody's prose.
fn without_addresses(line: &str) -> String {
    let mut rest = String::new();
    for piece in line.split_inclusive(|c: char| c.is_whitespace() || "()<>\"`".contains(c)) {
        if !piece.contains("://") {
            rest.push_str(piece);
        }
    }
    rest
}

/// Lower-case words, with `snake_case` and `CamelCase` taken apart.
fn words(line: &str) -> Vec<String> {
    let chars: Vec<char> = line.chars().collect();
    let mut found = vec![String::new()];
    for (at, c) in chars.iter().enumerate() {
        let after_lower = at > 0 && chars[at - 1].is_lowercase();
        let before_lower = chars.get(at + 1).is_some_and(|next| next.is_lowercase());
        let begins = c.is_uppercase()
            && (after_lower || (before_lower && at > 0 && chars[at - 1].is_uppercase()));
        if begins || !c.is_alphabetic() {
            found.push(String::new());
        }
        if let Some(word) = found.last_mut().filter(|_| c.is_alphabetic()) {
            word.extend(c.to_lowercase());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(path: &str, line: &str) -> Vec<&'static str> {
        avoided(path, line).map(|rule| rule.word).collect()
    }

    #[test]
    fn avoided_words_are_found_inside_names_too() {
        for line in [
            "a ticket",
            "Tickets",
            "let ticket_id = 1;",
            "struct ITSMTicket;",
            "openTicket()",
            "TICKET",
        ] {
            assert_eq!(said("src/a.rs", line), ["ticket"], "{line}");
        }
        assert_eq!(said("docs/a.md", "one per tenant"), ["tenant"]);
        assert_eq!(said("docs/a.md", "known issues"), ["issue"]);
        for line in ["ticketing", "the issuer", "issued", "pretenants"] {
            assert_eq!(said("src/a.rs", line), Vec::<&str>::new(), "{line}");
        }
    }

    #[test]
    fn names_that_others_chose_are_fine() {
        for line in [
            "`ticketConfiguration` under `ticket_configuration`",
            "TicketConfiguration { .. }",
            "what Microsoft calls a ticket",
            "the Entra tenant",
            "ITSMC_ENTRA_TENANT",
            "AZURE_TENANT_ID",
            "see https://github.com/owner/name/issues/12",
            "issue a new token",
        ] {
            assert_eq!(said("docs/a.md", line), Vec::<&str>::new(), "{line}");
        }
        assert_eq!(
            said("src/inbound/entra.rs", "tenant: String"),
            Vec::<&str>::new()
        );
        assert_eq!(
            said("docs/a.md", "a ticket is no ticketConfiguration"),
            ["ticket"]
        );
    }

    #[test]
    fn only_our_own_texts_are_checked_for_words() {
        assert_eq!(
            check_vocabulary(&File::new("docs/a.md", "x\na ticket")).len(),
            1
        );
        assert_eq!(
            check_vocabulary(&File::new("tests/fixtures/a.md", "a ticket")).len(),
            0
        );
    }

    #[test]
    fn machines_and_secrets_are_found_anywhere() {
        for (leak, _) in LEAKS {
            assert_eq!(
                check_leaks(&File::new("infra/a.yaml", &format!("x\n- {leak}y"))).len(),
                1,
                "{leak}"
            );
        }
        assert_eq!(
            check_leaks(&File::new("a.md", "/api/create-work-item/contoso")).len(),
            0
        );
    }
}
