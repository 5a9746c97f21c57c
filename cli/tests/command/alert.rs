//! `itsmc alert send`.

use crate::bed::Bed;

#[test]
fn mistakes_are_told_before_anything_is_sent() {
    let bed = Bed::new();
    bed.run(&["alert", "send", "no-such-file.json"])
        .refused(2, &["`no-such-file.json` cannot be read"]);
    let text = bed.write("words.txt", "no json");
    bed.run(&["alert", "send", &text, "--fresh"])
        .refused(2, &["is not JSON"]);
    let other = bed.write("other.json", "{}");
    bed.run(&["alert", "send", &other, "--fresh"])
        .refused(2, &["`data.essentials`"]);
    bed.run(&["alert", "send", &other, "--url", "ftp://127.0.0.1"])
        .refused(2, &["--url"]);
    bed.run(&["alert", "send", "-", "--key-stdin"])
        .refused(2, &["standard input holds the alert"]);
    bed.run(&["alert", "send", &other, "--url", "http://127.0.0.1:1"])
        .refused(1, &["http://127.0.0.1:1: nobody listens there"]);
}

#[test]
#[cfg(unix)]
fn a_refusal_has_its_title_and_hint() {
    let bed = Bed::new();
    let running = bed.up();
    let sample = bed.data().join("sample-alert.json").display().to_string();
    bed.run(&["alert", "send", &sample, "--connection", "contoso"])
        .refused(
            1,
            &[
                "No such connection or action",
                "(status 404)",
                "hint: `itsmc connection list`",
            ],
        );
    let whole = running.address("webhook");
    let sent = bed
        .run(&["alert", "send", &sample, "--url", &whole, "--json"])
        .did_it()
        .json();
    assert_eq!(sent["status"], 200);
    assert_eq!(sent["answer"]["work_items"][0]["number"], "INC0010001");
    let odd = bed.write("odd.json", "{\"x\":1}");
    let kept = bed.run(&["alert", "send", &odd]).did_it();
    assert_eq!(kept.stdout, "202 quarantined\n");
    assert!(kept.stderr.contains("kept for a person"), "{}", kept.stderr);
    let status = bed.run(&["status", "--json"]).did_it().json();
    assert_eq!(status["connections"][0]["quarantined"], 1);
    assert_eq!(running.stop(), Some(0));
}

/// A definition that is not saved anywhere.
const CONTOSO: &str = r#"{
    "name": "contoso", "partner_type": "servicenow", "server_url": "https://contoso.service-now.com",
    "client_id": "id", "client_secret": "canary-secret", "username": "svc-monitor",
    "actions": {
        "default": { "work_item_type": "incident", "assignment_group": "Platform" },
        "shared": { "work_item_type": "incident", "grouping": "rule" },
        "watched": { "work_item_type": "incident", "mode": "shadow", "on_resolve": "ignore" },
        "rows": { "work_item_type": "incident", "grouping": "row" },
        "events": { "work_item_type": "event", "fields": { "u_team": "{{ alert.custom_properties.team }}" } }
    }
}"#;

fn fixture(name: &str) -> String {
    format!(
        "{}/../tests/fixtures/common_alert_schema/{name}.json",
        env!("CARGO_MANIFEST_DIR")
    )
}

/// What the command prints for a fixture and an action, its own files' places left out.
fn preview(bed: &Bed, name: &str, action: &str) -> String {
    let definition = bed.write("contoso.json", CONTOSO);
    let alert = fixture(name);
    let ran = bed
        .run(&[
            "alert",
            "preview",
            &alert,
            "--definition",
            &definition,
            "--action",
            action,
        ])
        .did_it();
    assert!(!ran.stdout.contains("canary"), "{}", ran.stdout);
    format!("{}--\n{}", ran.stdout, ran.stderr)
}

#[test]
fn a_preview_shows_what_would_be_sent() {
    let bed = Bed::new();
    insta::assert_snapshot!("preview_fired", preview(&bed, "metric_fired", "default"));
    insta::assert_snapshot!(
        "preview_resolved",
        preview(&bed, "metric_resolved", "default")
    );
    insta::assert_snapshot!("preview_shared", preview(&bed, "metric_fired", "shared"));
    insta::assert_snapshot!("preview_event", preview(&bed, "metric_fired", "events"));
    insta::assert_snapshot!(
        "preview_event_over",
        preview(&bed, "metric_resolved", "events")
    );
    insta::assert_snapshot!("preview_rows", preview(&bed, "simple_log_fired", "rows"));
    insta::assert_snapshot!(
        "preview_watched",
        preview(&bed, "metric_resolved", "watched")
    );
}

#[test]
fn a_preview_leaves_nothing_behind_and_needs_nobody() {
    let bed = Bed::new();
    preview(&bed, "metric_fired", "default");
    let left: Vec<_> = bed.files().into_iter().map(|(path, _)| path).collect();
    assert_eq!(left.len(), 1, "the definition alone: {left:?}");
}

#[test]
fn a_preview_says_why_there_is_none() {
    let bed = Bed::new();
    let definition = bed.write("contoso.json", CONTOSO);
    let alert = fixture("metric_fired");
    bed.run(&["alert", "preview", &alert])
        .refused(1, &["there is no connection `demo`"]);
    bed.run(&[
        "alert",
        "preview",
        &alert,
        "--definition",
        &definition,
        "--action",
        "other",
    ])
    .refused(
        2,
        &[
            "the connection has no action `other`",
            "it has `default`, `events`, `rows`",
        ],
    );
    let odd = bed.write("odd.json", "{\"x\":1}");
    bed.run(&["alert", "preview", &odd, "--definition", &definition])
        .refused(1, &["is not understood", "kept in quarantine"]);
    let wrong = bed.write("wrong.json", &CONTOSO.replace("client_id", "client"));
    bed.run(&["alert", "preview", &alert, "--definition", &wrong])
        .refused(2, &["client_id"]);
    let both = bed.run(&[
        "alert",
        "preview",
        &alert,
        "--definition",
        &definition,
        "--connection",
        "x",
    ]);
    assert_eq!(both.code, 2, "{}", both.stderr);
}

#[test]
fn a_preview_for_a_script_is_one_document() {
    let bed = Bed::new();
    let definition = bed.write("contoso.json", CONTOSO);
    let alert = fixture("metric_fired");
    let shown = bed
        .run(&[
            "alert",
            "preview",
            &alert,
            "--definition",
            &definition,
            "--json",
        ])
        .did_it()
        .json();
    let request = &shown["work_items"][0]["request"];
    assert_eq!(request["method"], "POST");
    assert_eq!(
        request["url"],
        "https://contoso.service-now.com/api/now/table/incident"
    );
    assert_eq!(request["body"]["assignment_group"], "Platform");
    assert_eq!(shown["condition"], "fired");
}
