//! What the drain knows of the rules whose alerts may become a storm: a numbered log per rule.

use super::numbered_log::{Append, Head, NumberedLog};
use super::objects::{Objects, StoreFailure};
use crate::domain::identity::SlotId;
use crate::domain::name::{ActionName, ConnectionName};
use crate::domain::storm::Weather;
use crate::domain::timestamp::Timestamp;

/// What is known of one rule.
#[derive(Debug, Clone)]
pub struct WeatherLog(NumberedLog);

/// What is known of a rule's alerts, with what a change of it must count from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeenWeather {
    /// What is known.
    pub weather: Weather,
    head: Option<Head<Weather>>,
}

impl WeatherLog {
    /// Of a rule, by the slot that its alerts would share if they always did.
    pub fn new(
        objects: &Objects,
        connection: &ConnectionName,
        action: &ActionName,
        rule: &SlotId,
    ) -> Self {
        let folder = format!("storms/{connection}/{action}/{rule}");
        Self(NumberedLog::new(objects.clone(), folder))
    }

    /// What is known now.
    pub async fn read(&self) -> Result<SeenWeather, StoreFailure> {
        let head = self.0.head::<Weather>().await?;
        Ok(head.map_or_else(SeenWeather::default, |head| SeenWeather {
            weather: head.state.clone(),
            head: Some(head),
        }))
    }

    /// Writes down what is known now; false if somebody else has written meanwhile, so that it must be decided anew.
    pub async fn change(
        &self,
        seen: &SeenWeather,
        weather: &Weather,
        writer: &str,
        now: Timestamp,
    ) -> Result<bool, StoreFailure> {
        let appended = self
            .0
            .append(seen.head.as_ref(), writer, now, weather)
            .await?;
        Ok(matches!(appended, Append::Won(_)))
    }
}
