//! Azure's words and numbers as people say them.

/// `GreaterThan` → `above`. Unknown ones stay as they are.
pub(super) fn operator(operator: &str) -> &str {
    let compact: String = operator
        .chars()
        .filter(|c| c.is_ascii_alphabetic())
        .collect();
    match compact.to_ascii_lowercase().as_str() {
        "greaterthan" => "above",
        "greaterthanorequal" | "greaterthanorequalto" | "greaterorequal" => "at or above",
        "lessthan" => "below",
        "lessthanorequal" | "lessthanorequalto" | "lessorequal" => "at or below",
        "equals" | "equal" => "equal to",
        "notequals" | "notequal" => "other than",
        "greaterorlessthan" => "outside of",
        _ => operator,
    }
}

/// What a number of a metric counts, as far as the metric's name says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Percent,
    Bytes,
    Milliseconds,
    Unknown,
}

/// The alert does not say the unit; the names of Azure's own metrics do where they are plain.
pub(super) fn unit(metric: &str) -> Unit {
    let metric = metric.to_ascii_lowercase();
    let has = |part: &str| metric.contains(part);
    if (has("percent") || has('%'.to_string().as_str())) && !has("percentile") {
        Unit::Percent
    } else if has("bytes") && !has("/sec") && !has("persecond") && !has("per second") {
        Unit::Bytes
    } else if has("milliseconds") || metric.ends_with("(ms)") {
        Unit::Milliseconds
    } else {
        Unit::Unknown
    }
}

/// A number with its unit: `93.2 %`, `100 MiB (104857600 bytes)`. What is no number stays as it is.
pub(super) fn amount(number: &str, unit: Unit) -> String {
    let number = plain_number(number);
    match (unit, number.parse::<f64>()) {
        (Unit::Percent, Ok(_)) => format!("{number} %"),
        (Unit::Milliseconds, Ok(_)) => format!("{number} ms"),
        (Unit::Bytes, Ok(value)) => in_bytes(number, value),
        _ => number.to_owned(),
    }
}

/// `17.0` → `17`: the services write whole numbers as fractions.
fn plain_number(number: &str) -> &str {
    let number = number.trim();
    let whole = number
        .strip_suffix(".0")
        .filter(|whole| whole.parse::<i64>().is_ok());
    whole.unwrap_or(number)
}

fn in_bytes(number: &str, value: f64) -> String {
    const STEP: f64 = 1024.0;
    let names = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let (mut size, mut name) = (value, "");
    for next in names {
        if size.abs() < STEP {
            break;
        }
        size /= STEP;
        name = next;
    }
    if name.is_empty() {
        return format!("{number} bytes");
    }
    let size = format!("{size:.1}");
    format!("{} {name} ({number} bytes)", plain_number(&size))
}

/// `PT5M` → `5 minutes`. What has several parts stays as it is.
pub(super) fn span(duration: &str) -> String {
    let (count, name) = match duration.trim().strip_prefix("PT") {
        Some(rest) => match rest.chars().last() {
            Some('S') => (&rest[..rest.len() - 1], "second"),
            Some('M') => (&rest[..rest.len() - 1], "minute"),
            Some('H') => (&rest[..rest.len() - 1], "hour"),
            _ => return duration.to_owned(),
        },
        None => match duration
            .trim()
            .strip_prefix('P')
            .and_then(|rest| rest.strip_suffix('D'))
        {
            Some(count) => (count, "day"),
            None => return duration.to_owned(),
        },
    };
    match count.parse::<u32>() {
        Ok(1) => format!("1 {name}"),
        Ok(count) => format!("{count} {name}s"),
        Err(_) => duration.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_unit_that_the_metric_names() {
        let cases = [
            ("Percentage CPU", "93.2", "93.2 %"),
            ("cpu_percent", "80.0", "80 %"),
            (
                "Available Memory Bytes",
                "104857600",
                "100 MiB (104857600 bytes)",
            ),
            ("UsedCapacityBytes", "512", "512 bytes"),
            ("Disk Read Bytes/sec", "5000", "5000"),
            ("Requests", "48211", "48211"),
            ("Percentage CPU", "a lot", "a lot"),
            ("ResponsePercentile99", "7", "7"),
        ];
        for (metric, number, told) in cases {
            assert_eq!(amount(number, unit(metric)), told, "{metric}");
        }
    }

    #[test]
    fn spans_and_operators_are_told_in_words() {
        for (sent, told) in [
            ("PT5M", "5 minutes"),
            ("PT1H", "1 hour"),
            ("P1D", "1 day"),
            ("PT1H30M", "PT1H30M"),
            ("é", "é"),
            ("PT", "PT"),
        ] {
            assert_eq!(span(sent), told);
        }
        for (sent, told) in [
            ("GreaterThan", "above"),
            ("Less Than", "below"),
            ("LessThanOrEqual", "at or below"),
            ("Odd", "Odd"),
        ] {
            assert_eq!(operator(sent), told);
        }
    }
}
