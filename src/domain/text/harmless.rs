//! What a text of others may do to whoever reads it, and how it is kept from that.
//!
//! The text stays as it is wherever it can: a person must recognise it, and a query that is copied out of it must still run.

/// Where a text will stand, by what is done with it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A plain field of one line.
    Line,
    /// A plain field of several lines. The product shows markup as it is written.
    Block,
    /// A field whose text is rendered as HTML.
    Html,
}

/// A text of others for a place.
///
/// Everywhere: no control characters, none that turn the reading direction, none that cannot be seen; `javascript:` is no
/// address and ServiceNow's `[code]` no markup any more; and what a spreadsheet would take for a formula is text there.
pub fn harmless(text: &str, place: Place) -> String {
    let text = match place {
        Place::Line => super::one_line(text),
        Place::Block | Place::Html => super::plain(text),
    };
    let text = no_formula(no_script_address(no_code_markup(text)));
    match place {
        Place::Line | Place::Block => text,
        Place::Html => escaped(&text),
    }
}

/// A text that may stand as a value in an encoded query of ServiceNow, which knows no escaping: nothing that ends the value
/// or runs as a script (row T7). `None` for any other.
pub fn for_query(text: &str) -> Option<&str> {
    let runs = text
        .trim_start()
        .get(..SCRIPT.len())
        .is_some_and(|begin| begin.eq_ignore_ascii_case(SCRIPT));
    let ends_the_value = |c: char| c == '^' || c.is_control() || breaks_a_line(c);
    (!text.is_empty() && !runs && !text.contains(ends_the_value)).then_some(text)
}

/// A text as a string literal of an OData filter, quotes and all (row T8): a quote inside is doubled, control characters go.
pub fn odata_text(text: &str) -> String {
    let inner: String = text.chars().filter(|c| !c.is_control()).collect();
    format!("'{}'", inner.replace('\'', "''"))
}

const SCRIPT: &str = "javascript:";

/// Addresses that run what follows them. A blank before the colon makes them text.
fn no_script_address(mut text: String) -> String {
    for scheme in [SCRIPT, "vbscript:"] {
        let mut from = 0;
        while let Some(at) = find_ignoring_case(&text[from..], scheme) {
            let colon = from + at + scheme.len() - 1;
            text.insert(colon, ' ');
            from = colon + 2;
        }
    }
    text
}

/// `[code]` in a journal field turns what follows into HTML.
fn no_code_markup(mut text: String) -> String {
    for mark in ["[code]", "[/code]"] {
        let mut from = 0;
        while let Some(at) = find_ignoring_case(&text[from..], mark) {
            let inside = from + at + 1;
            text.insert(inside, ' ');
            from = inside + mark.len();
        }
    }
    text
}

/// Lists are exported to spreadsheets, which run what begins with one of these. A number with its sign is left alone.
fn no_formula(text: String) -> String {
    let is_formula = match text.trim_start().chars().next() {
        Some('=' | '@') => true,
        Some('+' | '-') => text.trim().parse::<f64>().is_err(),
        _ => false,
    };
    if is_formula { format!("'{text}") } else { text }
}

/// Text inside HTML.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' => out.push_str("<br>"),
            other => out.push(other),
        }
    }
    out
}

/// Where `needle`, which is ASCII, stands in `text`, in any case.
fn find_ignoring_case(text: &str, needle: &str) -> Option<usize> {
    text.as_bytes()
        .windows(needle.len())
        .position(|part| part.eq_ignore_ascii_case(needle.as_bytes()))
}

/// Characters that make a reader see another order than the one stored (CVE-2021-42574).
pub(super) fn turns_direction(c: char) -> bool {
    matches!(u32::from(c), 0x061C | 0x200E | 0x200F | 0x202A..=0x202E | 0x2066..=0x2069 | 0x206A..=0x206F)
}

/// Unicode's own ends of lines and paragraphs.
pub(super) fn breaks_a_line(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}')
}

/// Characters without width or shape: soft hyphen, zero-width space, word joiners, byte order mark, tags, annotations. The
/// joiners that hold a family of emoji or a Persian word together (U+200C, U+200D) stay.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(
        u32::from(c),
        0x00AD | 0x180E | 0x200B | 0x2060..=0x2064 | 0xFEFF | 0xFFF9..=0xFFFB | 0xE0000..=0xE007F
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn t11_markup_is_made_harmless_by_where_it_stands() {
        let text = "<img src=x onerror=alert(1)> **bold** & \"x\"";
        assert_eq!(harmless(text, Place::Block), text);
        assert_eq!(
            harmless(text, Place::Html),
            "&lt;img src=x onerror=alert(1)&gt; **bold** &amp; &quot;x&quot;"
        );
        assert_eq!(harmless("a\nb'", Place::Html), "a<br>b&#39;");
        for place in [Place::Line, Place::Block] {
            assert_eq!(
                harmless("x [code]<b>[CODE] y [/Code]", place),
                "x [ code]<b>[ CODE] y [ /Code]"
            );
            assert_eq!(
                harmless("see JavaScript:alert(1), vbscript:x", place),
                "see JavaScript :alert(1), vbscript :x"
            );
        }
    }

    #[test]
    fn what_a_spreadsheet_would_run_is_text_and_a_number_stays_one() {
        for (text, expected) in [
            ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("+1+cmd", "'+1+cmd"),
            ("-2+3", "'-2+3"),
            ("-2.5", "-2.5"),
            ("+49", "+49"),
            ("a=b", "a=b"),
        ] {
            assert_eq!(harmless(text, Place::Line), expected);
        }
    }

    #[test]
    fn what_is_not_seen_or_turns_the_line_around_goes() {
        assert_eq!(
            harmless(
                "pay\u{202e}load\u{200b}\u{ad}\u{feff} \u{2066}x\u{2069} \u{e0041}y",
                Place::Block
            ),
            "payload x y"
        );
        let family = "👨\u{200d}👩\u{200d}👧 می\u{200c}خواهم";
        assert_eq!(harmless(family, Place::Block), family);
    }

    #[test]
    fn t7_what_would_end_a_value_or_run_stays_out_of_queries() {
        for text in [
            "x^ORactive=true",
            "javascript:gs.getUserID()",
            " JavaScript:x",
            "a\nb",
            "a\u{2028}b",
            "",
        ] {
            assert_eq!(for_query(text), None, "{text:?}");
        }
        for text in ["azm-2345abcd", "LIKE", "100 %", "über 80 %"] {
            assert_eq!(for_query(text), Some(text));
        }
    }

    proptest! {
        #[test]
        fn t8_a_text_in_an_odata_filter_stays_inside_its_quotes(text in "[a-z' ()=]{0,20}|.{0,20}") {
            let literal = odata_text(&text);
            let inner = literal.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).unwrap();
            prop_assert!(!inner.replace("''", "").contains('\''), "{literal}");
            prop_assert!(!literal.chars().any(char::is_control));
        }

        #[test]
        fn nothing_dangerous_is_left_of_any_text(text in "([a-zA-Z=+@\\[\\]/:^]|javascript:|\\[code\\]|\u{202e}|.){0,40}") {
            for place in [Place::Line, Place::Block, Place::Html] {
                let safe = harmless(&text, place);
                let lower = safe.to_ascii_lowercase();
                prop_assert!(!lower.contains("javascript:") && !lower.contains("[code]"), "{safe}");
                prop_assert!(!safe.starts_with(['=', '@']), "{safe}");
                prop_assert!(!safe.chars().any(|c| turns_direction(c) || is_invisible(c) || (c.is_control() && c != '\n' && c != '\t')));
            }
        }
    }

    #[test]
    fn t8_an_injection_is_one_literal() {
        assert_eq!(odata_text("' or 1 eq 1"), "''' or 1 eq 1'");
    }
}
