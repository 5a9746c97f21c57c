//! Bodies that no alert should have. What an authentic sender may have meant is kept for a person and answered 202. The
//! numbers are rows of the design's corpus of bad input.

use crate::bed::{Alert, TestBed};

/// A whole alert, as text.
fn alert() -> String {
    Alert::captured("metric_fired").text()
}

/// The body is kept for a person, once, and makes no incident.
async fn is_quarantined(bed: &TestBed, body: &[u8], reason: &str) {
    let before = bed.quarantined().await;
    let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
    let delivered = bed.deliver_body("contoso", body).await;
    assert_eq!(
        (delivered.status, delivered.outcome.as_str()),
        (202, "quarantined"),
        "{shown}"
    );
    assert_eq!(bed.quarantined().await, before + 1, "{shown}");
    let event = delivered.answer.json()["event"]
        .as_str()
        .unwrap()
        .to_owned();
    let kept = bed.object(&format!("quarantine/contoso/{event}")).await;
    assert!(
        kept.contains(&format!("\"reason\":\"{reason}\"")),
        "{shown}: {kept}"
    );
    bed.servicenow().created(0);
    assert_eq!(bed.objects("journal").await, [""; 0], "{shown}");
}

#[tokio::test]
async fn w1_to_w4_bodies_that_are_no_json_object() {
    let bed = TestBed::usual().await;
    is_quarantined(&bed, b"", "body_empty").await;
    is_quarantined(&bed, b" \r\n", "body_empty").await;
    for body in ["null", "[]", "\"x\"", "42", "-1", "true"] {
        is_quarantined(&bed, body.as_bytes(), "not_an_object").await;
    }
    is_quarantined(&bed, b"{\"a\":", "not_json").await;
    is_quarantined(
        &bed,
        format!("{} {}", alert(), alert()).as_bytes(),
        "not_json",
    )
    .await;
    is_quarantined(&bed, b"<xml/>", "not_json").await;
    bed.end().await;
}

#[tokio::test]
async fn w3_an_alert_that_is_cut_anywhere_is_never_half_an_alert() {
    let bed = TestBed::usual().await;
    let alert = alert();
    let step = alert.len().div_ceil(300);
    for end in (1..alert.len()).step_by(step) {
        let delivered = bed.deliver_body("contoso", &alert.as_bytes()[..end]).await;
        assert_eq!(
            (delivered.status, delivered.outcome.as_str()),
            (202, "quarantined"),
            "cut at {end}"
        );
    }
    bed.servicenow().created(0);
    assert_eq!(
        bed.quarantined().await,
        (1..alert.len()).step_by(step).count()
    );
    bed.end().await;
}

#[tokio::test]
async fn w5_a_byte_order_mark_is_no_obstacle() {
    let bed = TestBed::usual().await;
    let body = format!("\u{feff}{}", alert());
    assert_eq!(
        bed.deliver_body("contoso", body.as_bytes()).await.outcome,
        "created"
    );
    bed.end().await;
}

#[tokio::test]
async fn w6_w7_texts_in_another_encoding() {
    let bed = TestBed::usual().await;
    let invalid = [alert().as_bytes(), b"\xff"].concat();
    is_quarantined(&bed, &invalid, "not_utf8").await;
    let surrogate = alert().replace("The web servers are too busy.", "\\ud800");
    is_quarantined(&bed, surrogate.as_bytes(), "wrong_type").await;
    let utf16: Vec<u8> = alert().encode_utf16().flat_map(u16::to_le_bytes).collect();
    is_quarantined(&bed, &utf16, "charset").await;
    bed.end().await;
}

#[tokio::test]
async fn w8_a_hundred_thousand_nested_arrays() {
    let bed = TestBed::usual().await;
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let body = alert().replacen(
        "\"alertContext\":",
        &format!("\"alertContext\":{nested},\"x\":"),
        1,
    );
    is_quarantined(&bed, body.as_bytes(), "too_deep").await;
    bed.end().await;
}

#[tokio::test]
async fn w9_a_megabyte_of_tiny_objects_in_a_field_that_nobody_knows() {
    let bed = TestBed::usual().await;
    let tiny = "{\"\":0},".repeat(140_000);
    let body = alert().replacen('{', &format!("{{\"unknown\":[{tiny}0],"), 1);
    assert!(body.len() > 970_000);
    assert_eq!(
        bed.deliver_body("contoso", body.as_bytes()).await.outcome,
        "created"
    );
    bed.end().await;
}
