//! Carries the bytes of one connection between a client and a pod.
//!
//! The way to a pod cannot be closed by halves: who closes it for sending hears nothing any more. So a
//! client that has said all, or has gone, keeps it until the pod falls silent.

use std::time::Duration;

use tokio::io::{self, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::cluster::Forwarded;

/// What a client may say and still be led to another pod: a request without a large body.
const REMEMBERED: usize = 64 * 1024;

const BUFFER: usize = 16 * 1024;

/// How long a client that says no more waits for an answer, and how long for more of it. Nearly all of
/// them have gone, and each holds two files.
const NO_ANSWER: Duration = Duration::from_secs(10);
const NO_MORE: Duration = Duration::from_secs(1);

/// How long a client is heard after the pod has ended: a connection that is closed over bytes that nobody
/// has read may take the answer with it.
const LAST_BYTES: Duration = Duration::from_secs(1);

/// What a client has said that no pod has answered.
#[derive(Default)]
pub struct Said {
    bytes: Vec<u8>,
    /// It says no more.
    is_all: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carried {
    Done,
    /// The pod has ended without a byte, and may have heard what was said.
    Unanswered,
    /// Nothing listens on the pod's port: nothing of what was said has arrived anywhere.
    Refused,
}

/// Carries bytes until one side ends. What was `said` to an earlier pod goes first.
pub async fn carry<C, P>(client: &mut C, pod: Forwarded<P>, said: &mut Said) -> Carried
where
    C: AsyncRead + AsyncWrite + Unpin,
    P: AsyncRead + AsyncWrite + Unpin,
{
    let (mut pod, forwarded) = pod.split();
    match first_answer(client, &mut pod, said).await {
        Ok(Some(answer)) => {
            if client.write_all(&answer).await.is_ok() {
                both_ways(client, pod, said.is_all).await;
            }
            Carried::Done
        }
        Ok(None) => {
            both_ways(client, pod, said.is_all).await;
            Carried::Done
        }
        Err(Ended::Client) => Carried::Done,
        Err(Ended::Pod) if forwarded.was_refused().await => Carried::Refused,
        Err(Ended::Pod) if said.bytes.is_empty() => Carried::Done,
        Err(Ended::Pod) => Carried::Unanswered,
    }
}

enum Ended {
    Client,
    Pod,
}

/// The first bytes from the pod; none where the client says more than can be remembered.
async fn first_answer<C, P>(client: &mut C, pod: &mut P, said: &mut Said) -> Result<Option<Vec<u8>>, Ended>
where
    C: AsyncRead + AsyncWrite + Unpin,
    P: AsyncRead + AsyncWrite + Unpin,
{
    let (mut answer, mut more) = (vec![0; BUFFER], vec![0; BUFFER]);
    let mut heard = 0;
    loop {
        if heard < said.bytes.len() {
            pod.write_all(&said.bytes[heard..]).await.map_err(|_| Ended::Pod)?;
            heard = said.bytes.len();
        }
        if heard > REMEMBERED {
            return Ok(None);
        }
        tokio::select! {
            read = pod.read(&mut answer) => return match read {
                Ok(0) | Err(_) => Err(Ended::Pod),
                Ok(count) => {
                    answer.truncate(count);
                    Ok(Some(answer))
                }
            },
            read = client.read(&mut more), if !said.is_all => match read {
                // It was there to have a connection when it needs one, or is broken.
                Ok(0) if heard == 0 => return Err(Ended::Client),
                Err(_) => return Err(Ended::Client),
                Ok(0) => said.is_all = true,
                Ok(count) => said.bytes.extend_from_slice(&more[..count]),
            },
            () = sleep(NO_ANSWER), if said.is_all => return Err(Ended::Client),
        }
    }
}

/// Passes on what comes from either side until the pod ends, or has no more for a client that has ended.
async fn both_ways<C, P>(client: &mut C, pod: P, said_all: bool)
where
    C: AsyncRead + AsyncWrite + Unpin,
    P: AsyncRead + AsyncWrite + Unpin,
{
    let (mut from_client, mut to_client) = io::split(client);
    let (mut from_pod, mut to_pod) = io::split(pod);
    {
        let (ended, mut told) = watch::channel(said_all);
        let up = async {
            if !said_all {
                let _ = io::copy(&mut from_client, &mut to_pod).await;
                ended.send_replace(true);
            }
            std::future::pending().await
        };
        let down = async {
            let mut buffer = vec![0; BUFFER];
            loop {
                let silence = async {
                    let _ = told.wait_for(|ended| *ended).await;
                    sleep(NO_MORE).await;
                };
                let count = tokio::select! {
                    read = from_pod.read(&mut buffer) => read.unwrap_or(0),
                    () = silence => 0,
                };
                if count == 0 || to_client.write_all(&buffer[..count]).await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            () = up => {}
            () = down => {}
        }
    }
    let _ = to_client.shutdown().await;
    let _ = timeout(LAST_BYTES, io::copy(&mut from_client, &mut io::sink())).await;
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::io::{DuplexStream, duplex};

    use super::*;

    /// A client, the end of it that is served, and the same of a pod.
    fn four() -> [DuplexStream; 4] {
        let ((client, served), (asked, pod)) = (duplex(1 << 20), duplex(1 << 20));
        [client, served, asked, pod]
    }

    fn forwarded(pod: DuplexStream, refusal: Option<&str>) -> Forwarded<DuplexStream> {
        let refusal = refusal.map(str::to_owned);
        Forwarded::new(pod, async { refusal }.boxed())
    }

    async fn read(from: &mut DuplexStream, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        from.read_exact(&mut bytes).await.expect("bytes");
        bytes
    }

    #[tokio::test]
    async fn what_nobody_heard_is_said_to_the_next_pod() {
        let [mut client, mut served, asked, pod] = four();
        client.write_all(b"GET /").await.expect("request");
        let mut said = Said::default();
        drop(pod);
        let refused = Some("failed to connect to localhost:8081: connection refused");
        let carried = carry(&mut served, forwarded(asked, refused), &mut said).await;
        assert_eq!(carried, Carried::Refused);

        let [_, _, asked, mut pod] = four();
        client.write_all(b" HTTP/1.1").await.expect("request");
        let serving = tokio::spawn(async move {
            carry(&mut served, forwarded(asked, None), &mut said).await;
        });
        assert_eq!(read(&mut pod, 14).await, b"GET / HTTP/1.1");
        pod.write_all(b"200").await.expect("answer");
        assert_eq!(read(&mut client, 3).await, b"200");
        drop(pod);
        assert_eq!(client.read(&mut [0; 1]).await.expect("end"), 0);
        serving.abort();
    }

    #[tokio::test]
    async fn what_may_have_been_heard_is_not_said_again() {
        let [mut client, mut served, asked, mut pod] = four();
        client.write_all(b"POST /").await.expect("request");
        let mut said = Said::default();
        let serving = carry(&mut served, forwarded(asked, None), &mut said);
        let hearing = async move { read(&mut pod, 6).await };
        assert_eq!(tokio::join!(serving, hearing).0, Carried::Unanswered);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_has_said_all_still_hears_the_answer() {
        let [mut client, mut served, asked, mut pod] = four();
        let mut said = Said::default();
        let serving = carry(&mut served, forwarded(asked, None), &mut said);
        let asking = async {
            client.write_all(b"GET /").await.expect("request");
            client.shutdown().await.expect("half of the way");
            read(&mut pod, 5).await;
            sleep(NO_ANSWER / 2).await;
            pod.write_all(b"20").await.expect("answer");
            sleep(NO_MORE / 2).await;
            pod.write_all(b"0").await.expect("answer");
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).await.expect("answer");
            answer
        };
        let (carried, answer) = tokio::join!(serving, asking);
        assert_eq!((carried, answer), (Carried::Done, b"200".to_vec()));
    }

    #[tokio::test]
    async fn a_connection_that_was_never_used_ends_at_once() {
        let [client, mut served, asked, _pod] = four();
        drop(client);
        let carried = carry(&mut served, forwarded(asked, None), &mut Said::default()).await;
        assert_eq!(carried, Carried::Done);
    }

    #[tokio::test]
    async fn a_large_body_goes_through_while_nothing_comes_back() {
        let [mut client, mut served, asked, mut pod] = four();
        let mut said = Said::default();
        let serving = carry(&mut served, forwarded(asked, None), &mut said);
        let body = vec![7; 5 << 20];
        let asking = async {
            let (sent, heard) = tokio::join!(client.write_all(&body), read(&mut pod, body.len()));
            sent.expect("body");
            pod.write_all(b"200").await.expect("answer");
            drop(pod);
            assert_eq!(read(&mut client, 3).await, b"200");
            drop(client);
            heard
        };
        let (carried, heard) = tokio::join!(serving, asking);
        assert_eq!((carried, heard.len()), (Carried::Done, body.len()));
    }
}
