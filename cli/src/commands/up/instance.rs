//! The simulated ServiceNow of the desk: started with the records of last time, saved while it runs and at the end.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use data_encoding::BASE64;
use http::header::{ACCEPT, AUTHORIZATION};
use itsm_connector::adapters::http::HttpTransport;
use itsm_connector::domain::network::AllowedHosts;
use itsm_connector::ports::Transport as _;
use serde_json::Value;
use simulators::server::{Server, pause};
use simulators::servicenow::{Client, Config, ServiceNow};

use super::not_bound;
use crate::alert_delivery::said;
use crate::failure::Failure;
use crate::files;
use crate::output::Output;

/// How often the records are saved if they have changed: what a crash may cost the simulator, not the connector.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// Who looks at the records: a person, not the integration user.
const PERSON: &str = "admin";

/// What a person sees of an incident.
const FIELDS: &str = "number,state,short_description";

/// How long a look may take.
const LOOK_WITHIN: Duration = Duration::from_secs(10);

/// The instance.
pub(super) struct Instance {
    server: Server<ServiceNow>,
    config: Config,
    file: PathBuf,
    saved: RefCell<Option<Value>>,
}

/// An incident as a person sees it.
pub(super) struct Incident {
    /// `INC0010001`.
    pub(super) number: String,
    /// `New`, `Resolved`.
    pub(super) state: String,
    /// Its title.
    pub(super) title: String,
}

impl Instance {
    /// Starts it with what was saved in `file`.
    pub(super) async fn start(listen: SocketAddr, file: PathBuf) -> Result<Self, Failure> {
        let mut config = Config::default();
        // The administrator of this instance has granted what the sync of deletes needs.
        config.acls.retain(|acl| acl.table != "sys_audit_delete");
        let saved = files::read_own(&file)?;
        let machine = match &saved {
            None => ServiceNow::new(config.clone()),
            Some(text) => serde_json::from_str(text)
                .ok()
                .and_then(|state| ServiceNow::load(config.clone(), &state).ok())
                .ok_or_else(|| {
                    Failure::does_not_work(
                        format!("`{}` is not what the simulator saves", file.display()),
                        "move it away; the simulator then starts without records",
                    )
                })?,
        };
        let state = saved.is_some().then(|| machine.save());
        let server = Server::start(machine, listen, None)
            .await
            .map_err(|error| {
                not_bound("--servicenow", "the simulated ServiceNow", listen, &error)
            })?;
        Ok(Self {
            server,
            config,
            file,
            saved: RefCell::new(state),
        })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Its URL.
    pub(super) fn url(&self) -> String {
        self.server.url()
    }

    /// The OAuth client that it knows.
    pub(super) fn client(&self) -> Client {
        self.config.clients.first().cloned().unwrap_or_default()
    }

    /// Does something and takes back whatever it did to the records.
    pub(super) async fn without_a_trace<T>(&self, doing: impl Future<Output = T>) -> T {
        let before = self.server.lock().save();
        let done = doing.await;
        if let Ok(machine) = ServiceNow::load(self.config.clone(), &before) {
            *self.server.lock() = machine;
        }
        done
    }

    /// Saves every second, for ever. What keeps it from that is told once, until it works again.
    pub(super) async fn keep_saving(&self, output: &Output) {
        let mut was_told = false;
        loop {
            pause(SAVE_EVERY).await;
            let failure = self.save().err();
            if let Some(trouble) = failure.iter().flat_map(|failure| &failure.troubles).next()
                && !was_told
            {
                output.warning(&trouble.error, &trouble.hint);
            }
            was_told = failure.is_some();
        }
    }

    /// Stops, and saves what there is.
    pub(super) async fn stop(self) -> Result<(), Failure> {
        let saved = self.save();
        self.server.stop().await;
        saved
    }

    fn save(&self) -> Result<(), Failure> {
        let state = self.server.lock().save();
        if self.saved.borrow().as_ref() == Some(&state) {
            return Ok(());
        }
        files::write_own(&self.file, &state.to_string())?;
        self.saved.replace(Some(state));
        Ok(())
    }

    /// What shows a person the incidents.
    pub(super) fn curl(&self) -> String {
        format!(
            "curl -sS -u {PERSON}:{} '{}/api/now/table/incident?sysparm_display_value=true&sysparm_fields={FIELDS}'",
            self.password(),
            self.url()
        )
    }

    fn password(&self) -> &str {
        let mut users = self.config.users.iter();
        users
            .find(|user| user.name == PERSON)
            .map_or("", |user| user.password.as_str())
    }

    /// Reads an incident by the Table API, as a person would.
    pub(super) async fn look(&self, id: &str) -> Result<Incident, Failure> {
        let unreadable = |why: &str| {
            Failure::does_not_work(
                format!("the incident cannot be read back from the simulator: {why}"),
                "this is a fault of the simulator; report it with the lines above",
            )
        };
        let credentials = format!("{PERSON}:{}", self.password());
        let request = http::Request::get(format!(
            "{}/api/now/table/incident/{id}?sysparm_display_value=true&sysparm_fields={FIELDS}",
            self.url()
        ))
        .header(ACCEPT, "application/json")
        .header(
            AUTHORIZATION,
            format!("Basic {}", BASE64.encode(credentials.as_bytes())),
        )
        .body(Bytes::new())
        .map_err(|_| unreadable("its key is not one"))?;
        let allowed = AllowedHosts::default().with(&self.address().to_string());
        let response = HttpTransport::new(allowed)
            .send(request, LOOK_WITHIN)
            .await
            .map_err(|_| unreadable("no answer"))?;
        let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
        let record = body
            .get("result")
            .ok_or_else(|| unreadable(response.status().as_str()))?;
        Ok(Incident {
            number: said(record, "number"),
            state: said(record, "state"),
            title: said(record, "short_description"),
        })
    }
}
