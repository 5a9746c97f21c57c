//! A definition in the making: what a file says, what the command line says, and what the person answers.

use itsm_connector::domain::connection::{Connection, PartnerType};
use itsm_connector::domain::definition;
use itsm_connector::domain::definition::problem::{Problem, Problems};
use itsm_connector::domain::name::ConnectionName;
use itsm_connector::domain::network::AllowedHosts;
use itsm_connector::domain::secret::Secret;
use serde_json::{Map, Value, json};

use super::Add;
use crate::failure::Failure;
use crate::output::Output;
use crate::{files, prompt};

/// A definition in the making.
pub(super) struct Draft {
    fields: Map<String, Value>,
    /// What is wrong with the file as it stands; some of it the command line may mend.
    in_file: Option<Problems>,
    /// True if it began with a definition, so that what is not in it is left out on purpose.
    has_base: bool,
    name: Option<ConnectionName>,
}

impl Draft {
    /// What the file, or what is to be replaced, and the command line say.
    pub(super) fn begin(add: &Add, replaced: Option<&Secret>) -> Result<Self, Failure> {
        let mut draft = Self {
            fields: Map::new(),
            in_file: None,
            has_base: add.file.is_some() || replaced.is_some(),
            name: None,
        };
        if let Some(Ok(Value::Object(fields))) =
            replaced.map(|text| serde_json::from_str(text.expose()))
        {
            draft.fields = fields;
            draft.forget_the_secret_of_another(add);
        }
        if let Some(path) = &add.file {
            draft.read(&files::read_named(path)?)?;
        }
        let said = [
            ("name", &add.name),
            ("partner_type", &add.partner_type),
            ("server_url", &add.server_url),
            ("client_id", &add.client_id),
            ("username", &add.username),
            ("grant", &add.grant),
            ("entra_authority", &add.entra_authority),
            ("auth_mode", &add.auth_mode),
        ];
        for (field, value) in said {
            if let Some(value) = value {
                draft.set(field, value);
            }
        }
        if add.file.is_none() && !draft.has("partner_type") {
            draft.set("partner_type", PartnerType::Servicenow.as_str());
        }
        Ok(draft)
    }

    /// A secret goes only where it was given for: another server or client has another.
    fn forget_the_secret_of_another(&mut self, add: &Add) {
        let authority_is_said = add.entra_authority.is_some();
        let is_another = |field: &str, said: &Option<String>| {
            said.as_ref()
                .is_some_and(|said| self.fields.get(field) != Some(&json!(said)))
        };
        let is_another_server = is_another("server_url", &add.server_url);
        if is_another_server || is_another("client_id", &add.client_id) {
            self.fields.remove("client_secret");
        }
        if is_another_server && !authority_is_said {
            self.fields.remove("entra_authority");
        }
    }

    fn read(&mut self, text: &[u8]) -> Result<(), Failure> {
        // Whether a host is allowed is for the finished definition to say.
        self.in_file = definition::parse(text, &AllowedHosts::default()).err();
        match (serde_json::from_slice(text), &self.in_file) {
            (Ok(Value::Object(fields)), _) => {
                self.fields = fields;
                self.know_the_name();
                Ok(())
            }
            (_, Some(problems)) => Err(Failure::from(problems)),
            (_, None) => Err(Failure::wrong_usage(
                "the definition is no JSON object",
                "`itsmc connection schema` describes it",
            )),
        }
    }

    /// Sets a field; what the command line says wins over the file.
    pub(super) fn set(&mut self, field: &'static str, value: &str) {
        self.fields.insert(field.to_owned(), json!(value));
        self.know_the_name();
    }

    fn know_the_name(&mut self) {
        let name = self.fields.get("name").and_then(Value::as_str);
        self.name = name.and_then(|name| ConnectionName::parse(name).ok());
    }

    /// The connection's name, once there is a good one.
    pub(super) fn name(&self) -> Option<&ConnectionName> {
        self.name.as_ref()
    }

    fn has(&self, field: &str) -> bool {
        self.fields.contains_key(field)
    }

    /// Asks the person for what is missing.
    pub(super) fn ask_for_the_rest(
        &mut self,
        allowed: &AllowedHosts,
        output: &Output,
    ) -> Result<(), Failure> {
        let questions = [
            ("name", "Name of the connection, such as contoso"),
            ("server_url", self.address_question()),
            ("client_id", "Client id"),
        ];
        let mut asked = false;
        for (field, question) in questions {
            if !self.has(field) {
                let answer = self.ask(field, question, allowed, output)?;
                self.set(field, &answer);
                asked = true;
            }
        }
        if !self.has("client_secret") && self.needs_client_secret() {
            let secret = prompt::ask_hidden("Client secret")?;
            self.set("client_secret", secret.expose());
            asked = true;
        }
        let is_cherwell = self.is_of(PartnerType::Cherwell);
        let wants_user = self.fields.get("grant") == Some(&json!("password")) || is_cherwell;
        let is_open = asked && !self.has_base && !self.has("grant");
        if !self.has("username") && (wants_user || is_open) {
            let question = match is_cherwell {
                true => "Integration user",
                false => "Integration user (none: client credentials, recommended)",
            };
            let user = prompt::ask(question)?;
            if !user.is_empty() {
                self.set("username", &user);
            }
        }
        let is_app_alone = self.is_of(PartnerType::Provance) && !self.has("username");
        if is_app_alone && !self.has("client_secret") {
            let secret = prompt::ask_hidden("Client secret of the app registration")?;
            self.set("client_secret", secret.expose());
        }
        output.settle();
        Ok(())
    }

    /// Asks until the answer can be used, so that nobody types a secret for nothing.
    fn ask(
        &self,
        field: &str,
        question: &str,
        allowed: &AllowedHosts,
        output: &Output,
    ) -> Result<String, Failure> {
        loop {
            let answer = prompt::ask(question)?;
            let mut fields = self.fields.clone();
            fields.insert(field.to_owned(), json!(answer));
            match about(field, &fields, allowed) {
                None => return Ok(answer),
                Some(failure) => output.mistake(&failure),
            }
        }
    }

    /// Cherwell and Provance clients have none (itsmc-product §1.1).
    fn needs_client_secret(&self) -> bool {
        ![PartnerType::Provance, PartnerType::Cherwell]
            .into_iter()
            .any(|without| self.is_of(without))
    }

    fn is_of(&self, partner: PartnerType) -> bool {
        self.fields.get("partner_type").and_then(Value::as_str) == Some(partner.as_str())
    }

    fn address_question(&self) -> &'static str {
        if self.is_of(PartnerType::Provance) {
            "Address, such as https://contoso.crm.dynamics.com"
        } else if self.is_of(PartnerType::Cherwell) {
            "Address, such as https://contoso.cherwellondemand.com"
        } else {
            "Address, such as https://contoso.service-now.com"
        }
    }

    /// The checked connection and its text for the vault; or every mistake that could be seen.
    pub(super) fn finish(self, allowed: &AllowedHosts) -> Result<(Connection, Secret), Failure> {
        let text = serde_json::to_string_pretty(&Value::Object(self.fields));
        let text = Secret::new(text.unwrap_or_default());
        let connection = definition::parse(text.expose().as_bytes(), allowed)
            .map_err(|problems| told(problems.iter()))?;
        // What the finished definition no longer shows, such as a field that stood there twice.
        let lost: Vec<&Problem> = self
            .in_file
            .iter()
            .flat_map(Problems::iter)
            .filter(|problem| problem.found.ends_with("twice"))
            .collect();
        if lost.is_empty() {
            Ok((connection, text))
        } else {
            Err(told(lost.into_iter()))
        }
    }
}

/// What is wrong with one field of a definition whose other fields may still be missing.
fn about(field: &str, fields: &Map<String, Value>, allowed: &AllowedHosts) -> Option<Failure> {
    let mut whole = fields.clone();
    for mandatory in ["name", "partner_type", "server_url", "client_id"] {
        whole
            .entry(mandatory)
            .or_insert_with(|| json!(PartnerType::Servicenow.as_str()));
    }
    let text = Secret::new(Value::Object(whole).to_string());
    let problems = definition::parse(text.expose().as_bytes(), allowed).err()?;
    let problem = problems.iter().find(|problem| problem.path == field)?;
    Some(told(std::iter::once(problem)))
}

/// The mistakes, with what this command can say beyond the library.
fn told<'a>(problems: impl Iterator<Item = &'a Problem>) -> Failure {
    let mut failure = Failure::wrong_usage("", "");
    failure.troubles.clear();
    for problem in problems {
        let mut one = Failure::from(&Problems::one(problem.clone()));
        if problem.path == "client_secret" && problem.found == "nothing" {
            one = one.with_hint(
                "`--client-secret-stdin` reads it from a pipe; on a terminal it is asked for",
            );
        }
        if problem.found.contains("field `password`") {
            one = one.with_hint(
                "remove it: a password is stored nowhere; it is asked for, or `--password-stdin` reads it from a pipe",
            );
        }
        failure.troubles.append(&mut one.troubles);
    }
    failure
}
