//! Text that is cut to a limit, and says so.

/// The mark at the end of a text that was cut.
pub const CUT_MARK: &str = " […]";

/// Cuts `text` to at most `limit` characters, the mark included. Text within the limit is left alone.
///
/// Characters are Unicode scalar values; a combining mark that would be parted from its letter goes with it.
pub fn cut(text: &str, limit: usize) -> String {
    if text.len() <= limit || text.chars().count() <= limit {
        return text.to_owned();
    }
    let room = limit.saturating_sub(CUT_MARK.chars().count());
    let mut end = text
        .char_indices()
        .nth(room)
        .map_or(text.len(), |(at, _)| at);
    while end > 0 && text[end..].chars().next().is_some_and(joins_the_one_before) {
        end = text[..end]
            .char_indices()
            .next_back()
            .map_or(0, |(at, _)| at);
    }
    let mut short = text[..end].trim_end().to_owned();
    short.push_str(CUT_MARK);
    short
}

/// Combining marks, variation selectors, zero-width joiners and skin tones.
fn joins_the_one_before(c: char) -> bool {
    matches!(u32::from(c), 0x0300..=0x036F | 0x1AB0..=0x1AFF | 0x20D0..=0x20FF | 0xFE00..=0xFE0F | 0x200D | 0x1F3FB..=0x1F3FF)
}

/// One line: control characters (line breaks too) and directional overrides become blanks.
pub fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() || overrides_direction(c) {
                ' '
            } else {
                c
            }
        })
        .collect::<String>()
        .trim()
        .to_owned()
}

/// Plain text of several lines: line breaks and tabs stay, other control characters and directional overrides go.
pub fn plain(text: &str) -> String {
    let unified = text.replace("\r\n", "\n").replace('\r', "\n");
    unified
        .chars()
        .filter(|&c| !overrides_direction(c) && (!c.is_control() || matches!(c, '\n' | '\t')))
        .collect()
}

/// Characters that make a reader see another order than the one stored (CVE-2021-42574).
fn overrides_direction(c: char) -> bool {
    matches!(u32::from(c), 0x202A..=0x202E | 0x2066..=0x2069)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_with_a_mark_and_within_the_limit() {
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("a long text", 8), "a lo […]");
        assert_eq!(cut(&"ä".repeat(10), 10), "ä".repeat(10));
        for limit in 0..12 {
            assert!(
                cut(
                    "e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}",
                    limit
                )
                .chars()
                .count()
                    <= limit.max(4)
            );
        }
        assert_eq!(cut("abcde\u{301}fghij", 9), "abcd […]");
    }

    #[test]
    fn one_line_has_no_control_characters() {
        assert_eq!(one_line("a\r\nb\u{1b}[31mc\u{202e}d"), "a  b [31mc d");
        assert_eq!(plain("a\r\nb\u{0}c\td\u{202e}"), "a\nbc\td");
    }
}
