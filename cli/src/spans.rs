//! Spans of time in words, short enough for a table.

use std::time::Duration;

/// `12 s`, `4 min`, `7 h`, `30 days`: cut, never rounded up.
pub(crate) fn short(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..=89 => format!("{seconds} s"),
        90..=5_399 => format!("{} min", seconds / 60),
        5_400..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_span_has_its_unit() {
        let told = |seconds| short(Duration::from_secs(seconds));
        assert_eq!(
            [told(0), told(89), told(90), told(7_200), told(7_776_000)],
            ["0 s", "89 s", "1 min", "2 h", "90 days"]
        );
    }
}
