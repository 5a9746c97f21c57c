//! The vault: what it is given it gives back, and it knows "there is none" from "I cannot say".

use itsm_connector::adapters::file_vault::FileVault;
use itsm_connector::domain::failure::{Effect, Kind};
use itsm_connector::domain::kept::{VaultVersion, VersionSeen};
use itsm_connector::domain::secret::Secret;
use itsm_connector::domain::timestamp::Timestamp;
use itsm_connector::ports::Vault;

use crate::in_process::{InProcess, client};

async fn text(vault: &dyn Vault, name: &str) -> Option<String> {
    let kept = vault.get(name).await.unwrap();
    kept.map(|kept| kept.value.expose().to_owned())
}

async fn set(vault: &dyn Vault, name: &str, value: &str) -> VaultVersion {
    vault.set(name, &Secret::from(value), None).await.unwrap()
}

async fn there_is_nothing_at_first(vault: &dyn Vault) {
    assert_eq!(text(vault, "itsm-connection-contoso").await, None);
    assert_eq!(vault.list("").await.unwrap(), [""; 0]);
}

async fn the_newest_value_counts(vault: &dyn Vault) {
    for value in ["one", "two", "three"] {
        set(vault, "itsm-tokens-contoso", value).await;
        assert_eq!(
            text(vault, "itsm-tokens-contoso").await.as_deref(),
            Some(value)
        );
    }
}

async fn any_text_comes_back_as_it_went_in(vault: &dyn Vault) {
    let largest = "x".repeat(25 * 1024);
    for value in [
        "",
        "{\"a\":\"\\u0000\"}",
        "\u{feff}ä\r\n\t\u{1f600}",
        " spaces ",
        &largest,
    ] {
        set(vault, "itsm-connection-contoso", value).await;
        assert_eq!(
            text(vault, "itsm-connection-contoso").await.as_deref(),
            Some(value)
        );
    }
}

async fn names_are_listed_by_their_beginning_in_order(vault: &dyn Vault) {
    for name in [
        "itsm-tokens-a",
        "itsm-connection-b",
        "itsm-connection-a",
        "other",
    ] {
        set(vault, name, "x").await;
    }
    let connections = vault.list("itsm-connection-").await.unwrap();
    assert_eq!(connections, ["itsm-connection-a", "itsm-connection-b"]);
    assert_eq!(vault.list("").await.unwrap().len(), 4);
    assert_eq!(vault.list("nobody").await.unwrap(), [""; 0]);
}

async fn what_is_removed_is_gone_and_removing_it_again_is_no_error(vault: &dyn Vault) {
    set(vault, "itsm-connection-a", "x").await;
    vault.remove("itsm-connection-a").await.unwrap();
    vault.remove("itsm-connection-a").await.unwrap();
    assert_eq!(text(vault, "itsm-connection-a").await, None);
    assert_eq!(vault.list("").await.unwrap(), [""; 0]);
}

async fn what_is_removed_can_be_stored_again(vault: &dyn Vault) {
    set(vault, "itsm-connection-a", "x").await;
    vault.remove("itsm-connection-a").await.unwrap();
    set(vault, "itsm-connection-a", "again").await;
    assert_eq!(
        text(vault, "itsm-connection-a").await.as_deref(),
        Some("again")
    );
}

async fn more_than_a_page_of_names_is_listed(vault: &dyn Vault) {
    for n in 0..60 {
        set(vault, &format!("itsm-connection-{n:02}"), "x").await;
    }
    let names = vault.list("itsm-connection-").await.unwrap();
    assert_eq!(names.len(), 60);
    assert!(names.is_sorted());
}

async fn a_name_that_is_none_is_refused_and_touches_nothing(vault: &dyn Vault) {
    let too_long = "x".repeat(128);
    for name in [
        "", "../a", "a/b", "a.b", "a b", "ä", "a\0b", "C:\\a", &too_long,
    ] {
        for failure in [
            vault.get(name).await.map(|_| ()),
            vault.set(name, &Secret::from("x"), None).await.map(|_| ()),
            vault.versions(name).await.map(|_| ()),
            vault.disable(name, &VaultVersion::only()).await,
            vault.remove(name).await,
        ] {
            let failure = failure.expect_err(name);
            assert_eq!(
                (failure.effect, failure.kind),
                (Effect::NotSent, Kind::Invalid),
                "{name}"
            );
        }
    }
    assert_eq!(vault.list("").await.unwrap(), [""; 0]);
}

async fn a_value_that_is_read_while_it_is_written_is_whole(vault: &dyn Vault) {
    let values: Vec<String> = (10..18).map(|n| format!("{n}").repeat(10_000)).collect();
    set(vault, "itsm-tokens-a", &values[0]).await;
    let write_and_read = |value: &str| {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().unwrap().block_on(async {
            for _ in 0..20 {
                set(vault, "itsm-tokens-a", value).await;
                let read = text(vault, "itsm-tokens-a").await.unwrap();
                assert!(
                    values.contains(&read),
                    "{} bytes of several values",
                    read.len()
                );
            }
        });
    };
    std::thread::scope(|threads| {
        for value in &values {
            threads.spawn(|| write_and_read(value));
        }
    });
}

async fn no_failure_repeats_a_secret(vault: &dyn Vault) {
    let secret = Secret::from("canary-in-the-vault");
    let failure = vault.set("no/name", &secret, None).await.unwrap_err();
    assert!(!format!("{failure} {failure:?} {}", failure.hint()).contains("canary"));
}

async fn each_write_is_a_version_of_its_own_and_reading_names_it(vault: &dyn Vault) {
    let mut before = None;
    for value in ["one", "two", "two", "one"] {
        let version = set(vault, "itsm-tokens-a", value).await;
        let kept = vault.get("itsm-tokens-a").await.unwrap().unwrap();
        assert_eq!(kept.version, version);
        assert_ne!(
            before.as_ref(),
            Some(&version),
            "the same for another write"
        );
        before = Some(version);
    }
    assert!(!before.unwrap().as_str().contains("one"));
}

async fn the_newest_version_is_among_those_that_are_told(vault: &dyn Vault) {
    assert_eq!(vault.versions("itsm-tokens-a").await.unwrap(), []);
    set(vault, "itsm-tokens-a", "one").await;
    let newest = set(vault, "itsm-tokens-a", "two").await;
    let told = vault.versions("itsm-tokens-a").await.unwrap();
    let is_it = |seen: &&VersionSeen| seen.version == newest;
    let seen = told.iter().find(is_it).unwrap();
    assert!(seen.is_enabled);
    assert!(seen.created > Timestamp::parse_lenient("2026-01-01").unwrap());
    assert!(told.is_sorted_by(|one, next| one.created >= next.created));
}

async fn a_version_that_was_replaced_is_disabled_and_the_newest_never(vault: &dyn Vault) {
    let old = set(vault, "itsm-tokens-a", "one").await;
    let newest = set(vault, "itsm-tokens-a", "two").await;
    vault.disable("itsm-tokens-a", &old).await.unwrap();
    vault.disable("itsm-tokens-a", &old).await.unwrap();
    let failure = vault.disable("itsm-tokens-a", &newest).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Invalid);
    assert_eq!(text(vault, "itsm-tokens-a").await.as_deref(), Some("two"));
    let told = vault.versions("itsm-tokens-a").await.unwrap();
    let enabled: Vec<&VaultVersion> = told
        .iter()
        .filter(|seen| seen.is_enabled)
        .map(|seen| &seen.version)
        .collect();
    assert_eq!(enabled, [&newest]);
    // Of what is not there nothing can be disabled.
    vault.disable("itsm-tokens-b", &old).await.unwrap();
}

/// The suite for one implementation: `$made` gives an empty vault, and what must live as long as it.
macro_rules! suite {
    ($implementation:ident, $made:expr, [$($fact:ident),* $(,)?]) => {
        mod $implementation {
            use super::*;
            $(
                #[tokio::test]
                async fn $fact() {
                    let (vault, _lives) = $made;
                    super::$fact(&vault).await;
                }
            )*
        }
    };
    ($implementation:ident, $made:expr) => {
        suite!($implementation, $made, [
            there_is_nothing_at_first,
            the_newest_value_counts,
            any_text_comes_back_as_it_went_in,
            names_are_listed_by_their_beginning_in_order,
            what_is_removed_is_gone_and_removing_it_again_is_no_error,
            more_than_a_page_of_names_is_listed,
            a_name_that_is_none_is_refused_and_touches_nothing,
            a_value_that_is_read_while_it_is_written_is_whole,
            each_write_is_a_version_of_its_own_and_reading_names_it,
            the_newest_version_is_among_those_that_are_told,
            a_version_that_was_replaced_is_disabled_and_the_newest_never,
            no_failure_repeats_a_secret,
        ]);
    };
}

suite!(file_vault, {
    let folder = tempfile::tempdir().unwrap();
    (FileVault::new(folder.path().join("vault")), folder)
});

// With soft delete the name stays taken: see the facts of the key vault.
suite!(
    file_vault_alone,
    {
        let folder = tempfile::tempdir().unwrap();
        (FileVault::new(folder.path().join("vault")), folder)
    },
    [what_is_removed_can_be_stored_again]
);

suite!(key_vault, {
    let way = InProcess::new();
    (client(&way), way)
});

/// What cannot be read is not missing: an alert for it must be kept.
#[cfg(unix)]
#[tokio::test]
async fn a_file_that_cannot_be_read_is_a_failure_and_not_an_absence() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(".", folder.path().join("itsm-connection-a.json")).unwrap();
    let vault = FileVault::new(folder.path().to_owned());
    let failure = vault.get("itsm-connection-a").await.unwrap_err();
    let told = (failure.effect, failure.kind);
    assert_eq!(told, (Effect::NotSent, Kind::Unavailable), "{failure}");
}
