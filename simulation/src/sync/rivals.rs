//! The algorithms that other exporters use, before the same table at the same time, without any fault: what they lose is
//! the algorithm's.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use itsm_connector::domain::timestamp::Timestamp;
use serde_json::Value;

use super::outside::ask;
use super::world::{Version, World};
use super::{TICK, UNQUIET, check};
use crate::clock::pause;

/// Rows of a page, as the sync has them here.
const PAGE: usize = 5;

/// Which algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// Offset pages, ordered by the time of change.
    Offset,
    /// Everything changed after the last time that was seen.
    StrictlyAfter,
    /// Pages by time and key, from where the last one ended.
    KeysetWithoutOverlap,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [
        Self::Offset,
        Self::StrictlyAfter,
        Self::KeysetWithoutOverlap,
    ];

    /// Its name in the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Offset => "offset pages",
            Self::StrictlyAfter => "strictly after the last time",
            Self::KeysetWithoutOverlap => "keyset without overlap",
        }
    }
}

#[derive(Debug, Default)]
struct Place {
    /// The time of the last row of the last walk, and its key.
    last: (String, String),
    taken: BTreeSet<Version>,
}

/// An algorithm at work on one table.
#[derive(Debug)]
pub struct Rival {
    /// Which.
    pub algorithm: Algorithm,
    world: Arc<World>,
    table: &'static str,
    place: Mutex<Place>,
}

impl Rival {
    /// All algorithms on all tables.
    pub fn all(world: &Arc<World>) -> Vec<Self> {
        let one = |algorithm| {
            check::TABLES.map(|table| Self {
                algorithm,
                world: Arc::clone(world),
                table,
                place: Mutex::new(Place {
                    last: ("2000-01-01 00:00:00".to_owned(), check::first_key()),
                    taken: BTreeSet::new(),
                }),
            })
        };
        Algorithm::ALL.into_iter().flat_map(one).collect()
    }

    /// A walk a minute while the table is unquiet.
    pub async fn run(&self) {
        while self.world.elapsed() < UNQUIET {
            let began = self.world.elapsed();
            self.tick().await;
            pause((began + TICK).saturating_sub(self.world.elapsed())).await;
        }
    }

    /// One walk.
    pub async fn tick(&self) {
        let from = self.place().last.clone();
        let mut last = from.clone();
        let mut offset = 0;
        loop {
            let (time, key) = match self.algorithm {
                Algorithm::KeysetWithoutOverlap => &last,
                _ => &from,
            };
            let order = "ORDERBYsys_updated_on";
            let query = match self.algorithm {
                Algorithm::Offset => format!("sys_updated_on>={time}^{order}"),
                Algorithm::StrictlyAfter => format!("sys_updated_on>{time}^{order}"),
                Algorithm::KeysetWithoutOverlap => format!(
                    "sys_updated_on>{time}^NQsys_updated_on={time}^sys_id>{key}^{order}^ORDERBYsys_id"
                ),
            };
            let (rows, is_last) = self.page(&query, offset);
            pause(Duration::from_millis(1_200)).await;
            if let Some(row) = rows.last() {
                let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
                last = (text("sys_updated_on"), text("sys_id"));
            }
            self.place()
                .taken
                .extend(rows.iter().filter_map(check::version));
            if self.algorithm != Algorithm::KeysetWithoutOverlap {
                offset += PAGE;
            }
            let is_empty = rows.is_empty();
            if is_last || is_empty && self.algorithm == Algorithm::KeysetWithoutOverlap {
                break;
            }
        }
        self.place().last = last;
    }

    /// A page, and whether the product names no next one.
    fn page(&self, query: &str, offset: usize) -> (Vec<Value>, bool) {
        let mut url = String::from("https://contoso.service-now.com/api/now/table/");
        url.push_str(self.table);
        let escaped = query
            .replace('^', "%5E")
            .replace('>', "%3E")
            .replace(' ', "%20");
        url.push_str(&format!(
            "?sysparm_query={escaped}&sysparm_limit={PAGE}&sysparm_offset={offset}&sysparm_fields=sys_id,sys_updated_on,sys_mod_count"
        ));
        let login = "Basic c3ZjLW1vbml0b3I6c3ZjLW1vbml0b3ItcGFzc3dvcmQ=";
        let request = http::Request::get(url)
            .header("accept", "application/json")
            .header("authorization", login)
            .body(Bytes::new());
        let answer = request
            .ok()
            .and_then(|request| ask(&self.world, request).ok());
        let Some(answer) = answer else {
            return (Vec::new(), true);
        };
        let link = answer.headers().get("link");
        let next = link
            .and_then(|link| link.to_str().ok())
            .is_some_and(|link| link.contains("rel=\"next\""));
        let mut body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        let rows = body["result"].as_array_mut().map(std::mem::take);
        (rows.unwrap_or_default(), !next)
    }

    /// How many final states it lacks.
    pub fn missing(&self) -> u64 {
        let place = self.place();
        let began = Timestamp::from_millis(crate::clock::BEGINNING_MS);
        let standing = check::standing(&self.world, self.table);
        let is_missing =
            |version: &&Version| version.1 >= began.as_millis() && !place.taken.contains(*version);
        standing.iter().filter(is_missing).count() as u64
    }

    fn place(&self) -> std::sync::MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
