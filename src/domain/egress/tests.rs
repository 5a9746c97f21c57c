//! What calls may dial, and what is no network, authority or proxy: rows C1, C2, C4 and C17.

use super::*;

const NOWHERE: &[&str] = &[];

fn networks(list: &[&str]) -> Networks {
    let list: Vec<String> = list.iter().map(|text| (*text).to_owned()).collect();
    Networks::parse(&list).unwrap()
}

fn egress(server: &str, own: &[&str], allowed: &AllowedHosts) -> Egress {
    let own = networks(own);
    let server = ServerUrl::parse(server, NOWHERE, &own, allowed).unwrap();
    Egress::to(&server, own, Authorities::default())
}

fn dial(url: &str, egress: Option<&Egress>, allowed: &str) -> Option<Dial> {
    let url = Url::parse(url).unwrap();
    Dial::for_call(&url, egress, &AllowedHosts::parse(allowed))
}

#[test]
fn c1_plain_http_is_for_listed_hosts_alone() {
    assert_eq!(dial("http://contoso.service-now.com", None, ""), None);
    assert_eq!(dial("ftp://contoso.service-now.com", None, ""), None);
    let listed = "contoso.service-now.com:80";
    assert_eq!(
        dial("http://contoso.service-now.com", None, listed),
        Some(Dial::Any)
    );
    assert_eq!(
        dial("https://contoso.service-now.com", None, listed),
        Some(Dial::Public),
        "another port than the listed one is a public host like any other"
    );
}

#[test]
fn c2_literal_addresses_are_refused_however_they_are_written() {
    for literal in [
        "127.0.0.1",
        "[::1]",
        "0",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "[::ffff:127.0.0.1]",
        "[::ffff:169.254.169.254]",
        "169.254.169.254",
        "168.63.129.16",
        "[fd00:ec2::254]",
        "[64:ff9b::a9fe:a9fe]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[2002:a9fe:a9fe::]",
        "100.64.0.1",
        "10.0.0.1",
        "[fe80::1]",
        "[::]",
    ] {
        assert_eq!(
            dial(&format!("https://{literal}/"), None, ""),
            None,
            "{literal}"
        );
    }
    assert_eq!(dial("https://8.8.8.8/", None, ""), Some(Dial::Public));
    assert_eq!(
        dial("https://127.0.0.1:8443/", None, "127.0.0.1:8443"),
        Some(Dial::Any)
    );
}

#[test]
fn c4_a_private_network_is_reached_by_the_connection_that_names_it_and_by_no_other() {
    let none = AllowedHosts::default();
    let on_premises = egress("https://scsm.corp.local:8443", &["10.20.0.0/16"], &none);
    let call = "https://scsm.corp.local:8443/api";
    let dial_own = dial(call, Some(&on_premises), "").unwrap();
    let admits = |address: &str| dial_own.admits(address.parse().unwrap());
    assert!(admits("10.20.1.2") && admits("::ffff:10.20.1.2"));
    for other in [
        "10.21.0.1",
        "192.168.1.1",
        "127.0.0.1",
        "169.254.169.254",
        "8.8.8.8",
    ] {
        assert!(!admits(other), "{other}");
    }
    let elsewhere = egress("https://contoso.example", &[], &none);
    let public = dial("https://contoso.example/", Some(&elsewhere), "").unwrap();
    assert!(!public.admits("10.20.1.2".parse().unwrap()));
    let literal = egress("https://10.20.1.2:8443", &["10.20.0.0/16"], &none);
    assert!(dial("https://10.20.1.2:8443/", Some(&literal), "").is_some());
    assert_eq!(dial("https://10.20.1.2:8443/", None, ""), None);
}

#[test]
fn c4_metadata_is_reached_by_nobody_who_names_its_network() {
    for (network, metadata) in [
        ("fd00:ec2::/32", "fd00:ec2::254"),
        ("fc00::/7", "fd20:ce::254"),
        ("100.64.0.0/10", "100.100.100.200"),
    ] {
        let within = Dial::Within(networks(&[network]));
        assert!(!within.admits(metadata.parse().unwrap()), "{metadata}");
    }
}

#[test]
fn c4_only_private_networks_can_be_allowed() {
    for fine in [
        "10.0.0.0/8",
        "10.1.2.3/32",
        "172.16.0.0/12",
        "192.168.7.0/24",
        "100.64.0.0/10",
        "fd12:3456::/32",
    ] {
        assert!(Networks::parse(&[fine.to_owned()]).is_ok(), "{fine}");
    }
    for (bad, reason) in [
        ("10.0.0.0", NotANetwork::NoNetwork),
        ("10.0.0.0/", NotANetwork::NoNetwork),
        ("10.0.0.0/+8", NotANetwork::NoNetwork),
        ("10.0.0.0/33", NotANetwork::NoNetwork),
        ("scsm.corp.local/32", NotANetwork::NoNetwork),
        ("", NotANetwork::NoNetwork),
        ("10.0.0.1/8", NotANetwork::BitsBelowPrefix),
        ("10.0.0.0/7", NotANetwork::NotPrivate),
        ("0.0.0.0/0", NotANetwork::NotPrivate),
        ("::/0", NotANetwork::NotPrivate),
        ("127.0.0.0/8", NotANetwork::NotPrivate),
        ("169.254.0.0/16", NotANetwork::NotPrivate),
        ("fe80::/10", NotANetwork::NotPrivate),
        ("8.8.8.0/24", NotANetwork::NotPrivate),
        ("::ffff:0:0/96", NotANetwork::NotPrivate),
    ] {
        let parsed = Networks::parse(&["10.0.0.0/8".to_owned(), bad.to_owned()]);
        assert_eq!(parsed, Err((1, reason)), "{bad}");
        assert!(!reason.hint().is_empty());
    }
}

#[test]
fn c17_the_calls_of_a_connection_reach_its_own_server_alone() {
    let none = AllowedHosts::default();
    let own = egress("https://contoso.service-now.com", &[], &none);
    let may = |url: &str| dial(url, Some(&own), "login.evil.example").is_some();
    assert!(may("https://contoso.service-now.com/oauth_token.do"));
    assert!(!may("https://login.evil.example/oauth_token.do"));
    assert!(!may("https://contoso.service-now.com:8443/oauth_token.do"));
    assert!(!may("https://other.service-now.com/"));
}

#[test]
fn an_authority_is_read_and_what_is_none_is_told() {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["a.example".to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    let pem = certificate.pem();
    assert_eq!(Authorities::parse(&pem).unwrap().iter().count(), 1);
    assert_eq!(
        Authorities::parse(&pem.repeat(8)).unwrap().iter().count(),
        8
    );
    let half: String = pem.chars().take(pem.len() / 2).collect();
    let of_nothing = pem.replace(|c: char| c.is_ascii_lowercase(), "A");
    for (text, reason) in [
        (String::new(), NotAuthorities::None),
        ("contoso".to_owned(), NotAuthorities::None),
        (half, NotAuthorities::Damaged),
        (of_nothing, NotAuthorities::NoCertificate),
        (
            pem.clone() + &key.serialize_pem(),
            NotAuthorities::PrivateKey,
        ),
        (pem.repeat(9), NotAuthorities::TooMany),
    ] {
        assert_eq!(Authorities::parse(&text), Err(reason));
        assert!(!reason.hint().is_empty());
    }
}

#[test]
fn a_proxy_is_an_http_address_without_credentials() {
    assert_eq!(
        Proxy::parse("http://proxy.corp.example:3128")
            .unwrap()
            .host(),
        "proxy.corp.example"
    );
    for bad in [
        "",
        "proxy:3128",
        "https://proxy:3128",
        "socks5://proxy:1080",
        "http://user:secret@proxy:3128",
        "http://proxy:3128/path",
    ] {
        assert_eq!(Proxy::parse(bad), Err(NotAProxy), "{bad}");
    }
}
