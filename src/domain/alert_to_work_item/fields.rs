//! The further fields of a work item: fixed values, and templates over its alert. A template that fails costs the work item
//! that field's value and never more; its reader and the log are told.

use std::collections::BTreeMap;

use crate::domain::connection::{Action, FieldValue};
use crate::domain::template::{Scope, Template};
use crate::domain::text::{self, Place};

/// Longest value that a template makes, in UTF-16 units: what the longest fields of the products hold (servicenow-api §8).
const VALUE_LENGTH_MAX: usize = 4000;

/// Fields whose values are numbers that a priority is computed from.
const LEVELS: [&str; 2] = ["impact", "urgency"];

/// The most levels that a product was seen with: three as delivered, and customers add up to two.
const LEVEL_MAX: u8 = 5;

/// Fields by name, and what their reader must know of them.
#[derive(Debug, Default)]
pub(super) struct Filled {
    pub(super) values: BTreeMap<String, String>,
    pub(super) notes: Vec<String>,
}

/// The fields of an action for what a template sees. The scope is made only if there is a template.
pub(super) fn fill(action: &Action, scope: impl FnOnce() -> Scope) -> Filled {
    let mut filled = Filled::default();
    if let Some(group) = &action.assignment_group {
        let name = "assignment_group".to_owned();
        filled.values.insert(name, group.clone());
    }
    let mut templates = Vec::new();
    for (name, value) in &action.fields {
        match value {
            FieldValue::Fixed(text) => {
                filled.values.insert(name.clone(), text.clone());
            }
            FieldValue::Template(template) => templates.push((name, template)),
        }
    }
    if !templates.is_empty() {
        let scope = scope();
        for (name, template) in templates {
            filled.render(name, template, &scope);
        }
    }
    filled
}

impl Filled {
    fn render(&mut self, name: &str, template: &Template, scope: &Scope) {
        match template.render(scope) {
            Ok(made) => {
                if made.in_utc_instead {
                    self.note(format!("In the field `{name}` a date is told in UTC: its time zone could not be read."));
                }
                let text = text::harmless(&made.text, Place::Block);
                if text.is_empty() {
                    return;
                }
                if !is_a_choice(name, &text) {
                    self.note(format!("The template of the field `{name}` made no number from 1 to {LEVEL_MAX}; its default was used."));
                    return;
                }
                self.values
                    .insert(name.to_owned(), text::cut(&text, VALUE_LENGTH_MAX));
            }
            Err(failed) => {
                let why = failed.as_str();
                self.note(format!("The template of the field `{name}` could not be used: {why}. The field has its default, or is left out."));
            }
        }
    }

    fn note(&mut self, note: String) {
        self.notes.push(note);
    }
}

/// Whether a field can hold a value, where it is known (row T9).
pub(in crate::domain) fn is_a_choice(name: &str, value: &str) -> bool {
    let level = || {
        value
            .parse::<u8>()
            .is_ok_and(|level| (1..=LEVEL_MAX).contains(&level))
    };
    !LEVELS.contains(&name) || level()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::alert::Alert;

    fn alert() -> Alert {
        Alert {
            alert_id: "/a/1".to_owned(),
            rule: Some("=cmd|x [code]<b>".to_owned()),
            targets: (0..5000)
                .map(|n| format!("/subscriptions/1/x/{n}"))
                .collect(),
            description: Some("a \"quoted\"\nline, {{ 7*7 }}".to_owned()),
            custom_properties: vec![
                ("urgency".to_owned(), "9".to_owned()),
                ("zone".to_owned(), "Nowhere".to_owned()),
            ],
            ..Alert::default()
        }
    }

    fn filled(fields: &[(&str, &str)]) -> Filled {
        let value = |text: &str| match Template::is_one(text) {
            true => FieldValue::Template(Template::parse(text).unwrap()),
            false => FieldValue::Fixed(text.to_owned()),
        };
        let action = Action {
            fields: fields
                .iter()
                .map(|(name, text)| ((*name).to_owned(), value(text)))
                .collect(),
            assignment_group: Some("operations".to_owned()),
            ..Action::default()
        };
        fill(&action, || Scope::new(&alert(), None, "a title", "a text"))
    }

    #[test]
    fn fixed_values_stay_as_they_were_written_and_cost_nothing() {
        let action = Action {
            fields: [("category".to_owned(), FieldValue::Fixed("=x".to_owned()))].into(),
            ..Action::default()
        };
        let filled = fill(&action, || unreachable!("no template, no scope"));
        assert_eq!(filled.values["category"], "=x");
    }

    #[test]
    fn t1_and_t2_a_template_that_fails_leaves_its_field_out_and_says_so() {
        let filled = filled(&[
            ("assignment_group", "{{ alert.custom_properties.group }}"),
            (
                "u_all",
                "{% for a in alert.targets %}{% for b in alert.targets %}x{% endfor %}{% endfor %}",
            ),
            ("u_good", "{{ alert.targets | length }}"),
            ("u_long", "{{ alert.targets | join(' ') }}"),
        ]);
        let names: Vec<&str> = filled.values.keys().map(String::as_str).collect();
        assert_eq!(names, ["assignment_group", "u_good"]);
        assert_eq!(filled.values["assignment_group"], "operations");
        insta::assert_snapshot!(filled.notes.join("\n"));
    }

    #[test]
    fn t3_and_t6_a_value_is_data_with_its_quotes_and_lines() {
        let filled = filled(&[("u_text", "{{ alert.description }}")]);
        assert_eq!(filled.values["u_text"], "a \"quoted\"\nline, {{ 7*7 }}");
    }

    #[test]
    fn t7_and_t11_a_value_is_harmless_where_it_stands() {
        let filled = filled(&[
            ("u_rule", "{{ alert.rule }}"),
            ("u_link", "javascript:{{ alert.id }}"),
        ]);
        assert_eq!(filled.values["u_rule"], "'=cmd|x [ code]<b>");
        assert_eq!(filled.values["u_link"], "javascript :/a/1");
    }

    #[test]
    fn t9_a_level_that_no_product_has_is_left_to_the_default() {
        let filled = filled(&[
            ("urgency", "{{ alert.custom_properties.urgency }}"),
            ("impact", "{{ 2 }}"),
        ]);
        assert_eq!(filled.values.get("urgency"), None);
        assert_eq!(filled.values["impact"], "2");
        assert_eq!(
            filled.notes,
            [
                "The template of the field `urgency` made no number from 1 to 5; its default was used."
            ]
        );
    }

    #[test]
    fn t13_a_bad_zone_is_marked() {
        let filled = filled(&[(
            "u_when",
            "{{ '2026-03-01T10:00:00Z' | date(alert.custom_properties.zone) }}",
        )]);
        assert_eq!(filled.values["u_when"], "2026-03-01 10:00:00 UTC");
        assert_eq!(filled.notes.len(), 1);
    }

    #[test]
    fn an_empty_value_sets_no_field() {
        let filled = filled(&[("u_x", "{{ alert.rule_id }}")]);
        assert!(!filled.values.contains_key("u_x") && filled.notes.is_empty());
    }
}
