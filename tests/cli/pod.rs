//! The test as a pod behind a forwarded port: REST over the frames of a WebSocket.

use std::io::Write;
use std::net::TcpStream;

use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use crate::server::Answer;

const DATA: u8 = 0;
const ERROR: u8 = 1;

/// Answers the requests to REST that come over `stream` until it ends. One without an answer is left waiting.
pub fn serve(mut stream: TcpStream, key: &str, answer: &dyn Fn(&str) -> Option<Answer>) {
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
         sec-websocket-accept: {}\r\nsec-websocket-protocol: v4.channel.k8s.io\r\n\r\n",
        derive_accept_key(key.as_bytes())
    );
    if stream.write_all(head.as_bytes()).is_err() {
        return;
    }
    let mut socket = WebSocket::from_raw_socket(stream, Role::Server, None);
    for channel in [DATA, ERROR] {
        if socket.send(binary(channel, &8081_u16.to_le_bytes())).is_err() {
            return;
        }
    }
    let mut asked = Vec::new();
    while let Ok(message) = socket.read() {
        let bytes = message.into_data();
        if bytes.first() == Some(&DATA) {
            asked.extend_from_slice(&bytes[1..]);
        }
        let text = String::from_utf8_lossy(&asked).into_owned();
        let Some((head, _)) = text.split_once("\r\n\r\n") else { continue };
        let line: Vec<&str> = head.split_whitespace().take(2).collect();
        asked.clear();
        let Some((status, body)) = answer(&line.join(" ")) else { continue };
        let body = body.to_string();
        let answer = format!(
            "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        if socket.send(binary(DATA, answer.as_bytes())).is_err() {
            return;
        }
    }
}

fn binary(channel: u8, bytes: &[u8]) -> Message {
    Message::Binary(Bytes::from([&[channel], bytes].concat()))
}
