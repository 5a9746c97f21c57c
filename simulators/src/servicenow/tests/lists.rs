//! Lists: queries, order and pages.

use serde_json::json;

use super::super::config::{LinkStyle, UnknownField};
use super::*;

/// Five incidents, one minute apart: urgency 1, 2, 3, 1, 2; the third resolved, the fourth assigned.
pub(super) fn five(config: Config) -> Bench {
    let mut bench = Bench::with(config);
    let group = bench.sn.key_of("sys_user_group", "Network").unwrap();
    let texts = [
        "Disk full",
        "disk slow",
        "Site down",
        "Queue grows",
        "Backup failed",
    ];
    for (i, text) in texts.iter().enumerate() {
        let mut fields = vec![
            ("short_description", *text),
            ("urgency", ["1", "2", "3"][i % 3]),
        ];
        let id = format!("azm-{i}");
        fields.push(("correlation_id", &id));
        if i == 2 {
            fields.push(("state", "6"));
        }
        if i == 3 {
            fields.push(("assignment_group", &group));
        }
        bench
            .sn
            .insert_record("incident", &fields, NOW + i as i64 * 60_000);
    }
    bench
}

fn found(bench: &mut Bench, query: &str) -> Vec<String> {
    bench
        .get(&format!(
            "table/incident?sysparm_query={query}^ORDERBYnumber&sysparm_fields=correlation_id"
        ))
        .column("correlation_id")
}

#[test]
fn queries_find_what_they_mean() {
    let cases = [
        ("", "01234"),
        ("correlation_id=azm-1", "1"),
        ("correlation_id=AZM-1", ""),
        ("correlation_id!=azm-1", "0234"),
        ("urgency<3", "0134"),
        ("urgency<=1", "03"),
        ("urgency>1^urgency<3", "14"),
        ("short_descriptionLIKEisk", "01"),
        ("short_descriptionLIKEdisk", "1"),
        ("short_descriptionNOT LIKEisk", "234"),
        ("short_descriptionSTARTSWITHDisk", "0"),
        ("short_descriptionENDSWITHdown", "2"),
        ("short_descriptionCONTAINSisk", "01"),
        ("short_descriptionDOES NOT CONTAINisk", "234"),
        (
            "sys_updated_onBETWEENjavascript:gs.dateGenerate('2026-03-01 10:01:00')@javascript:gs.dateGenerate('2026-03-01 10:02:00')",
            "12",
        ),
        ("stateIN1,6", "01234"),
        ("state=6", "2"),
        ("stateNOT IN1,2", "2"),
        ("assignment_groupISEMPTY", "0124"),
        ("assignment_groupISNOTEMPTY", "3"),
        ("assignment_group.name=Network", "3"),
        ("assignment_group.name.more=Network", "01234"),
        ("urgencyBETWEEN2@3", "124"),
        ("urgency=1^ORurgency=3", "023"),
        ("urgency=1^ORurgency=3^state=6", "2"),
        ("urgency=1^NQstate=6", "023"),
        ("active=true^urgency=3", "2"),
        ("resolved_at<2030-01-01", "2"),
        ("resolved_at!=2030-01-01", "01234"),
        ("sys_updated_on>2026-03-01 10:02:00", "34"),
        ("sys_updated_on>=2026-03-01 10:02:00", "234"),
        (
            "sys_updated_on>javascript:gs.dateGenerate('2026-03-01','10:02:00')",
            "34",
        ),
        ("sys_class_nameINSTANCEOFtask", "01234"),
        ("impactSAMEASurgency", "2"),
        ("impactGT_FIELDurgency", "0134"),
        ("123TEXTQUERY321=queue", "3"),
        // What nobody knows vanishes: the whole table.
        ("corelation_id=azm-1", "01234"),
        ("corelation_id=azm-1^urgency=3", "2"),
        ("urgency=3^ORcorelation_id=azm-1", "2"),
        (
            "opened_atONToday@javascript:gs.beginningOfToday()@javascript:gs.endOfToday()",
            "01234",
        ),
    ];
    let mut bench = five(Config::default());
    for (query, expected) in cases {
        let expected: Vec<String> = expected.chars().map(|c| format!("azm-{c}")).collect();
        assert_eq!(found(&mut bench, query), expected, "{query}");
    }
}

#[test]
fn switches_change_what_a_query_means() {
    let mut bench = five(Config {
        unknown_query_field: UnknownField::NoRows,
        ..Config::default()
    });
    assert!(found(&mut bench, "corelation_id=azm-1^urgency=3").is_empty());
    let mut bench = five(Config {
        ignores_case: true,
        ..Config::default()
    });
    assert_eq!(found(&mut bench, "correlation_id=AZM-1"), ["azm-1"]);
    assert_eq!(found(&mut bench, "short_descriptionLIKEDISK").len(), 2);
}

#[test]
fn plain_pairs_accept_what_a_person_reads() {
    let mut bench = five(Config::default());
    for (query, expected) in [
        ("state=resolved", 1),
        ("state=6", 1),
        ("assignment_group=Network", 1),
        ("urgency=1&state=New", 2),
        ("nonsense=1", 5),
    ] {
        let reply = bench.get(&format!("table/incident?{query}&sysparm_fields=sys_id"));
        assert_eq!(
            reply.result().as_array().unwrap().len(),
            expected,
            "{query}"
        );
    }
}

#[test]
fn order_is_by_number_where_it_is_one() {
    let mut bench = five(Config::default());
    let reply = bench.get("table/incident?sysparm_query=ORDERBYDESCurgency^ORDERBYcorrelation_id&sysparm_fields=correlation_id");
    assert_eq!(
        reply.column("correlation_id"),
        ["azm-2", "azm-1", "azm-4", "azm-0", "azm-3"]
    );
    let key = bench.sn.incidents()[0]["sys_id"]
        .as_str()
        .unwrap()
        .to_owned();
    bench
        .sn
        .set_field("incident", &key, "sys_mod_count", "10", NOW);
    let reply = bench.get("table/incident?sysparm_query=sys_mod_count>9&sysparm_fields=sys_id");
    assert_eq!(reply.column("sys_id").len(), 1);
}

#[test]
fn the_limit_comes_before_the_access_controls() {
    let mut config = Config::default();
    config.hidden.insert("incident".into(), "urgency=1".into());
    let mut bench = five(config);
    let page = |bench: &mut Bench, offset: usize| {
        let reply = bench.get(&format!(
            "table/incident?sysparm_query=ORDERBYnumber&sysparm_limit=1&sysparm_offset={offset}"
        ));
        assert_eq!(reply.header("x-total-count"), Some("5"));
        reply.column("correlation_id")
    };
    let pages: Vec<Vec<String>> = (0..6).map(|offset| page(&mut bench, offset)).collect();
    assert_eq!(
        pages,
        [
            vec![],
            vec!["azm-1"],
            vec!["azm-2"],
            vec![],
            vec!["azm-4"],
            vec![]
        ]
    );
    assert_eq!(
        bench.get("stats/incident?sysparm_count=true").json,
        json!({"result":{"stats":{"count":"5"}}})
    );
    let hidden = bench.sn.incidents()[0]["sys_id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(bench.get(&format!("table/incident/{hidden}")).status, 404);
    assert_eq!(
        bench
            .patch(&format!("table/incident/{hidden}"), json!({"impact":"1"}))
            .status,
        404
    );
    bench.login = ADMIN;
    assert_eq!(bench.get(&format!("table/incident/{hidden}")).status, 200);
    assert_eq!(page(&mut bench, 0), ["azm-0"]);
}

#[test]
fn pages_say_where_they_are() {
    let mut bench = five(Config::default());
    let reply = bench.get("table/incident?sysparm_limit=2&sysparm_offset=2");
    assert_eq!(reply.header("x-total-count"), Some("5"));
    let link = reply.header("link").unwrap().to_owned();
    for (relation, offset) in [("first", 0), ("prev", 0), ("next", 4), ("last", 4)] {
        let expected = format!(
            "<https://x.example/api/now/table/incident?sysparm_limit=2&sysparm_offset={offset}>;rel=\"{relation}\""
        );
        assert!(link.split(',').any(|one| one == expected), "{link}");
    }
    let bare = bench.get("table/incident?sysparm_limit=2&sysparm_no_count=true&sysparm_suppress_pagination_header=true");
    assert_eq!(
        (bare.header("x-total-count"), bare.header("link")),
        (None, None)
    );
    let mut older = five(Config {
        link_style: LinkStyle::Older,
        ..Config::default()
    });
    assert_eq!(older.get("table/incident").header("link"), None);
    let refused = bench.get("table/incident?sysparm_offset=-1");
    assert_eq!(refused.status, 400);
}

#[test]
fn an_empty_list_depends_on_the_version() {
    let mut bench = Bench::new();
    for (version, status) in [("", 200), ("v2/", 200), ("v1/", 404)] {
        assert_eq!(
            bench.get(&format!("{version}table/incident")).status,
            status,
            "{version}"
        );
    }
}

#[test]
fn a_keyset_walk_meets_every_row_once_though_all_changed_in_one_second() {
    let mut bench = Bench::new();
    for _ in 0..25 {
        bench.sn.insert_record("incident", &[], NOW);
    }
    let (mut seen, mut last) = (Vec::new(), (String::new(), String::new()));
    loop {
        let (t, l) = &last;
        let query = format!(
            "sys_updated_on>{t}^NQsys_updated_on={t}^sys_id>{l}^ORDERBYsys_updated_on^ORDERBYsys_id"
        );
        let reply = bench.get(&format!("table/incident?sysparm_query={query}&sysparm_limit=10&sysparm_fields=sys_id,sys_updated_on"));
        let (keys, times) = (reply.column("sys_id"), reply.column("sys_updated_on"));
        let (Some(key), Some(time)) = (keys.last(), times.last()) else {
            break;
        };
        last = (time.clone(), key.clone());
        seen.extend(keys);
    }
    let distinct: std::collections::BTreeSet<&String> = seen.iter().collect();
    assert_eq!((seen.len(), distinct.len()), (25, 25));
}
