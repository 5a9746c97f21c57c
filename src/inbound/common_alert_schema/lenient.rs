//! JSON read leniently and without building a tree of it: members and items are borrowed from the body and handed over one
//! by one, so that what is not kept costs nothing.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Members of one object that are looked at: Azure's longest have about thirty.
const MEMBERS_MAX: usize = 128;

/// About how many bytes a member has: enough room for the members of most objects at once.
const MEMBER_BYTES: usize = 64;

/// Bytes of one text that are kept: more than any product's field takes. Log Analytics has the same limit for a column.
pub(super) const TEXT_BYTES_MAX: usize = 64 * 1024;

/// The members of an object, by their names in any case: Azure spells `alertRuleID` and `alertRuleId`, `Name` and `name`.
/// Of two with the same name the first counts.
pub(super) struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Object<'a> {
    /// The members of an object; `None` if it is none.
    pub(super) fn read(raw: &'a RawValue) -> Option<Self> {
        if !is_object(raw) {
            return None;
        }
        let mut found = Vec::with_capacity(raw.get().len().div_ceil(MEMBER_BYTES).min(8));
        members(raw, |name, value| {
            if found.len() < MEMBERS_MAX {
                found.push((name, value));
            }
        })?;
        Some(Self(found))
    }

    /// True if there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a member; `None` also for null.
    pub(super) fn raw(&self, name: &str) -> Option<&'a RawValue> {
        let mut found = self
            .0
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name));
        found.find(|(_, raw)| !is_null(raw)).map(|(_, raw)| *raw)
    }

    /// True if there is such a member that is not null.
    pub(super) fn has(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    /// A member as text; `None` for null, for what is no plain value, and for blanks.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.raw(name)
            .and_then(text)
            .filter(|text| !text.trim().is_empty())
    }

    /// An object among the members.
    pub(super) fn object(&self, name: &str) -> Option<Object<'a>> {
        self.raw(name).and_then(Object::read)
    }

    /// A list among the members as texts, a text alone as a list of one; see [`texts`].
    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        self.raw(name).map(|raw| texts(raw).0).unwrap_or_default()
    }

    /// An object among the members as pairs of texts.
    pub(super) fn pairs(&self, name: &str) -> Vec<(String, String)> {
        self.raw(name).map(pairs).unwrap_or_default()
    }

    /// The members themselves as pairs of texts.
    pub(super) fn plain_values(&self) -> Vec<(String, String)> {
        let plain = self
            .0
            .iter()
            .filter_map(|(name, raw)| Some((name.to_string(), written(raw)?)));
        plain.take(PAIRS_MAX).collect()
    }
}

fn is_null(raw: &RawValue) -> bool {
    raw.get().starts_with('n')
}

fn is_object(raw: &RawValue) -> bool {
    raw.get().starts_with('{')
}

fn is_list(raw: &RawValue) -> bool {
    raw.get().starts_with('[')
}

/// A plain value as text: strings as they are, numbers with their digits as they were written (a number of 40 digits stays
/// one, row W29). `None` for null, objects and lists.
pub(super) fn text(raw: &RawValue) -> Option<String> {
    borrowed(raw).map(|text| within_limit(text).into_owned())
}

/// The same, borrowed where nothing is escaped.
pub(super) fn borrowed(raw: &RawValue) -> Option<Cow<'_, str>> {
    let raw = raw.get();
    match raw.as_bytes().first() {
        Some(b'"') if !raw.contains('\\') => Some(Cow::Borrowed(&raw[1..raw.len() - 1])),
        Some(b'"') => serde_json::from_str(raw).ok().map(Cow::Owned),
        Some(b'n' | b'{' | b'[') | None => None,
        Some(_) => Some(Cow::Borrowed(raw)),
    }
}

/// A value as text, objects and lists as the JSON that they are; `None` for null.
pub(super) fn written(raw: &RawValue) -> Option<String> {
    match raw.get().as_bytes().first() {
        Some(b'{' | b'[') => Some(within_limit(Cow::Borrowed(raw.get())).into_owned()),
        _ => text(raw),
    }
}

fn within_limit(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.len() <= TEXT_BYTES_MAX {
        return text;
    }
    let end = (0..=TEXT_BYTES_MAX)
        .rev()
        .find(|&at| text.is_char_boundary(at));
    Cow::Owned(text[..end.unwrap_or(0)].to_owned())
}

/// Items of a list that are kept; the rest is counted (row W25 has 5,000 of them).
const ITEMS_MAX: usize = 1000;

/// Pairs that are kept (row W26 has 1,000).
const PAIRS_MAX: usize = 200;

/// A list of texts, and how many more there are. A text alone is a list of one; what is no text is left out.
pub(super) fn texts(raw: &RawValue) -> (Vec<String>, usize) {
    if !is_list(raw) {
        return (text(raw).into_iter().collect(), 0);
    }
    let (mut kept, mut beyond) = (Vec::new(), 0);
    each(raw, |item| match text(item) {
        Some(text) if kept.len() < ITEMS_MAX => kept.push(text),
        Some(_) => beyond += 1,
        None => {}
    });
    (kept, beyond)
}

/// An object as pairs of texts. A text that has an object inside is taken for that object.
pub(super) fn pairs(raw: &RawValue) -> Vec<(String, String)> {
    if let Some(inner) = json_inside(raw) {
        return serde_json::from_str::<&RawValue>(&inner)
            .map(pairs)
            .unwrap_or_default();
    }
    let mut kept = Vec::new();
    if is_object(raw) {
        members(raw, |name, value| {
            if kept.len() < PAIRS_MAX
                && let Some(value) = written(value)
            {
                kept.push((within_limit(name).into_owned(), value));
            }
        });
    }
    kept
}

/// What a string has inside, if that is an object or a list again.
pub(super) fn json_inside(raw: &RawValue) -> Option<String> {
    if !raw.get().starts_with('"') {
        return None;
    }
    let inner = borrowed(raw)?;
    let is_json = inner.trim_start().starts_with(['{', '[']);
    is_json.then(|| inner.into_owned())
}

/// Hands over the items of a list, one by one.
pub(super) fn each<'a>(raw: &'a RawValue, take: impl FnMut(&'a RawValue)) {
    if is_list(raw) {
        // The body was read as JSON before: this cannot fail.
        let _ = (Items { take }).deserialize(&mut serde_json::Deserializer::from_str(raw.get()));
    }
}

struct Items<F> {
    take: F,
}

impl<'a, F: FnMut(&'a RawValue)> DeserializeSeed<'a> for Items<F> {
    type Value = ();
    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'a, F: FnMut(&'a RawValue)> Visitor<'a> for Items<F> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }
    fn visit_seq<A: SeqAccess<'a>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(item) = list.next_element()? {
            (self.take)(item);
        }
        Ok(())
    }
}

/// Hands over the members of an object, one by one; `None` if it is no JSON.
pub(super) fn members<'a>(
    raw: &'a RawValue,
    take: impl FnMut(Cow<'a, str>, &'a RawValue),
) -> Option<()> {
    (Members { take })
        .deserialize(&mut serde_json::Deserializer::from_str(raw.get()))
        .ok()
}

struct Members<F> {
    take: F,
}

impl<'a, F: FnMut(Cow<'a, str>, &'a RawValue)> DeserializeSeed<'a> for Members<F> {
    type Value = ();
    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a, F: FnMut(Cow<'a, str>, &'a RawValue)> Visitor<'a> for Members<F> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }
    fn visit_map<A: MapAccess<'a>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some((Name(name), value)) = map.next_entry()? {
            (self.take)(name, value);
        }
        Ok(())
    }
}

/// The name of a member, borrowed where nothing is escaped.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyName;
        impl<'de> Visitor<'de> for AnyName {
            type Value = Name<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_borrowed_str<E: de::Error>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(name)))
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(AnyName)
    }
}

/// Text where Azure sends strings, numbers, booleans or null in turn; anything else is refused.
#[derive(Default)]
pub(super) struct Text(pub(super) Option<String>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        match text(raw) {
            None if !is_null(raw) => Err(de::Error::custom("expected a text")),
            text => Ok(Self(text)),
        }
    }
}

/// A list of texts, one text alone, or null; and how many are not kept.
#[derive(Default)]
pub(super) struct Texts(pub(super) Vec<String>, pub(super) usize);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (kept, beyond) = texts(<&RawValue>::deserialize(deserializer)?);
        Ok(Self(kept, beyond))
    }
}

/// An object of texts, or null. Values that are no text are kept as their JSON.
#[derive(Default)]
pub(super) struct Pairs(pub(super) Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(pairs(<&RawValue>::deserialize(deserializer)?)))
    }
}
