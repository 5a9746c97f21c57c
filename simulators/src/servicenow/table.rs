//! The Table API: `/api/now/table/{table}` and `/api/now/table/{table}/{sys_id}`.

use super::acl::{Operation, has_role};
use super::call::{Call, Route};
use super::catalog;
use super::config::User;
use super::instance::{Circumstances, Instance, Outcome};
use super::matching::Matching;
use super::query::Query;
use super::rendering::Rendering;
use super::reply::{Body, Reply};
use super::stamp;
use super::store::{Record, Row};

impl Instance {
    pub(super) fn table_api(
        &mut self,
        call: &Call,
        user: &User,
        route: Route<'_>,
        table: &str,
        at: Circumstances,
    ) -> Outcome {
        if let Err(reply) = self.acceptable(call, table) {
            return Outcome::refused(reply);
        }
        catalog::fill(self, table);
        let outcome = match (call.method.as_str(), route.key) {
            ("GET" | "HEAD", None) => self.list(call, user, table, route.version, at),
            ("GET" | "HEAD", Some(key)) => self.read(call, user, table, key),
            ("POST", None) => self.create(call, user, table, at.now_ms),
            ("PUT" | "PATCH", Some(key)) => self.update(call, user, table, key, at.now_ms),
            ("DELETE", Some(key)) => self.delete(user, table, key, at.now_ms),
            _ => Err(Reply::error(
                405,
                "Method not supported",
                Some(&format!("{} is not supported here", call.method)),
            )),
        };
        let mut outcome = outcome.unwrap_or_else(Outcome::refused);
        let silent = call
            .header("x-no-response-body")
            .is_some_and(|value| value.eq_ignore_ascii_case("true"));
        if call.method == "HEAD"
            || (silent
                && matches!(call.method.as_str(), "POST" | "PUT" | "PATCH")
                && outcome.executed)
        {
            outcome.reply.body = Body::Empty;
        }
        outcome
    }

    /// What is checked before the table's own business.
    fn acceptable(&self, call: &Call, table: &str) -> Result<(), Reply> {
        if self.schema.table(table).is_none() {
            return Err(Reply::error(400, &format!("Invalid table {table}"), None));
        }
        let accepts_json = call.header("accept").is_none_or(|accept| {
            let mut media = accept
                .split(',')
                .filter_map(|one| one.split(';').next())
                .map(str::trim);
            media.any(|media| matches!(media, "*/*" | "application/*" | "application/json"))
        });
        if !accepts_json {
            return Err(Reply::error(
                406,
                "Not acceptable",
                Some("Requested response media type is not supported"),
            ));
        }
        if !matches!(call.method.as_str(), "POST" | "PUT" | "PATCH") {
            return Ok(());
        }
        let sends_json = call
            .header("content-type")
            .and_then(|media| media.split(';').next())
            .is_some_and(|media| media.trim() == "application/json");
        if !sends_json {
            return Err(Reply::error(
                415,
                "Unsupported media type",
                Some("The request body's media type is not supported"),
            ));
        }
        let (length, max) = (call.body.len(), self.config.body_bytes_max);
        if length > max {
            let text = format!(
                "Rejected large REST payload with content-length = {length} bytes. Max allowed: {max} bytes."
            );
            return Err(Reply::error(400, &text, None));
        }
        Ok(())
    }

    fn read(&self, call: &Call, user: &User, table: &str, key: &str) -> Result<Outcome, Reply> {
        if !self.allows(user, Operation::Read, table) {
            return Err(Reply::error(
                403,
                "Insufficient rights to query records",
                None,
            ));
        }
        let row = self
            .visible(user, table, key)
            .ok_or_else(Reply::no_record)?;
        let result = Rendering::of(self, call, user, table).object(row);
        Ok(Outcome {
            touched: Some(touched(row.record)),
            ..Outcome::done(Reply::result(200, result))
        })
    }

    fn delete(
        &mut self,
        user: &User,
        table: &str,
        key: &str,
        now_ms: i64,
    ) -> Result<Outcome, Reply> {
        let row = self
            .visible(user, table, key)
            .ok_or_else(Reply::no_record)?;
        if !self.allows(user, Operation::Delete, row.class) {
            return Err(refused_by_acl(Operation::Delete));
        }
        let touched = touched(row.record);
        let class = row.class.to_owned();
        self.remove(&class, key, &user.name, now_ms);
        Ok(Outcome {
            touched: Some(touched),
            ..Outcome::done(Reply::new(204, Body::Empty))
        })
    }

    /// Takes a record away and files it, under its real class.
    pub(super) fn remove(&mut self, class: &str, key: &str, user: &str, now_ms: i64) {
        let Some(record) = self.store.remove(class, key) else {
            return;
        };
        if !self.config.audits_deletes {
            return;
        }
        let payload: serde_json::Map<String, serde_json::Value> = record
            .fields()
            .map(|(field, value)| (field.to_owned(), value.into()))
            .collect();
        let mut audit = self.blank(user, now_ms);
        audit.set("tablename", class);
        audit.set("documentkey", key);
        audit.set(
            "display_value",
            record.get(self.schema.display_column(class)),
        );
        audit.set("payload", serde_json::Value::Object(payload).to_string());
        self.store.insert("sys_audit_delete", audit);
    }

    /// A record with a fresh key and the stamps of an insert.
    pub(super) fn blank(&mut self, user: &str, now_ms: i64) -> Record {
        let mut record = Record::default();
        let n = self.store.next_key();
        record.set(
            "sys_id",
            super::ids::sys_id(self.config.seed, "record", &n.to_string()),
        );
        let now = stamp::text(now_ms);
        record.set("sys_created_on", now.clone());
        record.set("sys_updated_on", now);
        record.set("sys_created_by", user);
        record.set("sys_updated_by", user);
        record.set("sys_mod_count", "0");
        record
    }

    /// The record with this key, unless an ACL hides it.
    pub(super) fn visible<'a>(&'a self, user: &User, table: &'a str, key: &str) -> Option<Row<'a>> {
        let row = self.store.find(&self.schema, table, key)?;
        (!self.hides(user, row)).then_some(row)
    }

    /// Whether an ACL hides a record from a user.
    pub(super) fn hides(&self, user: &User, row: Row<'_>) -> bool {
        !has_role(user, "admin")
            && self.config.hidden.iter().any(|(table, condition)| {
                self.schema.extends(row.class, table) && self.satisfies(table, condition, row)
            })
    }

    /// Whether a record meets a condition of the configuration.
    pub(super) fn satisfies(&self, table: &str, condition: &str, row: Row<'_>) -> bool {
        let matching = self.matching(0);
        let mut query = Query::parse(condition);
        matching.prune(table, &mut query);
        matching.means(&query, table, row)
    }

    pub(super) fn matching(&self, utc_offset_minutes: i32) -> Matching<'_> {
        Matching {
            schema: &self.schema,
            store: &self.store,
            ignores_case: self.config.ignores_case,
            utc_offset_minutes,
        }
    }
}

/// Key and correlation id of a record.
pub(super) fn touched(record: &Record) -> (String, String) {
    (
        record.sys_id().to_owned(),
        record.get("correlation_id").to_owned(),
    )
}

/// 403 by an access control.
pub(super) fn refused_by_acl(operation: Operation) -> Reply {
    Reply::failed(&format!(
        "ACL Exception {} Failed due to security constraints",
        operation.noun()
    ))
}
