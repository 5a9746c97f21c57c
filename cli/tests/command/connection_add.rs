//! `itsmc connection add`.

use crate::bed::{Bed, Ran};
use crate::instance::{CLIENT_ID, CLIENT_SECRET, Instance, PASSWORD, USER};

const BASE: [&str; 3] = ["connection", "add", "contoso"];

fn add(bed: &Bed, instance: &Instance, more: &[&str], input: &str) -> Ran {
    let url = instance.url();
    let arguments = [
        &BASE[..],
        &["--server-url", &url, "--client-id", CLIENT_ID],
        more,
    ]
    .concat();
    bed.run_with(
        &arguments,
        input,
        &[("ITSMC_ALLOW_HOSTS", &instance.host())],
    )
}

/// Nothing was stored, not even a folder.
#[track_caller]
fn stored_nothing(bed: &Bed) {
    let files: Vec<_> = bed
        .files()
        .into_iter()
        .filter(|(path, _)| path.starts_with(bed.data()))
        .collect();
    assert!(files.is_empty(), "{files:?}");
}

#[test]
fn mistakes_in_a_definition_are_all_told_and_nothing_is_stored() {
    let bed = Bed::new();
    let file = |name: &str, more: &str| {
        let text = format!(
            r#"{{"name":"contoso","partner_type":"servicenow","server_url":"https://contoso.service-now.com","client_id":"id"{more}}}"#
        );
        bed.write(name, &text)
    };
    let cases = [
        (
            file("a", r#","client_secret":"s","colour":"red""#),
            "unknown field `colour`",
        ),
        (
            file("b", r#","client_secret":"s","password":"canary""#),
            "a password is stored nowhere",
        ),
        (
            file("c", r#","client_secret":"s","client_id":"id2""#),
            "the field `client_id` twice",
        ),
        (
            file("d", r#","client_secret":"s","sync":{"days":500}"#),
            "sync.days: found 500",
        ),
        (file("e", ""), "--client-secret-stdin"),
        (bed.write("f", "{\"name\": "), "text that is not JSON"),
        (bed.write("g", "[]"), "found a list, expected an object"),
        ("no-such-file".to_owned(), "cannot be read"),
    ];
    for (path, said) in &cases {
        let ran = bed
            .run(&["connection", "add", "--file", path])
            .refused(2, &[said]);
        assert!(!ran.stderr.contains("canary"), "{}", ran.stderr);
        stored_nothing(&bed);
    }
    let several = bed
        .run(&[
            "connection",
            "add",
            "Contoso",
            "--server-url",
            "http://contoso.service-now.com",
            "--client-id",
            "id",
        ])
        .refused(
            2,
            &[
                "name: found",
                "server_url: found the scheme `http`, expected `https`",
                "client_secret: found nothing",
            ],
        );
    assert_eq!(
        several.stderr.matches("error: ").count(),
        3,
        "{}",
        several.stderr
    );
    stored_nothing(&bed);
}

#[test]
fn a_secret_on_the_command_line_is_not_repeated() {
    let bed = Bed::new();
    for argument in ["--client-secret=canary", "--password=canary"] {
        let ran = bed
            .run(&["connection", "add", "contoso", argument])
            .refused(2, &["unexpected argument"]);
        assert!(!ran.stderr.contains("canary"), "{}", ran.stderr);
    }
}

#[test]
fn a_private_address_is_refused_without_the_allow_list() {
    let (bed, instance) = (Bed::new(), Instance::start());
    let url = instance.url().replace("http:", "https:");
    bed.run_with(
        &[
            &BASE[..],
            &[
                "--server-url",
                &url,
                "--client-id",
                "x",
                "--client-secret-stdin",
            ],
        ]
        .concat(),
        "s\n",
        &[],
    )
    .refused(
        2,
        &[
            "server_url: found the IP address `127.0.0.1`",
            "ITSMC_ALLOW_HOSTS",
        ],
    );
    stored_nothing(&bed);
}

#[test]
fn client_credentials_are_stored_and_tested() {
    let (bed, instance) = (Bed::new(), Instance::start());
    let secret = format!("{CLIENT_SECRET}\n");
    let added = add(&bed, &instance, &["--client-secret-stdin"], &secret).did_it();
    for step in [
        "added the connection `contoso`",
        "ok    definition",
        "ok    sign-in",
        "ok    read",
    ] {
        assert!(
            added.stdout.contains(step),
            "no {step:?} in\n{}",
            added.stdout
        );
    }
    assert!(!format!("{}{}", added.stdout, added.stderr).contains("canary"));

    add(&bed, &instance, &["--client-secret-stdin"], &secret)
        .refused(2, &["there is a connection `contoso`", "--replace"]);
    let replaced = add(
        &bed,
        &instance,
        &["--client-secret-stdin", "--replace", "--json"],
        &secret,
    )
    .did_it();
    assert_eq!(replaced.json()["works"], true);
    assert_eq!(replaced.json()["steps"][0]["name"], "definition");
}

#[test]
fn a_wrong_client_secret_shows_in_the_test() {
    let (bed, instance) = (Bed::new(), Instance::start());
    let added = add(&bed, &instance, &["--client-secret-stdin"], "wrong\n");
    assert_eq!(added.code, 1);
    assert!(added.stdout.contains("FAIL  sign-in"), "{}", added.stdout);
    assert!(
        added
            .stdout
            .lines()
            .last()
            .unwrap()
            .trim()
            .starts_with("hint: "),
        "{}",
        added.stdout
    );
}

#[test]
fn the_password_is_used_once_and_is_nowhere() {
    let (bed, instance) = (Bed::new(), Instance::start());
    let secrets = format!("{CLIENT_SECRET}\n{PASSWORD}\n");
    let more = [
        "--username",
        USER,
        "--client-secret-stdin",
        "--password-stdin",
    ];
    let added = add(&bed, &instance, &more, &secrets).did_it();
    assert!(added.stdout.contains("ok    sign-in"), "{}", added.stdout);
    let env = [("ITSMC_ALLOW_HOSTS", instance.host())];
    let env: Vec<(&str, &str)> = env
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let mut printed = format!("{}{}", added.stdout, added.stderr);
    for command in [
        &["connection", "show", "contoso"][..],
        &["connection", "list"],
        &["connection", "test", "contoso", "--write"],
        &["status"],
    ] {
        for json in [&[][..], &["--json"]] {
            let ran = bed.run_with(&[command, json].concat(), "", &env).did_it();
            printed.push_str(&ran.stdout);
            printed.push_str(&ran.stderr);
        }
    }
    assert!(!printed.contains("canary"), "{printed}");
    assert!(printed.contains("refresh token until "), "{printed}");

    let files = bed.files();
    assert!(
        files
            .iter()
            .any(|(path, _)| path.ends_with("vault/itsm-tokens-contoso.json"))
    );
    for (path, text) in files {
        assert!(!text.contains(PASSWORD), "{}", path.display());
        assert!(
            !text.contains(CLIENT_SECRET) || path.ends_with("itsm-connection-contoso.json"),
            "{}",
            path.display()
        );
    }
}

#[test]
fn a_login_is_renewed_without_saying_everything_again() {
    let (bed, instance) = (Bed::new(), Instance::start());
    let secrets = format!("{CLIENT_SECRET}\n{PASSWORD}\n");
    let more = [
        "--username",
        USER,
        "--client-secret-stdin",
        "--password-stdin",
    ];
    add(&bed, &instance, &more, &secrets).did_it();
    let env = instance.host();
    let env = [("ITSMC_ALLOW_HOSTS", env.as_str())];
    let again = [&BASE[..], &["--replace", "--password-stdin"]].concat();
    let renewed = bed.run_with(&again, &format!("{PASSWORD}\n"), &env);
    assert!(renewed.did_it().stdout.contains("ok    sign-in"));

    let before = bed.files();
    let moved = [
        &again[..],
        &["--server-url", "https://fabrikam.service-now.com"],
    ]
    .concat();
    bed.run_with(&moved, &format!("{PASSWORD}\n"), &env)
        .refused(2, &["client_secret: found nothing"]);
    assert_eq!(bed.files(), before);
}

#[test]
fn a_login_that_fails_stores_nothing() {
    let (bed, instance) = (Bed::new(), Instance::start());
    let more = [
        "--username",
        USER,
        "--client-secret-stdin",
        "--password-stdin",
    ];
    let wrong = format!("{CLIENT_SECRET}\ncanary-wrong\n");
    let ran = add(&bed, &instance, &more, &wrong)
        .refused(1, &["the login of `svc-alerts`", "nothing was stored"]);
    assert!(!ran.stderr.contains("canary"), "{}", ran.stderr);
    let is_trace = |path: &std::path::Path| path.starts_with(bed.data().join("state/leases"));
    let files: Vec<_> = bed.files();
    let traces_only = files.iter().all(|(path, text)| {
        (is_trace(path) || !path.starts_with(bed.data())) && !text.contains("canary")
    });
    assert!(traces_only, "but for the lease of the try: {files:?}");
    let bed = Bed::new();

    let secret = format!("{CLIENT_SECRET}\n");
    add(&bed, &instance, &more, &secret).refused(2, &["password: found nothing on standard input"]);
    add(&bed, &instance, &more[..3], &secret).refused(2, &["--password-stdin"]);
    add(
        &bed,
        &instance,
        &["--client-secret-stdin", "--password-stdin"],
        &wrong,
    )
    .refused(2, &["`client_credentials` uses no password"]);
    stored_nothing(&bed);
}
