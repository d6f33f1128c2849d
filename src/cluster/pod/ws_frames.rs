//! The frames of a forwarded port: bytes of one connection in messages of a WebSocket.
//!
//! `v4.channel.k8s.io`: the first byte of a message is a channel. Of the first port, 0 is its data and
//! 1 what the kubelet says of an error; each opens with a message that has the port. kube has this too,
//! but sends a message for every 4 KiB, which made an upload three times as slow as kubectl's.

use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::sync::oneshot;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};

/// How much goes into one message, and how much may wait on its way.
const MOST: usize = 256 * 1024;

const DATA: u8 = 0;
const ERROR: u8 = 1;

/// The stream behind `socket`, and what the kubelet says when it cannot connect.
pub(in crate::cluster) fn stream_of<S>(
    socket: WebSocketStream<S>,
) -> (DuplexStream, oneshot::Receiver<String>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (ours, theirs) = tokio::io::duplex(MOST);
    let (says, hears) = oneshot::channel();
    tokio::spawn(carry(socket, theirs, says));
    (ours, hears)
}

/// Carries both ways until both have ended. There are no halves: who closes one closes the connection.
async fn carry<S>(socket: WebSocketStream<S>, stream: DuplexStream, says: oneshot::Sender<String>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sink, mut source) = socket.split();
    let (mut from_us, mut to_us) = tokio::io::split(stream);
    let to_pod = async {
        loop {
            let mut message = Vec::with_capacity(MOST + 1);
            message.push(DATA);
            // As much as is there, at once.
            if from_us.read_buf(&mut message).await.unwrap_or(0) == 0 {
                break;
            }
            if sink.send(Message::binary(message)).await.is_err() {
                return;
            }
        }
        let _ = sink.send(Message::Close(None)).await;
    };
    let from_pod = async {
        let mut says = Some(says);
        let mut is_open = [false; 2];
        while let Some(message) = source.next().await {
            let message = match message {
                Ok(Message::Binary(message)) => message,
                Ok(Message::Close(_)) | Err(Error::ConnectionClosed | Error::AlreadyClosed) => break,
                Ok(_) => continue,
                Err(error) => {
                    tracing::debug!(%error, "the forwarded port has broken off");
                    break;
                }
            };
            let Some((channel, bytes)) = message.split_first() else { continue };
            // The first message of each has the port.
            if let Some(is_open) = is_open.get_mut(usize::from(*channel)).filter(|is_open| !**is_open) {
                *is_open = true;
                continue;
            }
            match *channel {
                DATA => match to_us.write_all(bytes).await {
                    Ok(()) => {}
                    Err(_) => break,
                },
                // Whoever does not wait for it does not want to know.
                ERROR => drop(says.take().map(|says| says.send(String::from_utf8_lossy(bytes).into_owned()))),
                _ => {}
            }
        }
        let _ = to_us.shutdown().await;
    };
    tokio::join!(to_pod, from_pod);
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::tungstenite::protocol::Role;

    use super::*;

    async fn pair() -> (DuplexStream, oneshot::Receiver<String>, WebSocketStream<DuplexStream>) {
        let (client, server) = tokio::io::duplex(1 << 20);
        let client = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
        let mut server = WebSocketStream::from_raw_socket(server, Role::Server, None).await;
        let (stream, hears) = stream_of(client);
        for channel in [DATA, ERROR] {
            server.send(Message::binary(vec![channel, 0x91, 0x1f])).await.expect("port 8081");
        }
        (stream, hears, server)
    }

    #[tokio::test]
    async fn bytes_go_both_ways_and_large_ones_in_few_messages() {
        let (mut stream, _hears, mut server) = pair().await;
        stream.write_all(&vec![7; 100_000]).await.expect("bytes");
        let (mut messages, mut bytes) = (0, 0);
        while bytes < 100_000 {
            let message = server.next().await.expect("a message").expect("a message").into_data();
            assert_eq!(message[0], DATA);
            messages += 1;
            bytes += message.len() - 1;
        }
        assert!(messages <= 2, "{messages}");
        server.send(Message::binary(b"\x00HTTP".to_vec())).await.expect("answer");
        server.send(Message::Close(None)).await.expect("close");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("answer");
        assert_eq!(answer, "HTTP");
    }

    #[tokio::test]
    async fn what_the_kubelet_says_is_heard() {
        let (mut stream, hears, mut server) = pair().await;
        let message = b"\x01dial tcp4 127.0.0.1:8081: connect: connection refused".to_vec();
        server.send(Message::binary(message)).await.expect("error");
        server.send(Message::Close(None)).await.expect("close");
        assert_eq!(stream.read(&mut [0; 1]).await.expect("end"), 0);
        assert!(hears.await.expect("words").ends_with("connection refused"));
    }

    #[tokio::test]
    async fn who_closes_the_stream_closes_the_connection() {
        let (stream, _hears, mut server) = pair().await;
        drop(stream);
        assert!(server.next().await.expect("a message").expect("a message").is_close());
    }
}
