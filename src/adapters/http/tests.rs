//! What leaves and what does not, against real sockets and real TLS on loopback.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use reqwest::dns::Resolve as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::resolver::{GuardedResolver, LookUp};
use super::*;
use crate::domain::egress::{Authorities, Networks};
use crate::domain::server_url::ServerUrl;

const WITHIN: Duration = Duration::from_secs(10);
const HOST: &str = "contoso.service-now.com";
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";

/// A server on loopback that gives every request the same answer, and the requests that it has seen.
struct Server {
    address: SocketAddr,
    seen: Arc<AtomicUsize>,
}

impl Server {
    async fn start(tls: Option<ServerConfig>, answer: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&seen);
        let acceptor = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
        spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                match &acceptor {
                    None => reply(stream, &answer, &counter).await,
                    Some(acceptor) => {
                        if let Ok(stream) = acceptor.accept(stream).await {
                            reply(stream, &answer, &counter).await;
                        }
                    }
                }
            }
        });
        Self { address, seen }
    }

    fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }
}

#[expect(clippy::disallowed_methods, reason = "the other side of a socket")]
fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}

async fn reply(
    mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    answer: &str,
    seen: &AtomicUsize,
) {
    let mut head = [0; 4096];
    if stream.read(&mut head).await.is_ok_and(|length| length > 0) {
        seen.fetch_add(1, Ordering::SeqCst);
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
    }
}

/// An authority of our own.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Self { pem, issuer }
    }

    fn of(&self, host: &str, change: impl FnOnce(&mut CertificateParams)) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        server_config(certificate.der().clone(), &key)
    }
}

fn server_config(
    certificate: tokio_rustls::rustls::pki_types::CertificateDer<'static>,
    key: &KeyPair,
) -> ServerConfig {
    let key =
        tokio_rustls::rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap()
}

/// Every name is on loopback.
fn on_loopback() -> LookUp {
    Arc::new(|_| Box::pin(async { Ok(vec![SocketAddr::from(([127, 0, 0, 1], 0))]) }))
}

fn transport(allowed: &str) -> HttpTransport {
    let mut transport = HttpTransport::new(AllowedHosts::parse(allowed));
    transport.clients = std::mem::take(&mut transport.clients).looking_up(on_loopback());
    transport
}

fn egress(port: u16, pem: Option<&str>) -> Arc<Egress> {
    let allowed = AllowedHosts::default().with(HOST);
    let url = format!("https://{HOST}:{port}");
    let server = ServerUrl::parse(&url, &[], &Networks::default(), &allowed).unwrap();
    let authorities = pem.map_or_else(Authorities::default, |pem| Authorities::parse(pem).unwrap());
    Arc::new(Egress::to(&server, Networks::default(), authorities))
}

fn post(url: &str) -> http::Request<Bytes> {
    http::Request::post(url).body(Bytes::from("{}")).unwrap()
}

async fn call(
    transport: &HttpTransport,
    port: u16,
    pem: Option<&str>,
) -> Result<http::Response<Bytes>, TransportFailure> {
    let mut request = post(&format!("https://{HOST}:{port}/api"));
    request.extensions_mut().insert(egress(port, pem));
    transport.send(request, WITHIN).await
}

const UNTRUSTED: TransportFailure = TransportFailure::NotSent(TransportTrouble::Certificate);

#[tokio::test]
async fn n30_an_authority_of_its_own_works_for_its_own_connection_and_for_no_other() {
    let authority = Authority::new();
    let server = Server::start(Some(authority.of(HOST, |_| {})), OK.to_owned()).await;
    let port = server.address.port();
    let transport = transport(HOST);
    let trusted = call(&transport, port, Some(&authority.pem)).await.unwrap();
    assert_eq!(trusted.status(), 200);
    assert_eq!(call(&transport, port, None).await.unwrap_err(), UNTRUSTED);
    let other = Authority::new().pem;
    let refused = call(&transport, port, Some(&other)).await;
    assert_eq!(refused.unwrap_err(), UNTRUSTED);
    assert_eq!(server.seen(), 1, "only the trusted call was sent");
    let again = call(&transport, port, Some(&authority.pem)).await;
    assert!(again.is_ok(), "the others did not spoil it");
}

#[tokio::test]
async fn n30_expired_of_another_host_or_self_signed_is_not_sent() {
    let authority = Authority::new();
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec![HOST.to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    for (what, config) in [
        (
            "expired",
            authority.of(HOST, |params| {
                params.not_before = date_time_ymd(2020, 1, 1);
                params.not_after = date_time_ymd(2021, 1, 1);
            }),
        ),
        (
            "not yet valid",
            authority.of(HOST, |params| params.not_before = date_time_ymd(2999, 1, 1)),
        ),
        (
            "another host",
            authority.of("other.service-now.com", |_| {}),
        ),
        ("self-signed", server_config(own.der().clone(), &key)),
    ] {
        let server = Server::start(Some(config), OK.to_owned()).await;
        let transport = transport(HOST);
        for pem in [Some(authority.pem.as_str()), None] {
            let refused = call(&transport, server.address.port(), pem).await;
            assert_eq!(refused.unwrap_err(), UNTRUSTED, "{what}");
        }
        assert_eq!(server.seen(), 0, "{what}");
    }
}

/// What servers of TLS 1.0 and 1.1 alone say: an alert that the version is not theirs, or a `ServerHello` of their own.
#[tokio::test]
async fn n30_tls_before_1_2_is_not_sent() {
    let hello = |minor: u8| {
        let mut hello = vec![22, 3, minor, 0, 42, 2, 0, 0, 38, 3, minor];
        hello.extend([7; 32]);
        hello.extend([0, 0, 0x2f, 0]); // no session, TLS_RSA_WITH_AES_128_CBC_SHA, no compression
        hello
    };
    let alert = |minor: u8| vec![21, 3, minor, 0, 2, 2, 70];
    for said in [alert(1), alert(2), hello(1), hello(2)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let read = Arc::new(Mutex::new(Vec::new()));
        let (told, kept) = (said.clone(), Arc::clone(&read));
        spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut hello = [0; 4096];
            let length = stream.read(&mut hello).await.unwrap();
            stream.write_all(&told).await.unwrap();
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
            kept.lock().unwrap().extend(&hello[..length]);
            kept.lock().unwrap().extend(rest);
        });
        let refused = call(&transport(HOST), port, None).await;
        assert_eq!(refused.unwrap_err(), UNTRUSTED, "{said:?}");
        let read = read.lock().unwrap().clone();
        assert!(!read.windows(4).any(|four| four == b"POST"));
    }
}

#[tokio::test]
async fn n3_redirects_are_answers_and_nobody_goes_there() {
    let elsewhere = Server::start(None, OK.to_owned()).await;
    for status in [301, 302, 303, 307, 308] {
        let answer = format!(
            "HTTP/1.1 {status} Gone elsewhere\r\nlocation: http://{}/latest/meta-data\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            elsewhere.address
        );
        let server = Server::start(None, answer).await;
        let transport = transport("127.0.0.1");
        let url = format!("http://{}/api", server.address);
        let answered = transport.send(post(&url), WITHIN).await.unwrap();
        assert_eq!(answered.status(), status);
    }
    assert_eq!(elsewhere.seen(), 0);
}

#[tokio::test]
async fn c2_and_c3_what_is_private_is_refused_by_its_literal_and_by_its_name() {
    let server = Server::start(None, OK.to_owned()).await;
    let port = server.address.port();
    let transport = transport("");
    let forbidden = TransportFailure::NotSent(TransportTrouble::Forbidden);
    for host in [
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "0",
        "[::ffff:127.0.0.1]",
        "localhost",
        HOST,
    ] {
        let url = format!("https://{host}:{port}/");
        let refused = transport.send(post(&url), WITHIN).await;
        assert_eq!(refused.unwrap_err(), forbidden, "{host}");
    }
    assert_eq!(server.seen(), 0);
}

/// A name that answers with a public address first and with others after that.
#[tokio::test]
async fn c3_a_name_that_changes_its_address_is_looked_at_on_every_dial() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let look_up: LookUp = Arc::new(move |_| {
        let addresses: &[[u8; 4]] = match counter.fetch_add(1, Ordering::SeqCst) {
            0 => &[[8, 8, 8, 8]],
            1 => &[[10, 0, 0, 1], [8, 8, 8, 8]],
            _ => &[[169, 254, 169, 254], [127, 0, 0, 1]],
        };
        let found = addresses.iter().map(|ip| SocketAddr::from((*ip, 0)));
        let found: Vec<SocketAddr> = found.collect();
        Box::pin(async move { Ok(found) })
    });
    let resolver = GuardedResolver::new(Dial::Public, None, look_up);
    let name = || HOST.parse().unwrap();
    for _ in 0..2 {
        let dialled: Vec<SocketAddr> = resolver.resolve(name()).await.unwrap().collect();
        assert_eq!(dialled, [SocketAddr::from(([8, 8, 8, 8], 0))]);
    }
    let refused = resolver.resolve(name()).await.map(|_| ()).unwrap_err();
    assert!(refused.is::<resolver::ForbiddenAddress>());
    assert_eq!(
        asked.load(Ordering::SeqCst),
        3,
        "what is looked up is what is dialled"
    );
}

#[tokio::test]
async fn c17_a_request_of_a_connection_goes_to_no_other_host() {
    let server = Server::start(None, OK.to_owned()).await;
    let transport = transport("127.0.0.1");
    let url = format!("http://{}/oauth_token.do", server.address);
    let mut request = post(&url);
    request.extensions_mut().insert(egress(443, None));
    let refused = transport.send(request, WITHIN).await;
    assert_eq!(
        refused.unwrap_err(),
        TransportFailure::NotSent(TransportTrouble::Forbidden)
    );
    assert!(transport.send(post(&url), WITHIN).await.is_ok());
    assert_eq!(server.seen(), 1);
}

#[tokio::test]
async fn a_proxy_is_used_where_the_settings_name_one_and_for_public_hosts_alone() {
    let proxy = Server::start(
        None,
        "HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n".to_owned(),
    )
    .await;
    let direct = Server::start(None, OK.to_owned()).await;
    let address = Proxy::parse(&format!("http://{}", proxy.address)).unwrap();
    let transport = transport("127.0.0.1").by_way_of(Some(address));
    let refused = transport
        .send(post(&format!("https://{HOST}/api")), WITHIN)
        .await;
    assert!(
        matches!(refused, Err(TransportFailure::NotSent(_))),
        "{refused:?}"
    );
    assert_eq!(proxy.seen(), 1, "a public host is asked for there");
    let listed = transport
        .send(post(&format!("http://{}/", direct.address)), WITHIN)
        .await;
    assert!(listed.is_ok());
    assert_eq!((proxy.seen(), direct.seen()), (1, 1));
}

#[tokio::test]
async fn nobody_is_asked_for_another_name_than_the_proxys() {
    let proxy = Proxy::parse("http://proxy.corp.example:3128").unwrap();
    let resolver = GuardedResolver::new(Dial::Public, Some(proxy), on_loopback());
    let own = resolver
        .resolve("proxy.corp.example".parse().unwrap())
        .await;
    assert_eq!(own.unwrap().count(), 1);
    assert!(resolver.resolve(HOST.parse().unwrap()).await.is_err());
}

#[tokio::test]
async fn n14_and_n16_a_body_that_breaks_off_or_never_ends_is_unknown() {
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{}".to_owned();
    let long = format!(
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}",
        " ".repeat(RESPONSE_BYTES_MAX + 1)
    );
    for (answer, trouble) in [
        (cut, TransportTrouble::Broken),
        (long, TransportTrouble::TooLong),
    ] {
        let server = Server::start(None, answer).await;
        let url = format!("http://{}/", server.address);
        let failed = transport("127.0.0.1").send(post(&url), WITHIN).await;
        assert_eq!(failed.unwrap_err(), TransportFailure::Unknown(trouble));
    }
}

#[tokio::test]
async fn n15_a_byte_at_a_time_ends_with_the_time_allowed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    spawn(async move {
        let (mut stream, _): (TcpStream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n")
            .await;
        while stream.write_all(b" ").await.is_ok() {
            tokio::task::yield_now().await;
            let mut byte = [0];
            let _ = tokio::time::timeout(Duration::from_millis(20), stream.read(&mut byte)).await;
        }
    });
    let allowed = Duration::from_millis(300);
    let request = post(&format!("http://{address}/"));
    let failed = transport("127.0.0.1").send(request, allowed).await;
    assert_eq!(
        failed.unwrap_err(),
        TransportFailure::Unknown(TransportTrouble::TimedOut)
    );
}
