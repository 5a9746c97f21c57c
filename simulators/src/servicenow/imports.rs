//! The Import Set API: a row goes into a staging table, and transform maps make or change records of it in the same call.

use serde_json::{Map, Value, json};

use super::acl::has_role;
use super::call::Call;
use super::config::{ImportSet, TransformMap, User};
use super::instance::{Instance, Outcome};
use super::reply::{Body, Reply};

/// What the user needs to load a row and to transform it.
const ROLES: [&str; 2] = ["import_set_loader", "import_transformer"];

impl Instance {
    /// `POST /api/now/import/{staging table}`.
    pub(super) fn import(
        &mut self,
        call: &Call,
        user: &User,
        staging: &str,
        now_ms: i64,
    ) -> Outcome {
        let refused = Outcome::refused;
        if call.method != "POST" {
            return refused(Reply::error(405, "Method not supported", None));
        }
        let known = |set: &&ImportSet| set.staging_table == staging;
        let Some(set) = self.config.import_sets.iter().find(known).cloned() else {
            return refused(Reply::error(400, "Invalid staging table", Some(staging)));
        };
        let sends_json = call
            .header("content-type")
            .and_then(|media| media.split(';').next())
            .is_some_and(|media| media.trim() == "application/json");
        if !sends_json {
            return refused(Reply::error(415, "Unsupported media type", None));
        }
        if !ROLES.iter().all(|role| has_role(user, role)) {
            return refused(Reply::failed(
                "ACL Exception Insert Failed due to security constraints",
            ));
        }
        let row: Map<String, Value> = match serde_json::from_slice(&call.body) {
            Ok(Value::Object(row)) if row.values().all(Value::is_string) => row,
            _ => {
                let why = Some("a row is a flat object of texts");
                return refused(Reply::error(400, "Exception while reading request", why));
            }
        };
        let mut touched = None;
        let results: Vec<Value> = (set.maps.iter())
            .map(|map| self.transform(call, user, map, &row, now_ms, &mut touched))
            .collect();
        let number = self.store.next_number("ISET", 10_001);
        let mut reply = Reply::new(
            201,
            Body::Json(json!({
                "import_set": number,
                "staging_table": staging,
                "result": results,
            })),
        );
        if !set.is_readable {
            reply.body = Body::Empty;
        }
        Outcome {
            touched,
            ..Outcome::done(reply)
        }
    }

    fn transform(
        &mut self,
        call: &Call,
        user: &User,
        map: &TransformMap,
        row: &Map<String, Value>,
        now_ms: i64,
        touched: &mut Option<(String, String)>,
    ) -> Value {
        let mut told = json!({ "transform_map": map.name, "table": map.table });
        let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
        let known = |column: &String| map.columns.is_empty() || map.columns.contains(column);
        let fields: Map<String, Value> = row
            .iter()
            .filter(|(column, _)| *column != "sys_id" && known(column))
            .map(|(column, value)| (column.clone(), value.clone()))
            .collect();
        if map.ignores {
            told["status"] = "ignored".into();
            told["status_message"] = "Row transform ignored by onBefore script".into();
            return told;
        }
        let key = map.coalesce.as_deref().and_then(|column| {
            let wanted = text(column);
            let mut rows = self.store.rows(&self.schema, &map.table);
            rows.find(|row| {
                !wanted.is_empty() && row.record.get(column).eq_ignore_ascii_case(wanted)
            })
            .map(|row| row.record.sys_id().to_owned())
        });
        let inner = Call {
            body: Value::Object(fields).to_string().into(),
            ..call.clone()
        };
        let (written, status) = match &key {
            Some(key) => (
                self.update(&inner, user, &map.table, key, now_ms),
                "updated",
            ),
            None => (self.create(&inner, user, &map.table, now_ms), "inserted"),
        };
        match written {
            Ok(outcome) => {
                let (sys_id, correlation) = outcome.touched.unwrap_or_default();
                let found = self.store.find(&self.schema, &map.table, &sys_id);
                let number = found.map_or(String::new(), |row| row.record.get("number").to_owned());
                let origin = self.config.instance_url.as_deref().unwrap_or(&call.origin);
                told["display_name"] = "number".into();
                told["display_value"] = number.into();
                told["record_link"] =
                    format!("{origin}/api/now/table/{}/{sys_id}", map.table).into();
                told["status"] = status.into();
                told["sys_id"] = sys_id.clone().into();
                touched.get_or_insert((sys_id, correlation));
            }
            Err(refusal) => {
                told["status"] = "error".into();
                told["error_message"] = refusal.told().into();
            }
        }
        told
    }
}
