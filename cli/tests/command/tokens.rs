//! `itsmc tokens`.

use crate::bed::{Bed, Ran};
use crate::instance::{CLIENT_ID, CLIENT_SECRET, Instance, PASSWORD, USER};

fn added(bed: &Bed, instance: &Instance) {
    let url = instance.url();
    let arguments = [
        "connection",
        "add",
        "contoso",
        "--server-url",
        &url,
        "--client-id",
        CLIENT_ID,
        "--username",
        USER,
        "--client-secret-stdin",
        "--password-stdin",
        "--no-test",
    ];
    let input = format!("{CLIENT_SECRET}\n{PASSWORD}\n");
    run_at(bed, instance, &arguments, &input).did_it();
}

fn run_at(bed: &Bed, instance: &Instance, arguments: &[&str], input: &str) -> Ran {
    bed.run_with(arguments, input, &[("ITSMC_ALLOW_HOSTS", &instance.host())])
}

/// The tokens as the vault has them, changed as if time had passed.
fn change_the_tokens(bed: &Bed, change: impl FnOnce(&mut serde_json::Value)) {
    let path = bed.data().join("vault/itsm-tokens-contoso.json");
    let mut set = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    change(&mut set);
    std::fs::write(path, set.to_string()).unwrap();
}

#[test]
fn when_tokens_end_is_told_and_who_must_log_in() {
    let (bed, instance) = (Bed::new(), Instance::start());
    let host = instance.host();
    let run = |arguments: &[&str]| bed.run_with(arguments, "", &[("ITSMC_ALLOW_HOSTS", &host)]);
    bed.run(&["tokens", "status"])
        .refused(1, &["there is no data at"]);
    added(&bed, &instance);
    let row = |text: &str| -> Vec<String> {
        let line = text.lines().nth(1).unwrap();
        line.split("  ")
            .map(str::trim)
            .filter(|cell| !cell.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let table = run(&["tokens", "status"]).did_it().stdout;
    assert_eq!(
        row(&table),
        ["contoso", "good", "in 29 min", "in 89 days", "-"]
    );
    let told = run(&["tokens", "status", "--json"]).did_it().json();
    assert_eq!(told["connections"][0]["standing"], "good");

    change_the_tokens(&bed, |set| {
        let login = set["logged_in_at"].clone();
        set["refresh_expires_at"] = login;
        set["access_expires_at"] = set["logged_in_at"].clone();
    });
    for arguments in [&["tokens", "status"][..], &["status"]] {
        let text = run(arguments).did_it().stdout;
        assert!(text.contains("LOGIN NEEDED"), "{text}");
        assert!(
            text.contains("hint: run `itsmc connection login contoso`"),
            "{text}"
        );
    }
    change_the_tokens(&bed, |set| {
        let soon = std::time::SystemTime::now() + std::time::Duration::from_secs(5 * 86_400);
        let ms = soon
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_millis();
        let ms = i64::try_from(ms).unwrap();
        let end = itsm_connector::domain::timestamp::Timestamp::from_millis(ms);
        set["refresh_expires_at"] = end.to_string().into();
        set["access_expires_at"] = end.to_string().into();
    });
    let text = run(&["tokens", "status"]).did_it().stdout;
    assert!(
        text.contains("ends soon") && text.contains("before it ends"),
        "{text}"
    );
}

#[test]
fn tokens_are_renewed_by_hand() {
    let (bed, instance) = (Bed::new(), Instance::start());
    let host = instance.host();
    let run = |arguments: &[&str]| bed.run_with(arguments, "", &[("ITSMC_ALLOW_HOSTS", &host)]);
    added(&bed, &instance);
    let path = bed.data().join("vault/itsm-tokens-contoso.json");
    let before = std::fs::read_to_string(&path).unwrap();
    let ran = run(&["tokens", "refresh", "contoso"]).did_it();
    assert!(
        ran.stdout.contains("renewed the tokens of `contoso`"),
        "{}",
        ran.stdout
    );
    assert_ne!(std::fs::read_to_string(&path).unwrap(), before);
    let told = run(&["tokens", "refresh", "--json"]).did_it().json();
    assert_eq!(told["connections"][0]["renewed"], true);

    run(&["tokens", "refresh", "fabrikam"]).refused(1, &["there is no connection `fabrikam`"]);
    drop(instance);
    run(&["tokens", "refresh", "contoso"]).refused(1, &["cannot be reached"]);
    let told = run(&["tokens", "status"]).did_it().stdout;
    assert!(told.contains("renewing"), "{told}");
}
