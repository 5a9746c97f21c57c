//! Requests that no alert should look like: what no retry can mend is refused and leaves nothing behind. The numbers are
//! rows of the design's corpus of bad input.

use std::time::Duration;

use futures_util::future::{join, join3};

use crate::bed::{Alert, Answer, TestBed, request};

const PLACE: &str = "/api/create-work-item/contoso";
const JSON: &str = "Content-Type: application/json";
const CLOSE: &str = "Connection: close";

/// A whole alert, as text.
fn alert() -> String {
    Alert::captured("metric_fired").text()
}

/// The request is refused with this status, and nothing of it is kept.
async fn is_refused(bed: &TestBed, bytes: &[u8], status: u16) -> Answer {
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned();
    let answer = bed
        .send(bytes)
        .await
        .unwrap_or_else(|| panic!("{shown}: no answer"));
    assert_eq!(answer.status, status, "{shown}: {answer:?}");
    assert_eq!(bed.objects("").await, [""; 0], "{shown}");
    answer
}

#[tokio::test]
async fn w10_a_body_of_a_megabyte_and_one_byte() {
    let bed = TestBed::usual().await;
    let largest = format!("{}{}", alert(), " ".repeat(1024 * 1024 - alert().len()));
    let too_large = format!("{largest} ");
    is_refused(
        &bed,
        &request("POST", PLACE, &[JSON], too_large.as_bytes()),
        413,
    )
    .await;
    is_refused(&bed, &chunked(&[], too_large.as_bytes()), 413).await;
    assert_eq!(
        bed.deliver_body("contoso", largest.as_bytes())
            .await
            .outcome,
        "created"
    );
    bed.end().await;
}

/// A request whose body comes in chunks, without a length.
fn chunked(headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut text =
        format!("POST {PLACE} HTTP/1.1\r\nHost: x\r\n{JSON}\r\nTransfer-Encoding: chunked\r\n");
    for header in headers {
        text.push_str(&format!("{header}\r\n"));
    }
    let mut bytes = format!("{text}\r\n").into_bytes();
    for chunk in body.chunks(60_000) {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

#[tokio::test]
async fn w11_a_body_that_is_not_as_long_as_it_says() {
    let bed = TestBed::usual().await;
    let endless = vec![b' '; 3 * 1024 * 1024];
    is_refused(&bed, &chunked(&["Content-Length: 10"], &endless), 413).await;
    is_refused(
        &bed,
        format!("POST {PLACE} HTTP/1.1\r\nHost: x\r\n{JSON}\r\nContent-Length: ten\r\n\r\n")
            .as_bytes(),
        400,
    )
    .await;
    is_refused(&bed, format!("POST {PLACE} HTTP/1.1\r\nHost: x\r\n{JSON}\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{{}}").as_bytes(), 400).await;
    is_refused(&bed, format!("POST {PLACE} HTTP/1.1\r\nHost: x\r\n{JSON}\r\nTransfer-Encoding: chunked\r\n\r\nnot a length\r\n").as_bytes(), 400).await;

    // What stands beyond the length is no part of the alert: its sender is told so, and hears 400 for the rest.
    let text = alert();
    let longer =
        format!("POST {PLACE} HTTP/1.1\r\nHost: x\r\n{JSON}\r\nContent-Length: 10\r\n\r\n{text}");
    let answer = bed.send(longer.as_bytes()).await.unwrap();
    assert_eq!(answer.status, 202);
    assert_eq!(
        (bed.quarantined().await, bed.objects("journal").await.len()),
        (1, 0)
    );
    bed.end().await;
}

#[tokio::test]
async fn w11_a_body_that_ends_too_early_is_not_kept() {
    let bed = TestBed::usual().await;
    let text = alert();
    let head = format!(
        "POST {PLACE} HTTP/1.1\r\nHost: x\r\n{JSON}\r\nContent-Length: {}\r\n\r\n{text}",
        text.len() + 1
    );
    bed.send_and_hang_up(head.as_bytes()).await;
    assert_eq!(bed.objects("").await, [""; 0]);
    bed.end().await;
}

#[tokio::test]
async fn w12_compressed_bodies() {
    let bed = TestBed::usual().await;
    for coding in ["gzip", "br", "deflate", "identity, gzip"] {
        let coding = format!("Content-Encoding: {coding}");
        is_refused(
            &bed,
            &request("POST", PLACE, &[JSON, &coding], b"\x1f\x8b\x08\0"),
            415,
        )
        .await;
    }
    bed.end().await;
}

#[tokio::test]
async fn w13_a_sender_that_takes_for_ever_is_sent_away_and_holds_nobody_up() {
    let bed = TestBed::usual().await;
    let head = format!("POST {PLACE} HTTP/1.1\r\nHost: x\r\n{JSON}\r\nContent-Length: 100\r\n\r\n");
    let second = Duration::from_secs(1);
    let slow_body = bed.send_slowly(head.as_bytes(), &[b'{'; 15], second);
    let slow_head = bed.send_slowly(b"POST /api/create", &[b'x'; 15], second);
    let other = async {
        assert_eq!(bed.deliver("metric_fired").await.outcome, "created");
        bed.settle().await;
        bed.objects("quarantine").await
    };
    let (body, head, quarantined) = join3(slow_body, slow_head, other).await;
    assert_eq!(body.map(|answer| answer.status), Some(408));
    assert!(head.is_none_or(|answer| answer.status == 408));
    assert_eq!(quarantined, [""; 0]);
    bed.end().await;
}

#[tokio::test]
async fn w14_bodies_that_are_labelled_as_something_else() {
    let bed = TestBed::usual().await;
    let form = b"payload=%7B%7D";
    for label in [
        "Content-Type: application/x-www-form-urlencoded",
        "Content-Type: text/plain",
        "Accept: */*",
    ] {
        is_refused(&bed, &request("POST", PLACE, &[label], form), 415).await;
    }
    for (n, label) in (1..).zip([
        "Content-Type: text/plain",
        "Accept: */*",
        "Content-Type: \u{fc}",
    ]) {
        let alert = Alert::captured("metric_fired").number(n).text();
        let answer = bed
            .send(&request("POST", PLACE, &[label, CLOSE], alert.as_bytes()))
            .await;
        assert_eq!(
            answer.unwrap().status,
            200,
            "{label}: an alert all the same"
        );
    }
    bed.end().await;
}

#[tokio::test]
async fn w15_other_methods() {
    let bed = TestBed::usual().await;
    for method in [
        "GET", "PUT", "TRACE", "DELETE", "HEAD", "OPTIONS", "PATCH", "BREW",
    ] {
        let answer = is_refused(&bed, &request(method, PLACE, &[JSON, CLOSE], b""), 405).await;
        assert_eq!(answer.header("allow"), Some("POST"), "{method}");
    }
    bed.end().await;
}

#[tokio::test]
async fn w16_other_paths() {
    let bed = TestBed::usual().await;
    let paths = [
        "/",
        "//",
        "/admin",
        "/../admin",
        "/api",
        "/api/",
        "/api/create-work-item",
        "/api/create-work-item/",
        "//api/create-work-item/contoso",
        "/api//create-work-item/contoso",
        "/api/create-work-item/contoso/",
        "/api/create-work-item/contoso/a/b",
        "/api/create-work-item/CONTOSO",
        "/api/create-work-item/%63ontoso",
        "/api/create-work-item/contoso%2Fdefault",
        "/api/create-work-item/..%2fcontoso",
        "/api/create-work-item/contoso%00",
        "/api/create-work-item/../create-work-item/contoso",
        "/API/create-work-item/contoso",
    ];
    for path in paths {
        let alert = alert();
        is_refused(
            &bed,
            &request("POST", path, &[JSON, CLOSE], alert.as_bytes()),
            404,
        )
        .await;
    }
    bed.end().await;
}

#[tokio::test]
async fn w35_heads_that_are_too_large() {
    let bed = TestBed::usual().await;
    let long = format!("X-Long: {}", "x".repeat(16 * 1024));
    is_refused(&bed, &request("POST", PLACE, &[JSON, &long], b"{}"), 431).await;
    let many = vec!["X-Many: x"; 200];
    is_refused(&bed, &request("POST", PLACE, &many, b"{}"), 431).await;
    for broken in [
        "POST",
        "POST /api HTTP/1.1\r\nno colon\r\n\r\n",
        "\0\0\0\0\r\n\r\n",
        "POST /api HTTP/9.9\r\n\r\n",
    ] {
        if let Some(answer) = bed.send(format!("{broken}\r\n\r\n").as_bytes()).await {
            assert_eq!(answer.status, 400, "{broken:?}");
        }
    }
    assert_eq!(bed.objects("").await, [""; 0]);
    bed.end().await;
}

/// hyper goes by the chunks (RFC 9112 §6.3) and reads nothing after them, so that what is smuggled is never a request.
#[tokio::test]
async fn w36_a_length_and_chunks_at_once() {
    let bed = TestBed::usual().await;
    let smuggled = request("POST", PLACE, &[JSON], alert().as_bytes());
    let length = format!("Content-Length: {}", smuggled.len() + 5);
    let chunks = "Transfer-Encoding: chunked";
    for [first, second] in [[length.as_str(), chunks], [chunks, length.as_str()]] {
        let head = format!(
            "POST {PLACE} HTTP/1.1\r\nHost: x\r\n{JSON}\r\n{first}\r\n{second}\r\n\r\n0\r\n\r\n"
        );
        let bytes = [head.as_bytes(), &smuggled].concat();
        let answer = bed.send(&bytes).await.unwrap();
        assert_eq!(answer.header("connection"), Some("close"), "{answer:?}");
        assert!(!answer.body.contains("created"), "{answer:?}");
    }
    let twice = format!(
        "POST {PLACE} HTTP/1.1\r\nHost: x\r\n{JSON}\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{{}}    "
    );
    assert_eq!(bed.send(twice.as_bytes()).await.unwrap().status, 400);
    assert!(bed.servicenow().incidents().is_empty());
    assert_eq!(bed.objects("journal").await, [""; 0]);
    bed.end().await;
}

#[tokio::test]
async fn w38_only_the_whole_key_opens() {
    let bed = TestBed::with_servicenow(Default::default())
        .key("the key of the webhook")
        .start()
        .await;
    let body = alert();
    for key in [
        "",
        "the key of the webhoo",
        "the key of the webhook ",
        "the key of the webhook2",
        "The key of the webhook",
    ] {
        let query = format!("{PLACE}?key={}", key.replace(' ', "%20"));
        let refused = is_refused(
            &bed,
            &request("POST", &query, &[JSON, CLOSE], body.as_bytes()),
            401,
        )
        .await;
        assert!(refused.header("www-authenticate").is_some());
    }
    is_refused(
        &bed,
        &request("POST", PLACE, &[JSON, CLOSE], body.as_bytes()),
        401,
    )
    .await;
    let wrong_header = ["X-Itsmc-Key: wrong", JSON, CLOSE];
    is_refused(
        &bed,
        &request(
            "POST",
            &format!("{PLACE}?key=the%20key%20of%20the%20webhook"),
            &wrong_header,
            b"{}",
        ),
        401,
    )
    .await;

    let by_header = request(
        "POST",
        PLACE,
        &["X-Itsmc-Key: the key of the webhook", JSON, CLOSE],
        body.as_bytes(),
    );
    let by_query = request(
        "POST",
        &format!("{PLACE}?key=the+key+of+the+webhook"),
        &[JSON, CLOSE],
        body.as_bytes(),
    );
    let (first, second) = join(bed.send(&by_header), bed.send(&by_query)).await;
    assert!(
        [first, second]
            .into_iter()
            .flatten()
            .all(|answer| answer.status < 300)
    );
    bed.servicenow().created(1);
    bed.end().await;
}

/// The routes of `src/hosts/route.rs`, by the listener of the desk.
#[tokio::test]
async fn s1_every_route_but_live_asks_for_a_key() {
    let bed = TestBed::with_servicenow(Default::default())
        .key("the key of the webhook")
        .start()
        .await;
    let body = alert();
    for (method, path, status) in [
        ("GET", "/api/live", 200),
        ("GET", "/api/health", 401),
        ("POST", "/api/create-work-item/contoso", 401),
        ("POST", "/api/create-work-item/contoso/default", 401),
        ("POST", "/api/create-work-item/nobody/nothing", 401),
    ] {
        let bytes = request(method, path, &[JSON, CLOSE], body.as_bytes());
        is_refused(&bed, &bytes, status).await;
    }
    bed.end().await;
}
