//! What templates can do, and what none of them can (rows of the bad-input corpus, by their names).

use super::*;

fn alert() -> Alert {
    Alert {
        alert_id: "/a/1".to_owned(),
        rule: Some("CPU over 80 %".to_owned()),
        severity: Some(crate::domain::alert::Severity::Sev1),
        monitoring_service: Some("Platform".to_owned()),
        targets: vec![
            "/subscriptions/1/resourceGroups/Rg/providers/Microsoft.Compute/virtualMachines/web01"
                .to_owned(),
            "/subscriptions/1/x/web02".to_owned(),
        ],
        configuration_items: vec!["web01".to_owned()],
        fired_at: crate::domain::timestamp::Timestamp::parse_lenient("2026-03-01T22:30:00Z"),
        custom_properties: vec![
            ("team".to_owned(), "blue".to_owned()),
            ("zone".to_owned(), "Mars/Base".to_owned()),
            (
                "said".to_owned(),
                "{{ 7*7 }}{% include 'x' %}\"}\n".to_owned(),
            ),
            ("db_password".to_owned(), "hunter2canary".to_owned()),
            (
                "note".to_owned(),
                "password=hunter2canary; eyJhbGciOiJSUzI1.eyJzdWIiOiIxMj.sig".to_owned(),
            ),
        ],
        ..Alert::default()
    }
}

fn rendered(source: &str) -> Result<Rendered, Failed> {
    let template =
        Template::parse(source).unwrap_or_else(|refused| panic!("{source}: {refused:?}"));
    template.render(&Scope::new(&alert(), None, "the title", "the text"))
}

fn text(source: &str) -> String {
    rendered(source)
        .unwrap_or_else(|failed| panic!("{source}: {failed:?}"))
        .text
}

fn refusal(source: &str) -> String {
    let refused = Template::parse(source).expect_err(source);
    format!("{}\n  {}", refused.found, refused.hint)
}

#[test]
fn what_people_write_works() {
    for (source, expected) in [
        (
            "{{ alert.rule }} on {{ alert.target_name }}",
            "CPU over 80 % on web01",
        ),
        ("{{ alert.custom_properties.team }}", "blue"),
        ("{{ alert.custom_properties['team'] | upper }}", "BLUE"),
        (
            "{% if alert.severity == 'Sev0' %}1{% else %}2{% endif %}",
            "2",
        ),
        (
            "{% if alert.custom_properties.owner %}x{% else %}nobody{% endif %}",
            "nobody",
        ),
        (
            "{{ alert.custom_properties.owner | default('nobody') }}",
            "nobody",
        ),
        ("{{ alert.metric | default('no metric') }}", "no metric"),
        ("{{ alert.metric }}", ""),
        (
            "{% for t in alert.targets %}{{ t.split is defined }}{{ loop.index }} {% endfor %}",
            "false1 false2",
        ),
        (
            "{{ alert.targets | join(', ') | cut(20) }}",
            "/subscriptions/1 […]",
        ),
        (
            "{{ alert.resource_group }} {{ alert.subscription }} {{ alert.resource_type }}",
            "Rg 1 microsoft.compute/virtualmachines",
        ),
        ("{{ alert.title }}: {{ alert.text }}", "the title: the text"),
        ("{{ alert.fired_at | date }}", "2026-03-01 22:30:00"),
        (
            "{{ alert.fired_at | date('+02:00') }}",
            "2026-03-02 00:30:00 +02:00",
        ),
        (
            "{{ alert.fired_at | date('-0330') }}",
            "2026-03-01 19:00:00 -0330",
        ),
        (
            "{% set a = alert.rule | split(' ') %}{{ a | first }}{{ a | length }}",
            "CPU4",
        ),
        ("{{ '<b>' | html }}", "&lt;b&gt;"),
        ("{{ '3.14159' | float | round(2) }}", "3.14"),
        (
            "{{ 'web' in alert.target_name and 'no' not in alert.rule }}",
            "true",
        ),
        ("{# a remark #}x", "x"),
    ] {
        assert_eq!(text(source), expected, "{source}");
    }
}

#[test]
fn t1_a_name_that_no_alert_has_is_refused_when_it_is_read() {
    insta::assert_snapshot!(
        [
            "{{ alert.missing }}",
            "{{ alert.missing | default('x') }}",
            "{% if alert.missing %}x{% endif %}",
            "{{ alert.rule.missing }}",
            "{{ alrt.rule }}",
        ]
        .map(refusal)
        .join("\n")
    );
}

#[test]
fn t1_what_this_alert_lacks_fails_the_template_when_it_is_rendered() {
    assert_eq!(
        rendered("team {{ alert.custom_properties.owner }}"),
        Err(Failed::Missing)
    );
    assert_eq!(rendered("{{ row.Account }}"), Err(Failed::Missing));
    assert_eq!(
        rendered("{{ alert.dimensions.Host | upper }}"),
        Err(Failed::Missing)
    );
}

#[test]
fn t2_what_takes_too_long_goes_too_deep_or_makes_too_much_ends() {
    let count = "{% for a in alert.id|split('') %}";
    let nested = format!("{}x{}", count.repeat(9), "{% endfor %}".repeat(9));
    for source in [
        "{% for i in range(1000000000) %}x{% endfor %}",
        "{% for t in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        "{{ 'x' * 10000000 }}",
        "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
        &nested,
    ] {
        let told = refusal(source);
        assert!(!told.contains("100000"), "{told}");
    }
    // With the samples it stays small, with an alert of many targets it does not.
    let squared =
        "{% for a in alert.targets %}{% for b in alert.targets %}{{ b }}{% endfor %}{% endfor %}";
    let template = Template::parse(squared).unwrap();
    let mut many = alert();
    many.targets = (0..5000)
        .map(|n| format!("/subscriptions/1/x/{n}"))
        .collect();
    let scope = Scope::new(&many, None, "", "");
    assert_eq!(template.render(&scope), Err(Failed::TooLong));
    let once = Template::parse("{{ alert.targets | join('\n') }}").unwrap();
    assert_eq!(once.render(&scope), Err(Failed::TooMuch));
    let some = Template::parse(
        "{% for t in alert.targets %}{% if loop.index < 9 %}{{ t }} {% endif %}{% endfor %}",
    );
    assert!(some.unwrap().render(&scope).unwrap().text.ends_with("/7"));
}

#[test]
fn t3_what_an_alert_says_is_data_and_rendered_once() {
    assert_eq!(
        text("{{ alert.custom_properties.said }}"),
        "{{ 7*7 }}{% include 'x' %}\"}"
    );
    assert_eq!(text("{{ '{{ alert.rule }}' }}"), "{{ alert.rule }}");
}

#[test]
fn t4_nothing_but_the_alert_is_in_scope() {
    for name in [
        "connection",
        "env",
        "secret",
        "self",
        "config",
        "client_secret",
        "ITSMC_VAULT",
    ] {
        let told = refusal(&format!("{{{{ {name} }}}}"));
        assert!(told.contains("nothing but `alert` and `row`"), "{told}");
        refusal(&format!("{{% if {name} %}}x{{% endif %}}"));
    }
    for source in [
        "{{ debug() }}",
        "{{ range(3) }}",
        "{{ dict(a=1) }}",
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{% extends 'x' %}",
    ] {
        refusal(source);
    }
    // All that there is, printed: no secret among it.
    let all = text("{{ alert }} {{ row }} {% for n in alert %}{{ n }}={{ alert[n] }} {% endfor %}");
    assert!(
        all.contains("CPU over 80 %") && !all.contains("canary"),
        "{all}"
    );
}

#[test]
fn t5_there_are_no_regular_expressions() {
    for filter in [
        "regex_replace('(a+)+$', 'x')",
        "match('(a+)+$')",
        "regex('(a+)+$')",
    ] {
        assert!(refusal(&format!("{{{{ alert.rule | {filter} }}}}")).contains("unknown filter"));
    }
    // The longest text through every filter that reads all of it takes no time to speak of.
    let mut long = alert();
    long.description = Some("a".repeat(64 * 1024));
    let template =
        Template::parse("{{ alert.description | replace('aa', 'b') | upper | trim | cut(10) }}")
            .unwrap();
    let text = template
        .render(&Scope::new(&long, None, "", ""))
        .unwrap()
        .text;
    assert_eq!(text, "BBBBBB […]");
}

#[test]
fn t10_what_cannot_be_read_is_refused() {
    let long = format!("{{{{ alert.rule }}}}{}", "x".repeat(SOURCE_BYTES_MAX));
    insta::assert_snapshot!(
        [
            "{{ alert.rule",
            "{{ alert.rule }",
            "{% if alert.rule %}x",
            "{{ alert..rule }}",
            "{% endfor %}",
            "{{ }}",
            "a\n{{ alert.rule | upcase }}",
            &long,
        ]
        .map(refusal)
        .join("\n")
    );
}

#[test]
fn t13_a_zone_that_cannot_be_read_is_utc_and_is_marked() {
    let made = rendered("{{ alert.fired_at | date(alert.custom_properties.zone) }}").unwrap();
    assert_eq!(
        (made.text.as_str(), made.in_utc_instead),
        ("2026-03-01 22:30:00 UTC", true)
    );
    let made = rendered("{{ alert.fired_at | date('+02:00') }}").unwrap();
    assert!(!made.in_utc_instead);
}

#[test]
fn t14_what_looks_like_a_secret_is_masked_before_a_template_sees_it() {
    assert_eq!(
        text("{{ alert.custom_properties.db_password }}"),
        "********"
    );
    assert_eq!(
        text("{{ alert.custom_properties.note }}"),
        "password=********; ********"
    );
}

#[test]
fn every_name_has_a_value_and_the_docs_list_them_all() {
    let page = include_str!("../../../docs/templates.md");
    let scopes = samples::scopes();
    for (name, meaning) in NAMES {
        let template = Template::parse(&format!("{{{{ alert.{name} is defined }}}}")).unwrap();
        assert_eq!(
            template.render_with(&scopes[0], &Arc::default()).unwrap(),
            "true",
            "{name}"
        );
        let line = format!("| `alert.{name}` | {meaning} |");
        assert!(page.contains(&line), "docs/templates.md lacks: {line}");
    }
    for (name, meaning) in FILTERS {
        let line = format!("| `{name}` | {meaning} |");
        assert!(page.contains(&line), "docs/templates.md lacks: {line}");
    }
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    assert_eq!(
        rows.count(),
        NAMES.len() + FILTERS.len(),
        "docs/templates.md lists more than there is"
    );
}
