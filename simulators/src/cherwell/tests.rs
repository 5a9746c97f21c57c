//! The token endpoint as the vendor's pages have it.

use super::*;

const CLIENT: &str = "11111111-2222-3333-4444-555555555555";

fn server() -> Cherwell {
    Cherwell::new(CLIENT, "CSDAdmin", "p")
}

fn ask(server: &mut Cherwell, request: Request<Bytes>, now_ms: i64) -> Reply {
    let answer = server.answer(request, now_ms).response;
    let document = serde_json::from_slice(answer.body()).unwrap();
    (answer.status().as_u16(), document)
}

fn token(server: &mut Cherwell, path: &str, form: &str, now_ms: i64) -> Reply {
    let request = Request::post(path)
        .body(Bytes::from(form.to_owned()))
        .unwrap();
    ask(server, request, now_ms)
}

fn login(server: &mut Cherwell, now_ms: i64) -> Value {
    let form = format!("grant_type=password&client_id={CLIENT}&username=csdadmin&password=p");
    let (status, document) = token(server, "/CherwellAPI/token", &form, now_ms);
    assert_eq!(status, 200, "{document}");
    document
}

fn text<'a>(document: &'a Value, key: &str) -> &'a str {
    document[key].as_str().unwrap()
}

fn get(server: &mut Cherwell, path: &str, bearer: &str, now_ms: i64) -> Reply {
    let request = Request::get(path).header(AUTHORIZATION, format!("Bearer {bearer}"));
    ask(server, request.body(Bytes::new()).unwrap(), now_ms)
}

#[test]
fn a_token_says_when_it_was_given_and_when_it_ends() {
    let mut server = server();
    let given = login(&mut server, 1_560_785_499_000);
    assert_eq!(given["expires_in"], 1199);
    assert_eq!(given[".issued"], "Mon, 17 Jun 2019 15:31:39 GMT");
    assert_eq!(given[".expires"], "Mon, 17 Jun 2019 15:51:39 GMT");
    assert_eq!(given["as:client_id"], CLIENT);
}

#[test]
fn each_refresh_gives_another_refresh_token_and_the_old_one_is_dead_and_counted() {
    let mut server = server();
    let first = login(&mut server, 0);
    let form = format!(
        "grant_type=refresh_token&client_id={CLIENT}&refresh_token={}",
        text(&first, "refresh_token")
    );
    let (status, second) = token(&mut server, "/cherwellapi/TOKEN/", &form, 1);
    assert_eq!(status, 200);
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    let (status, refusal) = token(&mut server, "/CherwellAPI/token", &form, 2);
    assert_eq!((status, text(&refusal, "error")), (400, "invalid_grant"));
    assert_eq!((server.given, server.refused, server.reused), (2, 1, 1));
    assert!(server.takes(text(&second, "refresh_token"), 2));
}

#[test]
fn who_may_not_have_a_token_is_told_in_the_vendors_words() {
    let mut server = server();
    server.clients[0].secret = Some("s".to_owned());
    server.users[0].kept_in = "ldap".to_owned();
    let right = format!("client_id={CLIENT}&client_secret=s&username=CSDAdmin&password=p");
    for (path, form, error) in [
        (
            "/CherwellAPI/token",
            "grant_type=password".to_owned(),
            "invalid_client_id",
        ),
        (
            "/CherwellAPI/token",
            format!(
                "grant_type=password&{}",
                right.replace("secret=s", "secret=x")
            ),
            "invalid_client",
        ),
        (
            "/CherwellAPI/token?auth_mode=LDAP",
            format!("grant_type=client_credentials&{right}"),
            "unsupported_grant_type",
        ),
        (
            "/CherwellAPI/token",
            format!("grant_type=password&{right}"),
            "invalid_grant",
        ),
        (
            "/CherwellAPI/token?AUTH_MODE=ldap",
            format!("grant_type=password&{}", right.replace("word=p", "word=x")),
            "invalid_grant",
        ),
    ] {
        let (status, refusal) = token(&mut server, path, &form, 0);
        assert_eq!((status, text(&refusal, "error")), (400, error), "{form}");
    }
    let form = format!("grant_type=password&{right}");
    let (status, _) = token(
        &mut server,
        "/CherwellAPI/token?Auth_Mode=LDAP&site_name=x",
        &form,
        0,
    );
    assert_eq!(status, 200);
}

#[test]
fn a_token_opens_the_api_until_it_ends_and_a_logout_ends_the_whole_session() {
    let mut server = server();
    let given = login(&mut server, 0);
    let access = text(&given, "access_token").to_owned();
    let summary = "/CherwellAPI/api/V1/getbusinessobjectsummary/busobname/Incident";
    let (status, found) = get(&mut server, summary, &access, 1_199_999);
    assert_eq!((status, found.as_array().unwrap().len()), (200, 1));
    assert_eq!(get(&mut server, summary, &access, 1_200_000).0, 401);
    let none = "/CherwellAPI/api/V1/getbusinessobjectsummary/busobname/Nothing";
    assert_eq!(get(&mut server, none, &access, 0), (200, json!([])));
    assert_eq!(
        get(&mut server, "/CherwellAPI/api/V1/serviceinfo", "", 0).0,
        200
    );

    let request = Request::delete("/CherwellAPI/api/V1/logout");
    let request = request.header(AUTHORIZATION, format!("Bearer {access}"));
    assert_eq!(
        ask(&mut server, request.body(Bytes::new()).unwrap(), 1).0,
        200
    );
    assert!(!server.takes(text(&given, "refresh_token"), 1));
    assert_eq!(get(&mut server, summary, &access, 1).0, 401);
}
