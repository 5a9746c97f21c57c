//! The `Link` header of a list.

use super::call::Call;
use super::config::LinkStyle;

/// `first`, `prev`, `next`, `last`, joined by commas without a blank; own parameters first, the offset last.
pub(super) fn link_header(
    style: LinkStyle,
    call: &Call,
    limit: usize,
    offset: usize,
    total: usize,
) -> Option<String> {
    if limit == 0 || (style == LinkStyle::Older && offset == 0 && total <= limit) {
        return None;
    }
    let own: Vec<&str> = call
        .query
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("sysparm_offset="))
        .collect();
    let mut base = format!("{}{}?{}", call.origin, call.path, own.join("&"));
    if !base.ends_with('?') {
        base.push('&');
    }
    let link =
        |offset: i64, relation: &str| format!("<{base}sysparm_offset={offset}>;rel=\"{relation}\"");
    let signed = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);

    let mut links = vec![link(0, "first")];
    if style == LinkStyle::Current || offset > 0 {
        let previous = signed(offset) - signed(limit);
        links.push(link(
            if style == LinkStyle::Older {
                previous.max(0)
            } else {
                previous
            },
            "prev",
        ));
    }
    if offset.saturating_add(limit) < total {
        links.push(link(signed(offset + limit), "next"));
    }
    links.push(link(
        signed(total.saturating_sub(1) / limit * limit),
        "last",
    ));
    Some(links.join(","))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Request;

    use super::*;

    fn header(
        style: LinkStyle,
        query: &str,
        limit: usize,
        offset: usize,
        total: usize,
    ) -> Option<String> {
        let request =
            Request::builder().uri(format!("https://x.example/api/now/table/incident?{query}"));
        link_header(
            style,
            &Call::new(request.body(Bytes::new()).unwrap()),
            limit,
            offset,
            total,
        )
    }

    #[test]
    fn the_recorded_header_comes_back() {
        let u = "https://x.example/api/now/table/incident?sysparm_limit=1&sysparm_offset";
        let recorded = format!(
            "<{u}=0>;rel=\"first\",<{u}=-1>;rel=\"prev\",<{u}=1>;rel=\"next\",<{u}=1282>;rel=\"last\""
        );
        assert_eq!(
            header(LinkStyle::Current, "sysparm_limit=1", 1, 0, 1283),
            Some(recorded.clone())
        );
        assert_eq!(
            header(
                LinkStyle::Current,
                "sysparm_offset=0&sysparm_limit=1",
                1,
                0,
                1283
            ),
            Some(recorded)
        );
    }

    #[test]
    fn the_older_style_is_silent_about_what_is_not_there() {
        assert_eq!(header(LinkStyle::Older, "", 10, 0, 10), None);
        let first = header(LinkStyle::Older, "", 10, 0, 25).unwrap();
        assert!(
            !first.contains("prev")
                && first.contains("next")
                && first.contains("sysparm_offset=20>;rel=\"last\"")
        );
        let between = header(LinkStyle::Older, "", 10, 5, 25).unwrap();
        assert!(
            between.contains("sysparm_offset=0>;rel=\"prev\""),
            "{between}"
        );
        let last = header(LinkStyle::Older, "", 10, 20, 25).unwrap();
        assert!(last.contains("sysparm_offset=10>;rel=\"prev\"") && !last.contains("next"));
    }
}
