//! Text of others: cut to what fits, and made harmless for the place where it will stand.
//!
//! Lengths are counted in UTF-16 units, as the products count that are written in Java or C#; where one counts characters
//! instead, a text is shorter than it had to be and never too long. Cuts fall between what a reader takes for letters.

mod harmless;
mod mask;

use std::borrow::Cow;

use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation as _};

pub use harmless::{Place, for_query, harmless, odata_text};
pub use mask::{MASK, mask};

/// The mark at the end of a line that was cut.
pub const CUT_MARK: &str = " […]";

/// The mark at the end of a long text that was cut has the number of missing characters between these.
const COUNTED_FROM: &str = "\n… cut here, ";
const COUNTED_TO: &str = " more characters";

/// How long a text is, in UTF-16 units.
pub fn length(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Cuts `text` to at most `limit`, the mark included. Text within the limit is left alone.
pub fn cut(text: &str, limit: usize) -> String {
    if fits(text, limit) {
        return text.to_owned();
    }
    let room = limit.saturating_sub(length(CUT_MARK));
    format!("{}{CUT_MARK}", beginning(text, room).trim_end())
}

/// Cuts `text` to at most `limit` and says how much is missing. Text within the limit is left alone; a limit that has no
/// room for that is served by [`cut`].
pub fn cut_and_count(text: &str, limit: usize) -> String {
    if fits(text, limit) {
        return text.to_owned();
    }
    let mark = |missing: usize| format!("{COUNTED_FROM}{missing}{COUNTED_TO}");
    let total = text.chars().count();
    // The mark that says that all of it is missing is the longest one.
    let longest = length(&mark(total));
    if limit < 2 * longest {
        return cut(text, limit);
    }
    let kept = beginning(text, limit - longest).trim_end();
    format!("{kept}{}", mark(total - kept.chars().count()))
}

/// Cuts `text` to at most `limit` bytes of UTF-8 and says how much is missing. A `limit` without room for that is a mistake
/// of the caller's, and gives the mark alone.
pub fn cut_to_bytes(text: &str, limit: usize) -> Cow<'_, str> {
    if text.len() <= limit {
        return Cow::Borrowed(text);
    }
    let mark = |missing: usize| format!("{COUNTED_FROM}{missing}{COUNTED_TO}");
    let total = text.chars().count();
    let mut end = limit.saturating_sub(mark(total).len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut letters = GraphemeCursor::new(end, text.len(), true);
    if letters.is_boundary(text, 0) == Ok(false) {
        // Zero is the end of a letter that is longer than the limit: it is cut all the same.
        match letters.prev_boundary(text, 0) {
            Ok(None | Some(0)) | Err(_) => {}
            Ok(Some(before)) => end = before,
        }
    }
    let kept = text[..end].trim_end();
    Cow::Owned(format!("{kept}{}", mark(total - kept.chars().count())))
}

/// What stands before the mark, if a text was cut.
pub fn before_the_cut(text: &str) -> Option<&str> {
    let counted = || {
        let (kept, mark) = text.rsplit_once(COUNTED_FROM)?;
        mark.ends_with(COUNTED_TO).then_some(kept)
    };
    text.strip_suffix(CUT_MARK).or_else(counted)
}

fn fits(text: &str, limit: usize) -> bool {
    // No character has more UTF-16 units than bytes.
    text.len() <= limit || length(text) <= limit
}

/// As much of the beginning of `text` as has room, by whole letters; of a single letter that is longer than that, what fits.
fn beginning(text: &str, room: usize) -> &str {
    let up_to = |ends: &mut dyn Iterator<Item = (usize, &str)>| {
        let mut used = 0;
        let mut end = 0;
        for (at, piece) in ends {
            used += length(piece);
            if used > room {
                break;
            }
            end = at + piece.len();
        }
        end
    };
    let end = match up_to(&mut text.grapheme_indices(true)) {
        0 => up_to(
            &mut text
                .char_indices()
                .map(|(at, c)| (at, &text[at..at + c.len_utf8()])),
        ),
        end => end,
    };
    &text[..end]
}

/// One line: control characters (line breaks too) and what changes the reading direction become blanks; what cannot be seen
/// goes.
pub fn one_line(text: &str) -> String {
    text.chars()
        .filter(|&c| !harmless::is_invisible(c))
        .map(|c| {
            if c.is_control() || harmless::breaks_a_line(c) || harmless::turns_direction(c) {
                ' '
            } else {
                c
            }
        })
        .collect::<String>()
        .trim()
        .to_owned()
}

/// Plain text of several lines: line breaks and tabs stay; other control characters, what changes the reading direction and
/// what cannot be seen go.
pub fn plain(text: &str) -> String {
    let unified = text.replace("\r\n", "\n").replace('\r', "\n");
    unified
        .chars()
        .map(|c| if harmless::breaks_a_line(c) { '\n' } else { c })
        .filter(|&c| {
            !harmless::turns_direction(c)
                && !harmless::is_invisible(c)
                && (!c.is_control() || matches!(c, '\n' | '\t'))
        })
        .collect()
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
            let cut = cut(
                "e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}",
                limit,
            );
            assert!(length(&cut) <= limit.max(4), "{limit}: {cut}");
        }
        assert_eq!(cut("abcde\u{301}fghij", 9), "abcd […]");
    }

    #[test]
    fn a_cut_says_how_much_is_missing() {
        let text = "x".repeat(5000);
        let short = cut_and_count(&text, 4000);
        assert_eq!(length(&short), 4000);
        assert!(
            short.ends_with("x\n… cut here, 1033 more characters"),
            "{}",
            &short[3900..]
        );
        assert_eq!(before_the_cut(&short).map(length), Some(3967));
        assert_eq!(before_the_cut(&cut(&text, 10)), Some("xxxxxx"));
        assert_eq!(before_the_cut(&text), None);
        assert_eq!(cut_and_count(&text, 5000), text);
        assert_eq!(cut_and_count("a long text", 8), "a lo […]");
    }

    #[test]
    fn a_cut_falls_between_letters_as_a_reader_sees_them() {
        // A family is seven characters and eleven units, a flag two and four, a letter with its accent two and two.
        for letter in ["👨‍👩‍👧‍👦", "🇩🇪", "e\u{301}", "👍🏽", "한"] {
            let text = letter.repeat(400);
            for limit in [160, 161, 163, 170] {
                for cut in [cut(&text, limit), cut_and_count(&text, limit)] {
                    assert!(length(&cut) <= limit, "{letter} {limit}");
                    let kept = cut.split(['\n', ' ']).next().unwrap();
                    assert!(kept.len().is_multiple_of(letter.len()), "{letter}: {cut}");
                }
            }
        }
    }

    #[test]
    fn a_cut_to_bytes_keeps_to_them() {
        assert_eq!(cut_to_bytes("short", 5), "short");
        for letter in ["x", "ä", "👨‍👩‍👧‍👦", "a\u{301}\u{302}"] {
            let text = letter.repeat(100);
            for limit in 60..100 {
                let cut = cut_to_bytes(&text, limit);
                assert!(cut.len() <= limit, "{letter} {limit}: {cut}");
                let kept = before_the_cut(&cut).unwrap_or(&cut);
                assert!(kept.len().is_multiple_of(letter.len()), "{letter}: {cut}");
            }
        }
        let zalgo = format!("a{}", "\u{301}".repeat(500));
        assert_eq!(cut_to_bytes(&zalgo, 101).len(), 101);
    }

    #[test]
    fn a_letter_under_a_thousand_accents_is_cut_all_the_same() {
        let zalgo = format!("a{}", "\u{301}".repeat(5000));
        assert_eq!(length(&cut(&zalgo, 160)), 160);
        assert_eq!(length(&cut_and_count(&zalgo, 4000)), 4000);
    }

    #[test]
    fn one_line_has_no_control_characters() {
        assert_eq!(one_line("a\r\nb\u{1b}[31mc\u{202e}d"), "a  b [31mc d");
        assert_eq!(one_line("a\u{2028}b\u{200b}c"), "a bc");
        assert_eq!(plain("a\r\nb\u{0}c\td\u{202e}"), "a\nbc\td");
        assert_eq!(plain("a\u{2029}b\u{feff}"), "a\nb");
    }
}
