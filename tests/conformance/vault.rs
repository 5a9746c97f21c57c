//! The vault: what it is given it gives back, and it knows "there is none" from "I cannot say".

use itsm_connector::adapters::file_vault::FileVault;
use itsm_connector::domain::failure::{Effect, Kind};
use itsm_connector::domain::secret::Secret;
use itsm_connector::ports::Vault;

async fn text(vault: &dyn Vault, name: &str) -> Option<String> {
    let secret = vault.get(name).await.unwrap();
    secret.map(|secret| secret.expose().to_owned())
}

async fn set(vault: &dyn Vault, name: &str, value: &str) {
    vault.set(name, &Secret::from(value)).await.unwrap();
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
    set(vault, "itsm-connection-a", "again").await;
    assert_eq!(
        text(vault, "itsm-connection-a").await.as_deref(),
        Some("again")
    );
}

async fn a_name_that_is_none_is_refused_and_touches_nothing(vault: &dyn Vault) {
    let too_long = "x".repeat(128);
    for name in [
        "", "../a", "a/b", "a.b", "a b", "ä", "a\0b", "C:\\a", &too_long,
    ] {
        for failure in [
            vault.get(name).await.map(|_| ()),
            vault.set(name, &Secret::from("x")).await,
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
    let failure = vault.set("no/name", &secret).await.unwrap_err();
    assert!(!format!("{failure} {failure:?} {}", failure.hint()).contains("canary"));
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
            a_name_that_is_none_is_refused_and_touches_nothing,
            a_value_that_is_read_while_it_is_written_is_whole,
            no_failure_repeats_a_secret,
        ]);
    };
}

suite!(file_vault, {
    let folder = tempfile::tempdir().unwrap();
    (FileVault::new(folder.path().join("vault")), folder)
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
