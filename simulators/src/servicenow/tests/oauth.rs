//! Who gets a token, which one, and for how long.

use serde_json::{Value, json};

use super::super::config::{TokenRules, User};
use super::*;

const CLIENT: &str = "client_id=d0c5a3e1b7f84c0a9e2b6d4f8a1c3e5f&client_secret=demo-client-secret";
const PASSWORD: &str = "grant_type=password&username=svc-monitor&password=svc-monitor-password";

fn token(bench: &mut Bench, grant: &str) -> Reply {
    bench.form("/oauth_token.do", &format!("{CLIENT}&{grant}"))
}

#[test]
fn each_grant_answers_as_documented() {
    let mut bench = Bench::new();
    let reply = token(&mut bench, PASSWORD);
    assert_eq!(
        (
            reply.status,
            &reply.json["scope"],
            &reply.json["token_type"]
        ),
        (200, &json!("useraccount"), &json!("Bearer"))
    );
    assert_eq!(reply.json["expires_in"], json!(1800));
    let refresh = reply.json["refresh_token"].as_str().unwrap().to_owned();
    let refreshed = token(
        &mut bench,
        &format!("grant_type=refresh_token&refresh_token={refresh}"),
    );
    assert_eq!(refreshed.json["refresh_token"], json!(refresh));
    assert_ne!(refreshed.json["access_token"], reply.json["access_token"]);
    let own = token(&mut bench, "grant_type=client_credentials");
    assert_eq!((own.status, own.json.get("refresh_token")), (200, None));
}

#[test]
fn every_refusal_looks_the_same() {
    let off = |change: fn(&mut TokenRules)| {
        let mut config = Config::default();
        change(&mut config.tokens);
        config
    };
    let users = |change: fn(&mut User)| {
        let mut config = Config::default();
        config.users.iter_mut().for_each(change);
        config
    };
    let cases = [
        (
            Config::default(),
            format!("{CLIENT}&grant_type=password&username=svc-monitor&password=wrong"),
        ),
        (
            Config::default(),
            format!("client_id=nobody&client_secret=x&{PASSWORD}"),
        ),
        (
            Config::default(),
            format!("{CLIENT}&grant_type=refresh_token&refresh_token=unknown"),
        ),
        (
            Config::default(),
            format!("{CLIENT}&grant_type=authorization_code&code=x"),
        ),
        (
            off(|rules| rules.ropc_disabled = true),
            format!("{CLIENT}&{PASSWORD}"),
        ),
        (
            off(|rules| rules.client_credentials_enabled = false),
            format!("{CLIENT}&grant_type=client_credentials"),
        ),
        (
            users(|user| user.web_service_only = true),
            format!("{CLIENT}&{PASSWORD}"),
        ),
        (
            users(|user| user.active = false),
            format!("{CLIENT}&{PASSWORD}"),
        ),
        (
            users(|user| user.active = false),
            format!("{CLIENT}&grant_type=client_credentials"),
        ),
    ];
    for (config, form) in cases {
        let reply = Bench::with(config).form("/oauth_token.do", &form);
        let expected = json!({ "error_description": "access_denied", "error": "server_error" });
        assert_eq!((reply.status, &reply.json), (401, &expected), "{form}");
    }
}

#[test]
fn the_form_is_in_the_body() {
    let mut bench = Bench::new();
    let json = bench.send(
        Method::POST,
        "/oauth_token.do",
        &[],
        &json!({ "grant_type": "client_credentials" }).to_string(),
    );
    assert_eq!(json.response.status(), 401);
    let url = format!("/oauth_token.do?{CLIENT}&grant_type=client_credentials");
    assert_eq!(bench.form(&url, "").status, 401);
    bench.sn.config_mut().tokens.parameters_in_body_only = false;
    assert_eq!(bench.form(&url, "").status, 200);
}

#[test]
fn the_client_may_come_by_http_basic() {
    let form = [("content-type", "application/x-www-form-urlencoded")];
    // The id and secret as they are, and form-encoded with `%2D` for `-`.
    for login in [
        "d0c5a3e1b7f84c0a9e2b6d4f8a1c3e5f:demo-client-secret",
        "d0c5a3e1b7f84c0a9e2b6d4f8a1c3e5f:demo%2Dclient%2Dsecret",
    ] {
        let login = format!("Basic {}", data_encoding::BASE64.encode(login.as_bytes()));
        let headers = [form[0], ("authorization", login.as_str())];
        assert_eq!(
            Bench::new()
                .send(Method::POST, "/oauth_token.do", &headers, PASSWORD)
                .response
                .status(),
            200
        );
    }
}

#[test]
fn a_bearer_token_lets_in_until_it_expires() {
    let mut bench = Bench::new();
    let access = token(&mut bench, PASSWORD).json["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let bearer = format!("Bearer {access}");
    let ask = |bench: &mut Bench| -> Reply {
        bench
            .send(
                Method::GET,
                "/api/now/table/incident",
                &[("authorization", &bearer)],
                "",
            )
            .into()
    };
    assert_eq!(ask(&mut bench).status, 200);
    bench.now += 1_799_999;
    assert_eq!(ask(&mut bench).status, 200);
    bench.now += 1;
    let refused = ask(&mut bench);
    assert_eq!(refused.status, 401);
    assert_eq!(
        refused.header("www-authenticate"),
        Some("BEARER realm=\"Service-now\"")
    );
    let error = (
        "User Not Authenticated".to_owned(),
        "Required to provide Auth information".to_owned(),
    );
    assert_eq!(refused.error(), error);
}

#[test]
fn the_switch_leaves_the_refresh_token_out_of_the_reply() {
    let mut bench = Bench::new();
    bench.sn.config_mut().tokens.refresh_reply_has_refresh_token = false;
    let refresh = token(&mut bench, PASSWORD).json["refresh_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let reply = token(
        &mut bench,
        &format!("grant_type=refresh_token&refresh_token={refresh}"),
    );
    assert_eq!((reply.status, reply.json.get("refresh_token")), (200, None));
}

#[test]
fn revoking_needs_no_login() {
    let mut bench = Bench::new();
    let reply = token(&mut bench, PASSWORD);
    let text = |field: &str| reply.json[field].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        bench
            .form(
                &format!("/oauth_revoke_token.do?token={}", text("access_token")),
                ""
            )
            .status,
        200
    );
    assert_eq!(bench.sn.live_tokens(NOW), (0, 1));
    assert_eq!(
        bench
            .form(
                "/oauth_revoke_token.do",
                &format!("token={}", text("refresh_token"))
            )
            .status,
        200
    );
    assert_eq!(bench.sn.live_tokens(NOW), (0, 0));
    assert_eq!(
        bench
            .form("/oauth_revoke_token.do?token=unknown", "")
            .status,
        200
    );
}

#[test]
fn what_an_administrator_does_to_tokens() {
    let mut bench = Bench::new();
    assert_ne!(token(&mut bench, PASSWORD).json, Value::Null);
    bench.sn.expire_tokens();
    assert_eq!(bench.sn.live_tokens(NOW), (0, 1));
    bench.sn.revoke_all();
    assert_eq!(bench.sn.live_tokens(NOW), (0, 0));
    assert_eq!(bench.sn.token_requests(), 1);
}
