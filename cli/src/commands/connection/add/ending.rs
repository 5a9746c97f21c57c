//! When a connection's own secret ends: what the person says, or what the vault says of the same secret.

use itsm_connector::adapters::clock::SystemClock;
use itsm_connector::domain::connection::Connection;
use itsm_connector::domain::definition;
use itsm_connector::domain::timestamp::Timestamp;
use itsm_connector::ports::Clock as _;
use itsm_connector::stores::connections::SECRET_PREFIX;

use super::Add;
use crate::desk::Desk;
use crate::failure::Failure;

/// Reads a day, or a moment with its offset, that is still to come.
pub(super) fn date(text: &str) -> Result<Timestamp, String> {
    let is_day = text.len() == "2027-01-31".len();
    let moment = match is_day {
        true => Timestamp::parse_lenient(&format!("{text}T00:00:00Z")),
        false => Timestamp::parse_lenient(text),
    };
    match moment {
        None => Err("expected a day such as `2027-01-31`".to_owned()),
        Some(end) if end <= SystemClock::default().now() => {
            Err("this day has passed: make a new secret first".to_owned())
        }
        Some(end) => Ok(end),
    }
}

impl Add {
    /// What is written beside the definition. Where nothing is said, the end of a secret that stays stays too.
    pub(super) async fn secret_ends_at(
        &self,
        desk: &Desk,
        connection: &Connection,
    ) -> Result<Option<Timestamp>, Failure> {
        if self.secret_expires.is_some() {
            return match desk.keeps_ends() {
                true => Ok(self.secret_expires),
                false => Err(Failure::wrong_usage(
                    "--secret-expires: the vault is a folder, which has no place for a date",
                    "only Azure Key Vault keeps it; leave the option out",
                )),
            };
        }
        if !self.replace {
            return Ok(None);
        }
        let name = format!("{SECRET_PREFIX}{}", connection.name);
        let Some(kept) = desk.vault().get(&name).await? else {
            return Ok(None);
        };
        let before = definition::parse(kept.value.expose().as_bytes(), desk.allowed()).ok();
        let before = before.and_then(|before| before.client_secret);
        let stays = match (&before, &connection.client_secret) {
            (Some(before), Some(now)) => before.expose() == now.expose(),
            _ => false,
        };
        Ok(kept.expires.filter(|_| stays))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_day_that_is_to_come() {
        let day = date("2999-01-31").unwrap();
        assert_eq!(day.to_string(), "2999-01-31T00:00:00.000Z");
        assert!(date("2999-01-31T10:00:00+02:00").is_ok());
        for text in ["2020-01-31", "soon", "31.01.2999", ""] {
            assert!(date(text).is_err(), "{text}");
        }
    }
}
