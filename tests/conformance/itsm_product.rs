//! The ITSM product: what the flows count on, whatever product is behind the port.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use itsm_connector::adapters::clock::SystemClock;
use itsm_connector::adapters::file_vault::FileVault;
use itsm_connector::adapters::http::HttpTransport;
use itsm_connector::adapters::itsm::servicenow::ServiceNow;
use itsm_connector::domain::allowance::Meter;
use itsm_connector::domain::definition;
use itsm_connector::domain::failure::{Effect, Kind};
use itsm_connector::domain::identity::{EpisodeId, Firing, ItemId, SlotId};
use itsm_connector::domain::name::{ActionName, ConnectionName};
use itsm_connector::domain::network::AllowedHosts;
use itsm_connector::domain::work_item::{
    Change, Level, NewWorkItem, Standing, WorkItemRef, WorkItemType,
};
use itsm_connector::ports::ItsmProduct;
use serde_json::json;
use simulators::fault::{Fault, FaultRule};
use simulators::journal;
use simulators::server::Server;
use simulators::servicenow::{self, Config};

const WITHIN: Duration = Duration::from_secs(5);

/// A product to be tried, and a way to disturb it.
#[async_trait]
trait Subject: Send {
    fn product(&self) -> &dyn ItsmProduct;
    /// The same product for a client whose secret is wrong.
    fn with_wrong_secret(&self) -> Box<dyn ItsmProduct>;
    /// Whatever is asked next is done, and answered this much later.
    fn is_slow(&self, by: Duration);
    /// Whatever is asked next is done, and the answer is lost.
    fn loses_its_next_reply(&self);
    /// How many work items there are.
    fn work_items(&self) -> usize;
    /// It is not there any more.
    async fn goes_away(&mut self);
}

/// The `n`th thing to be made a work item of.
fn item(n: u8) -> NewWorkItem {
    let (connection, action) = (
        ConnectionName::parse("contoso").unwrap(),
        ActionName::default(),
    );
    let episode = EpisodeId::new(&connection, &action, Firing::Body(&[n]));
    let id = ItemId::new(&SlotId::of_episode(&connection, &action, &episode), 0);
    NewWorkItem {
        work_item_type: WorkItemType::Incident,
        correlation: id.correlation(),
        key: id.record_key(),
        title: format!("\"{n}\" <b>&amp; ^OR\\ ä \u{1f600}"),
        description: "one\r\ntwo\t\u{7f}".repeat(2000),
        impact: Level::High,
        urgency: Level::Low,
        fields: Default::default(),
        notes: Vec::new(),
        event: None,
        over: None,
    }
}

fn resolve() -> Change {
    Change::Resolve {
        note: "done".to_owned(),
        code: None,
    }
}

async fn standing(product: &dyn ItsmProduct, made: &WorkItemRef) -> Standing {
    product.read(made, WITHIN).await.unwrap().unwrap().standing
}

async fn what_was_made_is_read_found_and_ours(subject: Box<dyn Subject>) {
    let (product, wanted) = (subject.product(), item(1));
    let made = product.create(&wanted, WITHIN).await.unwrap().item;
    assert!(
        !made.number.is_empty() && made.url.contains(&made.id),
        "{made:?}"
    );
    let read = product.read(&made, WITHIN).await.unwrap().unwrap();
    assert!(
        read.item == made && read.is_ours(&wanted.correlation) && read.standing == Standing::Open
    );
    let found = product
        .find(WorkItemType::Incident, &wanted.correlation, WITHIN)
        .await
        .unwrap();
    assert_eq!(found, [read]);
}

async fn what_was_never_made_is_neither_read_nor_found(subject: Box<dyn Subject>) {
    let product = subject.product();
    let mut made = product.create(&item(1), WITHIN).await.unwrap().item;
    made.id = item(2).key.as_str().to_owned();
    assert_eq!(product.read(&made, WITHIN).await.unwrap(), None);
    let other = item(2).correlation;
    assert_eq!(
        product
            .find(WorkItemType::Incident, &other, WITHIN)
            .await
            .unwrap(),
        []
    );
}

async fn the_same_key_twice_is_the_same_work_item(subject: Box<dyn Subject>) {
    let product = subject.product();
    let first = product.create(&item(1), WITHIN).await.unwrap();
    assert_eq!(product.create(&item(1), WITHIN).await.unwrap(), first);
    assert_eq!(subject.work_items(), 1);
}

async fn a_key_that_somebody_else_has_is_refused_and_left_alone(subject: Box<dyn Subject>) {
    let product = subject.product();
    let first = product.create(&item(1), WITHIN).await.unwrap();
    let foreign = NewWorkItem {
        key: item(1).key,
        ..item(2)
    };
    let failure = product.create(&foreign, WITHIN).await.unwrap_err();
    assert_eq!(failure.effect, Effect::Refused, "{failure}");
    let read = product.read(&first.item, WITHIN).await.unwrap().unwrap();
    assert!(read.is_ours(&item(1).correlation));
}

async fn several_with_one_correlation_id_are_found_oldest_first(subject: Box<dyn Subject>) {
    let product = subject.product();
    let mut made = Vec::new();
    for n in 1..=3 {
        let twin = NewWorkItem {
            correlation: item(1).correlation,
            ..item(n)
        };
        made.push(product.create(&twin, WITHIN).await.unwrap().item.id);
    }
    let found = product
        .find(WorkItemType::Incident, &item(1).correlation, WITHIN)
        .await
        .unwrap();
    let mut ids: Vec<String> = found.iter().map(|seen| seen.item.id.clone()).collect();
    assert!(found.is_sorted_by_key(|seen| seen.created_at), "{found:?}");
    ids.sort_unstable();
    made.sort_unstable();
    assert_eq!(ids, made);
}

async fn a_change_leaves_it_where_it_says(subject: Box<dyn Subject>) {
    let product = subject.product();
    let note = || "a note".to_owned();
    let changes = [
        (Change::Comment { note: note() }, Standing::Open),
        (resolve(), Standing::Resolved),
        (
            Change::Close {
                note: note(),
                code: None,
            },
            Standing::Closed,
        ),
        (
            Change::CloseAsDuplicate {
                of: "INC0000001".to_owned(),
            },
            Standing::Resolved,
        ),
    ];
    for (n, (change, expected)) in (1..).zip(changes) {
        let made = product.create(&item(n), WITHIN).await.unwrap().item;
        product.write(&made, &change, WITHIN).await.unwrap();
        assert_eq!(standing(product, &made).await, expected, "{change:?}");
    }
}

async fn a_change_of_what_is_not_there_is_refused_for_good(subject: Box<dyn Subject>) {
    let product = subject.product();
    let mut made = product.create(&item(1), WITHIN).await.unwrap().item;
    made.id = item(2).key.as_str().to_owned();
    let failure = product.write(&made, &resolve(), WITHIN).await.unwrap_err();
    assert!(
        failure.is_permanent() && failure.kind == Kind::NotFound,
        "{failure}"
    );
    assert_eq!(subject.work_items(), 1);
}

async fn signing_in_tells_good_credentials_from_bad_ones(subject: Box<dyn Subject>) {
    subject.product().sign_in(WITHIN).await.unwrap();
    let stranger = subject.with_wrong_secret();
    let failure = stranger.sign_in(WITHIN).await.unwrap_err();
    assert_eq!(
        (failure.effect, failure.kind),
        (Effect::NotSent, Kind::Unauthorized),
        "{failure}"
    );
    let failure = stranger.create(&item(1), WITHIN).await.unwrap_err();
    assert_eq!(
        (failure.effect, failure.kind),
        (Effect::NotSent, Kind::Unauthorized),
        "{failure}"
    );
    assert_eq!(subject.work_items(), 0);
}

async fn a_call_ends_in_its_time_and_its_outcome_is_not_known(subject: Box<dyn Subject>) {
    let product = subject.product();
    product.sign_in(WITHIN).await.unwrap();
    subject.is_slow(Duration::from_secs(60));
    let item = item(1);
    let create = product.create(&item, Duration::from_millis(300));
    let failure = tokio::time::timeout(WITHIN, create)
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(
        (failure.effect, failure.kind),
        (Effect::Unknown, Kind::TimedOut),
        "{failure}"
    );
}

async fn a_reply_that_is_lost_is_not_taken_for_a_refusal(subject: Box<dyn Subject>) {
    let product = subject.product();
    let made = product.create(&item(1), WITHIN).await.unwrap().item;
    subject.loses_its_next_reply();
    let failure = product.create(&item(2), WITHIN).await.unwrap_err();
    assert_eq!(failure.effect, Effect::Unknown, "{failure}");
    assert_eq!(subject.work_items(), 2, "it was made");
    subject.loses_its_next_reply();
    let failure = product.write(&made, &resolve(), WITHIN).await.unwrap_err();
    assert_eq!(failure.effect, Effect::Unknown, "{failure}");
    assert_eq!(
        standing(product, &made).await,
        Standing::Resolved,
        "it was written"
    );
}

async fn what_was_not_sent_is_said_to_be_not_sent(mut subject: Box<dyn Subject>) {
    subject.goes_away().await;
    let failure = subject
        .product()
        .create(&item(1), WITHIN)
        .await
        .unwrap_err();
    assert_eq!(
        (failure.effect, failure.kind),
        (Effect::NotSent, Kind::Unreachable),
        "{failure}"
    );
}

/// The suite for one product: `$made` gives a fresh one.
macro_rules! suite {
    ($product:ident, $made:expr, [$($fact:ident),* $(,)?]) => {
        mod $product {
            use super::*;
            $(
                #[tokio::test]
                async fn $fact() {
                    super::$fact($made).await;
                }
            )*
        }
    };
    ($product:ident, $made:expr) => {
        suite!($product, $made, [
            what_was_made_is_read_found_and_ours,
            what_was_never_made_is_neither_read_nor_found,
            the_same_key_twice_is_the_same_work_item,
            a_key_that_somebody_else_has_is_refused_and_left_alone,
            several_with_one_correlation_id_are_found_oldest_first,
            a_change_leaves_it_where_it_says,
            a_change_of_what_is_not_there_is_refused_for_good,
            signing_in_tells_good_credentials_from_bad_ones,
            a_call_ends_in_its_time_and_its_outcome_is_not_known,
            a_reply_that_is_lost_is_not_taken_for_a_refusal,
            what_was_not_sent_is_said_to_be_not_sent,
        ]);
    };
}

suite!(service_now, Box::new(OneServiceNow::start().await));

/// ServiceNow, before its simulator.
struct OneServiceNow {
    server: Option<Server<servicenow::ServiceNow>>,
    machine: Arc<std::sync::Mutex<servicenow::ServiceNow>>,
    url: String,
    allowed: AllowedHosts,
    product: ServiceNow,
}

impl OneServiceNow {
    async fn start() -> Self {
        let loopback = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let machine = servicenow::ServiceNow::new(Config::default());
        let server = Server::start(machine, loopback, None).await.unwrap();
        let allowed = AllowedHosts::default().with(&server.address().to_string());
        let secret = Config::default().clients[0].client_secret.clone();
        Self {
            product: client(&server.url(), &allowed, &secret),
            machine: server.machine(),
            url: server.url(),
            server: Some(server),
            allowed,
        }
    }

    fn fault(&self, fault: Fault) {
        let rule = FaultRule::once(journal::Kind::Any, fault);
        self.machine.lock().unwrap().faults_mut().add(rule);
    }
}

fn client(url: &str, allowed: &AllowedHosts, secret: &str) -> ServiceNow {
    let definition = json!({
        "name": "contoso",
        "partner_type": "servicenow",
        "server_url": url,
        "client_id": Config::default().clients[0].client_id,
        "client_secret": secret,
    });
    let connection = definition::parse(definition.to_string().as_bytes(), allowed).unwrap();
    let transport = Arc::new(HttpTransport::new(allowed.clone()));
    // Client credentials need no stored tokens: nothing is ever asked of this vault.
    let vault = Arc::new(FileVault::new("no-such-folder".into()));
    ServiceNow::new(
        transport,
        vault,
        Arc::new(SystemClock::default()),
        Arc::new(connection),
        Meter::default(),
    )
}

#[async_trait]
impl Subject for OneServiceNow {
    fn product(&self) -> &dyn ItsmProduct {
        &self.product
    }

    fn with_wrong_secret(&self) -> Box<dyn ItsmProduct> {
        Box::new(client(&self.url, &self.allowed, "another secret"))
    }

    fn is_slow(&self, by: Duration) {
        self.fault(Fault::Slow { by });
    }

    fn loses_its_next_reply(&self) {
        self.fault(Fault::DropReplyAfterWrite);
    }

    fn work_items(&self) -> usize {
        self.machine.lock().unwrap().incidents().len()
    }

    async fn goes_away(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
    }
}
