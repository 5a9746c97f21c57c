//! Nothing that is shipped can be told to trust anybody, to follow redirects, or to use a proxy that the settings do not name
//! (rows S16, S18, S19 and S21).

use crate::tree::{Complaint, File};

/// What is shipped.
const SHIPPED: &[&str] = &["src/", "functions/", "cli/"];

/// A word, the only file that may have it, and why.
struct Rule {
    word: &'static str,
    owner: &'static str,
    why: &'static str,
}

const CLIENTS: &str = "src/adapters/http/clients.rs";

const RULES: &[Rule] = &[
    Rule {
        word: "danger",
        owner: "",
        why: "there is no switch that leaves a certificate unchecked: name the authority in `ca_certificate`",
    },
    Rule {
        word: "tls_backend_preconfigured",
        owner: "",
        why: "TLS as the client sets it up: a verifier of one's own may check nothing",
    },
    Rule {
        word: "ServerCertVerifier",
        owner: "",
        why: "a verifier of one's own may check nothing",
    },
    Rule {
        word: "Proxy::all",
        owner: CLIENTS,
        why: "a proxy is what `ITSMC_PROXY` names",
    },
    Rule {
        word: "Proxy::system",
        owner: "",
        why: "a proxy is what `ITSMC_PROXY` names",
    },
];

/// Lines of shipped code that have such a word, redirects that are followed, and clients that do not switch them off.
pub(crate) fn check(file: &File) -> Vec<Complaint> {
    if !file.is_under(SHIPPED) || !file.has_extension(&["rs", "toml"]) {
        return Vec::new();
    }
    let shipped = crate::rust::without_tests(&file.text);
    let mut complaints = Vec::new();
    for (index, line) in shipped.lines().enumerate() {
        let rules = RULES
            .iter()
            .filter(|rule| line.contains(rule.word) && file.path != rule.owner);
        complaints.extend(
            rules.map(|rule| file.complain(index + 1, format!("`{}`: {}", rule.word, rule.why))),
        );
        if line.contains("redirect::") && !line.contains("redirect::Policy::none()") {
            complaints.push(file.complain(index + 1, "a redirect is an answer: nobody goes there"));
        }
    }
    let builds = shipped.matches("Client::builder()").count();
    for must in [
        ".redirect(reqwest::redirect::Policy::none())",
        ".no_proxy()",
        ".connect_timeout(",
    ] {
        if builds > shipped.matches(must).count() {
            complaints.push(file.complain(1, format!("an HTTP client without `{must}`")));
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(path: &str, text: &str) -> usize {
        check(&File::new(path, text)).len()
    }

    #[test]
    fn nobody_is_trusted_unchecked() {
        assert_eq!(
            count("src/a.rs", "c.tls_danger_accept_invalid_certs(true)\n"),
            1
        );
        assert_eq!(
            count("cli/src/a.rs", "c.danger_accept_invalid_hostnames(true)\n"),
            1
        );
        assert_eq!(count("src/a.rs", "impl ServerCertVerifier for Yes {}\n"), 1);
        assert_eq!(count("simulators/src/a.rs", "danger\n"), 0, "not shipped");
    }

    #[test]
    fn redirects_and_proxies_are_off() {
        let client = "reqwest::Client::builder()\n.redirect(reqwest::redirect::Policy::none())\n.no_proxy()\n.connect_timeout(X)\n";
        assert_eq!(count(CLIENTS, client), 0);
        assert_eq!(count(CLIENTS, &client.replace("none()", "limited(3)")), 2);
        assert_eq!(count(CLIENTS, &client.replace(".no_proxy()\n", "")), 1);
        assert_eq!(
            count(CLIENTS, &client.replace(".connect_timeout(X)\n", "")),
            1
        );
        assert_eq!(count(CLIENTS, "reqwest::Proxy::all(x)\n"), 0);
        assert_eq!(count("src/a.rs", "reqwest::Proxy::all(x)\n"), 1);
    }
}
