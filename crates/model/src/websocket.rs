// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / websocket: WebSocket frames as bytes, for both ends. In: bytes, out: messages; and back. Never touches a socket.
//! Bound: [`MESSAGE_BYTES_MAX`]. Read next: `api/events.rs` (what is said). Source: RFC 6455, client spec §6.6, §8.2 (9).
//! Why not a crate: the two ends say short texts and pings to each other, and need no extensions, no TLS and no HTTP.

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// Longest message that is taken: a line of a guest has at most 16 KiB, which as a JSON list of numbers is four times that.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// Longest payload of a control frame. Source: RFC 6455 §5.5.
const CONTROL_BYTES_MAX: usize = 125;
/// What a server puts behind the key of a client before it hashes both. Source: RFC 6455 §1.3.
const ACCEPT_SUFFIX: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// One message, put together from its frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A text, or bytes: which of them is not told apart here.
    Data(Vec<u8>),
    /// The other end wants to hear these bytes again.
    Ping(Vec<u8>),
    /// The answer to a ping.
    Pong(Vec<u8>),
    /// The other end says good-bye.
    Close,
}

/// Bytes that are no frames, or messages that are too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are no WebSocket frames: {0}")]
pub struct BadFrame(&'static str);

/// A key of a client: 16 random bytes in Base64.
#[must_use]
pub fn client_key(random: [u8; 16]) -> String {
    STANDARD.encode(random)
}

/// What a server answers to the key of a client.
#[must_use]
pub fn accept(key: &str) -> String {
    let mut hash = sha1_smol::Sha1::new();
    hash.update(key.as_bytes());
    hash.update(ACCEPT_SUFFIX.as_bytes());
    STANDARD.encode(hash.digest().bytes())
}

/// `message` as one frame. A client passes a random mask, a server none. The payload of a control message is cut at 125 bytes.
#[must_use]
pub fn frame(message: &Message, mask: Option<[u8; 4]>) -> Vec<u8> {
    let (opcode, payload) = match message {
        Message::Data(data) => (TEXT, data.as_slice()),
        Message::Ping(data) => (PING, cut(data)),
        Message::Pong(data) => (PONG, cut(data)),
        Message::Close => (CLOSE, &[][..]),
    };
    let mut bytes = vec![0x80 | opcode];
    let masked = if mask.is_some() { 0x80 } else { 0 };
    match payload.len() {
        short @ 0..=125 => bytes.push(masked | u8::try_from(short).unwrap_or(0)),
        length => match u16::try_from(length) {
            Ok(length) => {
                bytes.push(masked | 126);
                bytes.extend(length.to_be_bytes());
            }
            Err(_) => {
                bytes.push(masked | 127);
                bytes.extend((length as u64).to_be_bytes());
            }
        },
    }
    match mask {
        Some(mask) => {
            bytes.extend(mask);
            bytes.extend(unmask(payload, mask));
        }
        None => bytes.extend(payload),
    }
    bytes
}

fn cut(data: &[u8]) -> &[u8] {
    data.get(..CONTROL_BYTES_MAX).unwrap_or(data)
}

/// Masks, or takes a mask away.
fn unmask(payload: &[u8], mask: [u8; 4]) -> impl Iterator<Item = u8> + '_ {
    payload
        .iter()
        .zip(mask.into_iter().cycle())
        .map(|(byte, key)| byte ^ key)
}

/// Frames that arrive in pieces.
#[derive(Debug, Default)]
pub struct Messages {
    bytes: Vec<u8>,
    /// The frames of a message that is not complete.
    parts: Option<Vec<u8>>,
}

/// The head of a frame.
struct Head {
    last: bool,
    opcode: u8,
    mask: Option<[u8; 4]>,
    /// Where the payload begins and ends.
    start: usize,
    end: usize,
}

impl Messages {
    /// Takes bytes as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next message that is complete. Errors: bytes that are no frames; nothing can be read afterwards.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator would end where more bytes are to come"
    )]
    pub fn next(&mut self) -> Result<Option<Message>, BadFrame> {
        loop {
            let Some(head) = self.head()? else {
                return Ok(None);
            };
            let Some(payload) = self.bytes.get(head.start..head.end) else {
                return Ok(None);
            };
            let payload: Vec<u8> = match head.mask {
                Some(mask) => unmask(payload, mask).collect(),
                None => payload.to_vec(),
            };
            self.bytes.drain(..head.end);
            match (head.opcode, self.parts.take()) {
                (PING, parts) => {
                    self.parts = parts;
                    return Ok(Some(Message::Ping(payload)));
                }
                (PONG, parts) => {
                    self.parts = parts;
                    return Ok(Some(Message::Pong(payload)));
                }
                (CLOSE, _) => return Ok(Some(Message::Close)),
                (TEXT | BINARY, None) if head.last => return Ok(Some(Message::Data(payload))),
                (TEXT | BINARY, None) => self.parts = Some(payload),
                (CONTINUATION, Some(mut parts)) => {
                    parts.extend(payload);
                    if parts.len() > MESSAGE_BYTES_MAX {
                        return Err(BadFrame("a message is too long"));
                    }
                    if head.last {
                        return Ok(Some(Message::Data(parts)));
                    }
                    self.parts = Some(parts);
                }
                _ => return Err(BadFrame("frames are out of order")),
            }
        }
    }

    /// The head at the start of the bytes, if all of it is there.
    fn head(&self) -> Result<Option<Head>, BadFrame> {
        let [first, second, rest @ ..] = self.bytes.as_slice() else {
            return Ok(None);
        };
        if first & 0x70 != 0 {
            return Err(BadFrame("a reserved bit is set"));
        }
        let opcode = first & 0x0f;
        let (length, width) = match second & 0x7f {
            126 => match rest.first_chunk::<2>() {
                Some(bytes) => (u64::from(u16::from_be_bytes(*bytes)), 2),
                None => return Ok(None),
            },
            127 => match rest.first_chunk::<8>() {
                Some(bytes) => (u64::from_be_bytes(*bytes), 8),
                None => return Ok(None),
            },
            short => (u64::from(short), 0),
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let control = opcode >= CLOSE;
        if length > MESSAGE_BYTES_MAX
            || control && (length > CONTROL_BYTES_MAX || first & 0x80 == 0)
        {
            return Err(BadFrame("a frame is too long"));
        }
        let masked = second & 0x80 != 0;
        let mask = match (
            masked,
            rest.get(width..).and_then(|rest| rest.first_chunk::<4>()),
        ) {
            (true, Some(mask)) => Some(*mask),
            (true, None) => return Ok(None),
            (false, _) => None,
        };
        let start = 2 + width + if masked { 4 } else { 0 };
        Ok(Some(Head {
            last: first & 0x80 != 0,
            opcode,
            mask,
            start,
            end: start + length,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_handshake_is_the_one_of_the_standard() {
        assert_eq!(
            accept("dGhlIHNhbXBsZSBub25jZQ=="),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
        assert_eq!(client_key([0; 16]), "AAAAAAAAAAAAAAAAAAAAAA==");
    }

    #[test]
    fn messages_survive_every_way_of_being_cut() {
        let sizes = [0, 1, 125, 126, 65_535, 65_536];
        for mask in [None, Some([1, 2, 3, 250])] {
            let sent: Vec<Message> = sizes
                .iter()
                .map(|size| Message::Data(vec![7; *size]))
                .chain([
                    Message::Ping(vec![1]),
                    Message::Pong(vec![]),
                    Message::Close,
                ])
                .collect();
            let bytes: Vec<u8> = sent
                .iter()
                .flat_map(|message| frame(message, mask))
                .collect();
            for piece in [1, 3, 4096, bytes.len()] {
                let mut messages = Messages::default();
                let mut got = Vec::new();
                for piece in bytes.chunks(piece) {
                    messages.push(piece);
                    while let Some(message) = messages.next().unwrap() {
                        got.push(message);
                    }
                }
                assert_eq!(got, sent, "pieces of {piece} bytes");
            }
        }
    }

    #[test]
    fn fragments_are_put_together_and_a_ping_may_come_between() {
        let mut messages = Messages::default();
        messages.push(&[0x01, 2, b'a', b'b', 0x89, 0, 0x80, 1, b'c']);
        assert_eq!(messages.next(), Ok(Some(Message::Ping(vec![]))));
        assert_eq!(messages.next(), Ok(Some(Message::Data(b"abc".to_vec()))));
        assert_eq!(messages.next(), Ok(None));
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        for bytes in [
            &[0xf1, 0][..],
            &[0x81, 127, 0, 0, 0, 1, 0, 0, 0, 0],
            &[0x09, 0],
            &[0x89, 126, 0, 200],
            &[0x80, 0],
        ] {
            let mut messages = Messages::default();
            messages.push(bytes);
            assert!(messages.next().is_err(), "{bytes:?}");
        }
    }
}
