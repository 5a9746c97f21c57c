//! Senders that keep connections and say nothing, or say it very slowly: they cost others nothing (rows W13 and W37).

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::bed::{Alert, TestBed, request};

/// More than there are seats: the first of them are given to those that come later.
const IDLE: usize = 1_000;

#[tokio::test]
async fn w37_a_thousand_idle_connections_keep_no_alert_out() {
    let bed = TestBed::usual().await;
    let mut idle = Vec::new();
    for n in 0..IDLE {
        let mut stream = TcpStream::connect(bed.address()).await.unwrap();
        if n % 2 == 0 {
            // Half of a head, and never the rest.
            let _ = stream
                .write_all(b"POST /api/create-work-item/contoso HTTP/1.1\r\nHost:")
                .await;
        }
        idle.push(stream);
    }
    let delivered = bed.deliver(Alert::captured("metric_fired"));
    let good = tokio::time::timeout(Duration::from_secs(5), delivered).await;
    assert_eq!(good.expect("it need not wait for them").outcome, "created");
    drop(idle);
    bed.end().await;
}

#[tokio::test]
async fn long_bodies_that_never_end_keep_no_usual_alert_out_and_further_ones_come_again() {
    let bed = TestBed::usual().await;
    let length = 900 * 1024;
    let head = request(
        "POST",
        "/api/create-work-item/contoso",
        &["Content-Type: application/json"],
        b"",
    );
    let head = String::from_utf8(head)
        .unwrap()
        .replace("Content-Length: 0", &format!("Content-Length: {length}"));
    let mut begun = Vec::new();
    let mut turned_away = 0;
    for _ in 0..24 {
        let mut stream = TcpStream::connect(bed.address()).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let _ = stream.write_all(&vec![b' '; 100 * 1024]).await;
        begun.push(stream);
    }
    for stream in &mut begun {
        let mut first = [0; 12];
        let heard = tokio::io::AsyncReadExt::read(stream, &mut first);
        if let Ok(Ok(12)) = tokio::time::timeout(Duration::from_millis(200), heard).await {
            assert_eq!(&first, b"HTTP/1.1 503", "it is worth another try");
            turned_away += 1;
        }
    }
    assert!(turned_away >= 8, "{turned_away} were turned away");
    let good = bed.deliver(Alert::captured("metric_fired")).await;
    assert_eq!(good.outcome, "created");
    drop(begun);
    bed.end().await;
}
