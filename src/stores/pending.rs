//! Pending markers: one per event that is not settled yet, named so that the most urgent and the oldest list first.
//!
//! `pending/<connection>/<severity band>/<day>/<time>-<event>`. The time is the alert's own, so that a duplicate meets
//! the marker of the first delivery; the day is a folder of its own, so that a local store keeps few folders.

use serde::{Deserialize, Serialize};

use super::objects::{Objects, StoreFailure};
use super::stored::{self, VERSION, Versioned};
use crate::domain::alert::Severity;
use crate::domain::identity::EventId;
use crate::domain::name::ConnectionName;
use crate::domain::timestamp::Timestamp;

/// Sev0 and Sev1, and everything else.
const BANDS: usize = 2;

/// A marker's place, which says all that the order of work depends on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Marker {
    /// Below `pending/<connection>/`.
    place: String,
    /// The event.
    pub event: EventId,
}

impl Marker {
    /// The marker of an event. Sev0 and Sev1 go before everything else.
    pub fn new(severity: Option<Severity>, at: Option<Timestamp>, event: &EventId) -> Self {
        let band = if severity.is_some_and(Severity::is_urgent) {
            0
        } else {
            1
        };
        let time = at.unwrap_or(Timestamp::UNIX_EPOCH).as_key();
        let (day, time) = time.split_at(time.find('T').unwrap_or(0));
        Self {
            place: format!("{band}/{day}/{}-{event}", time.trim_start_matches('T')),
            event: event.clone(),
        }
    }

    fn read(place: &str) -> Option<Self> {
        let (_, event) = place.rsplit_once('-')?;
        Some(Self {
            place: place.to_owned(),
            event: EventId::parse(event)?,
        })
    }

    /// True for Sev0 and Sev1.
    pub fn is_urgent(&self) -> bool {
        self.place.starts_with("0/")
    }
}

/// What a marker's content says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Content {
    #[serde(default = "stored::first")]
    version: u32,
    received_at: Timestamp,
}

impl Versioned for Content {
    fn version(&self) -> u32 {
        self.version
    }
}

/// How far somebody who goes over all markers has come.
#[derive(Debug, Clone, Default)]
pub struct Cursor {
    /// Per severity band, the last name that was passed.
    passed: [Option<String>; BANDS],
}

/// The pending markers.
#[derive(Debug, Clone)]
pub struct Pending {
    objects: Objects,
}

impl Pending {
    /// In this store.
    pub fn new(objects: Objects) -> Self {
        Self { objects }
    }

    fn path(connection: &ConnectionName, marker: &Marker) -> String {
        format!("pending/{connection}/{}", marker.place)
    }

    /// Sets a marker; without an error if it is there already.
    pub async fn set(
        &self,
        connection: &ConnectionName,
        marker: &Marker,
        received_at: Timestamp,
    ) -> Result<(), StoreFailure> {
        let path = Self::path(connection, marker);
        let content = Content {
            version: VERSION,
            received_at,
        };
        let content = stored::content(&path, &content)?;
        self.objects.keep(&path, content).await?;
        Ok(())
    }

    /// When the event of a marker was first received; `None` if the marker is gone.
    pub async fn received_at(
        &self,
        connection: &ConnectionName,
        marker: &Marker,
    ) -> Result<Option<Timestamp>, StoreFailure> {
        let path = Self::path(connection, marker);
        let Some(content) = self.objects.get(&path).await? else {
            return Ok(None);
        };
        let content: Content = stored::read(&path, &content)?;
        Ok(Some(content.received_at))
    }

    /// Removes a marker. Only after the slot holds the effect of its event.
    pub async fn clear(
        &self,
        connection: &ConnectionName,
        marker: &Marker,
    ) -> Result<(), StoreFailure> {
        self.objects.delete(&Self::path(connection, marker)).await
    }

    /// All markers of a connection, the most urgent and then the oldest first.
    pub async fn list(&self, connection: &ConnectionName) -> Result<Vec<Marker>, StoreFailure> {
        let places = self.objects.list(&format!("pending/{connection}")).await?;
        Ok(places
            .iter()
            .filter_map(|place| Marker::read(place))
            .collect())
    }

    /// The markers after those that `cursor` has passed, the most urgent and then the oldest first; at most `max` of
    /// them, and none once all are passed. Of what came meanwhile, the urgent is still ahead of the cursor as long as
    /// anything is: it comes with the next page.
    pub async fn next_page(
        &self,
        connection: &ConnectionName,
        cursor: &mut Cursor,
        max: usize,
    ) -> Result<Vec<Marker>, StoreFailure> {
        let mut page = Vec::new();
        for (band, passed) in cursor.passed.iter_mut().enumerate() {
            let folder = format!("pending/{connection}/{band}");
            while page.len() < max {
                let left = max - page.len();
                let names = self
                    .objects
                    .list_first(&folder, passed.as_deref(), left)
                    .await?;
                let Some(last) = names.last() else { break };
                *passed = Some(last.clone());
                let markers = names
                    .iter()
                    .filter_map(|name| Marker::read(&format!("{band}/{name}")));
                page.extend(markers);
            }
        }
        Ok(page)
    }

    /// True if a connection has any marker.
    pub async fn has_any(&self, connection: &ConnectionName) -> Result<bool, StoreFailure> {
        self.objects.has_any(&format!("pending/{connection}")).await
    }

    /// The connections that have or had markers.
    pub async fn connections(&self) -> Result<Vec<ConnectionName>, StoreFailure> {
        let names = self.objects.folders("pending").await?;
        Ok(names
            .iter()
            .filter_map(|name| ConnectionName::parse(name).ok())
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::identity::{EpisodeId, Firing};
    use crate::domain::name::ActionName;

    fn event(n: u8) -> EventId {
        let connection = ConnectionName::parse("contoso").unwrap();
        EventId::new(
            &EpisodeId::new(&connection, &ActionName::default(), Firing::Body(&[n])),
            "fired",
        )
    }

    #[tokio::test]
    async fn the_most_urgent_then_the_oldest_list_first() {
        let pending = Pending::new(crate::stores::test_clock::in_memory());
        let connection = ConnectionName::parse("contoso").unwrap();
        let at = |hours: i64| {
            Some(Timestamp::from_millis(
                1_772_359_200_000 + hours * 3_600_000,
            ))
        };
        let markers = [
            Marker::new(Some(Severity::Sev3), at(0), &event(1)),
            Marker::new(Some(Severity::Sev0), at(30), &event(2)),
            Marker::new(Some(Severity::Sev1), at(2), &event(3)),
            Marker::new(None, at(1), &event(4)),
            Marker::new(None, None, &event(5)),
        ];
        for marker in &markers {
            pending
                .set(&connection, marker, Timestamp::UNIX_EPOCH)
                .await
                .unwrap();
            pending
                .set(&connection, marker, Timestamp::from_millis(5))
                .await
                .unwrap();
        }
        let listed: Vec<EventId> = pending
            .list(&connection)
            .await
            .unwrap()
            .into_iter()
            .map(|marker| marker.event)
            .collect();
        assert_eq!(listed, [event(3), event(2), event(5), event(1), event(4)]);
        assert_eq!(
            pending.received_at(&connection, &markers[0]).await.unwrap(),
            Some(Timestamp::UNIX_EPOCH)
        );
        assert_eq!(
            pending.connections().await.unwrap(),
            std::slice::from_ref(&connection)
        );
        assert!(pending.has_any(&connection).await.unwrap());
        pending.clear(&connection, &markers[0]).await.unwrap();
        pending.clear(&connection, &markers[0]).await.unwrap();
        assert_eq!(pending.list(&connection).await.unwrap().len(), 4);
    }

    #[tokio::test]
    async fn pages_pass_every_marker_once_and_what_is_urgent_and_new_comes_with_the_next() {
        let pending = Pending::new(crate::stores::test_clock::in_memory());
        let connection = ConnectionName::parse("contoso").unwrap();
        let set = async |severity, minutes: i64, n| {
            let at = Timestamp::from_millis(1_772_359_200_000 + minutes * 60_000);
            let marker = Marker::new(Some(severity), Some(at), &event(n));
            let set = pending.set(&connection, &marker, Timestamp::UNIX_EPOCH);
            set.await.unwrap();
        };
        let mut cursor = Cursor::default();
        let mut next = async || {
            let page = pending.next_page(&connection, &mut cursor, 3).await;
            let page = page.unwrap().into_iter();
            page.map(|marker| marker.event).collect::<Vec<_>>()
        };
        assert!(!pending.has_any(&connection).await.unwrap());
        for n in 1..=5 {
            set(Severity::Sev3, i64::from(n), n).await;
        }
        set(Severity::Sev0, 7, 7).await;
        assert_eq!(next().await, [event(7), event(1), event(2)]);
        set(Severity::Sev1, 8, 8).await;
        assert_eq!(next().await, [event(8), event(3), event(4)]);
        assert_eq!(next().await, [event(5)]);
        assert_eq!(next().await, []);
        set(Severity::Sev4, 9, 9).await;
        assert_eq!(next().await, [event(9)]);
    }
}
