//! An object of our own state cannot be read: it is told of, nothing is made twice because of it, and everything else goes
//! on.

use itsm_connector::domain::name::ConnectionName;
use itsm_connector::flows::backlog;
use simulators::servicenow::Config;

use crate::bed::{Alert, CONNECTION, Fate, Service, TestBed};

const NONSENSE: &[&[u8]] = &[b"", b"{\"writer\":", b"<html>", b"{\"version\":9}"];

fn alert(n: u32) -> Alert {
    Alert::captured("metric_fired").number(n)
}

/// An instance that would make a second incident without a word.
async fn bed() -> TestBed {
    let config = Config {
        accepts_chosen_sys_id: false,
        ..Config::default()
    };
    TestBed::with_servicenow(config).start().await
}

async fn unreadable(bed: &TestBed) -> Vec<String> {
    let name = ConnectionName::parse(CONNECTION).unwrap();
    let backlog = backlog::look(bed.core(), &name).await.unwrap();
    (backlog.unreadable.into_iter())
        .map(|failure| failure.path)
        .collect()
}

#[tokio::test]
async fn a_slot_whose_newest_snapshot_is_damaged_never_leads_to_a_second_incident() {
    for nonsense in NONSENSE {
        let bed = bed().await;
        assert_eq!(bed.deliver(alert(1)).await.outcome, "created");
        let head = bed.objects("slots").await.into_iter().min().unwrap();
        let good = bed.object(&head).await;
        bed.spoil(&head, nonsense.to_vec()).await;
        for _ in 0..3 {
            assert_eq!(bed.deliver(alert(1)).await.outcome, "pending");
            bed.drain().await;
            bed.pass(std::time::Duration::from_secs(3600));
        }
        bed.servicenow().created(1);
        assert_eq!(unreadable(&bed).await, [head.as_str()]);
        assert_eq!(
            bed.deliver(alert(2)).await.outcome,
            "created",
            "others go on"
        );
        bed.spoil(&head, good.into_bytes()).await;
        bed.settle().await;
        bed.servicenow().created(2);
        bed.end().await;
    }
}

#[tokio::test]
async fn a_slot_whose_damaged_snapshot_is_moved_aside_finds_its_incident_again() {
    let bed = bed().await;
    assert_eq!(bed.deliver(alert(1)).await.outcome, "created");
    let head = bed.objects("slots").await.into_iter().min().unwrap();
    bed.spoil(&head, b"<html>".to_vec()).await;
    bed.drain().await;
    bed.moves_aside(&head).await;
    bed.settle().await;
    bed.servicenow().created(1);
    bed.end().await;
}

#[tokio::test]
async fn a_damaged_marker_or_alert_stops_no_other_and_is_told_of() {
    for folder in ["pending", "journal"] {
        for nonsense in NONSENSE {
            let bed = bed().await;
            bed.fates().decide(|step| match step.service {
                Service::Product => Fate::FailsBefore,
                _ => Fate::Works,
            });
            for n in 0..3 {
                assert_eq!(bed.deliver(alert(n)).await.outcome, "pending");
            }
            bed.fates().all_well();
            let damaged = bed.objects(folder).await.into_iter().min().unwrap();
            let good = bed.object(&damaged).await;
            bed.spoil(&damaged, nonsense.to_vec()).await;
            for _ in 0..4 {
                bed.pass(std::time::Duration::from_secs(20 * 60));
                bed.drain().await;
            }
            bed.servicenow().created(2);
            assert_eq!(unreadable(&bed).await, [damaged.as_str()], "{folder}");
            bed.spoil(&damaged, good.into_bytes()).await;
            bed.settle().await;
            bed.servicenow().created(3);
            bed.end().await;
        }
    }
}
