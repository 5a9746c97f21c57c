//! The HTML in which Microsoft writes about service incidents → plain text. Nothing is run or fetched, and whatever is
//! not understood is left out or left as it is.

/// The longest reference that is looked for after an `&`.
const REFERENCE_BYTES_MAX: usize = 10;

/// The text that a person would read in a browser: a line for each paragraph, a dash before each item of a list, the
/// address after the text of a link.
pub(super) fn to_text(html: &str) -> String {
    if !html.contains("</") && !html.contains("<br") {
        return html.to_owned();
    }
    let mut out = String::new();
    let mut rest = html;
    let mut link: Option<(String, usize)> = None;
    while let Some(at) = rest.find(['<', '&']) {
        push_text(&mut out, &rest[..at]);
        rest = &rest[at..];
        if rest.starts_with('&') {
            let (text, len) = reference(rest);
            out.push_str(text.encode_utf8(&mut [0; 4]));
            rest = &rest[len..];
            continue;
        }
        let Some((tag, len)) = tag(rest) else {
            out.push('<');
            rest = &rest[1..];
            continue;
        };
        rest = &rest[len..];
        match tag.name.as_str() {
            "script" | "style" if !tag.ends => {
                let end = format!("</{}", tag.name);
                rest = rest.find(&end).map_or("", |at| &rest[at..]);
            }
            "a" if !tag.ends => link = tag.address.map(|address| (address, out.len())),
            "a" => {
                if let Some((address, from)) = link.take() {
                    push_address(&mut out, &address, from);
                }
            }
            "br" | "p" | "div" | "tr" | "ul" | "ol" | "table" | "h1" | "h2" | "h3" | "h4" => {
                out.push('\n');
            }
            "li" if !tag.ends => out.push_str("\n- "),
            "td" | "th" if tag.ends => out.push(' '),
            _ => {}
        }
    }
    push_text(&mut out, rest);
    tidied(&out)
}

struct Tag {
    name: String,
    ends: bool,
    address: Option<String>,
}

/// The tag at the beginning of a text and its length; `None` if it is no tag, as in `a < b`.
fn tag(text: &str) -> Option<(Tag, usize)> {
    let inner = text.strip_prefix('<')?;
    if !inner.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!')) {
        return None;
    }
    let len = text.find('>')? + 1;
    let inner = &text[1..len - 1];
    let ends = inner.starts_with('/');
    let inner = inner.trim_start_matches('/');
    let name_len = inner
        .find(|c: char| !c.is_ascii_alphanumeric())
        .unwrap_or(inner.len());
    let name = inner[..name_len].to_ascii_lowercase();
    let address = (name == "a").then(|| address(&inner[name_len..])).flatten();
    Some((
        Tag {
            name,
            ends,
            address,
        },
        len,
    ))
}

/// The value of `href`, if it leads to a web page.
fn address(attributes: &str) -> Option<String> {
    let at = attributes.find("href=")? + "href=".len();
    let quoted = &attributes[at..];
    let quote = quoted.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let value = quoted[1..].split(quote).next()?.trim();
    value
        .starts_with("http")
        .then(|| value.replace("&amp;", "&"))
}

/// The address, unless the text of the link says it already.
fn push_address(out: &mut String, address: &str, from: usize) {
    let said = out.get(from..).unwrap_or_default().trim();
    if said == address {
        return;
    }
    if said.is_empty() {
        out.push_str(address);
    } else {
        out.push_str(" (");
        out.push_str(address);
        out.push(')');
    }
}

/// The character that a reference stands for, and the reference's length; `&` itself if it is none.
fn reference(text: &str) -> (char, usize) {
    let end = text
        .bytes()
        .take(REFERENCE_BYTES_MAX)
        .position(|b| b == b';');
    let Some(end) = end else {
        return ('&', 1);
    };
    let name = &text[1..end];
    let number = |digits: &str, radix| {
        u32::from_str_radix(digits, radix)
            .ok()
            .and_then(char::from_u32)
    };
    let found = match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some(' '),
        "ndash" | "mdash" => Some('-'),
        "rsquo" | "lsquo" => Some('\''),
        "ldquo" | "rdquo" => Some('"'),
        "bull" => Some('-'),
        _ => match name.strip_prefix('#') {
            Some(code) => match code.strip_prefix(['x', 'X']) {
                Some(hex) => number(hex, 16),
                None => number(code, 10),
            },
            None => None,
        },
    };
    found.map_or(('&', 1), |c| (c, end + 1))
}

/// White space between words is one blank, as a browser shows it.
fn push_text(out: &mut String, text: &str) {
    for c in text.chars() {
        if !c.is_whitespace() {
            out.push(c);
        } else if !out.ends_with([' ', '\n']) {
            out.push(' ');
        }
    }
}

/// Lines without blanks around them, and at most one empty one between two.
fn tidied(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut empty = 0;
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line == "-" {
            empty += 1;
            continue;
        }
        if !out.is_empty() {
            let is_item = line.starts_with("- ");
            out.push_str(if empty > 0 && !is_item { "\n\n" } else { "\n" });
        }
        out.push_str(line);
        empty = 0;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_microsoft_writes_becomes_text() {
        let html = "<p><strong>Summary of impact</strong>:&nbsp;Between 10:00 &amp; 11:00 UTC, latency was &lt; usual.</p>\n<p><br></p>\n\
            <ul><li>West Europe</li><li>North&#32;Europe</li></ul><p>See <a href=\"https://aka.ms/x?a=1&amp;b=2\" target='_blank'>the page</a> or \
            <a href='https://aka.ms/ash'>https://aka.ms/ash</a>.</p><script>alert(1)</script><!-- no -->";
        assert_eq!(
            to_text(html),
            "Summary of impact: Between 10:00 & 11:00 UTC, latency was < usual.\n- West Europe\n- North Europe\n\nSee the page (https://aka.ms/x?a=1&b=2) or https://aka.ms/ash."
        );
    }

    #[test]
    fn plain_text_stays_as_it_is() {
        for text in [
            "CPU < 5 & memory > 3\nsecond line",
            "a &b; c",
            "",
            "<",
            "&",
            "x <y",
        ] {
            assert_eq!(to_text(text), text);
        }
    }

    proptest::proptest! {
        #[test]
        fn it_never_panics_and_never_grows_much(html in "[<>&;/a-z#x0-9\"'= \n\u{e9}]{0,80}") {
            proptest::prop_assert!(to_text(&html).len() <= 2 * html.len());
        }
    }
}
