//! Records read back: what the sync counts on, whatever product is behind the port.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use itsm_connector::adapters::clock::SystemClock;
use itsm_connector::adapters::file_vault::FileVault;
use itsm_connector::adapters::http::HttpTransport;
use itsm_connector::adapters::itsm::ItsmProducts;
use itsm_connector::domain::connection::RecordType;
use itsm_connector::domain::definition;
use itsm_connector::domain::failure::{CallFailure, Kind};
use itsm_connector::domain::network::AllowedHosts;
use itsm_connector::domain::record::{Details, Record};
use itsm_connector::domain::sync_window::{Ask, Rules, Stream, Unreadable, Window};
use itsm_connector::domain::timestamp::Timestamp;
use itsm_connector::ports::{Products as _, RecordSource};
use serde_json::{Value, json};
use simulators::fault::{Fault, FaultRule};
use simulators::journal;
use simulators::server::Server;
use simulators::servicenow::{Config, ServiceNow};

const WITHIN: Duration = Duration::from_secs(5);

/// 2026-03-01 10:00:00 UTC.
const NOON: i64 = 1_772_359_200_000;

fn window() -> Window {
    Window {
        from: Timestamp::from_millis(NOON),
        until: Timestamp::from_millis(NOON + 3_600_000),
    }
}

fn rules(page: u32) -> Rules {
    Rules {
        page,
        ..Rules::default()
    }
}

/// An instance, and what reads its records.
struct Bed {
    server: Server<ServiceNow>,
    source: Arc<dyn RecordSource>,
}

/// What a walk has seen.
#[derive(Default)]
struct Walked {
    records: Vec<Record>,
    unreadable: Vec<Unreadable>,
    calls: usize,
}

impl Walked {
    fn numbers(&self) -> Vec<&str> {
        self.records
            .iter()
            .map(|record| record.number.as_str())
            .collect()
    }
}

impl Bed {
    async fn start(config: Config, sync: Value) -> Self {
        let loopback = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let server = Server::start(ServiceNow::new(config), loopback, None)
            .await
            .unwrap();
        let allowed = AllowedHosts::default().with(&server.address().to_string());
        let client = &Config::default().clients[0];
        let definition = json!({
            "name": "contoso", "partner_type": "servicenow", "server_url": server.url(),
            "client_id": client.client_id, "client_secret": client.client_secret, "sync": sync,
        });
        let connection = definition::parse(definition.to_string().as_bytes(), &allowed).unwrap();
        let products = ItsmProducts::new(
            Arc::new(HttpTransport::new(allowed)),
            // Client credentials need no stored tokens: nothing is ever asked of this vault.
            Arc::new(FileVault::new("no-such-folder".into())),
            Arc::new(SystemClock::default()),
        );
        let source = products.records(&Arc::new(connection)).await.unwrap();
        Self { server, source }
    }

    async fn new() -> Self {
        Self::start(Config::default(), json!({})).await
    }

    /// Where records that a person hides from the integration user are those of urgency 1.
    async fn with_hidden_records() -> Self {
        let mut config = Config::default();
        config.hidden.insert("incident".into(), "urgency=1".into());
        Self::start(config, json!({})).await
    }

    fn inside(&self) -> MutexGuard<'_, ServiceNow> {
        self.server.lock()
    }

    /// `n` incidents in one second, `hidden` of them, from the `first` on, not to be seen.
    fn incidents(&self, n: usize, first: usize, hidden: usize) {
        let mut inside = self.inside();
        for i in 0..n {
            let urgency = if (first..first + hidden).contains(&i) {
                "1"
            } else {
                "3"
            };
            // Keys in the order of their making: the walk goes by them.
            let key = format!("{:032x}", i + 1);
            inside.insert_record("incident", &[("urgency", urgency), ("sys_id", &key)], NOON);
        }
    }

    async fn walk_with(
        &self,
        stream: Stream,
        rules: Rules,
        mut between: impl FnMut(&mut ServiceNow, usize),
    ) -> Result<Walked, CallFailure> {
        let (mut walked, mut next) = (Walked::default(), Some(rules.first(window(), None)));
        while let Some(asked) = next {
            let page = self.source.page(stream, &asked, WITHIN).await?;
            walked.calls += 1;
            between(&mut self.inside(), walked.calls);
            next = rules.onward(&asked, page.found());
            walked
                .records
                .extend(page.records.into_iter().map(|read| read.record));
            walked.unreadable.extend(page.unreadable);
            assert!(walked.calls < 1000, "it does not end");
        }
        Ok(walked)
    }

    async fn walk(&self, stream: Stream, page: u32) -> Walked {
        self.walk_with(stream, rules(page), |_, _| {})
            .await
            .unwrap()
    }
}

fn distinct(numbers: &[&str]) -> usize {
    let distinct: std::collections::BTreeSet<_> = numbers.iter().collect();
    distinct.len()
}

#[tokio::test]
async fn records_of_one_second_come_each_once() {
    let bed = Bed::new().await;
    bed.incidents(57, 0, 0);
    let walked = bed.walk(Stream::Incident, 10).await;
    assert_eq!(
        (walked.records.len(), distinct(&walked.numbers())),
        (57, 57)
    );
    assert_eq!(walked.calls, 6, "the count tells the end: no page is empty");
}

#[tokio::test]
async fn a_page_that_holds_all_is_the_only_call() {
    let bed = Bed::new().await;
    bed.incidents(10, 0, 0);
    assert_eq!(bed.walk(Stream::Incident, 10).await.calls, 1);
    bed.inside().journal_mut().clear();
    let empty = bed.walk(Stream::ChangeRequest, 10).await;
    assert_eq!((empty.records.len(), empty.calls), (0, 1));
}

#[tokio::test]
async fn pages_that_access_controls_made_short_or_empty_end_nothing() {
    // (records, the first hidden one, how many are hidden, calls)
    let cases = [
        ("a short page", 40, 3, 4, 5),
        ("an empty page in between", 40, 10, 10, 7),
        ("an empty page at first", 40, 0, 20, 5),
        ("more than a wide page has room for", 140, 10, 120, 8),
        ("the end is hidden", 40, 30, 10, 5),
        ("all is hidden", 40, 0, 40, 2),
        ("all of a lot is hidden", 100, 0, 100, 4),
    ];
    for (what, n, first, hidden, calls) in cases {
        let bed = Bed::with_hidden_records().await;
        bed.incidents(n, first, hidden);
        let walked = bed.walk(Stream::Incident, 10).await;
        assert_eq!(walked.records.len(), n - hidden, "{what}");
        assert_eq!(distinct(&walked.numbers()), n - hidden, "{what}");
        assert!(walked.calls <= calls, "{what}: {} calls", walked.calls);
    }
}

#[tokio::test]
async fn what_is_hidden_and_changed_meanwhile_hides_nothing_else() {
    let bed = Bed::with_hidden_records().await;
    bed.incidents(140, 0, 130);
    // Five hidden records leave the window after each page; those behind them move forward.
    let walked = bed
        .walk_with(Stream::Incident, rules(10), |inside, call| {
            for i in 0..5 {
                let key = format!("{:032x}", (call - 1) * 5 + i + 1);
                let later = NOON + 7_200_000;
                assert!(inside.set_field("incident", &key, "description", "again", later));
            }
        })
        .await
        .unwrap();
    assert_eq!(distinct(&walked.numbers()), 10);
}

#[tokio::test]
async fn records_that_change_while_they_are_read_are_of_the_next_window() {
    let bed = Bed::new().await;
    bed.incidents(30, 0, 0);
    let walked = bed
        .walk_with(Stream::Incident, rules(10), |inside, call| {
            let key = format!("{:032x}", 5 + call * 10);
            inside.set_field("incident", &key, "description", "again", NOON + 7_200_000);
        })
        .await
        .unwrap();
    assert_eq!(
        walked.records.len(),
        28,
        "two had left before their page came"
    );
    assert_eq!(distinct(&walked.numbers()), 28);
}

#[tokio::test]
async fn fields_are_as_people_see_them_and_times_are_utc() {
    let mut config = Config::default();
    for user in &mut config.users {
        user.utc_offset_minutes = 330;
    }
    let bed = Bed::start(config, json!({"work_notes": true})).await;
    let (group, person) = {
        let inside = bed.inside();
        (
            inside.key_of("sys_user_group", "Network"),
            inside.key_of("sys_user", "abel.tuter").unwrap(),
        )
    };
    assert!(group.is_some());
    let key = bed.inside().insert_record(
        "incident",
        &[
            ("short_description", "Disk \"full\"\n\u{1f600}"),
            ("urgency", "1"),
            ("impact", "2"),
            ("escalation", "2"),
            ("contact_type", "event"),
            ("assigned_to", &person),
            ("correlation_id", "azm-1"),
            ("state", "6"),
            ("resolved_at", "2026-03-01 09:59:00"),
            ("sys_mod_count", "1234"),
        ],
        NOON,
    );
    let mut walked = bed.walk(Stream::Incident, 10).await;
    let record = walked.records.remove(0);
    assert_eq!(record.id, key);
    assert_eq!(
        (record.changed_at.as_millis(), record.revision),
        (NOON, 1234)
    );
    let fields = &record.fields;
    let told = [
        ("state", &fields.state, "Resolved"),
        ("urgency", &fields.urgency, "1 - High"),
        ("impact", &fields.impact, "2 - Medium"),
        ("priority", &fields.priority, "2 - High"),
        ("escalation", &fields.escalation, "High"),
        ("source", &fields.source, "Event"),
        ("assigned to", &fields.assigned_to, "Abel Tuter"),
        ("title", &fields.title, "Disk \"full\"\n\u{1f600}"),
        ("correlation", &record.correlation_id, "azm-1"),
    ];
    for (what, found, expected) in told {
        assert_eq!(found.as_deref(), Some(expected), "{what}");
    }
    assert_eq!(fields.computer, None);
    assert_eq!(fields.created_at.map(Timestamp::as_millis), Some(NOON));
    let Details::Incident(details) = &record.details else {
        panic!("{record:?}");
    };
    assert_eq!(
        details.resolved_at.map(Timestamp::as_millis),
        Some(NOON - 60_000)
    );
}

#[tokio::test]
async fn a_change_request_has_its_own_fields() {
    let bed = Bed::new().await;
    bed.inside().insert_record(
        "change_request",
        &[
            ("type", "emergency"),
            ("risk", "2"),
            ("state", "-2"),
            ("conflict_status", "Conflict"),
            ("requested_by_date", "2026-03-02 00:00:00"),
            ("start_date", "2026-03-02 01:00:00"),
            ("work_end", "2026-03-02 02:00:00"),
        ],
        NOON,
    );
    let record = bed.walk(Stream::ChangeRequest, 10).await.records.remove(0);
    assert_eq!(record.fields.state.as_deref(), Some("Scheduled"));
    let Details::ChangeRequest(details) = &record.details else {
        panic!("{record:?}");
    };
    let texts = [&details.kind, &details.risk, &details.conflict_status];
    assert_eq!(
        texts.map(|text| text.as_deref().unwrap_or_default()),
        ["Emergency", "High", "Conflict"]
    );
    let hour = |moment: Option<Timestamp>| moment.map(|moment| moment.to_string()[..13].to_owned());
    assert_eq!(hour(details.requested_at).as_deref(), Some("2026-03-02T00"));
    assert_eq!(
        hour(details.planned_start).as_deref(),
        Some("2026-03-02T01")
    );
    assert_eq!(hour(details.work_end).as_deref(), Some("2026-03-02T02"));
    assert_eq!(details.work_start, None);
}

#[tokio::test]
async fn deletes_are_read_where_the_rights_are_there() {
    let refused = Bed::new().await;
    let failure = refused
        .walk_with(Stream::Deletions, rules(10), |_, _| {})
        .await
        .err()
        .unwrap();
    assert_eq!(failure.kind, Kind::NoRights, "{failure}");

    let mut config = Config::default();
    config.acls.retain(|acl| acl.table != "sys_audit_delete");
    let bed = Bed::start(config, json!({})).await;
    bed.incidents(3, 0, 0);
    let change = bed.inside().insert_record("change_request", &[], NOON);
    let problem = bed.inside().insert_record("problem", &[], NOON);
    {
        let mut inside = bed.inside();
        let incident = format!("{:032x}", 2);
        assert!(inside.delete_by_person("incident", &incident, NOON + 1000));
        assert!(inside.delete_by_person("change_request", &change, NOON + 2000));
        assert!(inside.delete_by_person("problem", &problem, NOON + 3000));
    }
    let walked = bed.walk(Stream::Deletions, 10).await;
    let told: Vec<_> = walked
        .records
        .iter()
        .map(|record| {
            assert!(record.is_deleted && !record.number.is_empty());
            (record.record_type(), record.changed_at.as_millis() - NOON)
        })
        .collect();
    assert_eq!(
        told,
        [
            (RecordType::Incident, 1000),
            (RecordType::ChangeRequest, 2000)
        ]
    );
    assert_eq!(bed.walk(Stream::Incident, 10).await.records.len(), 2);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_costs_no_other() {
    let bed = Bed::new().await;
    bed.incidents(25, 0, 0);
    let spoilt = format!("{:032x}", 3);
    bed.inside().insert_record(
        "incident",
        &[("sys_id", "not-a-key"), ("sys_mod_count", "1")],
        NOON,
    );
    bed.inside()
        .insert_record("incident", &[("sys_id", &spoilt), ("number", "")], NOON);
    let walked = bed.walk(Stream::Incident, 10).await;
    assert_eq!(distinct(&walked.numbers()), 24);
    let paths: Vec<&str> = walked
        .unreadable
        .iter()
        .map(|row| row.path.as_str())
        .collect();
    assert_eq!(paths, ["result[2].number", "result[5].sys_id"]);
    assert_eq!(walked.unreadable[0].id.as_deref(), Some(spoilt.as_str()));
}

#[tokio::test]
async fn a_filter_holds_on_every_page() {
    let sync = json!({"filter": "urgency=3^ORurgency=2", "category": "network"});
    let bed = Bed::start(Config::default(), sync).await;
    for i in 0..40 {
        let (urgency, category) = (["1", "2", "3"][i % 3], ["network", "software"][i % 2]);
        let fields = [("urgency", urgency), ("category", category)];
        bed.inside().insert_record("incident", &fields, NOON);
    }
    let walked = bed.walk(Stream::Incident, 4).await;
    let fits = |i: &usize| !i.is_multiple_of(3) && i.is_multiple_of(2);
    assert_eq!(walked.records.len(), (0..40).filter(fits).count());
    let category = |record: &Record| record.fields.category.clone();
    let network = |record| category(record).as_deref() == Some("Network");
    assert!(walked.records.iter().all(network));
}

#[tokio::test]
async fn a_page_that_was_given_before_is_a_failure_and_no_endless_walk() {
    let bed = Bed::new().await;
    bed.incidents(40, 0, 0);
    let mut rule = FaultRule::once(journal::Kind::Query, Fault::SamePageTwice);
    rule.nth = Some(3);
    bed.inside().faults_mut().add(rule);
    let walked = bed.walk_with(Stream::Incident, rules(10), |_, _| {}).await;
    let failure = walked.err().unwrap();
    assert_eq!(failure.kind, Kind::Undecodable, "{failure}");
}

#[tokio::test]
async fn what_is_no_page_is_never_taken_for_an_empty_one() {
    let faults = [
        Fault::Html200,
        Fault::Null200,
        Fault::BareList200,
        Fault::ErrorBodyWith200,
        Fault::BrokenJsonWith200,
        Fault::Hibernating,
        Fault::Empty202,
        Fault::CutBody { after_bytes: 200 },
    ];
    for fault in faults {
        let bed = Bed::new().await;
        bed.incidents(3, 0, 0);
        let rule = FaultRule::once(journal::Kind::Query, fault.clone());
        bed.inside().faults_mut().add(rule);
        let walked = bed.walk_with(Stream::Incident, rules(10), |_, _| {}).await;
        assert!(walked.is_err(), "{fault:?}");
    }
}

#[tokio::test]
async fn records_of_a_day_are_counted_with_their_changes() {
    let bed = Bed::new().await;
    bed.incidents(7, 0, 0);
    for (i, later) in [(1, 1000), (2, 2000), (2, 3000)] {
        let key = format!("{i:032x}");
        let text = later.to_string();
        bed.inside()
            .set_field("incident", &key, "description", &text, NOON + later);
    }
    bed.inside()
        .insert_record("incident", &[], NOON + 24 * 3_600_000);
    let asked: Ask = rules(10).first(window(), None);
    let counted = bed
        .source
        .count(RecordType::Incident, &asked, WITHIN)
        .await
        .unwrap();
    assert_eq!((counted.records, counted.revisions), (7, Some(3)));
}
