//! The JSON of the Common Alert Schema, and nothing else. Unknown fields are skipped without being kept.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Items of a list that are kept; the rest is skipped (row W25 has 5,000 of them).
const ITEMS_MAX: usize = 1000;

/// Custom properties that are kept (row W26 has 1,000).
const PROPERTIES_MAX: usize = 200;

#[derive(Deserialize)]
pub(super) struct Envelope<'a> {
    #[serde(rename = "schemaId", default, borrow)]
    pub(super) schema_id: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    pub(super) data: Option<Data<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Data<'a> {
    #[serde(default)]
    pub(super) essentials: Option<Essentials>,
    #[serde(rename = "alertContext", default, borrow)]
    pub(super) alert_context: Option<&'a RawValue>,
    #[serde(rename = "customProperties", default)]
    pub(super) custom_properties: Pairs,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Essentials {
    #[serde(default)]
    pub(super) alert_id: Text,
    #[serde(default)]
    pub(super) alert_rule: Text,
    /// Azure's table spells it `alertRuleID`, its sample `alertRuleId`.
    #[serde(rename = "alertRuleID", alias = "alertRuleId", default)]
    pub(super) alert_rule_id: Text,
    #[serde(default)]
    pub(super) severity: Text,
    #[serde(default)]
    pub(super) monitor_condition: Text,
    #[serde(default)]
    pub(super) monitoring_service: Text,
    #[serde(rename = "alertTargetIDs", alias = "alertTargetIds", default)]
    pub(super) alert_target_ids: Texts,
    #[serde(default)]
    pub(super) configuration_items: Texts,
    #[serde(default)]
    pub(super) fired_date_time: Text,
    #[serde(default)]
    pub(super) resolved_date_time: Text,
    #[serde(default)]
    pub(super) description: Text,
    #[serde(default)]
    pub(super) investigation_link: Text,
}

/// The context of metric alerts, of Log Alerts V2 and of Simple Log Alerts, which have the same frame.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Context<'a> {
    #[serde(default)]
    pub(super) condition_type: Text,
    #[serde(default, borrow)]
    pub(super) condition: Option<ConditionBlock<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConditionBlock<'a> {
    #[serde(default)]
    pub(super) window_size: Text,
    #[serde(default)]
    pub(super) window_start_time: Text,
    #[serde(default)]
    pub(super) window_end_time: Text,
    #[serde(default, borrow)]
    pub(super) all_of: Option<Vec<Criterion<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Criterion<'a> {
    #[serde(default)]
    pub(super) metric_name: Text,
    #[serde(default)]
    pub(super) metric_namespace: Text,
    #[serde(default)]
    pub(super) web_test_name: Text,
    #[serde(default)]
    pub(super) search_query: Text,
    #[serde(default)]
    pub(super) operator: Text,
    #[serde(default)]
    pub(super) threshold: Text,
    #[serde(default)]
    pub(super) metric_value: Text,
    #[serde(default)]
    pub(super) time_aggregation: Text,
    #[serde(default)]
    pub(super) alert_sensitivity: Text,
    #[serde(default)]
    pub(super) dimensions: Option<Vec<Dimension>>,
    #[serde(default)]
    pub(super) failing_periods: Option<FailingPeriods>,
    #[serde(rename = "linkToFilteredSearchResultsUI", default)]
    pub(super) link_to_filtered_results: Text,
    #[serde(rename = "linkToSearchResultsUI", default)]
    pub(super) link_to_results: Text,
    /// The rows of a Simple Log Alert; null elsewhere.
    #[serde(default, borrow)]
    pub(super) event: Option<&'a RawValue>,
}

/// The context of Log Alerts V1. One of its dates has a `time` where the other has a `Time` (azure-platform §1.5).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct LogV1<'a> {
    #[serde(default)]
    pub(super) search_query: Text,
    #[serde(default)]
    pub(super) search_interval_start_time_utc: Text,
    #[serde(
        rename = "SearchIntervalEndtimeUtc",
        alias = "SearchIntervalEndTimeUtc",
        default
    )]
    pub(super) search_interval_end_time_utc: Text,
    #[serde(default)]
    pub(super) result_count: Text,
    #[serde(default)]
    pub(super) threshold: Text,
    #[serde(default)]
    pub(super) operator: Text,
    #[serde(default)]
    pub(super) alert_type: Text,
    #[serde(default)]
    pub(super) affected_configuration_items: Texts,
    #[serde(default)]
    pub(super) dimensions: Option<Vec<Dimension>>,
    #[serde(default)]
    pub(super) link_to_search_results: Text,
    #[serde(rename = "LinkToFilteredSearchResultsUI", default)]
    pub(super) link_to_filtered_search_results: Text,
    #[serde(default, borrow)]
    pub(super) search_results: Option<&'a RawValue>,
}

/// In Log V1 with capital letters at the beginning.
#[derive(Deserialize)]
pub(super) struct Dimension {
    #[serde(alias = "Name", default)]
    pub(super) name: Text,
    #[serde(alias = "Value", default)]
    pub(super) value: Text,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FailingPeriods {
    #[serde(default)]
    pub(super) number_of_evaluation_periods: Text,
    #[serde(default)]
    pub(super) min_failing_periods_to_alert: Text,
}

/// Text where Azure sends strings, numbers, booleans or null in turn. Numbers keep their digits as they were written.
#[derive(Default)]
pub(super) struct Text(pub(super) Option<String>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Through the raw text, so that a number of 40 digits stays one (row W29).
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        match raw.as_bytes().first() {
            Some(b'"') => Ok(Self(Some(
                serde_json::from_str(raw).map_err(de::Error::custom)?,
            ))),
            Some(b'n') | None => Ok(Self(None)),
            Some(b'{' | b'[') => Err(de::Error::custom("expected a text")),
            Some(_) => Ok(Self(Some(raw.to_owned()))),
        }
    }
}

/// A list of texts, one text alone, or null.
#[derive(Default)]
pub(super) struct Texts(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Texts;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of texts")
            }
            fn visit_unit<E: de::Error>(self) -> Result<Texts, E> {
                Ok(Texts::default())
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Texts, E> {
                Ok(Texts(vec![text.to_owned()]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Texts, A::Error> {
                let mut texts = Vec::new();
                while texts.len() < ITEMS_MAX {
                    match list.next_element::<Text>()? {
                        Some(Text(Some(text))) => texts.push(text),
                        Some(Text(None)) => {}
                        None => return Ok(Texts(texts)),
                    }
                }
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Texts(texts))
            }
        }
        deserializer.deserialize_any(List)
    }
}

/// An object of texts, or null. Values that are no text are kept as their JSON.
#[derive(Default)]
pub(super) struct Pairs(pub(super) Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Pairs;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }
            fn visit_unit<E: de::Error>(self) -> Result<Pairs, E> {
                Ok(Pairs::default())
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    if pairs.len() < PROPERTIES_MAX {
                        let text = serde_json::from_str::<String>(value.get())
                            .unwrap_or_else(|_| value.get().to_owned());
                        pairs.push((name, text));
                    }
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_any(Map)
    }
}
