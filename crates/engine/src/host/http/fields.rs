// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / fields: `wasi:http/types.fields`: headers that a guest makes or reads. Names are compared and kept in lower
//! case; those that belong to the connection are refused. Bound: `HEADERS_BYTES_MAX`. Read next: `outgoing.rs`.

use wasmtime::Result;
use wasmtime::component::Resource;

use super::super::bindings::http::types::{self, HeaderError};
use super::super::state::Linked;
use super::message::{HEADERS_BYTES_MAX, Header};

/// Headers that say something about one connection, or that the client itself writes: never a guest's to set.
const FORBIDDEN: [&str; 10] = [
    "connection",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// Headers or trailers.
#[derive(Debug, Clone, Default)]
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it, which `pub(crate)` forbids"
)]
pub struct Fields {
    pub(crate) entries: Vec<Header>,
    /// They belong to a request or response and cannot be changed.
    pub(crate) immutable: bool,
}

/// Whether a header is never taken over from outside or handed on.
pub(crate) fn is_forbidden(name: &str) -> bool {
    FORBIDDEN.binary_search(&name).is_ok()
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn is_value(value: &[u8]) -> bool {
    value
        .iter()
        .all(|byte| *byte == b'\t' || (*byte >= 0x20 && *byte != 0x7f))
}

/// A name as it is kept. Errors: `InvalidSyntax`, `Forbidden`.
fn checked(name: &str) -> Result<String, HeaderError> {
    if !is_name(name) {
        return Err(HeaderError::InvalidSyntax);
    }
    let name = name.to_ascii_lowercase();
    if is_forbidden(&name) {
        return Err(HeaderError::Forbidden);
    }
    Ok(name)
}

impl Fields {
    /// Fields that cannot be changed.
    pub(crate) fn fixed(entries: Vec<Header>) -> Self {
        Self {
            entries,
            immutable: true,
        }
    }

    /// Bytes of names and values.
    pub(crate) fn bytes(&self) -> usize {
        self.entries
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum()
    }

    /// Replaces the values of a name: the new ones stand at the end. None: it is removed.
    fn set(&mut self, name: &str, values: Vec<Vec<u8>>) -> Result<(), HeaderError> {
        if self.immutable {
            return Err(HeaderError::Immutable);
        }
        let name = checked(name)?;
        if !values.iter().all(|value| is_value(value)) {
            return Err(HeaderError::InvalidSyntax);
        }
        self.entries.retain(|(other, _)| *other != name);
        for value in values {
            self.add(name.clone(), value)?;
        }
        Ok(())
    }

    fn add(&mut self, name: String, value: Vec<u8>) -> Result<(), HeaderError> {
        if !is_value(&value) || self.bytes() + name.len() + value.len() > HEADERS_BYTES_MAX {
            return Err(HeaderError::InvalidSyntax);
        }
        self.entries.push((name, value));
        Ok(())
    }

    fn append(&mut self, name: &str, value: Vec<u8>) -> Result<(), HeaderError> {
        if self.immutable {
            return Err(HeaderError::Immutable);
        }
        self.add(checked(name)?, value)
    }
}

impl types::HostFields for Linked<'_> {
    async fn new(&mut self) -> Result<Resource<Fields>> {
        Ok(self.0.table.push(Fields::default())?)
    }

    async fn from_list(
        &mut self,
        entries: Vec<(String, Vec<u8>)>,
    ) -> Result<Result<Resource<Fields>, HeaderError>> {
        let mut fields = Fields::default();
        for (name, value) in entries {
            if let Err(error) = fields.append(&name, value) {
                return Ok(Err(error));
            }
        }
        Ok(Ok(self.0.table.push(fields)?))
    }

    async fn get(&mut self, fields: Resource<Fields>, name: String) -> Result<Vec<Vec<u8>>> {
        let name = name.to_ascii_lowercase();
        let entries = &self.0.table.get(&fields)?.entries;
        let found = entries.iter().filter(|(other, _)| *other == name);
        Ok(found.map(|(_, value)| value.clone()).collect())
    }

    async fn has(&mut self, fields: Resource<Fields>, name: String) -> Result<bool> {
        let name = name.to_ascii_lowercase();
        let entries = &self.0.table.get(&fields)?.entries;
        Ok(entries.iter().any(|(other, _)| *other == name))
    }

    async fn set(
        &mut self,
        fields: Resource<Fields>,
        name: String,
        values: Vec<Vec<u8>>,
    ) -> Result<Result<(), HeaderError>> {
        Ok(self.0.table.get_mut(&fields)?.set(&name, values))
    }

    async fn delete(
        &mut self,
        fields: Resource<Fields>,
        name: String,
    ) -> Result<Result<(), HeaderError>> {
        Ok(self.0.table.get_mut(&fields)?.set(&name, Vec::new()))
    }

    async fn append(
        &mut self,
        fields: Resource<Fields>,
        name: String,
        value: Vec<u8>,
    ) -> Result<Result<(), HeaderError>> {
        Ok(self.0.table.get_mut(&fields)?.append(&name, value))
    }

    async fn entries(&mut self, fields: Resource<Fields>) -> Result<Vec<(String, Vec<u8>)>> {
        Ok(self.0.table.get(&fields)?.entries.clone())
    }

    async fn clone(&mut self, fields: Resource<Fields>) -> Result<Resource<Fields>> {
        let copy = Fields {
            entries: self.0.table.get(&fields)?.entries.clone(),
            immutable: false,
        };
        Ok(self.0.table.push(copy)?)
    }

    async fn drop(&mut self, fields: Resource<Fields>) -> Result<()> {
        self.0.table.delete(fields)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_checked() {
        assert!(FORBIDDEN.is_sorted());
        let mut fields = Fields::default();
        fields.append("X-A", b"1".to_vec()).unwrap();
        fields.append("x-a", b"2".to_vec()).unwrap();
        fields.append("b", b"3".to_vec()).unwrap();
        fields.set("x-A", vec![b"4".to_vec()]).unwrap();
        let names: Vec<_> = fields
            .entries
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_slice()))
            .collect();
        assert_eq!(names, [("b", &b"3"[..]), ("x-a", b"4")]);
        assert!(matches!(
            fields.append("Host", Vec::new()),
            Err(HeaderError::Forbidden)
        ));
        for (name, value) in [("", "x"), ("a b", "x"), ("a", "x\r\ny"), ("a:", "x")] {
            assert!(matches!(
                fields.append(name, value.into()),
                Err(HeaderError::InvalidSyntax)
            ));
        }
        let large = vec![b'x'; HEADERS_BYTES_MAX];
        assert!(fields.append("large", large).is_err());
        fields.immutable = true;
        assert!(matches!(
            fields.set("b", Vec::new()),
            Err(HeaderError::Immutable)
        ));
    }
}
