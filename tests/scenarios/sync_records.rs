//! Records of the product go where rows go: every final state, once on a good day, and nothing stops the others.

use std::sync::Arc;
use std::time::Duration;

use itsm_connector::domain::name::ConnectionName;
use itsm_connector::domain::sync_window::Rules;
use itsm_connector::flows::sync_records::{self, Sync};
use itsm_connector::ports::RowSink;
use itsm_connector::stores::set_aside::SetAsides;
use serde_json::{Value, json};

use crate::bed::{Rows, TestBed};

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn the_past_days_come_first_and_then_what_changes_each_once() {
    let bed = TestBed::with_servicenow(Default::default())
        .defined("sync", json!({"days": 3}))
        .start()
        .await;
    let sink = Arc::new(Rows::default());
    bed.has_incident("too old", HOUR * 24 * 4);
    bed.has_incident("two days old", HOUR * 48);
    let changed = bed.has_incident("an hour old", HOUR);
    bed.has_incident("not settled yet", Duration::from_secs(10));
    let synced = bed.syncs(&sink).await;
    assert!(synced.is_backfilled && !synced.has_failed, "{synced:?}");
    assert_eq!(sink.news(), ["an hour old", "two days old"]);

    bed.pass(MINUTE * 2);
    let now = bed.core().clock.now().minus(MINUTE).as_millis() - 1000;
    bed.servicenow()
        .inside()
        .set_field("incident", &changed, "short_description", "changed", now);
    bed.syncs(&sink).await;
    assert_eq!(sink.news(), ["changed", "not settled yet"]);
    bed.pass(MINUTE);
    let quiet = bed.syncs(&sink).await;
    assert_eq!((sink.news().len(), quiet.rows_total()), (0, 0));
    bed.end().await;
}

#[tokio::test]
async fn where_records_are_long_pages_are_shorter_and_none_is_missed() {
    let bed = TestBed::usual().await;
    let sink = Arc::new(Rows::default());
    let now = bed.core().clock.now().minus(HOUR).as_millis();
    // Stored and shown, 700 of them are five megabytes: more than is read of any answer.
    let description = "all there is to say ".repeat(190);
    for n in 0..700 {
        let fields = [
            ("short_description", format!("{n:03}")),
            ("description", description.clone()),
        ];
        let fields: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let mut instance = bed.servicenow().inside();
        instance.insert_record("incident", &fields, now + n * 1000);
    }
    let synced = bed.syncs(&sink).await;
    assert!(!synced.has_failed && synced.is_backfilled, "{synced:?}");
    let all: Vec<String> = (0..700).map(|n| format!("{n:03}")).collect();
    assert_eq!(sink.news(), all);
    bed.end().await;
}

#[tokio::test]
async fn a_sink_that_is_down_costs_no_row() {
    let bed = TestBed::usual().await;
    let sink = Arc::new(Rows::default());
    bed.has_incident("an hour old", HOUR);
    *sink.is_down.lock().unwrap() = true;
    let synced = bed.syncs(&sink).await;
    assert!(synced.has_failed && synced.rows_total() == 0, "{synced:?}");
    *sink.is_down.lock().unwrap() = false;
    bed.syncs(&sink).await;
    assert_eq!(sink.news(), ["an hour old"]);
    bed.end().await;
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_set_aside_and_the_others_go_on() {
    let bed = TestBed::usual().await;
    let sink = Arc::new(Rows::default());
    bed.has_incident("well", HOUR);
    let now = bed.core().clock.now().minus(HOUR).as_millis();
    let fields = [("short_description", "spoilt"), ("number", "")];
    let key = bed
        .servicenow()
        .inside()
        .insert_record("incident", &fields, now);
    let synced = bed.syncs(&sink).await;
    assert_eq!((synced.set_aside, synced.has_failed), (1, false));
    assert_eq!(sink.news(), ["well"]);
    let core = bed.core();
    let name = ConnectionName::parse("contoso").unwrap();
    let aside = SetAsides::new(core.objects.clone())
        .list(&name)
        .await
        .unwrap();
    assert_eq!(aside.len(), 1);
    assert_eq!(aside[0].id.as_deref(), Some(key.as_str()));
    assert!(aside[0].path.ends_with(".number"), "{}", aside[0].path);
    bed.end().await;
}

#[tokio::test]
async fn a_connection_that_fails_stops_no_other_and_four_go_at_once() {
    let mut bed = TestBed::usual().await;
    let gone = bed.another_instance().await;
    let names: Vec<String> = (0..5).map(|n| format!("beside-{n}")).collect();
    for name in &names {
        bed.defines_another(name, bed.servicenow()).await;
    }
    // By name it comes before all others.
    bed.defines_another("absent", &gone).await;
    gone.stop().await;
    let sink = Arc::new(Rows {
        takes: Duration::from_millis(300),
        ..Rows::default()
    });
    bed.has_incident("an hour old", HOUR);
    let shared: Arc<dyn RowSink> = Arc::<Rows>::clone(&sink);
    let sync = Sync::into(shared);
    let reports = Box::pin(sync_records::run(bed.core(), &sync, MINUTE)).await;
    let failed: Vec<&str> = reports
        .iter()
        .filter(|(_, synced)| synced.has_failed)
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!((reports.len(), failed), (7, vec!["absent"]));
    assert_eq!(sink.news(), ["an hour old"; 6]);
    assert_eq!(sink.at_once.lock().unwrap().1, 4);
    bed.end().await;
}

#[tokio::test]
async fn a_timer_of_its_own_reads_its_connections_only() {
    let bed = TestBed::usual().await;
    bed.defines_another("large", bed.servicenow()).await;
    bed.has_incident("an hour old", HOUR);
    let sink = Arc::new(Rows::default());
    let shared: Arc<dyn RowSink> = Arc::<Rows>::clone(&sink);
    let sync = Sync {
        only: Some(vec![ConnectionName::parse("large").unwrap()]),
        ..Sync::into(shared)
    };
    let reports = Box::pin(sync_records::run(bed.core(), &sync, MINUTE)).await;
    assert_eq!(reports.len(), 1);
    let rows = std::mem::take(&mut *sink.rows.lock().unwrap());
    let of: Vec<&Value> = rows
        .iter()
        .map(|row| &row["ServiceDeskConnectionName_s"])
        .collect();
    assert_eq!(of, ["large"]);
    bed.end().await;
}

#[tokio::test]
async fn a_run_stops_when_its_time_is_up_and_the_next_goes_on_from_there() {
    let bed = TestBed::with_servicenow(Default::default())
        .defined("sync", json!({"days": 1}))
        .start()
        .await;
    let titles: Vec<String> = (10..22).map(|n| format!("number {n}")).collect();
    for (n, title) in (0..).zip(&titles) {
        bed.has_incident(title, HOUR + MINUTE * n);
    }
    let sink = Arc::new(Rows::default());
    let shared: Arc<dyn RowSink> = Arc::<Rows>::clone(&sink);
    let sync = Sync {
        rules: Rules {
            page: 2,
            ..Rules::default()
        },
        ..Sync::into(shared)
    };
    bed.takes("incident", Duration::from_secs(15));
    let mut runs = 0;
    loop {
        let mut reports = Box::pin(sync_records::run(bed.core(), &sync, MINUTE)).await;
        let synced = reports.remove(0).1;
        runs += 1;
        assert!(!synced.has_failed, "{synced:?}");
        if synced.is_backfilled {
            break;
        }
        assert_eq!(synced.stopped_because.as_deref(), Some("the time was up"));
        assert!(synced.rows_total() <= 8, "{synced:?}");
        assert!(runs < 20, "it does not come to its end");
    }
    assert!(runs > 2, "{runs}");
    assert_eq!(sink.news(), titles, "each once");
    bed.end().await;
}
