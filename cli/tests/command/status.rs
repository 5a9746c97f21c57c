//! `itsmc status`.

use crate::bed::Bed;

#[test]
fn where_there_is_no_data_it_says_how_to_begin() {
    let bed = Bed::new();
    bed.run(&["status"])
        .refused(1, &["there is no data at", "hint: `itsmc up` makes it"]);
    assert!(!bed.data().exists(), "looking makes nothing");
    bed.run_with(&["status"], "", &[("ITSMC_STATE", "memory:///")])
        .refused(2, &["ITSMC_STATE"]);
    bed.run_with(&["status"], "", &[("ITSMC_STATE", "nowhere")])
        .refused(2, &["ITSMC_STATE: found `nowhere`"]);
}

#[test]
fn a_quiet_desk_is_told_in_one_row() {
    let bed = Bed::new();
    bed.run(&["up", "--listen", "127.0.0.1:0", "--send-sample", "--once"])
        .did_it();
    let table = bed.run(&["status"]).did_it().stdout;
    let row: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(
        row,
        [
            "demo", "0", "-", "0", "open", "by", "client", "0", "0", "enforced"
        ]
    );
    let told = bed.run(&["status", "--json"]).did_it().json();
    let demo = &told["connections"][0];
    assert_eq!(demo["uniqueness"], "enforced");
    assert_eq!(demo["pending"]["count"], 0);
    assert_eq!(demo["gate"]["state"], "open");
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_is_told_all_the_same() {
    let bed = Bed::new();
    bed.run(&["up", "--listen", "127.0.0.1:0", "--send-sample", "--once"])
        .did_it();
    let facts = bed.data().join("state/facts/demo");
    let entry = std::fs::read_dir(&facts).unwrap().next().unwrap().unwrap();
    std::fs::write(entry.path(), "<html>").unwrap();
    let name = entry.file_name().into_string().unwrap();
    let text = bed.run(&["status"]).did_it().stdout;
    let told =
        format!("demo: state store: `read` of `facts/demo/{name}`: what is stored cannot be read");
    assert!(text.contains(&told) && text.contains("hint: "), "{text}");
    let told = bed.run(&["status", "--json"]).did_it().json();
    let demo = &told["connections"][0];
    assert_eq!(
        demo["unreadable"][0]["object"],
        format!("facts/demo/{name}")
    );
    assert_eq!(demo["pending"]["count"], 0);
}

#[test]
#[cfg(unix)]
fn what_waits_and_why_is_told() {
    let bed = Bed::new();
    let running = bed.up();
    // The instance's credentials change behind our back.
    let definition = bed.data().join("vault/itsm-connection-demo.json");
    let text = std::fs::read_to_string(&definition).unwrap();
    std::fs::write(&definition, text.replace("demo-client-secret", "another")).unwrap();
    let sample = bed.data().join("sample-alert.json").display().to_string();
    let sent = bed.run(&["alert", "send", &sample]).did_it();
    assert_eq!(sent.stdout, "202 pending\n");

    let told = bed.run(&["status", "--json"]).did_it().json();
    let demo = &told["connections"][0];
    assert_eq!(demo["pending"]["count"], 1);
    assert_eq!(demo["pending"]["urgent"], 1);
    assert!(demo["pending"]["oldest_received_at"].is_string());
    assert_eq!(demo["gate"]["state"], "closed");
    let text = bed.run(&["status"]).did_it().stdout;
    assert!(text.contains("closed for "), "{text}");
    assert!(
        text.contains("because ServiceNow: `obtain token by client credentials`"),
        "{text}"
    );
    assert!(text.contains("hint: run `itsmc connection test"), "{text}");

    let removed = bed.run(&["connection", "remove", "demo", "--yes"]).did_it();
    assert!(
        removed.stderr.contains("alerts that wait for `demo`: 1"),
        "{}",
        removed.stderr
    );
    let text = bed.run(&["status"]).did_it().stdout;
    assert!(
        text.contains("the vault has no connection of this name"),
        "{text}"
    );
    assert_eq!(running.stop(), Some(0));
}
