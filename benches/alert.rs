//! What an alert costs before and beside all waiting, per core: `cargo bench --profile simulation --bench alert`.
//!
//! Reading a metric alert, naming its event and its slot, the decision of an empty slot, and the work item that it asks
//! for. The figures are in `docs/performance.md`; nothing here fails.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a bench owns its clock and prints, and what cannot be read here is its own fixture"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use itsm_connector::domain::connection::Connection;
use itsm_connector::domain::identity::{EpisodeId, EventId, Firing, ItemId, SlotId};
use itsm_connector::domain::name::{ActionName, ConnectionName};
use itsm_connector::domain::network::AllowedHosts;
use itsm_connector::domain::slot::{self, Event, Input, Rules, Slot};
use itsm_connector::domain::timestamp::Timestamp;
use itsm_connector::domain::work_item::Uniqueness;
use itsm_connector::domain::{alert_to_work_item, definition};
use itsm_connector::inbound::common_alert_schema;
use itsm_connector::inbound::webhook::Delivery;

const FIRED: &str = include_str!("../tests/fixtures/common_alert_schema/metric_fired.json");

/// What is read beside it, for comparison.
const FURTHER: [(&str, &str); 3] = [
    (
        "… log V1 with rows",
        include_str!("../tests/fixtures/common_alert_schema/log_v1_fired.json"),
    ),
    (
        "… service health",
        include_str!("../tests/fixtures/common_alert_schema/service_health_fired.json"),
    ),
    (
        "… metric, older schema",
        include_str!("../tests/fixtures/older_schemas/metric_near_real_time_fired.json"),
    ),
];

const DEFINITION: &str = r#"{"name":"contoso","partner_type":"servicenow","server_url":"https://contoso.service-now.com","client_id":"id","client_secret":"secret"}"#;

/// How long each is repeated.
const REPEATED_FOR: Duration = Duration::from_secs(2);

/// Repetitions between two looks at the clock.
const AT_ONCE: u32 = 100;

fn main() {
    let (connection, action) = (
        ConnectionName::parse("contoso").expect("a good name"),
        ActionName::default(),
    );
    let delivery = Delivery::from_journal(connection.clone(), action, Bytes::from(FIRED));
    let definition: Connection = definition::parse(DEFINITION.as_bytes(), &AllowedHosts::default())
        .map_err(|problems| problems.to_string())
        .expect("a good definition");
    per_second("alerts read", || common_alert_schema::parse(&delivery));
    for (what, body) in FURTHER {
        let delivery =
            Delivery::from_journal(connection.clone(), ActionName::default(), Bytes::from(body));
        per_second(what, || common_alert_schema::parse(&delivery));
    }
    per_second("alerts read and decided", || {
        decided(&delivery, &definition)
    });
    println!("per core, on one thread; an alert's waiting for store and product is not in it");
}

/// What the intake does with a delivery, without a store and a product.
fn decided(delivery: &Delivery, connection: &Connection) -> (Slot, slot::Effect, usize) {
    let alert = common_alert_schema::parse(delivery).expect("a good alert");
    let fired_at = alert.fired_at.expect("it fired");
    let firing = Firing::Instance {
        alert_id: &alert.alert_id,
        fired_at,
    };
    let episode = EpisodeId::new(delivery.connection(), delivery.action(), firing);
    let slot_id = SlotId::of_episode(delivery.connection(), delivery.action(), &episode);
    let event = Event {
        id: EventId::new(&episode, alert.condition.as_str()),
        episode,
        condition: alert.condition,
        at: alert.fired_at,
        received_at: fired_at,
        also: Vec::new(),
    };
    let rules = Rules {
        uniqueness: Uniqueness::Enforced,
        longest_transaction: Duration::from_secs(60),
        call_timeout: Duration::from_secs(6),
        changes_on_resolve: true,
        notes_repeats: true,
        is_named_later: false,
        is_shared: false,
        is_of_one_series: false,
        reopen_within: None,
        dice: 7,
        lists_all: false,
        leaves_out_what_is_over: false,
    };
    let now = Timestamp::from_millis(fired_at.as_millis() + 1_000);
    let (slot, effect) = slot::next(&Slot::default(), now, &rules, Input::Event(&event));
    let action = connection.actions.values().next().expect("an action");
    let item = ItemId::new(&slot_id, slot.generation);
    let new = alert_to_work_item::new_work_item(&alert, action, &item, None);
    (slot, effect, new.title.len())
}

fn per_second<T>(what: &str, mut work: impl FnMut() -> T) {
    let started = Instant::now();
    let mut done = 0_u32;
    while started.elapsed() < REPEATED_FOR {
        for _ in 0..AT_ONCE {
            black_box(work());
        }
        done += AT_ONCE;
    }
    let each = started.elapsed() / done;
    println!(
        "{what:24} {:>9.0} per second  {each:>9.1?} each",
        1.0 / each.as_secs_f64()
    );
}
