//! The business of `task` tables: defaults, computed priority, states, and what closing needs.

use super::acl::Operation;
use super::acl::has_role;
use super::config::User;
use super::furnishing::user_key;
use super::ids;
use super::instance::Instance;
use super::reply::Reply;
use super::stamp;
use super::store::Record;
use super::table::refused_by_acl;

/// What a new record has before its body is read.
pub(super) fn defaults(
    instance: &Instance,
    class: &str,
    record: &mut Record,
    user: &User,
    now_ms: i64,
) {
    let mut set = |field: &str, value: &str| {
        if instance.schema.holds(class, field).is_some() {
            record.set(field, value);
        }
    };
    set("sys_class_name", class);
    set("sys_domain", "global");
    if instance.schema.extends(class, "task") {
        set("active", "true");
        set("state", if class == "change_request" { "-5" } else { "1" });
        set("impact", "3");
        set("urgency", "3");
        set("priority", "4");
        set("made_sla", "true");
        set("approval", "not requested");
        set("opened_at", &stamp::text(now_ms));
        set("opened_by", &user_key(instance.config.seed, &user.name));
        set(
            "category",
            if class == "incident" {
                "inquiry"
            } else {
                "Other"
            },
        );
        set("severity", "3");
        set("reopen_count", "0");
        set("notify", "1");
        set("type", "normal");
        set("risk", "3");
    }
    if instance.schema.extends(class, "cmdb_ci") {
        set("install_status", "1");
        set("operational_status", "1");
    }
    if class == "em_event" {
        set("state", "Ready");
        set("resolution_state", "New");
    }
}

/// What is refused.
pub(super) fn check(
    instance: &Instance,
    class: &str,
    before: Option<&Record>,
    record: &Record,
    user: &User,
) -> Result<(), Reply> {
    let (old, new) = (
        before.map_or("", |before| before.get("state")),
        record.get("state"),
    );
    let closing = &instance.config.closing;
    let needs = match class {
        "incident" => matches!(new, "6" | "7"),
        "change_request" => new == "3",
        _ => return Ok(()),
    };
    if needs && closing.needs_code_and_notes && (old != new || before != Some(record)) {
        let missing: Vec<String> = [
            ("close_code", "Resolution code"),
            ("close_notes", "Resolution notes"),
        ]
        .iter()
        .filter(|(field, _)| record.get(field).is_empty())
        .map(|(_, label)| (*label).to_owned())
        .collect();
        if !missing.is_empty() {
            return Err(data_policy(&missing));
        }
    }
    if old == new {
        return Ok(());
    }
    let seed = instance.config.seed;
    if class == "incident" {
        let closed = matches!(old, "7" | "8");
        if closed && closing.closed_is_final && !has_role(user, "admin") {
            return Err(aborted(
                class,
                "Prevent reopening of closed incidents",
                seed,
            ));
        }
        if new == "7"
            && closing
                .closing_role
                .as_ref()
                .is_some_and(|role| !has_role(user, role))
        {
            return Err(refused_by_acl(Operation::Write));
        }
    } else if before.is_some()
        && closing.checks_change_steps
        && !is_step(record.get("type"), old, new)
    {
        return Err(aborted(class, "Change Model: Check State Transition", seed));
    }
    Ok(())
}

/// Whether a change request may go from a state to another.
fn is_step(kind: &str, old: &str, new: &str) -> bool {
    let steps: &[&str] = match kind {
        "standard" => &["-5", "-2", "-1", "0", "3"],
        "emergency" => &["-5", "-3", "-2", "-1", "0", "3"],
        _ => &["-5", "-4", "-3", "-2", "-1", "0", "3"],
    };
    let at = |state: &str| steps.iter().position(|step| *step == state);
    if new == "4" {
        return old != "3";
    }
    matches!((at(old), at(new)), (Some(old), Some(new)) if new == old + 1)
}

/// What follows from the other fields.
pub(super) fn derive(
    instance: &Instance,
    class: &str,
    before: Option<&Record>,
    record: &mut Record,
    user: &User,
    now_ms: i64,
) {
    if !instance.schema.extends(class, "task") {
        return;
    }
    if record.get("assignment_group").is_empty() && before.is_none() {
        let group = instance
            .store
            .find(&instance.schema, "cmdb_ci", record.get("cmdb_ci"));
        let group = group.map_or_else(String::new, |row| {
            row.record.get("support_group").to_owned()
        });
        record.set("assignment_group", group);
    }
    let old = before.map_or("", |before| before.get("state"));
    let new = record.get("state").to_owned();
    let is_new_state = old != new;
    let me = user_key(instance.config.seed, &user.name);
    let now = stamp::text(now_ms);
    match class {
        "incident" => {
            record.set(
                "priority",
                priority(record.get("impact"), record.get("urgency")),
            );
            record.set("incident_state", new.clone());
            record.set("active", (!matches!(new.as_str(), "7" | "8")).to_string());
            if is_new_state
                && matches!(new.as_str(), "6" | "7")
                && record.get("resolved_at").is_empty()
            {
                record.set("resolved_at", now.clone());
                record.set("resolved_by", me.clone());
            }
            if is_new_state
                && matches!(new.as_str(), "1" | "2" | "3")
                && matches!(old, "6" | "7" | "8")
            {
                for field in ["resolved_at", "resolved_by", "closed_at", "closed_by"] {
                    record.set(field, "");
                }
                let count = record.get("reopen_count").parse::<u64>().unwrap_or(0) + 1;
                record.set("reopen_count", count.to_string());
            }
        }
        "change_request" => record.set("active", (!matches!(new.as_str(), "3" | "4")).to_string()),
        _ => {}
    }
    if is_new_state && record.get("active") == "false" && record.get("closed_at").is_empty() {
        record.set("closed_at", now);
        record.set("closed_by", me);
    }
}

/// Priority by impact and urgency.
fn priority(impact: &str, urgency: &str) -> String {
    match (impact.parse::<i64>(), urgency.parse::<i64>()) {
        (Ok(impact @ 1..=3), Ok(urgency @ 1..=3)) => (impact + urgency - 1).to_string(),
        _ => "5".to_owned(),
    }
}

/// 403 by a business rule.
pub(super) fn aborted(class: &str, rule: &str, seed: u64) -> Reply {
    let rule = format!("{rule}^{}", ids::sys_id(seed, "business rule", rule));
    Reply::failed(&format!(
        "Operation against file '{class}' was aborted by Business Rule '{rule}'. Business Rule Stack:{rule}"
    ))
}

/// 403 by a data policy.
pub(super) fn data_policy(labels: &[String]) -> Reply {
    Reply::failed(&format!(
        "Error: Data Policy Exception: The following fields are mandatory: {}",
        labels.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priority_is_looked_up_by_impact_and_urgency() {
        let table = [
            "1/1→1", "1/2→2", "1/3→3", "2/1→2", "2/2→3", "2/3→4", "3/1→3", "3/2→4", "3/3→5",
        ];
        for line in table {
            let (pair, expected) = line.split_once('→').unwrap();
            let (impact, urgency) = pair.split_once('/').unwrap();
            assert_eq!(priority(impact, urgency), expected, "{line}");
        }
        assert_eq!(priority("", "1"), "5");
    }

    #[test]
    fn a_change_request_moves_by_the_steps_of_its_model() {
        let cases = [
            ("normal", "-5", "-4", true),
            ("normal", "-5", "-1", false),
            ("normal", "-1", "-2", false),
            ("standard", "-5", "-2", true),
            ("emergency", "-5", "-3", true),
            ("normal", "0", "3", true),
            ("normal", "-2", "4", true),
            ("normal", "3", "4", false),
        ];
        for (kind, old, new, expected) in cases {
            assert_eq!(is_step(kind, old, new), expected, "{kind} {old} {new}");
        }
    }
}
