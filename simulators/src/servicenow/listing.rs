//! Lists: query, order, limit, and only then the access controls.

use serde_json::Value;

use super::acl::Operation;
use super::call::Call;
use super::config::{UnknownField, User};
use super::instance::{Circumstances, Instance, Outcome};
use super::matching::Matching;
use super::paging::link_header;
use super::query::{Condition, Operator, Query};
use super::rendering::Rendering;
use super::reply::Reply;
use super::stamp;
use super::store::Row;

impl Instance {
    pub(super) fn list(
        &self,
        call: &Call,
        user: &User,
        table: &str,
        version: u8,
        at: Circumstances,
    ) -> Result<Outcome, Reply> {
        if !self.allows(user, Operation::Read, table) {
            return Err(Reply::error(
                403,
                "Insufficient rights to query records",
                None,
            ));
        }
        let limit = number(call, "sysparm_limit")?.unwrap_or(self.config.default_limit);
        let offset = number(call, "sysparm_offset")?.unwrap_or(0);
        let suppressed = call.is_true("sysparm_suppress_pagination_header");
        if !suppressed && call.query.len() > self.config.pagination_query_bytes_max {
            let detail = "The query is too long to build the pagination header URLs. Set sysparm_suppress_pagination_header=true";
            return Err(Reply::error(400, "Pagination not supported", Some(detail)));
        }
        let matching = self.matching(user.utc_offset_minutes);
        let mut rows = self.matched(call, &matching, table);
        if at.stale_ms > 0 {
            let horizon = stamp::text(at.now_ms - at.stale_ms);
            rows.retain(|row| row.record.get("sys_updated_on") <= horizon.as_str());
        }
        let total = rows.len();
        let rendering = Rendering::of(self, call, user, table);
        let page: Vec<Row<'_>> = rows
            .into_iter()
            .skip(offset)
            .take(limit)
            .filter(|row| !self.hides(user, *row))
            .collect();
        if page.is_empty() && version == 1 {
            return Err(Reply::no_record());
        }
        let result: Vec<Value> = page.iter().map(|row| rendering.object(*row)).collect();
        let mut reply = Reply::result(200, result.into());
        if !call.is_true("sysparm_no_count") {
            reply = reply.with("x-total-count", total.to_string());
        }
        if !suppressed
            && let Some(link) = link_header(self.config.link_style, call, limit, offset, total)
        {
            reply = reply.with("link", link);
        }
        Ok(Outcome::done(reply))
    }

    /// All records that a request means, in its order, whoever may read them.
    pub(super) fn matched<'a>(
        &'a self,
        call: &Call,
        matching: &Matching<'a>,
        table: &'a str,
    ) -> Vec<Row<'a>> {
        let mut query = Query::parse(call.param("sysparm_query").unwrap_or_default());
        if call.param("sysparm_query").is_none_or(str::is_empty) {
            let plain = call
                .params
                .iter()
                .filter(|(name, _)| !name.starts_with("sysparm_"));
            query = Query {
                groups: vec![
                    plain
                        .map(|(name, value)| self.pair(table, name, value))
                        .collect(),
                ],
                ..query
            };
        }
        if !matching.prune(table, &mut query)
            && self.config.unknown_query_field == UnknownField::NoRows
        {
            return Vec::new();
        }
        let mut rows: Vec<Row<'a>> = self
            .store
            .rows(&self.schema, table)
            .filter(|row| matching.means(&query, table, *row))
            .collect();
        matching.sort(&query.order, table, &mut rows);
        rows
    }

    /// `name=value` outside of `sysparm_query`, where the value may be what a person reads.
    fn pair(&self, table: &str, name: &str, value: &str) -> Vec<Condition> {
        let choices = self.schema.choices(table, name).unwrap_or_default();
        let meant = choices
            .iter()
            .find(|(_, label)| label.eq_ignore_ascii_case(value))
            .map_or(value, |(value, _)| value);
        let condition = |field: String, value: &str| Condition {
            field,
            operator: Operator::Equals,
            value: value.to_owned(),
        };
        let mut term = vec![condition(name.to_owned(), meant)];
        if let Some(super::schema::Holds::Reference(target)) = self.schema.holds(table, name) {
            term.push(condition(
                format!("{name}.{}", self.schema.display_column(target)),
                value,
            ));
        }
        term
    }
}

/// A whole number; one below zero is refused, nonsense counts as absent.
fn number(call: &Call, name: &str) -> Result<Option<usize>, Reply> {
    match call.param(name).map(str::trim).map(str::parse::<i64>) {
        Some(Ok(number)) => match usize::try_from(number) {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(Reply::error(
                400,
                &format!("Invalid {name}: {number}"),
                Some("Negative values are not supported"),
            )),
        },
        _ => Ok(None),
    }
}
