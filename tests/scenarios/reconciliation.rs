//! Once a day what was sent is held against the product's own counts: what is missing is sent, what is gone is told, and what
//! only looks like it is neither.

use std::sync::Arc;
use std::time::Duration;

use itsm_connector::domain::sync_window::Rules;
use itsm_connector::flows::sync_records::{self, Sync, Synced};
use itsm_connector::ports::RowSink;
use serde_json::json;
use simulators::fault::{Fault, FaultRule, Forbidden};
use simulators::journal::Kind;
use simulators::servicenow::Config;

use crate::bed::{Rows, TestBed};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

async fn bed(config: Config) -> (TestBed, Arc<Rows>) {
    let bed = TestBed::with_servicenow(config)
        .defined("sync", json!({"days": 3, "record_types": ["incident"]}))
        .start()
        .await;
    (bed, Arc::default())
}

/// A run on the next day.
async fn next_day(bed: &TestBed, sink: &Arc<Rows>) -> Synced {
    bed.pass(DAY);
    let synced = bed.syncs(sink).await;
    assert!(!synced.has_failed && synced.is_backfilled, "{synced:?}");
    synced
}

/// What a quiet day costs: a page of changes, one of deletes, a count.
const CALLS_OF_A_QUIET_DAY: u64 = 3;

#[tokio::test]
async fn a_record_that_was_committed_too_late_for_every_window_is_there_a_day_later() {
    let (bed, sink) = bed(Config::default()).await;
    bed.has_incident("in time", HOUR * 30);
    bed.syncs(&sink).await;
    bed.has_incident("too late", HOUR);
    bed.pass(Duration::from_secs(120));
    bed.syncs(&sink).await;
    assert_eq!(sink.news(), ["in time"]);
    sink.logged("reconciled");
    next_day(&bed, &sink).await;
    assert_eq!(sink.news(), ["too late"]);
    let told = sink.logged("records_were_missing");
    assert_eq!(
        (told.len(), &told[0]["Records"]),
        (1, &json!(1)),
        "{told:?}"
    );
    assert_eq!(told[0]["LogType_s"], "ERROR");
    assert_eq!(told[0]["ServiceDeskWorkItemType_s"], "Incident");
    let quiet = next_day(&bed, &sink).await;
    assert_eq!(
        (sink.news().len(), quiet.product_calls),
        (0, CALLS_OF_A_QUIET_DAY)
    );
    let told = sink.logged("reconciled");
    assert_eq!(
        (told.len(), &told[0]["LogType_s"]),
        (1, &json!("INFO")),
        "{told:?}"
    );
    bed.end().await;
}

#[tokio::test]
async fn what_the_integration_user_may_not_see_is_looked_for_once_and_is_not_missing() {
    let mut config = Config::default();
    config.hidden.insert("incident".into(), "urgency=1".into());
    let (bed, sink) = bed(config).await;
    for n in 0..4 {
        let key = bed.has_incident(&format!("number {n}"), HOUR * 30);
        let at = bed.core().clock.now().minus(HOUR * 29).as_millis();
        if n % 2 == 0 {
            let mut instance = bed.servicenow().inside();
            instance.set_field("incident", &key, "urgency", "1", at);
        }
    }
    let first = bed.syncs(&sink).await;
    assert_eq!(sink.news(), ["number 1", "number 3"]);
    let quiet = next_day(&bed, &sink).await;
    assert!(first.product_calls > quiet.product_calls);
    assert_eq!(
        (sink.news().len(), quiet.product_calls),
        (0, CALLS_OF_A_QUIET_DAY)
    );
    assert!(sink.logged("records_were_missing").is_empty());
    bed.end().await;
}

#[tokio::test]
async fn a_delete_of_which_the_product_keeps_no_trace_is_found_and_hiding_is_no_delete() {
    let (bed, sink) = bed(Config::default()).await;
    let hidden = bed.has_incident("hidden", HOUR * 30);
    let gone = bed.has_incident("gone", HOUR * 30);
    bed.has_incident("stays", HOUR * 30);
    bed.syncs(&sink).await;
    assert_eq!(sink.news().len(), 3);
    // The integration user may not read what the product keeps of deletes.
    let now = bed.core().clock.now().as_millis();
    {
        let mut instance = bed.servicenow().inside();
        instance.delete_by_person("incident", &gone, now);
        instance
            .config_mut()
            .hidden
            .insert("incident".into(), format!("sys_id={hidden}"));
    }
    bed.pass(DAY);
    bed.syncs(&sink).await;
    let rows = std::mem::take(&mut *sink.rows.lock().unwrap());
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0]["RecordKey"], format!("contoso/incident/{gone}"));
    assert_eq!(rows[0]["IsDeleted"], true);
    let quiet = next_day(&bed, &sink).await;
    assert_eq!(
        (sink.news().len(), quiet.product_calls),
        (0, CALLS_OF_A_QUIET_DAY)
    );
    bed.end().await;
}

#[tokio::test]
async fn what_changes_while_it_is_counted_is_no_error_and_is_sent_once() {
    let (bed, sink) = bed(Config::default()).await;
    let key = bed.has_incident("calm", HOUR * 30);
    bed.syncs(&sink).await;
    bed.pass(DAY);
    let now = bed.core().clock.now().as_millis();
    // A second before it is counted: no window holds it yet.
    bed.servicenow().inside().set_field(
        "incident",
        &key,
        "short_description",
        "stirred",
        now - 1000,
    );
    bed.syncs(&sink).await;
    assert_eq!(sink.news(), ["calm"]);
    assert!(sink.logged("records_were_missing").is_empty());
    bed.pass(Duration::from_secs(120));
    bed.syncs(&sink).await;
    assert_eq!(sink.news(), ["stirred"]);
    let quiet = next_day(&bed, &sink).await;
    assert_eq!(
        (sink.news().len(), quiet.product_calls),
        (0, CALLS_OF_A_QUIET_DAY)
    );
    bed.end().await;
}

#[tokio::test]
async fn a_product_that_does_not_count_for_us_is_told_of_once_a_day_and_the_sync_goes_on() {
    let (bed, sink) = bed(Config::default()).await;
    let refused = Fault::Forbidden403(Forbidden::Acl);
    bed.servicenow()
        .fault(FaultRule::always(Kind::Count, refused));
    bed.has_incident("an hour old", HOUR);
    let synced = bed.syncs(&sink).await;
    assert!(synced.is_backfilled && !synced.has_failed, "{synced:?}");
    assert_eq!(sink.logged("no_rights").len(), 1);
    bed.pass(Duration::from_secs(120));
    bed.syncs(&sink).await;
    assert_eq!(sink.logged("no_rights").len(), 0);
    next_day(&bed, &sink).await;
    assert_eq!(sink.logged("no_rights").len(), 1);
    assert_eq!(sink.news(), ["an hour old"]);
    bed.end().await;
}

#[tokio::test]
async fn a_reconciliation_that_has_no_time_goes_on_with_the_next_run() {
    let (bed, sink) = bed(Config::default()).await;
    for n in 0..6 {
        bed.has_incident(&format!("number {n}"), HOUR * 30 + Duration::from_secs(n));
    }
    bed.syncs(&sink).await;
    for n in 6..12 {
        bed.has_incident(&format!("number {n}"), HOUR * (20 + n));
    }
    bed.pass(DAY);
    sink.news();
    let shared: Arc<dyn RowSink> = Arc::<Rows>::clone(&sink);
    let sync = Sync {
        rules: Rules {
            page: 2,
            ..Rules::default()
        },
        ..Sync::into(shared)
    };
    bed.takes("/api/now/", Duration::from_secs(5));
    let mut runs = 0;
    while sink.logged("records_were_missing").is_empty() {
        let run = sync_records::run(bed.core(), &sync, Duration::from_secs(60));
        let synced = Box::pin(run).await.remove(0).1;
        assert!(!synced.has_failed, "{synced:?}");
        runs += 1;
        assert!(runs < 30, "it does not come to its end");
    }
    assert!(runs > 1, "{runs}");
    let mut news = sink.news();
    news.dedup();
    assert_eq!(news.len(), 6, "{news:?}");
    bed.end().await;
}
