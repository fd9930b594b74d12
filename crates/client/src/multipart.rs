// SPDX-License-Identifier: Apache-2.0
//! THE PHONE / multipart: a form with a file, as an HTTP body. In names and bytes, out a body and its content type.
//! Never reads files. Read next: `transport.rs`. Source: RFC 7578, client spec §6.6.

/// A form under construction: parts in the order in which they are added.
#[derive(Debug)]
pub(crate) struct Form {
    boundary: String,
    body: Vec<u8>,
}

impl Form {
    /// An empty form with a random boundary.
    pub(crate) fn new() -> Self {
        Self {
            boundary: format!("golem-client-{}", uuid::Uuid::new_v4().simple()),
            body: Vec::new(),
        }
    }

    /// Adds a text part.
    pub(crate) fn text(self, name: &str, text: &str) -> Self {
        self.part(name, "", "text/plain; charset=utf-8", text.as_bytes())
    }

    /// Adds a part of bytes, as a file of this name.
    pub(crate) fn file(self, name: &str, file: &str, bytes: &[u8]) -> Self {
        let more = format!("; filename=\"{file}\"");
        self.part(name, &more, "application/octet-stream", bytes)
    }

    /// Adds a part of JSON.
    pub(crate) fn json(self, name: &str, text: &str) -> Self {
        self.part(name, "", "application/json", text.as_bytes())
    }

    /// Names come from this program, so they need no escapes.
    fn part(mut self, name: &str, more: &str, kind: &str, bytes: &[u8]) -> Self {
        let boundary = &self.boundary;
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\nContent-Type: {kind}\r\n\r\n"
        );
        self.body.reserve(head.len() + bytes.len() + 2);
        self.body.extend_from_slice(head.as_bytes());
        self.body.extend_from_slice(bytes);
        self.body.extend_from_slice(b"\r\n");
        self
    }

    /// The content type and the body.
    pub(crate) fn finish(mut self) -> (String, Vec<u8>) {
        self.body
            .extend_from_slice(format!("--{}--\r\n", self.boundary).as_bytes());
        (
            format!("multipart/form-data; boundary={}", self.boundary),
            self.body,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_keep_their_order_and_bytes() {
        let (kind, body) = Form::new()
            .text("name", "a")
            .file("component", "component.wasm", &[0, 13, 10, 255])
            .finish();
        let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap();
        let expect = [
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"name\"\r\n").as_bytes(),
            b"Content-Type: text/plain; charset=utf-8\r\n\r\na\r\n",
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"component\"; ").as_bytes(),
            b"filename=\"component.wasm\"\r\nContent-Type: application/octet-stream\r\n\r\n\x00\r\n\xff\r\n",
            format!("--{boundary}--\r\n").as_bytes(),
        ]
        .concat();
        assert_eq!(body, expect);
    }
}
