// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / websocket: the two values by which both ends of a WebSocket know that the other one speaks it. In: random bytes, a key.
//! Out: text of headers. Frames are those of a library at both ends. Source: RFC 6455 §1.3.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What is hashed behind the key of a client.
const ACCEPT_SUFFIX: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_the_standard_is_accepted() {
        assert_eq!(
            accept("dGhlIHNhbXBsZSBub25jZQ=="),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
        assert_eq!(client_key([0; 16]).len(), 24);
    }
}
