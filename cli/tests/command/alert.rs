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
