//! Alerts to send: the fixture of a metric alert, each time of another instance.

use super::bench::KEY;
use super::client::Request;

const FIRED: &str = include_str!("../../../tests/fixtures/common_alert_schema/metric_fired.json");
const RESOLVED: &str =
    include_str!("../../../tests/fixtures/common_alert_schema/metric_resolved.json");

/// The instance in both fixtures.
const INSTANCE: &str = "aaaaaaaa-0001-4000-8000-000000000001";

/// The connection that the alerts are for.
pub(super) const CONNECTION: &str = "contoso";

/// The path that takes them.
pub(super) fn path() -> String {
    format!("/api/create-work-item/{CONNECTION}")
}

/// The Fired of instance `n` of a series.
pub(super) fn fired(series: u16, n: usize) -> Vec<u8> {
    of(FIRED, series, n)
}

/// The Resolved of it.
pub(super) fn resolved(series: u16, n: usize) -> Vec<u8> {
    of(RESOLVED, series, n)
}

/// The delivery of a body.
pub(super) fn delivery(body: Vec<u8>) -> Request {
    let mut request = Request::json(&path(), body);
    request
        .headers
        .push(("x-itsmc-key".to_owned(), KEY.to_owned()));
    request
}

/// Pretty printed as in the fixture an alert would be larger than what Azure sends; the blanks go.
fn of(fixture: &str, series: u16, n: usize) -> Vec<u8> {
    let instance = format!("aaaaaaaa-{series:04x}-4000-8000-{n:012x}");
    fixture
        .replace(INSTANCE, &instance)
        .lines()
        .map(str::trim_start)
        .collect::<String>()
        .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alert_is_another_instance_and_still_the_same_json() {
        let read = |body: Vec<u8>| serde_json::from_slice::<serde_json::Value>(&body);
        let (one, two) = (fired(1, 1), fired(1, 2));
        assert_ne!(one, two);
        let mut same = read(fired(0xffff, 3)).unwrap();
        let id = &mut same["data"]["essentials"]["alertId"];
        *id = id
            .as_str()
            .unwrap()
            .replace("aaaaaaaa-ffff-4000-8000-000000000003", INSTANCE)
            .into();
        assert_eq!(
            same,
            serde_json::from_str::<serde_json::Value>(FIRED).unwrap()
        );
        assert_ne!(read(resolved(1, 1)).unwrap(), read(one).unwrap());
    }
}
