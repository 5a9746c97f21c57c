//! `itsmc record send`.

use crate::bed::Bed;

const EXPORT: &str = "\u{feff}\"TimeGenerated [UTC]\",Computer,EventID,RenderedDescription,Type\r\n\
    \"3/1/2026, 10:00:00.000 AM\",dc01,4740,\"An account was locked out.\nSubject: alice\",SecurityEvent\r\n\
    \"3/1/2026, 10:05:00.000 AM\",dc02,4740,An account was locked out.,SecurityEvent\r\n";

#[test]
fn mistakes_are_told_before_anything_is_sent() {
    let bed = Bed::new();
    let export = bed.write("export.csv", EXPORT);
    bed.run(&["record", "send", "no-such-file.csv"])
        .refused(2, &["`no-such-file.csv` cannot be read"]);
    bed.run(&["record", "send", &export]).refused(
        2,
        &[
            "holds 2 records",
            "`--row 1` is the one with Computer=dc01",
            "`--all`",
        ],
    );
    bed.run(&["record", "send", &export, "--row", "3"])
        .refused(2, &["--row: found 3, expected 1 to 2"]);
    bed.run(&["record", "send", &export, "--row", "1", "--title", "Titel"])
        .refused(
            2,
            &[
                "--title: found `Titel`",
                "it has TimeGenerated, Computer, EventID, RenderedDescription, Type",
            ],
        );
    for (name, text) in [
        ("list.json", "[1, 2]"),
        ("broken.json", "{\"Computer\":"),
        ("number.json", " {} 7"),
        ("table.json", "{\"tables\": [{\"rows\": []}]}"),
    ] {
        let file = bed.write(name, text);
        bed.run(&["record", "send", &file])
            .refused(2, &[name, "a record is a JSON object"]);
    }
    let nothing = bed.write("nothing.json", "[]");
    bed.run(&["record", "send", &nothing])
        .refused(2, &["holds no record"]);
    let both = bed.run(&["record", "send", &export, "--all", "--row", "1"]);
    assert_eq!(both.code, 2, "{}", both.stderr);
}

#[test]
#[cfg(unix)]
fn a_record_makes_one_work_item_however_often_it_is_sent() {
    let bed = Bed::new();
    let running = bed.up();
    let export = bed.write("export.csv", EXPORT);
    let sent = bed.run(&["record", "send", &export, "--row", "2"]).did_it();
    assert!(
        sent.stdout.starts_with("200 created  INC0010001  "),
        "{}",
        sent.stdout
    );
    let all = bed.run(&["record", "send", &export, "--all"]).did_it();
    let numbers: Vec<&str> = all.stdout.lines().map(|line| &line[..23]).collect();
    assert_eq!(
        numbers,
        ["200 created  INC0010002", "200 duplicate  INC00100"]
    );

    let answer = r#"{"tables": [{"name": "PrimaryResult",
        "columns": [{"name": "TimeGenerated", "type": "datetime"}, {"name": "Computer", "type": "string"}, {"name": "Title", "type": "string"}],
        "rows": [["2026-03-01T10:00:00Z", "web01", "disk full"]]}]}"#;
    let sent = bed
        .run_with(&["record", "send", "-", "--severity", "Sev1"], answer, &[])
        .did_it();
    assert!(
        sent.stdout.starts_with("200 created  INC0010003  "),
        "{}",
        sent.stdout
    );
    let log = bed.run(&["explain", "INC0010003"]).did_it();
    assert!(log.stdout.contains("INC0010003 is open"), "{}", log.stdout);
    assert_eq!(running.stop(), Some(0));
}
