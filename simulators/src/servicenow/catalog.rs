//! `sys_db_object`, `sys_dictionary` and `sys_choice`, made from the schema when they are first asked for.

use super::ids;
use super::instance::Instance;
use super::schema::{Holds, Schema};
use super::store::Record;

/// Makes the rows of these tables if one of them is asked for and they are not there yet.
pub(super) fn fill(instance: &mut Instance, table: &str) {
    if !matches!(table, "sys_db_object" | "sys_dictionary" | "sys_choice")
        || instance.store.has_rows("sys_db_object")
    {
        return;
    }
    let seed = instance.config.seed;
    for (class, record) in rows(&instance.schema, seed) {
        instance.store.insert(class, record);
    }
}

fn rows(schema: &Schema, seed: u64) -> Vec<(&'static str, Record)> {
    let mut rows = Vec::new();
    for (name, table) in &schema.tables {
        let mut row = record(seed, "sys_db_object", name);
        row.set("name", name);
        row.set("label", &table.label);
        if let Some(parent) = &table.extends {
            row.set("super_class", ids::sys_id(seed, "sys_db_object", parent));
        }
        rows.push(("sys_db_object", row));
        for (field, holds) in &table.columns {
            rows.push(("sys_dictionary", dictionary(seed, name, field, holds)));
        }
    }
    for ((table, field), choices) in &schema.choices {
        for (sequence, (value, text)) in choices.iter().enumerate() {
            let mut row = record(seed, "sys_choice", &format!("{table}.{field}.{value}"));
            row.set("name", table);
            row.set("element", field);
            row.set("value", value);
            row.set("label", text);
            row.set("language", "en");
            row.set("inactive", "false");
            row.set("sequence", sequence.to_string());
            rows.push(("sys_choice", row));
        }
    }
    rows
}

fn dictionary(seed: u64, table: &str, field: &str, holds: &Holds) -> Record {
    let (kind, length) = match holds {
        Holds::Text(length) => ("string", *length),
        Holds::Integer => ("integer", 40),
        Holds::Boolean => ("boolean", 40),
        Holds::Time => ("glide_date_time", 40),
        Holds::Journal => ("journal_input", 4000),
        Holds::Reference(_) => ("reference", 32),
    };
    let mut row = record(seed, "sys_dictionary", &format!("{table}.{field}"));
    row.set("name", table);
    row.set("element", field);
    row.set("column_label", label(field));
    row.set("internal_type", kind);
    row.set("max_length", length.to_string());
    row.set(
        "mandatory",
        (table == "incident" && field == "caller_id").to_string(),
    );
    row.set("read_only", "false");
    row.set("active", "true");
    if let Holds::Reference(target) = holds {
        row.set("reference", target);
    }
    row
}

fn record(seed: u64, table: &str, name: &str) -> Record {
    let mut row = Record::default();
    row.set("sys_id", ids::sys_id(seed, table, name));
    for field in ["sys_created_on", "sys_updated_on"] {
        row.set(field, super::furnishing::DELIVERED_ON);
    }
    for field in ["sys_created_by", "sys_updated_by"] {
        row.set(field, "system");
    }
    row.set("sys_mod_count", "0");
    row
}

/// `short_description` → `Short description`.
pub(super) fn label(field: &str) -> String {
    let text = field.replace('_', " ");
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().collect::<String>() + chars.as_str()
    })
}
