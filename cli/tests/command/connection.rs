//! `itsmc connection list`, `show` and `remove`.

use crate::bed::Bed;

fn with_contoso() -> Bed {
    let bed = Bed::new();
    let add = [
        "connection",
        "add",
        "contoso",
        "--server-url",
        "https://contoso.service-now.com",
        "--client-id",
        "id",
        "--client-secret-stdin",
        "--no-test",
    ];
    bed.run_with(&add, "canary-secret\n", &[]).did_it();
    bed
}

#[test]
fn the_list_says_which_can_be_used() {
    let bed = with_contoso();
    let broken = bed.data().join("vault/itsm-connection-broken.json");
    std::fs::write(broken, "{\"name\": \"broken\"").unwrap();
    let table = bed.run(&["connection", "list"]).did_it().stdout;
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("NAME     PRODUCT"), "{table}");
    assert!(
        lines[1].starts_with("broken   -") && lines[1].contains("no: "),
        "{table}"
    );
    assert!(
        lines[2].starts_with(
            "contoso  ServiceNow  https://contoso.service-now.com  client credentials  1"
        ) && lines[2].ends_with("yes"),
        "{table}"
    );
    let told = bed.run(&["connection", "list", "--json"]).did_it().json();
    assert_eq!(told["connections"][0]["usable"], false);
    assert_eq!(told["connections"][1]["grant"], "client_credentials");
    let tested = bed.run(&["connection", "test", "broken"]);
    assert_eq!(tested.code, 1);
    assert!(
        tested
            .stdout
            .starts_with("FAIL  definition   the definition: found text"),
        "{}",
        tested.stdout
    );
    assert!(
        tested.stdout.contains("\n      hint: "),
        "{}",
        tested.stdout
    );
    bed.run(&["connection", "show", "broken"])
        .refused(1, &["the definition: found"]);
}

#[test]
fn an_empty_list_is_no_failure() {
    let bed = Bed::new();
    let none = bed.run(&["connection", "list"]).did_it();
    assert_eq!(none.stdout, "");
    assert!(none.stderr.contains("no connections in"), "{}", none.stderr);
    let told = bed.run(&["connection", "list", "--json"]).did_it().json();
    assert_eq!(told["connections"].as_array().map(Vec::len), Some(0));
    assert!(!bed.data().exists());
}

#[test]
fn what_is_shown_has_no_secret() {
    let bed = with_contoso();
    let text = bed.run(&["connection", "show", "contoso"]).did_it().stdout;
    assert!(text.contains("client secret        (set)"), "{text}");
    let shown = bed
        .run(&["connection", "show", "contoso", "--json"])
        .did_it();
    assert_eq!(shown.json()["definition"]["client_secret"], "(set)");
    assert!(!format!("{text}{}", shown.stdout).contains("canary"));
}

#[test]
fn a_name_that_is_not_there_is_told() {
    let bed = with_contoso();
    for command in ["show", "test", "remove"] {
        bed.run(&["connection", command, "fabrikam"]).refused(
            1,
            &["there is no connection `fabrikam`", "itsmc connection list"],
        );
        bed.run(&["connection", command, "Fabrikam"])
            .refused(2, &["lower-case letters"]);
    }
}

#[test]
fn removing_asks_first() {
    let bed = with_contoso();
    bed.run(&["connection", "remove", "contoso"])
        .refused(2, &["nobody is there to be asked", "--yes"]);
    bed.run(&["connection", "show", "contoso"]).did_it();
    let removed = bed
        .run(&["connection", "remove", "contoso", "--yes", "--json"])
        .did_it();
    assert_eq!(removed.json()["removed"], "contoso");
    bed.run(&["connection", "show", "contoso"])
        .refused(1, &["there is no connection"]);
}

#[test]
fn a_mistake_is_a_document_too() {
    let told = Bed::new().run(&["connection", "show", "contoso", "--json"]);
    assert_eq!(told.code, 1);
    assert!(told.json()["errors"][0]["hint"].is_string());
    assert!(
        told.stderr
            .contains("error: there is no connection `contoso`"),
        "{}",
        told.stderr
    );
}
