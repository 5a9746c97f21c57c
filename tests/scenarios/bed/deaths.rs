//! A process that dies in the middle of its work.

use itsm_connector::domain::name::ConnectionName;
use itsm_connector::flows::Core;
use itsm_connector::flows::create_work_item::{self, Labelled};
use itsm_connector::inbound::webhook::Delivery;

use super::{Alert, CONNECTION, Fate, TestBed};

impl TestBed {
    /// What a host does with a verified body, without the host.
    pub(crate) async fn handle(&self, core: &Core, alert: impl Into<Alert>) {
        let connection = ConnectionName::parse(CONNECTION).unwrap();
        let body = alert.into().text().into();
        let delivery = Delivery::from_journal(connection, Default::default(), body);
        let received = Box::pin(create_work_item::receive(core, delivery, Labelled::Json));
        received.await.unwrap();
    }

    /// Work that ends at its `nth` call, as if the process had been killed there; `None` if it was.
    pub(crate) async fn dies_at<T>(
        &self,
        nth: usize,
        fate: Fate,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let mut calls = 0;
        self.fates.decide(move |_| {
            calls += 1;
            if calls == nth { fate } else { Fate::Works }
        });
        let done = self.fates.until_stopped(work).await;
        self.fates.all_well();
        done
    }
}
