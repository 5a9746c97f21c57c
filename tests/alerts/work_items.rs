//! The work item of every fixture, to be read by eye: would somebody who was woken by it know what to do?

use itsm_connector::domain::alert::{Condition, Mark};
use itsm_connector::domain::alert_to_work_item::new_work_item;
use itsm_connector::domain::connection::Action;
use itsm_connector::domain::identity::{ItemId, SlotId};

use crate::fixtures;

/// Characters of ServiceNow's description: no link may stand behind them.
const DESCRIPTION_CHARS: usize = 4000;

#[test]
fn every_fixture_makes_a_work_item_that_reads_well() {
    let item = ItemId::new(&SlotId::parse("4abziosmqofnnn6k62sb3m").unwrap(), 0);
    for (name, body) in fixtures::all() {
        let alert = fixtures::parsed(body).unwrap_or_else(|error| panic!("{name}: {error}"));
        let new = new_work_item(&alert, &Action::default(), &item, None);
        let told = format!(
            "service: {}\ncondition: {}\nseries: {}\n\n{}\n\n{}",
            alert.service.as_str(),
            alert.condition.as_str(),
            alert.series.as_ref().map_or("-", |series| &series.name),
            new.title,
            new.description
        );
        insta::assert_snapshot!(name.replace('/', "__"), told);
    }
}

#[test]
fn every_fixture_is_understood_but_for_those_that_say_so() {
    for (name, body) in fixtures::all() {
        let alert = fixtures::parsed(body).unwrap();
        let expected: &[Mark] = match name.as_str() {
            "common_alert_schema/backup_fired" => &[Mark::ContextNotUnderstood],
            older if older.starts_with("older_schemas/") => &[Mark::OlderSchema],
            _ => &[],
        };
        assert_eq!(alert.marks, expected, "{name}");
        let is_test = name.contains("test_notification");
        assert_eq!(alert.is_test(), is_test, "{name}");
        let is_end = name.ends_with("_resolved") || name.ends_with("_without_criteria");
        assert_eq!(alert.condition == Condition::Resolved, is_end, "{name}");
    }
}

#[test]
fn no_link_is_cut_off_by_the_products_limit() {
    let item = ItemId::new(&SlotId::parse("4abziosmqofnnn6k62sb3m").unwrap(), 0);
    for (name, body) in fixtures::all() {
        let mut alert = fixtures::parsed(body).unwrap();
        // Whatever there is of text, there is more of it.
        alert.description = Some("long ".repeat(2_000));
        alert.rule = Some("rule ".repeat(200));
        alert.investigation_link = Some(format!("https://portal.azure.com/{}", "x".repeat(900)));
        let new = new_work_item(&alert, &Action::default(), &item, None);
        let kept: String = new
            .description
            .chars()
            .take(DESCRIPTION_CHARS - 10)
            .collect();
        let links: Vec<&str> = new
            .description
            .lines()
            .filter(|line| is_link(line))
            .collect();
        assert!(
            links.iter().any(|link| link.starts_with("Investigate")),
            "{name}"
        );
        for link in links {
            assert!(kept.contains(link), "{name}: {link}");
        }
    }
}

fn is_link(line: &str) -> bool {
    let labels = [
        "Alert: ",
        "Investigate: ",
        "Results: ",
        "Resource: http",
        "Runbook: ",
        "Recommendation: ",
    ];
    labels.iter().any(|label| line.starts_with(label)) && line.contains(": http")
}

/// The page that people read before they trust the connector.
#[test]
fn the_examples_in_the_docs_are_what_is_made() {
    let page = include_str!("../../docs/alerts.md");
    let examples: Vec<&str> = page
        .split("```text\n")
        .skip(1)
        .filter_map(|rest| rest.split("\n```").next())
        .collect();
    assert_eq!(examples.len(), 10);
    let item = ItemId::new(&SlotId::parse("4abziosmqofnnn6k62sb3m").unwrap(), 0);
    let made: Vec<String> = fixtures::all()
        .into_iter()
        .map(|(_, body)| {
            let new = new_work_item(
                &fixtures::parsed(body).unwrap(),
                &Action::default(),
                &item,
                None,
            );
            format!("{}\n\n{}", new.title, new.description)
        })
        .collect();
    for example in examples {
        assert!(
            made.iter().any(|made| made == example),
            "no alert makes this any more:\n{example}"
        );
    }
}
