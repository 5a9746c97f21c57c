//! A sink of a given measure, and what it is sent.

use std::sync::Mutex;

use async_trait::async_trait;
use serde::Serialize;

use super::*;
use crate::domain::batch::BatchCutter;
use crate::domain::table::TableRow;
use crate::domain::timestamp::Timestamp;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct OfText {
    record_key: String,
    description: String,
}

impl TableRow for OfText {
    const TABLE: Table = Table::ServiceDesk;
}

fn batch(texts: &[&str]) -> Batch {
    let mut cutter = BatchCutter::new(Table::ServiceDesk);
    for (n, text) in texts.iter().enumerate() {
        let row = OfText {
            record_key: n.to_string(),
            description: (*text).to_owned(),
        };
        assert_eq!(cutter.push(&row), Ok(None));
    }
    cutter.finish().unwrap()
}

fn failure() -> CallFailure {
    CallFailure::new("a sink", "write", Effect::Refused, Kind::Invalid, "no")
}

/// Refuses what is longer than so many bytes, and fails at one call if told so.
struct Narrow {
    bytes_max: usize,
    at_call: Option<(usize, SinkFailure)>,
    bodies: Mutex<Vec<serde_json::Value>>,
    calls: Mutex<usize>,
}

impl Narrow {
    fn of(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            at_call: None,
            bodies: Mutex::default(),
            calls: Mutex::default(),
        }
    }

    /// The keys of the rows that it has, in the order in which they came.
    fn keys(&self) -> String {
        let bodies = self.bodies.lock().unwrap();
        let rows = bodies.iter().flat_map(|body| body.as_array().unwrap());
        rows.map(|row| row["RecordKey"].as_str().unwrap()).collect()
    }
}

#[async_trait]
impl RowSink for Narrow {
    async fn send(&self, _: Table, batch: &Batch, _: Duration) -> Result<(), SinkFailure> {
        let mut calls = self.calls.lock().unwrap();
        *calls += 1;
        match &self.at_call {
            Some((at, failure)) if at == &*calls => return Err(failure.clone()),
            _ => {}
        }
        if batch.body_bytes() > self.bytes_max {
            return Err(SinkFailure::TooLarge(failure()));
        }
        let body = serde_json::from_slice(&batch.body()).unwrap();
        self.bodies.lock().unwrap().push(body);
        Ok(())
    }
}

/// Every look at it takes so long.
struct Ticking(Mutex<Duration>, Duration);

#[async_trait]
impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn monotonic(&self) -> Duration {
        let mut time = self.0.lock().unwrap();
        *time += self.1;
        *time
    }

    async fn sleep(&self, _: Duration) {}
}

async fn shipped(sink: &Narrow, batch: Batch) -> Result<Shipped, NotShipped> {
    let clock = Ticking(Mutex::default(), Duration::ZERO);
    ship(
        sink,
        &clock,
        Table::ServiceDesk,
        batch,
        Duration::from_secs(60),
    )
    .await
}

#[tokio::test]
async fn what_fits_is_one_call() {
    let sink = Narrow::of(1_000_000);
    let done = shipped(&sink, batch(&["a", "b", "c"])).await.unwrap();
    assert_eq!((done.calls, done.rows, sink.keys().as_str()), (1, 3, "012"));
}

#[tokio::test]
async fn n21_what_is_too_long_is_halved_in_order_down_to_a_row() {
    let sink = Narrow::of(130);
    let text = "x".repeat(50);
    let done = shipped(&sink, batch(&[text.as_str(); 7])).await.unwrap();
    assert_eq!(sink.keys(), "0123456");
    assert_eq!(done.rows, 7);
    // 7 = 3 + 4, 3 = 1 + 2, 2 = 1 + 1, 4 = 2 + 2, 2 = 1 + 1 twice: 13 calls, 7 of them good.
    assert_eq!(done.calls, 13);
    assert!(done.set_aside.is_empty());
}

#[tokio::test]
async fn n21_a_row_that_is_too_long_by_itself_is_shortened_and_its_neighbours_are_left_alone() {
    let sink = Narrow::of(20_000);
    let long = "y".repeat(60_000);
    let done = shipped(&sink, batch(&["a", &long, "c"])).await.unwrap();
    assert_eq!(sink.keys(), "012");
    assert_eq!((done.rows, done.shortened), (3, 1));
    let bodies = sink.bodies.lock().unwrap();
    let rows: Vec<&serde_json::Value> = bodies
        .iter()
        .flat_map(|body| body.as_array().unwrap())
        .collect();
    let text = rows[1]["Description"].as_str().unwrap();
    assert!(
        text.starts_with("yyy") && text.ends_with(" more characters"),
        "{text}"
    );
    assert_eq!(rows[2]["Description"], "c");
}

#[tokio::test]
async fn n21_a_row_that_nothing_helps_is_set_aside_and_the_others_go_on() {
    let sink = Narrow::of(1_000);
    let key = "k".repeat(2_000);
    let mut cutter = BatchCutter::new(Table::ServiceDesk);
    for record_key in ["0", &key, "2"] {
        let row = OfText {
            record_key: record_key.to_owned(),
            description: String::new(),
        };
        cutter.push(&row).unwrap();
    }
    let done = shipped(&sink, cutter.finish().unwrap()).await.unwrap();
    assert_eq!(sink.keys(), "02");
    assert_eq!(done.set_aside.len(), 1);
    let row: serde_json::Value = serde_json::from_slice(&done.set_aside[0].row).unwrap();
    assert_eq!(row["RecordKey"].as_str(), Some(key.as_str()));
}

#[tokio::test]
async fn n23_and_n24_whatever_less_does_not_mend_stops_at_once() {
    for stop in [
        SinkFailure::Wait(failure()),
        SinkFailure::Refused(failure()),
        SinkFailure::Unknown(failure()),
    ] {
        let sink = Narrow {
            at_call: Some((3, stop.clone())),
            ..Narrow::of(100)
        };
        let stopped = shipped(&sink, batch(&["x"; 5])).await.unwrap_err();
        assert_eq!(stopped.failure, stop);
        assert_eq!(stopped.before.calls, 3);
        assert_eq!(stopped.before.rows, sink.keys().len());
        assert_eq!(*sink.calls.lock().unwrap(), 3, "tried again");
    }
}

#[tokio::test]
async fn no_call_begins_when_the_time_is_over() {
    let sink = Narrow::of(100);
    let clock = Ticking(Mutex::default(), Duration::from_secs(25));
    let stopped = ship(
        &sink,
        &clock,
        Table::ServiceDesk,
        batch(&["x"; 5]),
        Duration::from_secs(60),
    );
    let stopped = stopped.await.unwrap_err();
    assert!(matches!(stopped.failure, SinkFailure::Wait(_)));
    assert_eq!(*sink.calls.lock().unwrap(), 2);
}
