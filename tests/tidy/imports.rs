//! Imports go one way: who may name whom under `src/`, which outside crates have one owner, and what stays pure.

use crate::rust::{self, Named};
use crate::tree::{Complaint, File};

/// Each layer and the layers that it may use besides itself. A module of `src/` that is not here fails: put it into a layer.
const LAYERS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("ports", &["domain"]),
    ("inbound", &["domain"]),
    ("settings", &["domain"]),
    ("telemetry", &["domain"]),
    ("stores", &["domain", "ports"]),
    ("flows", &["domain", "ports", "inbound", "stores"]),
    ("adapters", &["domain", "ports"]),
    (
        "hosts",
        &[
            "domain",
            "ports",
            "inbound",
            "flows",
            "settings",
            "telemetry",
        ],
    ),
    (
        "wiring",
        &[
            "domain",
            "ports",
            "inbound",
            "settings",
            "telemetry",
            "stores",
            "flows",
            "adapters",
            "hosts",
        ],
    ),
];

/// Crates that one layer owns, so that changing one of them is a change in one place.
const OWNED_CRATES: &[(&str, &[&str])] = &[
    ("reqwest", &["adapters", "wiring"]),
    ("lambda_runtime", &["hosts"]),
    ("aws_lambda_events", &["hosts"]),
];

/// Layers that turn bytes into values and decide; they must give the same answer in production and in the simulation.
const PURE: &[&str] = &["domain", "inbound"];

/// What would make them impure. An address is a value; a socket is not.
const IMPURE: &[&[&str]] = &[
    &["async"],
    &["await"],
    &["std", "fs"],
    &["TcpStream"],
    &["TcpListener"],
    &["UdpSocket"],
    &["ToSocketAddrs"],
    &["std", "env"],
    &["SystemTime"],
    &["Instant"],
    &["Timestamp", "now"],
    &["Zoned", "now"],
    &["tokio"],
    &["reqwest"],
    &["object_store"],
];

/// A package and one that it must not depend on, not even in its tests unless said so.
const STRANGERS: &[(&str, &str, &str)] = &[
    (
        "simulators/Cargo.toml",
        "itsm-connector",
        "the simulators use nothing of the library, else they would share its mistakes",
    ),
    (
        "Cargo.toml",
        "simulators",
        "the library knows the simulators in its tests only: [dev-dependencies]",
    ),
    (
        "functions/create-work-item/Cargo.toml",
        "simulators",
        "simulators never reach a function",
    ),
    (
        "functions/scheduled-sync/Cargo.toml",
        "simulators",
        "simulators never reach a function",
    ),
    (
        "functions/token-refresher/Cargo.toml",
        "simulators",
        "simulators never reach a function",
    ),
];

/// Paths into a layer that this file's layer may not use.
pub(crate) fn check(file: &File) -> Vec<Complaint> {
    if file.path.starts_with("simulators/") {
        return named(file)
            .filter(|path| path.segments[0] == "itsm_connector")
            .map(|path| file.complain(path.line, "simulators use nothing of the library"))
            .collect();
    }
    let Some(module) = module_of(&file.path) else {
        return Vec::new();
    };
    let Some(layer) = module.first() else {
        return Vec::new();
    };
    let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| name == layer) else {
        return vec![file.complain(
            1,
            format!("`{layer}` is not a layer: see LAYERS in tests/tidy/imports.rs"),
        )];
    };
    named(file)
        .filter_map(|path| {
            forbidden(&module, layer, allowed, &path).map(|what| file.complain(path.line, what))
        })
        .collect()
}

/// I/O, clocks and `async` where only values belong.
pub(crate) fn check_purity(file: &File) -> Vec<Complaint> {
    let Some(module) = module_of(&file.path) else {
        return Vec::new();
    };
    let Some(layer) = module
        .first()
        .filter(|layer| PURE.contains(&layer.as_str()))
    else {
        return Vec::new();
    };
    let impurity = |path: &Named| {
        IMPURE.iter().find(|impure| {
            path.segments
                .windows(impure.len())
                .any(|part| part == **impure)
        })
    };
    let complaint = |path: Named| {
        impurity(&path).map(|what| {
            file.complain(
                path.line,
                format!("`{}` in `{layer}`, which is pure", what.join("::")),
            )
        })
    };
    named(file).filter_map(complaint).collect()
}

/// Packages that must not know each other.
pub(crate) fn check_manifest(file: &File) -> Vec<Complaint> {
    let rules = STRANGERS
        .iter()
        .filter(|(manifest, ..)| *manifest == file.path);
    rules
        .flat_map(|(_, stranger, why)| {
            dependencies(file, stranger).map(|line| file.complain(line, *why))
        })
        .collect()
}

fn named(file: &File) -> impl Iterator<Item = Named> {
    rust::named_paths(&rust::take_apart(&file.text).code).into_iter()
}

/// `src/flows/sync.rs` is `["flows", "sync"]`; `src/lib.rs` is `[]` and may name everything.
fn module_of(path: &str) -> Option<Vec<String>> {
    let inside = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    Some(if inside == "lib" {
        Vec::new()
    } else {
        inside.split('/').map(str::to_owned).collect()
    })
}

fn forbidden(module: &[String], layer: &str, allowed: &[&str], path: &Named) -> Option<String> {
    let written = path.segments.join("::");
    if let Some((_, owners)) = OWNED_CRATES
        .iter()
        .find(|(name, _)| *name == path.segments[0])
    {
        return (!owners.contains(&layer))
            .then(|| format!("`{written}` belongs to {}", owners.join(", ")));
    }
    if path.segments.len() == 1 && !path.imported {
        return None;
    }
    let absolute = from_the_crate_root(module, path)?;
    match absolute.first().map(String::as_str) {
        None | Some("*") => Some(format!(
            "`{written}` imports the crate root: name the layer"
        )),
        Some(used) if used == layer || allowed.contains(&used) => None,
        Some(used) if LAYERS.iter().all(|(name, _)| *name != used) => Some(format!(
            "`{written}` goes through the crate root, where `{used}` hides its layer"
        )),
        Some(_) if allowed.is_empty() => Some(format!(
            "`{layer}` may use nothing of ours, and names `{written}`"
        )),
        Some(_) => Some(format!(
            "`{layer}` may use {}, and names `{written}`",
            allowed.join(", ")
        )),
    }
}

/// `None` for what is not a path of this crate, or only a local name.
fn from_the_crate_root(module: &[String], path: &Named) -> Option<Vec<String>> {
    let segments = path.segments.as_slice();
    match segments[0].as_str() {
        "crate" | "itsm_connector" => Some(segments[1..].to_vec()),
        "self" | "super" => {
            let mut absolute: Vec<String> = module.iter().chain(&path.inside).cloned().collect();
            let rest = &segments[usize::from(segments[0] == "self")..];
            let up = rest
                .iter()
                .take_while(|segment| *segment == "super")
                .count();
            absolute.truncate(absolute.len().saturating_sub(up));
            absolute.extend_from_slice(&rest[up..]);
            Some(absolute)
        }
        _ => None,
    }
}

/// The lines of a manifest that make `package` a dependency; `[workspace.dependencies]` only fixes versions.
fn dependencies<'a>(file: &'a File, package: &'a str) -> impl Iterator<Item = usize> + 'a {
    let tests_too = file.path != "Cargo.toml";
    let mut section = "";
    file.text
        .lines()
        .enumerate()
        .filter_map(move |(index, line)| {
            let line = line.split('#').next().unwrap_or_default().trim();
            let header = line
                .strip_prefix('[')
                .and_then(|line| line.strip_suffix(']'));
            section = header.unwrap_or(section);
            let ours = !section.starts_with("workspace")
                && (tests_too || !section.contains("dev-dependencies"));
            let by_header =
                header.is_some_and(|header| header.ends_with(&format!("dependencies.{package}")));
            let key = line
                .split(['=', '.', ' '])
                .next()
                .unwrap_or_default()
                .trim_matches('"');
            let by_line = section.ends_with("dependencies")
                && (key == package || line.contains(&format!("package = \"{package}\"")));
            (ours && (by_header || by_line)).then_some(index + 1)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(path: &str, text: &str) -> Vec<String> {
        let file = File::new(path, text);
        check(&file)
            .iter()
            .chain(&check_purity(&file))
            .map(ToString::to_string)
            .collect()
    }

    #[track_caller]
    fn refused(path: &str, text: &str) {
        assert_eq!(
            complaints(path, text).len(),
            1,
            "{:?}",
            complaints(path, text)
        );
    }

    #[track_caller]
    fn fine(path: &str, text: &str) {
        assert_eq!(complaints(path, text), Vec::<String>::new());
    }

    #[test]
    fn flows_and_adapters_never_see_each_other() {
        refused(
            "src/flows/create_work_item.rs",
            "use crate::adapters::http::Client;",
        );
        refused("src/adapters/itsm/servicenow.rs", "use crate::flows;");
        refused("src/flows.rs", "fn f() { crate::adapters::http::send(); }");
        refused(
            "src/flows.rs",
            "fn f() -> Vec<crate::adapters::http::Client> { todo() }",
        );
        assert_eq!(
            complaints("src/flows/a.rs", "\nuse crate::adapters::x;"),
            [
                "src/flows/a.rs:2: `flows` may use domain, ports, inbound, stores, and names `crate::adapters::x`"
            ]
        );
    }

    #[test]
    fn groups_are_looked_into_over_lines_and_levels() {
        refused(
            "src/flows/a.rs",
            "use crate::{domain::alert::Alert, adapters::x};",
        );
        refused(
            "src/flows/a.rs",
            "use crate::{\n    domain::{alert::{Alert, AlertId}},\n    // not stores\n    adapters::{\n        x,\n    },\n};",
        );
        refused(
            "src/stores/a.rs",
            "pub(crate) use crate::{ports::*, inbound::{self as i}};",
        );
    }

    #[test]
    fn going_up_past_the_layer_counts() {
        refused(
            "src/flows/create_work_item.rs",
            "use super::super::adapters::x;",
        );
        refused(
            "src/flows/create_work_item/claim.rs",
            "fn f() { super::super::super::adapters::x() }",
        );
        refused(
            "src/flows/a.rs",
            "mod inner { use super::super::super::adapters::x; }",
        );
        refused("src/flows.rs", "use self::super::adapters::x;");
        fine(
            "src/flows/a.rs",
            "mod inner { use super::super::b; use super::c; }",
        );
        fine(
            "src/flows/a.rs",
            "use super::b; use self::c::D;\n#[cfg(test)]\nmod tests { use super::*; }",
        );
    }

    #[test]
    fn the_crate_root_is_no_way_round() {
        refused("src/flows/a.rs", "use crate::*;");
        refused("src/flows/a.rs", "use crate as root;");
        refused("src/flows/a.rs", "use super::super::{self as root};");
        refused("src/flows/a.rs", "use crate::Client;");
        refused("src/flows/a.rs", "use itsm_connector::adapters::x;");
        refused("src/flows.rs", "use super::*;");
    }

    #[test]
    fn a_module_outside_the_table_is_refused() {
        refused("src/plugins.rs", "");
        fine("src/lib.rs", "pub mod domain;\npub use crate::wiring::x;");
        fine(
            "src/wiring/desk.rs",
            "use crate::{adapters::x, flows::y, hosts::z, settings, stores::s, telemetry};",
        );
    }

    #[test]
    fn comments_and_strings_import_nothing() {
        fine(
            "src/flows/a.rs",
            "//! Not `crate::adapters`.\n/* use crate::adapters::x; */\nconst A: &str = \"use crate::adapters::x;\";",
        );
        fine(
            "src/flows/a.rs",
            "use crate::{domain, ports::Clock, inbound, stores::ledger};\nuse serde::{Deserialize, de};",
        );
    }

    #[test]
    fn crates_have_owners() {
        refused("src/flows/a.rs", "use reqwest::Client;");
        refused("src/wiring.rs", "fn f() { lambda_runtime::run() }");
        fine("src/adapters/http.rs", "use reqwest::Client;");
    }

    #[test]
    fn domain_and_inbound_are_pure() {
        for impure in [
            "async fn f() {}",
            "fn f() { g.await }",
            "use std::{fmt, fs};",
            "use std::net::TcpStream;",
            "fn f() { std::env::var(x) }",
            "use std::time::{Duration, SystemTime};",
            "fn f() { Instant::now() }",
            "fn f() { jiff::Timestamp::now() }",
            "use tokio::sync::Mutex;",
            "use object_store::ObjectStore;",
        ] {
            refused("src/domain/alert.rs", impure);
            refused("src/inbound.rs", impure);
        }
        refused("src/domain.rs", "use crate::ports::Clock;");
        fine(
            "src/domain/alert.rs",
            "use std::net::IpAddr;\nuse jiff::Timestamp;\n/// Not async, no std::fs.\nfn now(now: Timestamp) {}",
        );
        fine("src/ports.rs", "pub async fn f() { tokio::x().await }");
    }

    #[test]
    fn simulators_are_strangers() {
        refused(
            "simulators/src/servicenow.rs",
            "use itsm_connector::domain::Alert;",
        );
        fine("simulators/src/servicenow.rs", "use crate::faults::Fault;");
        let lines = |path, text| {
            check_manifest(&File::new(path, text))
                .iter()
                .map(|c| c.line)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            lines(
                "simulators/Cargo.toml",
                "[dev-dependencies]\nitsm-connector.workspace = true"
            ),
            [2]
        );
        assert_eq!(
            lines(
                "simulators/Cargo.toml",
                "[dependencies]\nx = { package = \"itsm-connector\", path = \"..\" }"
            ),
            [2]
        );
        assert_eq!(
            lines(
                "Cargo.toml",
                "[dependencies]\nsimulators = { path = \"simulators\" }"
            ),
            [2]
        );
        assert_eq!(
            lines(
                "Cargo.toml",
                "[target.'cfg(unix)'.dependencies.simulators]\npath = \"x\""
            ),
            [1]
        );
        assert_eq!(
            lines(
                "Cargo.toml",
                "[workspace.dependencies]\nsimulators = { path = \"x\" }\n[dev-dependencies]\nsimulators.workspace = true"
            ),
            []
        );
    }
}
