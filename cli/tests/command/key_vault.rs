//! `itsmc` with its connections in a key vault: the real binary over TLS, as each identity that it can be.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::thread::JoinHandle;

use simulators::jwt::SigningKey;
use simulators::key_vault::{Config, KeyVaultCloud};
use simulators::machine::{Answer, Machine};
use simulators::server::{Server, Tls, now_ms};

use crate::bed::{Bed, Ran};

const SECRET: &str = "canary-client-secret-9d1e";
const CONTOSO: &str = "itsm-connection-contoso";

/// A vault in a thread of its own, with what gives tokens for it, and the platform's endpoint, which speaks no TLS.
struct Cloud {
    machine: Arc<Mutex<KeyVaultCloud>>,
    vault: SocketAddr,
    platform: SocketAddr,
    ca_file: String,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct Shared(Arc<Mutex<KeyVaultCloud>>);

impl Machine for Shared {
    fn answer(&mut self, request: http::Request<bytes::Bytes>, now_ms: i64) -> Answer {
        self.0.lock().unwrap().answer(request, now_ms)
    }
}

/// Making keys takes longer than the tests.
fn keys() -> [SigningKey; 2] {
    static KEYS: OnceLock<[SigningKey; 2]> = OnceLock::new();
    let key = |name: &str| SigningKey::generate(name.to_owned()).unwrap();
    KEYS.get_or_init(|| [key("entra-1"), key("sts-1")]).clone()
}

impl Cloud {
    fn start(bed: &Bed) -> Self {
        let tls = Tls::throw_away(&[]).unwrap();
        let ca_file = bed.write("ca.pem", tls.ca_pem());
        let (told, servers) = mpsc::channel();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listen = SocketAddr::from(([127, 0, 0, 1], 0));
                let machine = KeyVaultCloud::with_keys(&Config::default(), keys());
                let vault = Server::start(machine, listen, Some(tls)).await.unwrap();
                let shared = Shared(vault.machine());
                let platform = Server::start(shared, listen, None).await.unwrap();
                told.send((vault.machine(), vault.address(), platform.address()))
                    .unwrap();
                let _ = stopped.await;
                vault.stop().await;
                platform.stop().await;
            });
        });
        let (machine, vault, platform) = servers.recv().unwrap();
        Self {
            machine,
            vault,
            platform,
            ca_file,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Where the vault is, and what anybody must have who asks it.
    fn place(&self) -> Vec<(&'static str, String)> {
        vec![
            ("ITSMC_VAULT", format!("https://{}", self.vault)),
            ("ITSMC_ALLOW_HOSTS", self.vault.to_string()),
            ("SSL_CERT_FILE", self.ca_file.clone()),
            ("AZURE_AUTHORITY_HOST", format!("https://{}", self.vault)),
        ]
    }

    fn app(&self) -> Vec<(&'static str, String)> {
        let config = Config::default();
        let mut app = self.place();
        app.push(("AZURE_TENANT_ID", config.tenant));
        app.push(("AZURE_CLIENT_ID", config.app.client_id));
        app
    }

    fn app_with_secret(&self) -> Vec<(&'static str, String)> {
        let mut app = self.app();
        let secret = Config::default().app.secret.unwrap();
        app.push(("AZURE_CLIENT_SECRET", secret));
        app
    }

    fn managed(&self) -> Vec<(&'static str, String)> {
        let mut managed = self.place();
        let endpoint = format!("http://{}/msi/token", self.platform);
        managed.push(("IDENTITY_ENDPOINT", endpoint));
        managed.push(("IDENTITY_HEADER", Config::default().identity_header));
        managed
    }

    fn keeps(&self, text: &str) -> bool {
        let machine = self.machine.lock().unwrap();
        machine
            .vault
            .value(CONTOSO)
            .is_some_and(|value| value.contains(text))
    }

    fn edit(&self, attribute: &str, value: impl Into<serde_json::Value>) {
        let mut machine = self.machine.lock().unwrap();
        let value = value.into();
        assert!(machine.vault.edit(CONTOSO, attribute, &value, now_ms()));
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(bed: &Bed, env: &[(&'static str, String)], arguments: &[&str], input: &str) -> Ran {
    let env: Vec<(&str, &str)> = env
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let ran = bed.run_with(arguments, input, &env);
    for text in [&ran.stdout, &ran.stderr] {
        assert!(!text.contains(SECRET) && !text.contains("eyJ"), "{text}");
    }
    ran
}

const ADD: [&str; 9] = [
    "connection",
    "add",
    "contoso",
    "--server-url",
    "https://contoso.service-now.com",
    "--client-id",
    "id",
    "--client-secret-stdin",
    "--no-test",
];

#[test]
fn connections_are_kept_in_a_key_vault_as_in_a_folder() {
    let bed = Bed::new();
    let cloud = Cloud::start(&bed);
    let env = cloud.app_with_secret();
    let ask = |arguments: &[&str]| run(&bed, &env, arguments, "");
    let none = ask(&["connection", "list"]).did_it();
    assert!(none.stderr.contains("no connections in"), "{}", none.stderr);
    run(&bed, &env, &ADD, &format!("{SECRET}\n")).did_it();
    assert!(cloud.keeps(SECRET));

    let listed = ask(&["connection", "list", "--json"]).did_it().json();
    assert_eq!(listed["connections"][0]["name"], "contoso");
    assert_eq!(listed["connections"][0]["usable"], true);
    let shown = ask(&["connection", "show", "contoso", "--json"]).did_it();
    assert_eq!(shown.json()["definition"]["client_secret"], "(set)");
    let tokens = ask(&["tokens", "status", "--json"]).did_it().json();
    assert!(tokens.to_string().contains("none_needed"), "{tokens}");
    ask(&["connection", "show", "fabrikam"]).refused(1, &["there is no connection `fabrikam`"]);

    ask(&["connection", "remove", "contoso", "--yes"]).did_it();
    let none = ask(&["connection", "list", "--json"]).did_it().json();
    assert_eq!(none["connections"].as_array().map(Vec::len), Some(0));
    // Soft delete: the name is taken until somebody recovers or purges it.
    run(&bed, &env, &ADD, &format!("{SECRET}\n"))
        .refused(1, &["can still be recovered", "az keyvault secret recover"]);
}

#[test]
fn c9_what_has_expired_in_the_vault_is_listed_and_told() {
    let bed = Bed::new();
    let cloud = Cloud::start(&bed);
    let env = cloud.app_with_secret();
    run(&bed, &env, &ADD, &format!("{SECRET}\n")).did_it();
    let ask = |arguments: &[&str]| run(&bed, &env, arguments, "").did_it();
    let fine = ask(&["connection", "list"]).stdout;
    assert!(!fine.contains("has passed"), "{fine}");
    cloud.edit("exp", 1_577_836_800);
    let listed = ask(&["connection", "list"]).stdout;
    assert!(
        listed.contains("contoso: its expiry date in the vault, ")
            && listed.contains("has passed; it serves on"),
        "{listed}"
    );
    let listed = ask(&["connection", "list", "--json"]).json();
    assert_eq!(
        listed["connections"][0]["expired_at"],
        "2020-01-01T00:00:00.000Z"
    );
    assert_eq!(listed["connections"][0]["usable"], true);
    std::fs::create_dir_all(bed.data().join("state")).unwrap();
    let status = ask(&["status"]).stdout;
    assert!(status.contains("has passed; it serves on"), "{status}");
}

#[test]
fn itsmc_opens_the_vault_as_each_identity_that_its_environment_names() {
    let bed = Bed::new();
    let cloud = Cloud::start(&bed);
    let of_a_person = cloud.app_with_secret();
    run(&bed, &of_a_person, &ADD, &format!("{SECRET}\n")).did_it();
    let config = Config::default();
    let mut user_assigned = cloud.managed();
    user_assigned.push(("AZURE_CLIENT_ID", config.user_identity.client_id));
    for identity in [of_a_person, cloud.managed(), user_assigned] {
        let list = ["connection", "list", "--json"];
        let listed = run(&bed, &identity, &list, "").did_it().json();
        assert_eq!(listed["connections"][0]["name"], "contoso");
    }
}

#[test]
fn the_end_of_a_secret_is_written_into_the_vault_and_goes_with_that_secret() {
    let bed = Bed::new();
    let cloud = Cloud::start(&bed);
    let add = |more: &[&str], secret: &str| {
        let arguments = [
            &["connection", "add", "contoso", "--no-test"],
            more,
            &["--client-secret-stdin"][..usize::from(!secret.is_empty())],
        ]
        .concat();
        run(&bed, &cloud.managed(), &arguments, secret).did_it();
        let status = ["tokens", "status", "--json"];
        let told = run(&bed, &cloud.managed(), &status, "").did_it().json();
        told.pointer("/connections/0/credentials_end_at").cloned()
    };
    let new = [
        "--server-url",
        "https://contoso.service-now.com",
        "--client-id",
        "id",
    ];
    let with_end = [&new[..], &["--secret-expires", "2999-01-31"]].concat();
    let end = Some("2999-01-31T00:00:00.000Z".into());
    assert_eq!(add(&with_end, "one\n"), end);
    assert_eq!(
        add(&["--replace", "--client-id", "id"], ""),
        end,
        "it stays"
    );
    assert_eq!(add(&["--replace"], "two\n"), None, "another secret");
    let past = ["connection", "add", "x", "--secret-expires", "2020-01-31"];
    assert_eq!(run(&bed, &cloud.managed(), &past, "").code, 2);
}

#[test]
fn a_folder_has_no_place_for_the_end_of_a_secret() {
    let bed = Bed::new();
    let arguments = [
        "connection",
        "add",
        "contoso",
        "--server-url",
        "https://contoso.service-now.com",
        "--client-id",
        "id",
        "--client-secret-stdin",
        "--secret-expires",
        "2999-01-31",
    ];
    let ran = bed.run_with(&arguments, "one\n", &[]);
    ran.refused(2, &["--secret-expires: the vault is a folder"]);
}

#[test]
fn an_identity_that_is_another_one_is_told_what_to_do() {
    let bed = Bed::new();
    let cloud = Cloud::start(&bed);
    let list = ["connection", "list"];
    let mut wrong = cloud.app();
    wrong.push(("AZURE_CLIENT_SECRET", "another".to_owned()));
    run(&bed, &wrong, &list, "").refused(1, &["the app's secret is wrong"]);
    let mut unknown = cloud.managed();
    unknown.push((
        "AZURE_CLIENT_ID",
        "cccccccc-0001-4000-8000-000000000001".to_owned(),
    ));
    run(&bed, &unknown, &list, "").refused(1, &["it gives no token", "AZURE_CLIENT_ID"]);
    let mut untrusted = cloud.app_with_secret();
    untrusted.retain(|(name, _)| *name != "SSL_CERT_FILE");
    run(&bed, &untrusted, &list, "").refused(1, &["hint:"]);
    let rights = [simulators::key_vault::Right::Get];
    let app = config_app();
    let mut machine = cloud.machine.lock().unwrap();
    machine
        .vault
        .rights
        .insert(app, rights.into_iter().collect());
    drop(machine);
    run(&bed, &cloud.app_with_secret(), &list, "").refused(1, &["may not list"]);
}

fn config_app() -> String {
    Config::default().app.client_id
}
