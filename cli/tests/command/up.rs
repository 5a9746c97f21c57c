//! `itsmc up`.

use std::net::TcpListener;

use crate::bed::Bed;

const SAMPLE: [&str; 5] = ["up", "--listen", "127.0.0.1:0", "--send-sample", "--once"];

#[test]
fn a_sample_alert_becomes_an_incident_and_the_next_start_counts_on() {
    let bed = Bed::new();
    let first = bed.run(&SAMPLE).did_it();
    assert_eq!(first.stderr, "");
    for said in ["ready\n", "INC0010001 New", "INC0010001 Resolved", "curl "] {
        assert!(
            first.stdout.contains(said),
            "no {said:?} in\n{}",
            first.stdout
        );
    }
    let second = bed.run(&SAMPLE).did_it().stdout;
    assert!(second.contains("INC0010002 New"), "{second}");
    assert!(second.contains("INC0010002 Resolved"), "{second}");
    assert!(!second.contains("INC0010001"), "{second}");
}

#[test]
fn a_script_gets_one_document() {
    let bed = Bed::new();
    let arguments: Vec<&str> = SAMPLE.into_iter().chain(["--json"]).collect();
    let said = bed.run(&arguments).did_it().json();
    assert_eq!(said["sample"][0]["number"], "INC0010001");
    assert_eq!(said["sample"][0]["state"], "New");
    assert_eq!(said["sample"][1]["outcome"], "resolved");
    assert!(
        said["webhook"]
            .as_str()
            .unwrap()
            .ends_with("/api/create-work-item/demo")
    );
}

#[test]
fn a_taken_port_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let port = format!("port {} is taken", address.port());
    Bed::new()
        .run(&["up", "--listen", &address.to_string(), "--once"])
        .refused(1, &[&port, "--listen 127.0.0.1:0"]);
    Bed::new()
        .run(&[
            "up",
            "--listen",
            "127.0.0.1:0",
            "--servicenow",
            &address.to_string(),
            "--once",
        ])
        .refused(1, &[&port, "--servicenow 127.0.0.1:0"]);
}

#[test]
fn nobody_else_may_reach_it() {
    let bed = Bed::new();
    bed.run(&["up", "--listen", "0.0.0.0:0", "--once"])
        .refused(2, &["--listen: found 0.0.0.0:0"]);
    assert!(!bed.data().exists());
}

#[test]
#[cfg(unix)]
fn it_serves_until_it_is_stopped_and_keeps_everything() {
    let bed = Bed::new();
    let running = bed.up();
    let sample = bed.data().join("sample-alert.json").display().to_string();

    let first = bed.run(&["alert", "send", &sample]).did_it().stdout;
    assert!(
        first.starts_with("200 created  INC0010001  http://"),
        "{first}"
    );
    let again = bed.run(&["alert", "send", &sample]).did_it().stdout;
    assert!(again.starts_with("200 duplicate  INC0010001 "), "{again}");
    let fresh = bed
        .run(&["alert", "send", &sample, "--fresh"])
        .did_it()
        .stdout;
    assert!(fresh.starts_with("200 created  INC0010002 "), "{fresh}");

    let tested = bed.run(&["connection", "test", "demo"]).did_it().stdout;
    assert!(tested.contains("ok    sign-in"), "{tested}");
    bed.run(&["up", "--listen", "127.0.0.1:0", "--once"])
        .refused(1, &["another `itsmc up` runs on"]);
    assert_eq!(running.stop(), Some(0));

    let sleeping = bed.run(&["connection", "test", "demo"]);
    assert_eq!(sleeping.code, 1);
    assert!(
        sleeping.stdout.contains("FAIL  sign-in"),
        "{}",
        sleeping.stdout
    );
    assert!(
        sleeping
            .stdout
            .contains("simulator of `itsmc up`, which is not running")
    );
    bed.run(&["alert", "send", &sample])
        .refused(1, &["nobody listens there", "`itsmc up`"]);

    let next = bed.run(&SAMPLE).did_it().stdout;
    assert!(next.contains("INC0010003 New"), "{next}");
}

#[test]
#[cfg(unix)]
fn what_it_keeps_is_for_its_owner_only() {
    use crate::bed::mode;
    let bed = Bed::new();
    bed.run(&SAMPLE).did_it();
    for folder in ["", "vault", "state"] {
        assert_eq!(mode(&bed.data().join(folder)), 0o700, "{folder}");
    }
    for file in [
        "desk.json",
        "servicenow.json",
        "sample-alert.json",
        "vault/itsm-connection-demo.json",
    ] {
        assert_eq!(mode(&bed.data().join(file)), 0o600, "{file}");
    }
}

#[test]
#[cfg(unix)]
fn a_folder_that_anybody_may_write_to_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let bed = Bed::new();
    std::fs::create_dir(bed.data()).unwrap();
    std::fs::set_permissions(bed.data(), std::fs::Permissions::from_mode(0o777)).unwrap();
    bed.run(&SAMPLE)
        .refused(2, &["anybody may write to", "chmod 700"]);
}

#[test]
fn a_connection_to_a_real_instance_is_not_turned_round() {
    let bed = Bed::new();
    let add = [
        "connection",
        "add",
        "demo",
        "--server-url",
        "https://contoso.service-now.com",
        "--client-id",
        "id",
        "--client-secret-stdin",
        "--no-test",
    ];
    bed.run_with(&add, "secret\n", &[]).did_it();
    bed.run(&SAMPLE)
        .refused(2, &["`demo` is to another instance", "--data"]);
    let shown = bed.run(&["connection", "show", "demo"]).did_it().stdout;
    assert!(shown.contains("https://contoso.service-now.com"), "{shown}");
}

#[test]
#[cfg(unix)]
fn records_come_back_as_rows_by_themselves() {
    use crate::bed::mode;
    use std::time::Duration;
    let bed = Bed::new();
    bed.run(&SAMPLE).did_it();
    bed.ages_the_records();
    let running = bed.up();
    let mut status = serde_json::Value::Null;
    for _ in 0..60 {
        status = bed.run(&["sync", "status", "--json"]).did_it().json();
        if status["streams"][0]["rows"] == 1 {
            break;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    let stream = &status["streams"][0];
    assert_eq!(
        (&stream["stream"], &stream["rows"]),
        (&"incident".into(), &1.into()),
        "{status}"
    );
    assert!(stream["complete_until"].is_string(), "{status}");
    assert_eq!(mode(&bed.data().join("rows.sqlite")), 0o600);
    assert_eq!(running.stop(), Some(0));
}
