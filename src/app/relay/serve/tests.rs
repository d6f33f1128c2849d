//! Connections between a client and pods that the tests play.

use std::collections::VecDeque;
use std::sync::Mutex as StdMutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};

use tokio::io::{AsyncReadExt, DuplexStream, duplex};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use super::*;

const ROOM: usize = 64 * 1024;
const OWN: &str = "Host: 127.0.0.1:8081\r\n";

/// What the kubelet says of the next stream; see [`Played::open`].
#[derive(Clone, Copy)]
enum Plan {
    Serves,
    /// The end of the stream comes with this word.
    Says(&'static str),
    /// There is no stream.
    Fails,
    /// There is no JobManager.
    Nobody,
}

const REFUSED: Plan = Plan::Says("failed to connect to localhost:8081: connect: connection refused");

#[derive(Clone)]
struct Played {
    plans: Arc<StdMutex<VecDeque<Plan>>>,
    opened: UnboundedSender<DuplexStream>,
    doubts: Arc<AtomicUsize>,
    attempt: Arc<AtomicU64>,
}

impl Pods for Played {
    async fn open(&self, failed: u64) -> Result<Opened, NotOpened> {
        let attempt = self.attempt.fetch_max(failed + 1, SeqCst).max(failed + 1);
        let plan = self.plans.lock().expect("plans").pop_front().unwrap_or(Plan::Serves);
        let word = match plan {
            Plan::Serves => None,
            Plan::Says(word) => Some(word.to_owned()),
            Plan::Fails => return Err(NotOpened::Failed { attempt, why: "no stream".to_owned() }),
            Plan::Nobody => std::future::pending().await,
        };
        let (ours, pods) = duplex(ROOM);
        self.opened.send(pods).expect("test");
        let forwarded = Forwarded::new((), async { word }.boxed());
        Ok(Opened { stream: Box::new(ours), forwarded, is_tls: false, attempt })
    }

    fn attempt(&self) -> u64 {
        self.attempt.load(SeqCst)
    }

    fn doubt(&self) {
        self.doubts.fetch_add(1, SeqCst);
    }
}

/// A client whose connection is served.
struct Lab {
    client: DuplexStream,
    opened: UnboundedReceiver<DuplexStream>,
    doubts: Arc<AtomicUsize>,
    attempt: Arc<AtomicU64>,
    serving: JoinHandle<()>,
}

impl Lab {
    fn new(plans: &[Plan]) -> Self {
        let (client, served) = duplex(ROOM);
        let (opens, opened) = unbounded_channel();
        let doubts = Arc::<AtomicUsize>::default();
        let plans = Arc::new(StdMutex::new(plans.iter().copied().collect()));
        let attempt = Arc::<AtomicU64>::default();
        let pods =
            Played { plans, opened: opens, doubts: Arc::clone(&doubts), attempt: Arc::clone(&attempt) };
        let serving = tokio::spawn(serve(served, pods, Arc::default()));
        Self { client, opened, doubts, attempt, serving }
    }

    async fn say(&mut self, request: &str) {
        self.client.write_all(request.as_bytes()).await.expect("request");
    }

    async fn pod(&mut self) -> DuplexStream {
        self.opened.recv().await.expect("a stream to a pod")
    }

    /// The next response: its head and its body, which has a length.
    async fn response(&mut self) -> (String, String) {
        let head = read_head(&mut self.client).await;
        let length = header(&head, "content-length").map_or(0, |length| length.parse().expect("length"));
        let mut body = vec![0; length];
        self.client.read_exact(&mut body).await.expect("body");
        (head, String::from_utf8(body).expect("text"))
    }

    /// Sends `request` to a pod that gives `answer`, and returns what that received, and the response.
    async fn exchange(&mut self, pod: &mut DuplexStream, request: &str, answer: &str) -> (String, String) {
        self.say(request).await;
        let received = read_head(pod).await;
        pod.write_all(answer.as_bytes()).await.expect("answer");
        (received, self.response().await.0)
    }

    /// Everything until the connection ends.
    async fn rest(mut self) -> String {
        let mut rest = Vec::new();
        // Where the pod's connection broke, the client's does, too.
        let _ = self.client.read_to_end(&mut rest).await;
        String::from_utf8_lossy(&rest).into_owned()
    }
}

async fn read_head(from: &mut DuplexStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let byte = from.read_u8().await;
        let Ok(byte) = byte else { panic!("ended after {:?}", String::from_utf8_lossy(&head)) };
        head.push(byte);
    }
    String::from_utf8(head).expect("text")
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find_map(|(found, value)| found.eq_ignore_ascii_case(name).then_some(value))
}

fn status(head: &str) -> u16 {
    head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("status")
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nAccess-Control-Allow-Origin: *\r\n\r\nok";

/// A pod that answers every request well, and notes what it has received.
fn honest(pod: DuplexStream) -> UnboundedReceiver<(String, String)> {
    let (notes, noted) = unbounded_channel();
    let service = service_fn(move |request: Request<Incoming>| {
        let notes = notes.clone();
        async move {
            let line = format!("{} {}", request.method(), request.uri());
            let body = http_body_util::BodyExt::collect(request.into_body()).await?.to_bytes();
            let _ = notes.send((line, String::from_utf8_lossy(&body).into_owned()));
            Ok::<_, hyper::Error>(Response::new("ok".to_owned()))
        }
    });
    tokio::spawn(server_http::Builder::new().serve_connection(TokioIo::new(pod), service));
    noted
}

#[tokio::test]
async fn a_request_reaches_the_pod_and_its_response_opens_nothing() {
    let mut lab = Lab::new(&[]);
    lab.say(&format!(
        "GET http://127.0.0.1:8081/jobs?a=%2F HTTP/1.1\r\n{OWN}Connection: keep-alive, X\r\nUpgrade: h2c\r\nTE: trailers\r\nX-Own: 1\r\n\r\n"
    ))
    .await;
    let mut pod = lab.pod().await;
    let received = read_head(&mut pod).await;
    assert_eq!(received, "GET /jobs?a=%2F HTTP/1.1\r\nhost: 127.0.0.1:8081\r\nx-own: 1\r\n\r\n");
    pod.write_all(OK.as_bytes()).await.expect("answer");
    let (head, body) = lab.response().await;
    assert_eq!((status(&head), body.as_str()), (200, "ok"));
    assert_eq!(header(&head, "access-control-allow-origin"), None, "{head}");
    assert_eq!(header(&head, "x-frame-options"), Some("SAMEORIGIN"));
}

#[tokio::test]
async fn every_request_of_a_connection_is_checked() {
    for pipelined in [false, true] {
        let mut lab = Lab::new(&[]);
        let requests = [
            (200, format!("GET /1 HTTP/1.1\r\n{OWN}\r\n")),
            (403, "GET /2 HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_owned()),
            (403, format!("POST /3 HTTP/1.1\r\n{OWN}Origin: null\r\nContent-Length: 3\r\n\r\nabc")),
            (200, format!("POST /4 HTTP/1.1\r\n{OWN}Content-Length: 3\r\n\r\nabc")),
            (403, format!("OPTIONS /5 HTTP/1.1\r\n{OWN}Origin: http://127.0.0.1:9\r\n\r\n")),
            (403, format!("GET /6 HTTP/1.1\r\n{OWN}Sec-Fetch-Site: same-site\r\n\r\n")),
            (200, format!("GET /7 HTTP/1.1\r\n{OWN}Sec-Fetch-Site: same-origin\r\n\r\n")),
        ];
        if pipelined {
            let all: String = requests.iter().map(|(_, request)| request.as_str()).collect();
            lab.say(&all).await;
        }
        let mut noted = None;
        for (expected, request) in &requests {
            if !pipelined {
                lab.say(request).await;
            }
            if noted.is_none() {
                noted = Some(honest(lab.pod().await));
            }
            let (head, body) = lab.response().await;
            assert_eq!(status(&head), *expected, "{request}");
            if *expected == 403 {
                assert!(body.starts_with("kubectl flink: ") && body.ends_with('\n'), "{body}");
                assert_eq!(header(&head, "content-type"), Some("text/plain; charset=utf-8"));
            }
        }
        let mut noted = noted.expect("a pod");
        for expected in ["GET /1", "POST /4", "GET /7"] {
            assert_eq!(noted.recv().await.expect("request").0, expected);
        }
        assert!(lab.opened.try_recv().is_err(), "one connection is enough");
    }
}

/// Each hides a request with a foreign host in something that two readers could take for two things.
#[tokio::test]
async fn no_request_is_hidden_in_another() {
    let hidden = "GET /hidden HTTP/1.1\r\nHost: evil.example\r\n\r\n";
    let length = hidden.len();
    let chunk = format!("{length:x}\r\n{hidden}\r\n0\r\n\r\n");
    let heads = [
        format!("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}"),
        format!("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n{chunk}"),
        format!("Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n\r\n0\r\n\r\n{hidden}"),
        format!("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n{chunk}"),
        format!("Transfer-Encoding: identity, chunked\r\n\r\n{chunk}"),
        format!("Transfer-Encoding: gzip, chunked\r\n\r\n{chunk}"),
        format!("Transfer-Encoding: xchunked\r\n\r\n{chunk}"),
        format!("Transfer-Encoding : chunked\r\n\r\n{chunk}"),
        format!("Transfer-Encoding: \x0bchunked\r\n\r\n{chunk}"),
        format!("Transfer-Encoding:\r\n chunked\r\n\r\n{chunk}"),
        format!("X: 1\r\n Transfer-Encoding: chunked\r\n\r\n{chunk}"),
        format!("Content-Length: 0\r\nContent-Length: {length}\r\n\r\n{hidden}"),
        format!("Content-Length: 0, {length}\r\n\r\n{hidden}"),
        format!("Content-Length: +{length}\r\n\r\n{hidden}"),
        format!("Content-Length: -1\r\n\r\n{hidden}"),
        format!("Content-Length: 0x10\r\n\r\n{hidden}"),
        format!("Content-Length : {length}\r\n\r\n{hidden}"),
        format!("Transfer-Encoding: chunked\r\n\r\n0;\n\r\n{hidden}"),
        format!("Transfer-Encoding: chunked\r\n\r\n1;a=b\r\nx\r\n{hidden}"),
        format!("Transfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n{hidden}"),
        format!("Transfer-Encoding: chunked\r\n\r\n0\r\nHost: evil.example\r\n\r\n{hidden}"),
        format!("Connection: close, Content-Length\r\nContent-Length: {length}\r\n\r\n{hidden}"),
        format!("Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n{hidden}"),
        format!("Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AA\r\n\r\n{hidden}"),
        format!("Expect: 100-continue\r\nContent-Length: {length}\r\n\r\n{hidden}"),
        format!("X: a\n\n{hidden}"),
        format!("X: a\r\n\n{hidden}"),
        format!("X: a\rHost: evil.example\r\n\r\n{hidden}"),
        format!("X: a\0b\r\n\r\n{hidden}"),
        format!("\r\n{hidden}"),
    ];
    for head in heads {
        let mut lab = Lab::new(&[]);
        lab.say(&format!("POST /shown HTTP/1.1\r\n{OWN}{head}")).await;
        lab.client.shutdown().await.expect("end");
        let Lab { client, mut opened, serving, .. } = lab;
        let reading = tokio::spawn(async move {
            let (mut client, mut all) = (client, Vec::new());
            let _ = client.read_to_end(&mut all).await;
            String::from_utf8_lossy(&all).into_owned()
        });
        let mut noted = Vec::new();
        while let Some(pod) = opened.recv().await {
            noted.push(honest(pod));
        }
        let said = reading.await.expect("reading");
        serving.await.expect("serving");
        assert!(said.starts_with("HTTP/1.1 "), "{head:?}: {said}");
        for mut noted in noted {
            while let Some((line, _)) = noted.recv().await {
                assert_eq!(line, "POST /shown", "{head:?}");
            }
        }
        assert!(!said.contains("200 OK\r\n") || said.matches("200 OK\r\n").count() == 1, "{head:?}: {said}");
    }
    for target in ["CONNECT 127.0.0.1:8081", "CONNECT evil.example:80", "PRI *", "GET evil.example:80"] {
        let version = if target == "PRI *" { "2.0" } else { "1.1" };
        let mut lab = Lab::new(&[]);
        lab.say(&format!("{target} HTTP/{version}\r\n{OWN}\r\n{hidden}")).await;
        lab.client.shutdown().await.expect("end");
        let Lab { mut client, mut opened, .. } = lab;
        let mut said = String::new();
        client.read_to_string(&mut said).await.expect("answers");
        assert!(opened.recv().await.is_none(), "{target} reaches a pod");
        assert!(!said.contains("200 OK"), "{target}: {said}");
    }
}

#[tokio::test]
async fn large_bodies_stream_both_ways() {
    const SIZE: usize = 24 << 20;
    for chunked in [false, true] {
        let mut lab = Lab::new(&[]);
        let framing =
            if chunked { "Transfer-Encoding: chunked".to_owned() } else { format!("Content-Length: {SIZE}") };
        lab.say(&format!("POST /jars/upload HTTP/1.1\r\n{OWN}Expect: 100-continue\r\n{framing}\r\n\r\n"))
            .await;
        let mut pod = lab.pod().await;
        let received = read_head(&mut pod).await;
        assert_eq!(header(&received, "expect"), None, "{received}");
        assert!(read_head(&mut lab.client).await.starts_with("HTTP/1.1 100 "));
        let (mut reads, mut writes) = tokio::io::split(lab.client);
        let sending = async {
            let piece = vec![7; 1 << 20];
            for _ in 0..SIZE / piece.len() {
                if chunked {
                    writes.write_all(b"100000\r\n").await.expect("size");
                }
                writes.write_all(&piece).await.expect("piece");
                if chunked {
                    writes.write_all(b"\r\n").await.expect("end");
                }
            }
            if chunked {
                writes.write_all(b"0\r\n\r\n").await.expect("last");
            }
        };
        let receiving = async {
            let mut sevens = 0;
            let mut buffer = vec![0; 64 * 1024];
            while sevens < SIZE {
                let count = pod.read(&mut buffer).await.expect("bytes");
                assert!(count > 0);
                sevens += buffer[..count].iter().filter(|byte| **byte == 7).count();
            }
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n");
            pod.write_all(head.as_bytes()).await.expect("head");
            pod.write_all(&vec![9; SIZE]).await.expect("body");
        };
        let hearing = async {
            let mut nines = 0;
            let mut buffer = vec![0; 64 * 1024];
            while nines < SIZE {
                let count = reads.read(&mut buffer).await.expect("bytes");
                assert!(count > 0);
                nines += buffer[..count].iter().filter(|byte| **byte == 9).count();
            }
        };
        tokio::join!(sending, receiving, hearing);
    }
}

#[tokio::test]
async fn a_response_without_a_length_streams_to_its_end() {
    let mut lab = Lab::new(&[]);
    lab.say(&format!("GET /log HTTP/1.1\r\n{OWN}\r\n")).await;
    let mut pod = lab.pod().await;
    read_head(&mut pod).await;
    pod.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n").await.expect("start");
    let head = read_head(&mut lab.client).await;
    assert_eq!(header(&head, "transfer-encoding"), Some("chunked"));
    let mut part = [0; 8];
    lab.client.read_exact(&mut part).await.expect("part");
    assert_eq!(&part, b"3\r\nabc\r\n", "nothing is held back");
    pod.write_all(b"0\r\n\r\n").await.expect("end");
    let mut end = [0; 5];
    lab.client.read_exact(&mut end).await.expect("end");
    assert_eq!(&end, b"0\r\n\r\n");

    // One that ends with the connection.
    lab.say(&format!("GET /log HTTP/1.0\r\n{OWN}\r\n")).await;
    read_head(&mut pod).await;
    pod.write_all(b"HTTP/1.0 200 OK\r\n\r\nabc").await.expect("response");
    drop(pod);
    let rest = lab.rest().await;
    assert!(rest.ends_with("\r\n\r\nabc"), "{rest}");
}

#[tokio::test]
async fn responses_without_a_body_stay_without() {
    let mut lab = Lab::new(&[]);
    lab.say(&format!("HEAD / HTTP/1.1\r\n{OWN}\r\n")).await;
    let mut pod = lab.pod().await;
    read_head(&mut pod).await;
    pod.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n").await.expect("answer");
    let head = read_head(&mut lab.client).await;
    assert_eq!((status(&head), header(&head, "content-length")), (200, Some("17")));
    for answer in ["204 No Content", "304 Not Modified"] {
        let request = format!("GET / HTTP/1.1\r\n{OWN}\r\n");
        let answer = format!("HTTP/1.1 {answer}\r\n\r\n");
        let (_, head) = lab.exchange(&mut pod, &request, &answer).await;
        assert!(answer.starts_with(&head[..12]), "{head}");
    }
    let (received, _) =
        lab.exchange(&mut pod, &format!("POST / HTTP/1.1\r\n{OWN}Content-Length: 0\r\n\r\n"), OK).await;
    assert_eq!(header(&received, "content-length"), Some("0"));
}

#[tokio::test(start_paused = true)]
async fn what_reached_nothing_is_sent_to_the_next_pod() {
    let mut lab = Lab::new(&[REFUSED, Plan::Fails, REFUSED]);
    lab.say(&format!("POST /jars/x/run HTTP/1.1\r\n{OWN}Content-Length: 6\r\n\r\nabc")).await;
    // The stream takes the request, and then it turns out that nobody is there.
    let mut nobody = lab.pod().await;
    read_head(&mut nobody).await;
    let mut part = [0; 3];
    nobody.read_exact(&mut part).await.expect("part");
    drop(nobody);
    drop(lab.pod().await);
    lab.say("def").await;
    let mut noted = honest(lab.pod().await);
    assert_eq!(noted.recv().await.expect("request"), ("POST /jars/x/run".into(), "abcdef".into()));
    assert_eq!(status(&lab.response().await.0), 200);
    assert_eq!(lab.doubts.load(SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_to_be_kept_is_not_sent_in_part() {
    let mut lab = Lab::new(&[REFUSED]);
    let size = 3 * ROOM;
    lab.say(&format!("POST /jars/upload HTTP/1.1\r\n{OWN}Content-Length: {size}\r\n\r\n")).await;
    let mut pod = lab.pod().await;
    let all = vec![7; size];
    let (sent, ()) = tokio::join!(lab.client.write_all(&all), async {
        pod.read_exact(&mut vec![0; size]).await.expect("body");
        drop(pod);
    });
    sent.expect("body");
    let (head, body) = lab.response().await;
    assert_eq!(status(&head), 502);
    assert!(body.contains("no JobManager has received the request"), "{body}");
}

#[tokio::test]
async fn what_may_have_been_received_is_not_sent_again() {
    for (method, word) in
        [("GET", Plan::Serves), ("POST", Plan::Says("broken pipe")), ("PATCH", Plan::Serves)]
    {
        let mut lab = Lab::new(&[word]);
        lab.say(&format!("{method} /jobs/x HTTP/1.1\r\n{OWN}\r\n")).await;
        let mut pod = lab.pod().await;
        read_head(&mut pod).await;
        drop(pod);
        let (head, body) = lab.response().await;
        assert_eq!(status(&head), 502, "{body}");
        assert!(body.contains("the JobManager may have received the request"), "{body}");
        assert!(lab.opened.try_recv().is_err(), "{method} was sent again");
        assert_eq!(lab.doubts.load(SeqCst), 1);
    }
}

#[tokio::test]
async fn a_response_that_breaks_off_does_not_look_complete() {
    for framing in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
        let mut lab = Lab::new(&[]);
        lab.say(&format!("GET / HTTP/1.1\r\n{OWN}\r\n")).await;
        let mut pod = lab.pod().await;
        read_head(&mut pod).await;
        let start = format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n3\r\nabc\r\n");
        pod.write_all(start.as_bytes()).await.expect("start");
        drop(pod);
        let rest = lab.rest().await;
        assert!(rest.starts_with("HTTP/1.1 200 OK") && rest.contains("abc"), "{rest}");
        assert!(!rest.ends_with("0\r\n\r\n"), "{rest}");
    }
}

#[tokio::test]
async fn a_pod_that_ends_between_requests_is_not_noticed() {
    let mut lab = Lab::new(&[]);
    let request = format!("GET / HTTP/1.1\r\n{OWN}\r\n");
    for _ in 0..3 {
        lab.say(&request).await;
        let mut pod = lab.pod().await;
        read_head(&mut pod).await;
        pod.write_all(OK.as_bytes()).await.expect("answer");
        assert_eq!(status(&lab.response().await.0), 200);
        drop(pod);
    }
    assert_eq!(lab.doubts.load(SeqCst), 0);
}

#[tokio::test]
async fn a_jobmanager_that_has_moved_is_followed_though_its_old_pod_is_there() {
    let mut lab = Lab::new(&[]);
    let request = format!("GET / HTTP/1.1\r\n{OWN}\r\n");
    lab.say(&request).await;
    let mut old = lab.pod().await;
    read_head(&mut old).await;
    old.write_all(OK.as_bytes()).await.expect("answer");
    assert_eq!(status(&lab.response().await.0), 200);
    lab.attempt.fetch_add(1, SeqCst);
    lab.say(&request).await;
    let mut new = lab.pod().await;
    read_head(&mut new).await;
    assert_eq!(old.read(&mut [0; 1]).await.expect("end"), 0);
}

#[tokio::test(start_paused = true)]
async fn without_a_jobmanager_the_client_is_told_so() {
    let mut lab = Lab::new(&[Plan::Fails, Plan::Nobody]);
    let start = Instant::now();
    lab.say(&format!("GET / HTTP/1.1\r\n{OWN}\r\n")).await;
    let (head, body) = lab.response().await;
    assert_eq!(status(&head), 503);
    assert_eq!(body, "kubectl flink: no JobManager could be reached within 30 s: no stream\n");
    assert_eq!(start.elapsed().as_secs(), PATIENCE.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_no_more_still_gets_the_response() {
    let mut lab = Lab::new(&[]);
    lab.say(&format!("POST / HTTP/1.1\r\n{OWN}Content-Length: 3\r\n\r\nabc")).await;
    lab.client.shutdown().await.expect("half of the way");
    let mut pod = lab.pod().await;
    read_head(&mut pod).await;
    sleep(NO_ANSWER / 2).await;
    pod.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n12").await.expect("half");
    sleep(LAST_BYTES / 2).await;
    pod.write_all(b"34").await.expect("the other half");
    let rest = lab.rest().await;
    assert!(rest.ends_with("\r\n\r\n1234"), "{rest}");
}

/// Each holds files, and a page that is closed while it loads leaves some.
#[tokio::test(start_paused = true)]
async fn a_client_that_has_gone_is_not_waited_for() {
    for (answer, limit) in [("", NO_ANSWER), ("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n12", LAST_BYTES)] {
        let mut lab = Lab::new(&[]);
        lab.say(&format!("GET / HTTP/1.1\r\n{OWN}\r\n")).await;
        let mut pod = lab.pod().await;
        read_head(&mut pod).await;
        lab.client.shutdown().await.expect("end");
        pod.write_all(answer.as_bytes()).await.expect("answer");
        let start = Instant::now();
        assert_eq!(pod.read(&mut [0; 1]).await.expect("end"), 0);
        assert!(start.elapsed() <= limit + LAST_BYTES * 2, "{:?}", start.elapsed());
        lab.serving.await.expect("end");
    }
    // While there is no JobManager.
    let mut lab = Lab::new(&[Plan::Nobody]);
    lab.say(&format!("GET / HTTP/1.1\r\n{OWN}\r\n")).await;
    drop(lab.client);
    lab.serving.await.expect("end");
    // In the middle of an upload.
    let mut lab = Lab::new(&[]);
    lab.say(&format!("POST / HTTP/1.1\r\n{OWN}Content-Length: 9\r\n\r\nabc")).await;
    let mut pod = lab.pod().await;
    read_head(&mut pod).await;
    drop(lab.client);
    let mut rest = Vec::new();
    pod.read_to_end(&mut rest).await.expect("end");
    assert_eq!(rest, b"abc");
    lab.serving.await.expect("end");
}

#[tokio::test]
async fn a_connection_without_a_request_reaches_no_pod() {
    let Lab { client, mut opened, serving, .. } = Lab::new(&[]);
    drop(client);
    serving.await.expect("end");
    assert!(opened.recv().await.is_none());
}

#[tokio::test]
async fn a_refusal_arrives_though_its_body_is_not_read() {
    let mut lab = Lab::new(&[]);
    lab.say("POST /jars/upload HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 1000000\r\n\r\nPK").await;
    assert_eq!(status(&lab.response().await.0), 403);
    let (mut reads, mut writes) = tokio::io::split(lab.client);
    // It is heard out for a moment, so that the response is not lost.
    writes.write_all(&[7; ROOM]).await.expect("more");
    assert_eq!(reads.read(&mut [0; 1]).await.expect("end"), 0);
    assert!(lab.opened.recv().await.is_none());
}

#[tokio::test]
async fn a_redirect_to_https_does_not_lead_the_browser_away() {
    let mut lab = Lab::new(&[]);
    lab.say(&format!("GET / HTTP/1.1\r\n{OWN}\r\n")).await;
    let mut pod = lab.pod().await;
    read_head(&mut pod).await;
    let answer = "HTTP/1.1 301 Moved\r\nLocation: https://roc-rest.ns:8081/\r\nContent-Length: 0\r\n\r\n";
    pod.write_all(answer.as_bytes()).await.expect("answer");
    let (head, body) = lab.response().await;
    assert_eq!((status(&head), lab.doubts.load(SeqCst)), (502, 1));
    assert!(body.contains("asks for TLS now"), "{body}");
}
