//! The proxy before a server that answers everything.

use super::*;

async fn upstream() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, asked) = (
        listener.local_addr().unwrap(),
        Arc::<AtomicUsize>::default(),
    );
    let counted = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            wire::read(&mut stream, &mut Vec::new()).await.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            let answer = Message {
                head: "HTTP/1.1 201 Created".to_owned(),
                body: b"{\"result\":{}}".to_vec(),
            };
            stream.write_all(&answer.framed("close")).await.unwrap();
        }
    });
    (address, asked)
}

fn request() -> Message {
    Message {
        head: "POST /api/now/table/incident?x HTTP/1.1\r\nHost: x".to_owned(),
        body: br#"{"short_description":"[Sev1] alert-000007 on web01","sys_id":"k"}"#.to_vec(),
    }
}

#[tokio::test]
async fn a_calm_proxy_passes_everything_on_and_writes_it_down() {
    let (upstream, asked) = upstream().await;
    let proxy = Proxy::start(upstream, 1, Instant::now()).await.unwrap();
    for _ in 0..3 {
        let answer = wire::exchange(proxy.address(), &request(), Duration::from_secs(5)).await;
        assert!(matches!(answer, Exchange::Answered(answer) if answer.status() == 201));
    }
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    let lines = proxy.lines();
    assert_eq!(lines.len(), 3);
    assert!(lines[0].concerns("alert-000007", &BTreeSet::new()));
    assert!(lines[0].concerns("", &BTreeSet::from(["k".to_owned()])));
    assert!(!lines[0].concerns("alert-000008", &BTreeSet::new()));
    assert_eq!(proxy.disturbed(), BTreeSet::new());
}

#[tokio::test]
async fn what_a_stormy_proxy_says_of_the_product_is_what_the_product_saw() {
    let (upstream, asked) = upstream().await;
    let proxy = Proxy::start(upstream, 3, Instant::now()).await.unwrap();
    proxy.is_stormy(true);
    let mut answered = 0;
    let requests = (0..60).map(|_| async {
        wire::exchange(proxy.address(), &request(), Duration::from_millis(2_500)).await
    });
    for exchange in futures_util::future::join_all(requests).await {
        answered += usize::from(matches!(exchange, Exchange::Answered(_)));
    }
    proxy.is_idle().await;
    let lines = proxy.lines();
    let passed_on = lines.iter().filter(|line| line.status == 201).count();
    assert_eq!(passed_on, asked.load(Ordering::SeqCst), "late ones too");
    let struck = lines.iter().filter(|line| line.fault.is_some()).count();
    assert!(
        struck > 0 && answered < 60 && answered > 20,
        "{struck} {answered}"
    );
    assert_eq!(proxy.disturbed(), BTreeSet::from(["k".to_owned()]));
}

#[tokio::test]
async fn one_that_is_down_answers_nobody() {
    let (upstream, asked) = upstream().await;
    let proxy = Proxy::start(upstream, 1, Instant::now()).await.unwrap();
    proxy.is_down(true);
    let answer = wire::exchange(proxy.address(), &request(), Duration::from_secs(5)).await;
    assert_eq!(answer, Exchange::Broken);
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}
