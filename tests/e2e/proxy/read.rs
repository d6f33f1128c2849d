//! What the proxy reads: requests (HTTP/1.1), and the frames of a forwarded port (RFC 6455).

use std::io::{BufRead, Error, Read, Result};

const BLANK_LINE: &[u8] = b"\r\n\r\n";

/// What a request says of itself.
pub struct Head {
    /// `GET /api/v1/pods HTTP/1.1`.
    pub line: String,
    /// How many bytes follow.
    length: usize,
    /// It asks for a WebSocket.
    pub upgrades: bool,
}

impl Head {
    fn of(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let lower = text.to_ascii_lowercase();
        let length = lower.lines().find_map(|line| line.strip_prefix("content-length:"));
        Self {
            line: first_line(bytes),
            length: length.map_or(0, |length| length.trim().parse().expect("a length")),
            upgrades: lower.lines().any(|line| line.starts_with("upgrade:")),
        }
    }

    /// A question about rights and a trial write nothing.
    pub fn is_write(&self) -> bool {
        !self.line.starts_with("GET ")
            && !self.line.contains("accessreviews")
            && !self.line.contains("dryRun=All")
    }
}

pub fn first_line(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).lines().next().unwrap_or_default().to_owned()
}

/// All of a head, with its blank line.
pub fn read_head(from: &mut impl BufRead) -> Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(BLANK_LINE) {
        if from.read_until(b'\n', &mut head)? == 0 {
            return Err(Error::other("the connection has ended"));
        }
    }
    Ok(head)
}

/// One request to the API server.
pub struct Request {
    pub head: Head,
    pub bytes: Vec<u8>,
}

pub fn read_request(from: &mut impl BufRead) -> Result<Request> {
    let mut bytes = read_head(from)?;
    let head = Head::of(&bytes);
    let mut body = vec![0; head.length];
    from.read_exact(&mut body)?;
    bytes.extend(body);
    Ok(Request { head, bytes })
}

/// One message of a forwarded port; the first byte of its payload is the number of a channel.
pub struct Frame {
    head: [u8; 2],
    length: Vec<u8>,
    /// Of what the plugin sends; empty in answers.
    mask: Vec<u8>,
    payload: Vec<u8>,
}

pub fn read_frame(from: &mut impl Read) -> Result<Frame> {
    let mut head = [0; 2];
    from.read_exact(&mut head)?;
    let extended = match head[1] & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let mut length = vec![0; extended];
    from.read_exact(&mut length)?;
    let size = match extended {
        0 => u64::from(head[1] & 0x7f),
        _ => length.iter().fold(0, |size, byte| size << 8 | u64::from(*byte)),
    };
    let mut mask = vec![0; if head[1] & 0x80 == 0 { 0 } else { 4 }];
    from.read_exact(&mut mask)?;
    let mut payload = vec![0; usize::try_from(size).expect("a frame that fits")];
    from.read_exact(&mut payload)?;
    Ok(Frame { head, length, mask, payload })
}

impl Frame {
    pub fn whole(&self) -> Vec<u8> {
        [&self.head[..], &self.length, &self.mask, &self.payload].concat()
    }

    /// A frame with half of the bytes.
    pub fn half(&self) -> Vec<u8> {
        let half = (self.payload.len() / 2).min(125);
        let masked = self.head[1] & 0x80;
        let head = [self.head[0], masked | u8::try_from(half).expect("at most 125")];
        [&head[..], &self.mask, &self.payload[..half]].concat()
    }

    /// What it carries of the connection to the port, if it does.
    pub fn data(&self) -> Option<Vec<u8>> {
        const BINARY: u8 = 2;
        let mask = if self.mask.is_empty() { &[0][..] } else { &self.mask };
        let mut plain = self.payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
        let is_data = self.head[0] & 0x0f == BINARY && plain.next() == Some(0);
        is_data.then(|| plain.collect())
    }
}

/// Finds the requests in the bytes of one connection to REST. Of TLS it finds none.
#[derive(Default)]
pub struct Requests {
    /// The beginning of a head that is not complete.
    head: Vec<u8>,
    /// How much is to come of a body.
    body: usize,
    unreadable: bool,
}

impl Requests {
    /// The heads that end in these bytes.
    pub fn heads_in(&mut self, bytes: &[u8]) -> Vec<Head> {
        let mut heads = Vec::new();
        let mut rest = bytes.to_vec();
        while !rest.is_empty() && !self.unreadable {
            let of_the_body = self.body.min(rest.len());
            self.body -= of_the_body;
            drop(rest.drain(..of_the_body));
            self.head.append(&mut rest);
            self.unreadable = self.head.first().is_some_and(|first| !first.is_ascii_uppercase());
            let end = self.head.windows(BLANK_LINE.len()).position(|bytes| bytes == BLANK_LINE);
            if let Some(end) = end {
                rest = self.head.split_off(end + BLANK_LINE.len());
                let head = Head::of(&std::mem::take(&mut self.head));
                self.body = head.length;
                heads.push(head);
            }
        }
        heads
    }

    /// True while it takes more bytes to know what is asked for.
    pub fn is_in_a_head(&self) -> bool {
        !self.head.is_empty() && !self.unreadable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_found_however_their_bytes_come() {
        let text = b"POST /jars/upload HTTP/1.1\r\nContent-Length: 6\r\n\r\nGET / GET /jobs HTTP/1.1\r\n\r\n";
        for size in 1..=text.len() {
            let mut requests = Requests::default();
            let heads: Vec<Head> = text.chunks(size).flat_map(|bytes| requests.heads_in(bytes)).collect();
            let lines: Vec<&str> = heads.iter().map(|head| head.line.as_str()).collect();
            assert_eq!(lines, ["POST /jars/upload HTTP/1.1", "GET /jobs HTTP/1.1"], "{size}");
            assert!(!requests.is_in_a_head());
        }
        let mut tls = Requests::default();
        assert!(tls.heads_in(&[0x16, 3, 1]).is_empty() && !tls.is_in_a_head());
    }

    #[test]
    fn frames_are_read_and_written_as_they_are() {
        let masked = [0x82, 0x83, 1, 2, 3, 4, 1, b'O' ^ 2, b'K' ^ 3];
        let frame = read_frame(&mut &masked[..]).expect("a frame");
        assert_eq!(frame.whole(), masked);
        assert_eq!(frame.data().expect("data"), b"OK");
        assert_eq!(frame.half(), [0x82, 0x81, 1, 2, 3, 4, 1]);
        let of_channel_1 = read_frame(&mut &[0x82, 3, 1, b'n', b'o'][..]).expect("a frame");
        assert!(of_channel_1.data().is_none());
    }
}
