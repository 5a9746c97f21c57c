//! Who is who: episode, event, slot and item, as hashes of what names them (DESIGN §6.4).
//!
//! Nothing that others send becomes part of an object's name or of a query; only these hashes do.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::name::{ActionName, ConnectionName};
use super::timestamp::Timestamp;

/// Characters of base32 that stand for a hash: 130 bits, so that collisions need not be thought of.
const KEY_CHARS: usize = 26;

/// Characters of a slot's key: 110 bits. With the generation's they make an item's key of the usual length, so that a
/// work item's correlation id names its slot.
const SLOT_CHARS: usize = 22;

/// Characters of a generation in an item's key: a million items of one slot.
const GENERATION_CHARS: usize = KEY_CHARS - SLOT_CHARS;

/// What a correlation id begins with.
const CORRELATION_PREFIX: &str = "azm-";

/// The digits of base32, as they stand in keys.
const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// A hash over parts, each with its length before it, so that no two lists of parts give the same bytes.
fn digest(domain: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in std::iter::once(&domain.as_bytes()).chain(parts) {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// The text of a key: so many characters of the hash of its parts.
fn hashed(domain: &str, parts: &[&[u8]], chars: usize) -> String {
    base32(&digest(domain, parts), chars)
}

fn base32(hash: &[u8; 32], chars: usize) -> String {
    let mut text = data_encoding::BASE32_NOPAD
        .encode(hash)
        .to_ascii_lowercase();
    text.truncate(chars);
    text
}

/// The name, in the state, of the store that it is in: 130 bits of hash.
pub fn store_key(store: &str) -> String {
    hashed("store", &[store.as_bytes()], KEY_CHARS)
}

macro_rules! key {
    ($(#[$doc:meta])* $type:ident, $chars:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $type(String);

        impl $type {
            /// Reads a key back from an object's name; it has the alphabet `[a-z2-7]` and one length.
            pub fn parse(text: &str) -> Option<Self> {
                let plain = text.len() == $chars && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7'));
                plain.then(|| Self(text.to_owned()))
            }

            /// Text of the alphabet `[a-z2-7]`.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

key! {
    /// One firing of one alert instance, for one action of one connection.
    EpisodeId, KEY_CHARS
}
key! {
    /// One Fired or Resolved message of an episode. Its text is the `event` of an answer.
    EventId, KEY_CHARS
}
key! {
    /// What may have at most one open work item at a time.
    SlotId, SLOT_CHARS
}
key! {
    /// One work item of a slot: the slot and how many it has had before.
    ItemId, KEY_CHARS
}
key! {
    /// A row of a log alert, by what stands in it.
    RowKey, KEY_CHARS
}
key! {
    /// One thing that the connector has said of itself, however often it is told.
    LogKey, KEY_CHARS
}
key! {
    /// The name of a body that was not understood: the hash of its bytes.
    BodyId, KEY_CHARS
}

impl LogKey {
    /// By what makes it another than every other.
    pub fn new(parts: &[&str]) -> Self {
        let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
        Self(hashed("log/1", &parts, KEY_CHARS))
    }
}

/// What tells one episode from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firing<'a> {
    /// The alert's own id and when it fired. The time is there because some rules fire again on the same instance, and
    /// because all test notifications share one id (azure-platform §1.2).
    Instance {
        /// `essentials.alertId`.
        alert_id: &'a str,
        /// `essentials.firedDateTime`, cut to milliseconds.
        fired_at: Timestamp,
    },
    /// One thing that is told of in several messages, each with an id of its own, by what names it: a service incident, or
    /// the rule and the resource of a schema that has no alert ids (azure-platform §1.6, §1.9).
    Series(&'a str),
    /// No usable firing time: the body itself.
    Body(&'a [u8]),
}

impl EpisodeId {
    /// The episode of a firing, for an action of a connection. `alertId` is compared without case: it is an Azure
    /// resource id, and those keep their meaning in any case.
    pub fn new(connection: &ConnectionName, action: &ActionName, firing: Firing<'_>) -> Self {
        let names = [connection.as_str().as_bytes(), action.as_str().as_bytes()];
        match firing {
            Firing::Instance { alert_id, fired_at } => Self(hashed(
                "episode/1",
                &[
                    names[0],
                    names[1],
                    alert_id.to_ascii_lowercase().as_bytes(),
                    &fired_at.as_millis().to_be_bytes(),
                ],
                KEY_CHARS,
            )),
            Firing::Series(name) => Self(hashed(
                "episode-by-series/1",
                &[names[0], names[1], name.to_lowercase().as_bytes()],
                KEY_CHARS,
            )),
            Firing::Body(body) => Self(hashed(
                "episode-by-body/1",
                &[names[0], names[1], body],
                KEY_CHARS,
            )),
        }
    }
}

impl EventId {
    /// The event of an episode: `fired` or `resolved`.
    pub fn new(episode: &EpisodeId, condition: &str) -> Self {
        Self(hashed(
            "event/1",
            &[episode.0.as_bytes(), condition.as_bytes()],
            KEY_CHARS,
        ))
    }
}

impl EventId {
    /// The event of one message of several about the same thing. It is never that of [`EventId::new`].
    pub fn of_message(episode: &EpisodeId, condition: &str, message: &str) -> Self {
        Self(hashed(
            "event-of-message/1",
            &[
                episode.0.as_bytes(),
                condition.as_bytes(),
                message.as_bytes(),
            ],
            KEY_CHARS,
        ))
    }
}

impl SlotId {
    /// The slot of an alert that gets a work item of its own (grouping `alert`).
    pub fn of_episode(
        connection: &ConnectionName,
        action: &ActionName,
        episode: &EpisodeId,
    ) -> Self {
        Self::grouped(connection, action, "alert", &episode.0)
    }

    /// The slot of all alerts of a rule. Rule ids are Azure resource ids, which mean the same in any case.
    pub fn of_rule(connection: &ConnectionName, action: &ActionName, rule: &str) -> Self {
        Self::grouped(connection, action, "rule", &rule.to_lowercase())
    }

    /// The slot of all alerts about a configuration item, by its name or resource id in any case.
    pub fn of_configuration_item(
        connection: &ConnectionName,
        action: &ActionName,
        configuration_item: &str,
    ) -> Self {
        Self::grouped(
            connection,
            action,
            "configuration_item",
            &configuration_item.to_lowercase(),
        )
    }

    /// The slot of a row of one firing. The next firing's rows have slots of their own, also where they say the same.
    pub fn of_row(
        connection: &ConnectionName,
        action: &ActionName,
        episode: &EpisodeId,
        row: &RowKey,
    ) -> Self {
        let identity = format!("{episode}/{row}");
        Self::grouped(connection, action, "row_of_episode", &identity)
    }

    /// The slot of a configuration item within one firing (`on_repeat: new`).
    pub fn of_configuration_item_once(
        connection: &ConnectionName,
        action: &ActionName,
        episode: &EpisodeId,
        configuration_item: &str,
    ) -> Self {
        let identity = format!("{episode}/{}", configuration_item.to_lowercase());
        Self::grouped(
            connection,
            action,
            "configuration_item_of_episode",
            &identity,
        )
    }

    /// The slot of a storm of a rule's alerts, which is named by the first of them.
    pub fn of_storm(connection: &ConnectionName, action: &ActionName, first: &EpisodeId) -> Self {
        Self::grouped(connection, action, "storm", first.as_str())
    }

    fn grouped(
        connection: &ConnectionName,
        action: &ActionName,
        grouping: &str,
        identity: &str,
    ) -> Self {
        let parts = [connection.as_str(), action.as_str(), grouping, identity].map(str::as_bytes);
        Self(hashed("slot/1", &parts, SLOT_CHARS))
    }
}

impl ItemId {
    /// The `generation`th work item of a slot, counted from 0: the slot's key and four digits of base32.
    pub fn new(slot: &SlotId, generation: u32) -> Self {
        let mut text = slot.0.clone();
        for place in (0..GENERATION_CHARS).rev() {
            let digit = (generation >> (5 * place)) & 31;
            text.push(char::from(DIGITS[digit as usize]));
        }
        Self(text)
    }

    /// The slot and the generation of the item that carries this correlation id; `None` if it is none of ours.
    pub fn from_correlation(text: &str) -> Option<(SlotId, u32)> {
        let item = Self::parse(text.strip_prefix(CORRELATION_PREFIX)?)?;
        let (slot, generation) = item.0.split_at(SLOT_CHARS);
        let generation = generation.bytes().try_fold(0u32, |number, digit| {
            let value = DIGITS.iter().position(|&known| known == digit)?;
            Some(number * 32 + u32::try_from(value).ok()?)
        })?;
        Some((SlotId(slot.to_owned()), generation))
    }

    /// What the work item carries so that it can be found again: `azm-` and 26 characters, safe in any query language.
    pub fn correlation(&self) -> CorrelationId {
        CorrelationId(format!("{CORRELATION_PREFIX}{}", self.0))
    }

    /// The key that the product's database may keep unique: 32 hexadecimal digits.
    pub fn record_key(&self) -> RecordKey {
        let hash = digest("record-key/1", &[self.0.as_bytes()]);
        RecordKey(data_encoding::HEXLOWER.encode(&hash[..16]))
    }
}

impl RowKey {
    /// The key of a row: of its named values in the order of their names and values, so that the order in which they were
    /// sent does not matter. A value that is not there and one that is null are the same.
    pub fn new<N, V>(cells: &[(N, V)]) -> Self
    where
        N: AsRef<str> + Ord,
        V: AsRef<str> + Ord,
    {
        let mut sorted: Vec<&(N, V)> = cells.iter().collect();
        sorted.sort_unstable();
        let parts: Vec<&[u8]> = sorted
            .into_iter()
            .flat_map(|(name, value)| [name.as_ref().as_bytes(), value.as_ref().as_bytes()])
            .collect();
        Self(hashed("row/1", &parts, KEY_CHARS))
    }
}

impl BodyId {
    /// The name of a body.
    pub fn new(body: &[u8]) -> Self {
        Self(hashed("body/1", &[body], KEY_CHARS))
    }
}

/// What a work item carries so that its slot finds it again.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CorrelationId(String);

impl CorrelationId {
    /// `azm-` and 26 characters of `[a-z2-7]`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The record's key where the product lets us choose it (ServiceNow's `sys_id`).
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordKey(String);

impl RecordKey {
    /// 32 lower-case hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> (ConnectionName, ActionName) {
        (
            ConnectionName::parse("contoso").unwrap(),
            ActionName::default(),
        )
    }

    fn episode(alert_id: &str, ms: i64) -> EpisodeId {
        let (connection, action) = names();
        let fired_at = Timestamp::from_millis(ms);
        EpisodeId::new(
            &connection,
            &action,
            Firing::Instance { alert_id, fired_at },
        )
    }

    /// These texts are in people's stores and work items: a change here orphans them.
    #[test]
    fn keys_stay_as_they_are() {
        let (connection, action) = names();
        let episode = episode(
            "/subscriptions/1/providers/Microsoft.AlertsManagement/alerts/2",
            1_772_359_200_000,
        );
        let slot = SlotId::of_episode(&connection, &action, &episode);
        let item = ItemId::new(&slot, 0);
        let seen = [
            episode.to_string(),
            EventId::new(&episode, "fired").to_string(),
            slot.to_string(),
            item.correlation().to_string(),
            item.record_key().as_str().to_owned(),
            SlotId::of_row(
                &connection,
                &action,
                &episode,
                &RowKey::new(&[("Computer".to_owned(), "web01".to_owned())]),
            )
            .to_string(),
            SlotId::of_configuration_item_once(&connection, &action, &episode, "Web01").to_string(),
        ];
        assert_eq!(
            seen,
            [
                "5sudnrmrs2yd7d5z5hqyehowmw",
                "t553xarnh6faaql7hkxyll3yao",
                "4abziosmqofnnn6k62sb3m",
                "azm-4abziosmqofnnn6k62sb3maaaa",
                "099fe2116e1f89133a1ab6030380fbaa",
                "jqbyvmvboebzeoqknrsd5e",
                "r2voj7zotl25q4fmn2q73b",
            ]
        );
    }

    #[test]
    fn what_differs_in_meaning_differs_in_key() {
        assert_ne!(episode("a", 1), episode("a", 2));
        assert_ne!(episode("a", 1), episode("b", 1));
        assert_eq!(episode("/A/b", 1), episode("/a/B", 1));
        let (connection, action) = names();
        assert_ne!(
            digest("x", &[b"ab", b"c"]),
            digest("x", &[b"a", b"bc"]),
            "parts must not run into one another"
        );
        let one = SlotId::of_episode(&connection, &action, &episode("a", 1));
        assert_ne!(
            ItemId::new(&one, 0).correlation(),
            ItemId::new(&one, 1).correlation()
        );
    }

    #[test]
    fn a_correlation_id_names_its_slot_and_generation() {
        let (connection, action) = names();
        let slot = SlotId::of_episode(&connection, &action, &episode("a", 1));
        for generation in [0, 1, 31, 32, 1000, 1_048_575] {
            let correlation = ItemId::new(&slot, generation).correlation();
            assert_eq!(correlation.as_str().len(), 30);
            let read = ItemId::from_correlation(correlation.as_str());
            assert_eq!(read, Some((slot.clone(), generation)));
        }
        for foreign in [
            "",
            "azm-",
            "azm-short",
            "INC0010001",
            "azm-../../../../etc/passwd/abcdef",
        ] {
            assert_eq!(ItemId::from_correlation(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn groupings_do_not_meet() {
        let (connection, action) = names();
        let episode = episode("a", 1);
        let rule = SlotId::of_rule(&connection, &action, episode.as_str());
        assert_ne!(rule, SlotId::of_episode(&connection, &action, &episode));
        assert_ne!(
            rule,
            SlotId::of_configuration_item(&connection, &action, episode.as_str())
        );
        assert_eq!(
            SlotId::of_rule(&connection, &action, "/Rule/A"),
            SlotId::of_rule(&connection, &action, "/rule/a")
        );
    }

    #[test]
    fn a_key_is_read_back_only_whole() {
        let key = episode("a", 1);
        assert_eq!(EpisodeId::parse(key.as_str()), Some(key.clone()));
        assert_eq!(EpisodeId::parse(&key.as_str()[1..]), None);
        assert_eq!(EpisodeId::parse("../../../../etc/passwd/abc"), None);
    }
}
