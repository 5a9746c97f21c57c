//! `itsmc connection login`: what it does, and that the password is found nowhere afterwards, nor meanwhile where others can
//! look.

use std::process::Stdio;
use std::time::Duration;

use data_encoding::{BASE64, BASE64URL, HEXLOWER};

use crate::bed::{Bed, Ran};
use crate::elsewhere::Elsewhere;
use crate::instance::{CLIENT_ID, CLIENT_SECRET, Instance, PASSWORD, USER};

/// A connection with a login.
fn added(bed: &Bed, instance: &Instance) {
    let url = instance.url();
    let arguments = [
        "connection",
        "add",
        "contoso",
        "--server-url",
        &url,
        "--client-id",
        CLIENT_ID,
        "--username",
        USER,
        "--client-secret-stdin",
        "--password-stdin",
    ];
    let input = format!("{CLIENT_SECRET}\n{PASSWORD}\n");
    run(bed, instance, &arguments, &input).did_it();
}

fn login(bed: &Bed, instance: &Instance, more: &[&str], input: &str) -> Ran {
    let arguments = [&["connection", "login", "contoso"], more].concat();
    run(bed, instance, &arguments, input)
}

/// With everything logged that anybody has to say.
fn run(bed: &Bed, instance: &Instance, arguments: &[&str], input: &str) -> Ran {
    let host = instance.host();
    let variables = [("ITSMC_ALLOW_HOSTS", host.as_str()), ("RUST_LOG", "trace")];
    bed.run_with(arguments, input, &variables)
}

/// All shapes in which the password could get out. Within base64 it may begin at any of three places of a group.
fn shapes() -> Vec<String> {
    let bytes = PASSWORD.as_bytes();
    let form: String = url::form_urlencoded::byte_serialize(bytes).collect();
    let json = serde_json::to_string(PASSWORD).unwrap();
    let mut shapes = vec![
        PASSWORD.to_owned(),
        form.to_lowercase(),
        form,
        json.trim_matches('"').to_owned(),
        HEXLOWER.encode(bytes),
        format!("{bytes:?}").trim_matches(['[', ']']).to_owned(),
    ];
    for before in 0..3 {
        let padded = [&vec![0; before], bytes].concat();
        let (first, whole) = (before.div_ceil(3) * 4, padded.len() / 3 * 4);
        shapes.push(BASE64.encode(&padded)[first..whole].to_owned());
        shapes.push(BASE64URL.encode(&padded)[first..whole].to_owned());
    }
    shapes
}

#[track_caller]
fn nothing_in(what: &str, text: &str) {
    for shape in shapes() {
        assert!(!text.contains(&shape), "{what} holds the password: {shape}");
    }
}

#[test]
fn every_shape_of_the_password_would_be_found() {
    let bytes = PASSWORD.as_bytes();
    let leaks = [
        format!("password={PASSWORD}"),
        url::form_urlencoded::Serializer::new(String::new())
            .append_pair("password", PASSWORD)
            .finish(),
        serde_json::json!({ "password": PASSWORD }).to_string(),
        BASE64.encode(&[b"svc:", bytes].concat()),
        BASE64.encode(&[b"svc2:", bytes, b"x"].concat()),
        BASE64URL.encode(&[b"svc23:", bytes].concat()),
    ];
    for leak in leaks {
        assert!(shapes().iter().any(|shape| leak.contains(shape)), "{leak}");
    }
}

#[test]
fn the_password_is_in_no_process_listing_environment_file_log_state_or_vault() {
    let bed = Bed::new();
    let instance = Instance::slow(Duration::from_millis(700));
    added(&bed, &instance);
    a_login_leaves_no_password(&bed, &instance.host());
}

#[test]
fn nor_is_it_after_a_login_at_cherwell_or_at_entra() {
    for at in [Elsewhere::cherwell(), Elsewhere::provance()] {
        let bed = Bed::new();
        let ran = added_elsewhere(&bed, &at);
        nothing_in("the output", &ran.stdout);
        nothing_in("the log", &ran.stderr);
        a_login_leaves_no_password(&bed, &at.hosts());
    }
}

fn added_elsewhere(bed: &Bed, at: &Elsewhere) -> Ran {
    let url = at.url();
    let arguments = [
        "connection",
        "add",
        "contoso",
        "--partner-type",
        at.partner_type,
        "--server-url",
        &url,
        "--client-id",
        CLIENT_ID,
        "--username",
        USER,
        "--password-stdin",
    ];
    let hosts = at.hosts();
    let variables = [("ITSMC_ALLOW_HOSTS", hosts.as_str()), ("RUST_LOG", "trace")];
    bed.run_with(&arguments, &format!("{PASSWORD}\n"), &variables)
        .did_it()
}

#[test]
fn a_connection_elsewhere_is_added_renewed_and_tested_up_to_what_this_version_can() {
    for at in [Elsewhere::cherwell(), Elsewhere::provance()] {
        let bed = Bed::new();
        let ran = added_elsewhere(&bed, &at);
        assert!(
            ran.stdout.contains("accepts the credentials"),
            "{}",
            ran.stdout
        );
        let hosts = at.hosts();
        let quiet =
            |arguments: &[&str]| bed.run_with(arguments, "", &[("ITSMC_ALLOW_HOSTS", &hosts)]);
        let shown = quiet(&["connection", "show", "contoso", "--json"]).did_it();
        let written = shown.json()["definition"]["entra_authority"].clone();
        assert_eq!(written.as_str().map(str::to_owned), at.authority());
        let login = quiet(&["connection", "login", "contoso", "--refresh"]).did_it();
        let told = &login.stdout;
        assert!(told.contains("no other login is due while"), "{told}");
        let tested = quiet(&["connection", "test", "contoso"]);
        assert_eq!(tested.code, 1, "alerts would wait: {}", tested.stdout);
        assert!(tested.stdout.contains("no client for this product yet"));
        assert!(!tested.stdout.contains("NAME"), "{}", tested.stdout);
    }
}

/// Logs in while everybody looks, and looks at everything afterwards.
fn a_login_leaves_no_password(bed: &Bed, hosts: &str) {
    let mut child = bed
        .command_of(&["connection", "login", "contoso", "--password-stdin"])
        .env("ITSMC_ALLOW_HOSTS", hosts)
        .env("RUST_LOG", "trace")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    bed.give(&mut child, &format!("{PASSWORD}\n"));
    // While the issuer takes its time: what everybody on the machine may look at.
    let mut looks = 0;
    while child.try_wait().unwrap().is_none() {
        looks += usize::from(nothing_in_any_process(child.id()));
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(looks > 5 || !cfg!(target_os = "linux"), "{looks}");
    let output = child.wait_with_output().unwrap();
    let told = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let (stdout, stderr) = (told(output.stdout), told(output.stderr));
    assert!(output.status.success(), "{stdout}{stderr}");
    assert!(stdout.contains("logged in"), "{stdout}");
    assert!(stderr.contains("TRACE"), "the log was at its finest");
    nothing_in("the output", &stdout);
    nothing_in("the log", &stderr);
    let files = bed.files();
    assert!(
        files
            .iter()
            .any(|(path, _)| path.ends_with("itsm-tokens-contoso.json"))
    );
    assert!(
        files
            .iter()
            .any(|(path, _)| path.to_string_lossy().contains("renewals"))
    );
    for (path, text) in files {
        nothing_in(&path.display().to_string(), &text);
        nothing_in("a file's name", &path.display().to_string());
    }
}

/// Looks at the command lines of all processes, and at the environment of all that may be looked at. True if the login was
/// among them.
fn nothing_in_any_process(login: u32) -> bool {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return false;
    };
    let mut seen = false;
    for entry in processes.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.bytes().all(|b| b.is_ascii_digit()) {
            continue;
        }
        for file in ["cmdline", "environ", "comm"] {
            // Others end meanwhile, and some are not ours to look at.
            if let Ok(bytes) = std::fs::read(entry.path().join(file)) {
                nothing_in(
                    &format!("/proc/{name}/{file}"),
                    &String::from_utf8_lossy(&bytes),
                );
                seen |= file == "cmdline" && name == login.to_string() && !bytes.is_empty();
            }
        }
    }
    seen
}

#[test]
fn a_login_renews_what_ends_and_ends_with_the_test_of_the_connection() {
    let (bed, instance) = (Bed::new(), Instance::start());
    added(&bed, &instance);
    let ran = login(
        &bed,
        &instance,
        &["--password-stdin"],
        &format!("{PASSWORD}\n"),
    )
    .did_it();
    assert!(
        ran.stdout.contains("the next login is due before"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("sign-in"), "{}", ran.stdout);
    let refreshed = login(&bed, &instance, &["--refresh"], "").did_it();
    assert!(refreshed.stdout.contains("sign-in"), "{}", refreshed.stdout);
    let quiet = login(&bed, &instance, &["--refresh", "--no-test", "--json"], "").did_it();
    assert!(quiet.json()["tokens"]["renewed"].as_bool().unwrap());
}

#[test]
fn a_wrong_password_changes_nothing() {
    let (bed, instance) = (Bed::new(), Instance::start());
    added(&bed, &instance);
    let tokens = |bed: &Bed| {
        let mut files = bed.files();
        files.retain(|(path, _)| path.ends_with("itsm-tokens-contoso.json"));
        files.pop().unwrap().1
    };
    let before = tokens(&bed);
    let wrong = login(&bed, &instance, &["--password-stdin"], "wrong-canary\n");
    assert_eq!(wrong.code, 1);
    assert!(wrong.stderr.contains("nothing was stored"));
    assert!(!wrong.stderr.contains("wrong-canary"));
    assert_eq!(tokens(&bed), before);
}

#[test]
fn who_has_no_password_to_give_is_told_so() {
    let (bed, instance) = (Bed::new(), Instance::start());
    login(&bed, &instance, &["--password-stdin"], "x\n").refused(1, &["there is no connection"]);
    added(&bed, &instance);
    let quiet = |arguments: &[&str]| {
        bed.run_with(arguments, "", &[("ITSMC_ALLOW_HOSTS", &instance.host())])
    };
    quiet(&["connection", "login", "contoso"]).refused(2, &["expected the password of"]);
    let arguments = [
        "connection",
        "login",
        "contoso",
        "--refresh",
        "--password-stdin",
    ];
    assert_eq!(quiet(&arguments).code, 2);
}
