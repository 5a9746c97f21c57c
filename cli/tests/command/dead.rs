//! `itsmc dead` and `itsmc explain`.

use crate::bed::Bed;

#[test]
#[cfg(unix)]
fn what_was_not_understood_waits_for_a_person_and_an_incident_tells_its_story() {
    let bed = Bed::new();
    let running = bed.up();
    let none = bed.run(&["dead", "list"]).did_it();
    assert!(
        none.stderr.contains("nothing waits for a person"),
        "{}",
        none.stderr
    );

    let odd = bed.data().join("odd.json");
    std::fs::write(&odd, "{\"schemaId\":\"SomethingElse\"}").unwrap();
    bed.run(&["alert", "send", &odd.display().to_string()])
        .did_it();
    let listed = bed.run(&["dead", "list", "--json"]).did_it().json();
    let name = listed["waiting"][0]["name"].as_str().unwrap().to_owned();
    assert_eq!(listed["waiting"][0]["kind"], "quarantine");
    let shown = bed.run(&["dead", "show", &name]).did_it().stdout;
    assert!(shown.contains("SomethingElse"), "{shown}");
    bed.run(&["dead", "redrive", &name])
        .refused(1, &["still not understood", "hint: "]);
    bed.run(&["dead", "redrive", "nothing"])
        .refused(1, &["nothing by this name", "hint: `itsmc dead list`"]);

    let sample = bed.data().join("sample-alert.json").display().to_string();
    bed.run(&["alert", "send", &sample]).did_it();
    let told = bed.run(&["explain", "INC0010001"]).did_it().stdout;
    assert!(told.contains("claimed for try 1"), "{told}");
    assert!(told.contains("INC0010001 is open"), "{told}");
    let story = bed
        .run(&["explain", "INC0010001", "--json"])
        .did_it()
        .json();
    assert_eq!(story["generation"], 0);
    bed.run(&["explain", "INC0099999"])
        .refused(1, &["no work item of this number", "hint: "]);
    assert_eq!(running.stop(), Some(0));
}
