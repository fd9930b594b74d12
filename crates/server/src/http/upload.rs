// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/upload: the multipart form that carries a component. In: a form, its parts in any order. Out: an
//! [`Upload`]. Bounds: `limits.rs`. Never looks into the wasm. Read next: `component.rs`. Source: client spec §6.6, §8.2.

use axum::extract::Multipart;
use axum::extract::multipart::{Field, MultipartError};
use axum::http::StatusCode;
use golem_engine::{ComponentError, Declared};
use golem_model::capabilities::Capabilities;
use golem_model::component::{ComponentType, FilesPermissions};

use super::archive::unpack;
use super::error::{ApiError, RequestError};
use super::extract::short;
use crate::limits;

/// What a form said. Parts that it did not have are `None`; parts that nobody knows are skipped.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Upload {
    /// `name`
    pub(crate) name: Option<String>,
    /// `componentType`
    pub(crate) kind: Option<ComponentType>,
    /// `component`
    pub(crate) wasm: Option<Vec<u8>>,
    /// `files`: an archive that is not empty
    pub(crate) archive: Option<Vec<u8>>,
    /// `filesPermissions`
    pub(crate) permissions: FilesPermissions,
    /// `capabilities`: JSON, as it came. An addition to 1.1.
    pub(crate) capabilities: Option<String>,
}

impl Upload {
    /// Reads the form. Errors: `BadForm`, `BadPart`, `BodyTooLarge`, `BodyTimeout`.
    pub(crate) async fn read(form: Multipart) -> Result<Self, RequestError> {
        match tokio::time::timeout(limits::UPLOAD_TIMEOUT, Self::parts(form)).await {
            Ok(upload) => upload,
            Err(_) => Err(RequestError::BodyTimeout {
                seconds: limits::UPLOAD_TIMEOUT.as_secs(),
            }),
        }
    }

    async fn parts(mut form: Multipart) -> Result<Self, RequestError> {
        let mut upload = Self::default();
        while let Some(field) = form.next_field().await.map_err(broken)? {
            match field.name() {
                Some("name") => upload.name = Some(text(field, "name").await?),
                Some("componentType") => {
                    upload.kind = Some(component_type(&text(field, "componentType").await?)?)
                }
                Some("capabilities") => {
                    upload.capabilities = Some(text(field, "capabilities").await?);
                }
                Some("component") => {
                    upload.wasm =
                        Some(bytes(field, "the component", limits::COMPONENT_BYTES_MAX).await?);
                }
                Some("files") => {
                    let limit = limits::FILES_ARCHIVE_BYTES_MAX;
                    let archive = bytes(field, "the archive of initial files", limit).await?;
                    // Clients without files send an empty part.
                    upload.archive = Some(archive).filter(|archive| !archive.is_empty());
                }
                Some("filesPermissions") => {
                    let limit = limits::PERMISSIONS_BYTES_MAX;
                    let text = bytes(field, "the permissions of initial files", limit).await?;
                    if !text.is_empty() {
                        upload.permissions = permissions(&text)?;
                    }
                }
                _ => {}
            }
        }
        Ok(upload)
    }

    /// The wasm. Errors: `MissingPart`.
    fn take_wasm(&mut self) -> Result<Vec<u8>, RequestError> {
        self.wasm
            .take()
            .ok_or(RequestError::MissingPart { name: "component" })
    }

    /// The component, what its workers begin with and what it may do. Errors: `MissingPart`, those of [`unpack`] and of
    /// [`Capabilities::from_json`].
    pub(crate) async fn take_code(&mut self) -> Result<golem_engine::Upload, ApiError> {
        let wasm = self.take_wasm()?;
        let declared = self.declared()?;
        let permissions = std::mem::take(&mut self.permissions);
        let files = match self.archive.take() {
            None if permissions.values.is_empty() => None,
            None => return Err(RequestError::MissingPart { name: "files" }.into()),
            Some(archive) => {
                // Inflating takes a while in which no request of this thread would be looked at.
                let work = tokio::task::spawn_blocking(move || unpack(&archive, &permissions));
                let files = work.await.map_err(|error| RequestError::GivenUp {
                    detail: error.to_string(),
                })?;
                Some(files?)
            }
        };
        Ok(golem_engine::Upload {
            wasm,
            files,
            declared,
        })
    }

    /// What it says of capabilities; `null` takes away what was declared before. Errors: those of
    /// [`Capabilities::from_json`].
    fn declared(&self) -> Result<Declared, ApiError> {
        match self.capabilities.as_deref().map(str::trim) {
            None => Ok(Declared::Same),
            Some("" | "null") => Ok(Declared::Now(None)),
            Some(text) => match Capabilities::from_json(text.as_bytes()) {
                Ok(capabilities) => Ok(Declared::Now(Some(capabilities))),
                Err(error) => Err(ComponentError::from(error).into()),
            },
        }
    }

    /// The name. Errors: `MissingPart`.
    pub(crate) fn take_name(&mut self) -> Result<String, RequestError> {
        self.name
            .take()
            .ok_or(RequestError::MissingPart { name: "name" })
    }
}

/// `Durable` or `Ephemeral`, bare as the command line of 1.1 sends it or quoted as its schema says.
pub(crate) fn component_type(text: &str) -> Result<ComponentType, RequestError> {
    match text.trim().trim_matches('"') {
        "Durable" => Ok(ComponentType::Durable),
        "Ephemeral" => Ok(ComponentType::Ephemeral),
        _ => Err(RequestError::BadPart {
            name: "componentType",
            value: short(text),
            expected: "`Durable` or `Ephemeral`",
        }),
    }
}

fn permissions(text: &[u8]) -> Result<FilesPermissions, RequestError> {
    serde_json::from_slice(text).map_err(|error| RequestError::BadPart {
        name: "filesPermissions",
        value: format!("{}: {error}", short(&String::from_utf8_lossy(text))),
        expected: "{\"values\": [{\"path\": \"/a\", \"permissions\": \"read-only\"}]}, where `read-write` is the other",
    })
}

async fn text(field: Field<'_>, name: &'static str) -> Result<String, RequestError> {
    let bytes = bytes(field, "a text part", limits::TEXT_PART_BYTES_MAX).await?;
    String::from_utf8(bytes).map_err(|error| RequestError::BadPart {
        name,
        value: short(&String::from_utf8_lossy(error.as_bytes())),
        expected: "UTF-8 text",
    })
}

async fn bytes(
    mut field: Field<'_>,
    what: &'static str,
    limit: usize,
) -> Result<Vec<u8>, RequestError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(broken)? {
        if bytes.len() + chunk.len() > limit {
            return Err(RequestError::BodyTooLarge { what, limit });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the form of a function for map_err"
)]
fn broken(error: MultipartError) -> RequestError {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        RequestError::BodyTooLarge {
            what: "the upload",
            limit: limits::UPLOAD_BYTES_MAX,
        }
    } else {
        RequestError::BadForm {
            detail: error.body_text(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::extract::FromRequest as _;
    use axum::http::Request;
    use futures_util::stream;

    const WASM: &str = "\0asm\r\n--\r\n";

    fn part(disposition: &str, value: &str) -> String {
        format!("--edge\r\ncontent-disposition: form-data; {disposition}\r\n\r\n{value}\r\n")
    }

    async fn read(body: String, step: usize) -> Result<Upload, RequestError> {
        let chunks: Vec<_> = body
            .into_bytes()
            .chunks(step)
            .map(|c| Ok::<_, std::io::Error>(c.to_vec()))
            .collect();
        let request = Request::post("/")
            .header("content-type", "multipart/form-data; boundary=edge")
            .body(Body::from_stream(stream::iter(chunks)))
            .unwrap();
        Upload::read(Multipart::from_request(request, &()).await.unwrap()).await
    }

    #[tokio::test]
    async fn parts_come_in_any_order_any_chunks_and_beside_unknown_ones() {
        let parts = [
            part("name=\"component\"; filename=\"c.wasm\"", WASM),
            part("name=\"later\"", "whatever"),
            part("name=\"componentType\"", "\"Ephemeral\""),
            part("name=\"filesPermissions\"", r#"{"values":[]}"#),
            part("name=\"files\"; filename=\"f.zip\"", ""),
            part("name=\"name\"", "shop:cart"),
            part("name=\"capabilities\"", "{}"),
        ];
        for order in [
            [0, 1, 2, 3, 4, 5, 6],
            [6, 5, 4, 3, 2, 1, 0],
            [2, 5, 0, 6, 1, 4, 3],
        ] {
            let body: String = order.iter().map(|at| parts[*at].as_str()).collect();
            for step in [1, 7, 4096] {
                let upload = read(format!("{body}--edge--\r\n"), step).await.unwrap();
                let expected = Upload {
                    name: Some("shop:cart".into()),
                    kind: Some(ComponentType::Ephemeral),
                    wasm: Some(WASM.as_bytes().to_vec()),
                    capabilities: Some("{}".into()),
                    ..Upload::default()
                };
                assert_eq!(upload, expected);
            }
        }
    }

    #[tokio::test]
    async fn a_form_that_is_cut_or_too_large_is_refused() {
        let cut = read(part("name=\"component\"", WASM), 4096).await;
        assert!(matches!(cut, Err(RequestError::BadForm { .. })), "{cut:?}");
        let long = part(
            "name=\"name\"",
            &"n".repeat(limits::TEXT_PART_BYTES_MAX + 1),
        );
        let long = read(format!("{long}--edge--\r\n"), 4096).await;
        assert!(
            matches!(
                long,
                Err(RequestError::BodyTooLarge {
                    limit: limits::TEXT_PART_BYTES_MAX,
                    ..
                })
            ),
            "{long:?}"
        );
        let rights = part(
            "name=\"filesPermissions\"",
            r#"{"values":[{"path":"/a","permissions":"all"}]}"#,
        );
        let rights = read(format!("{rights}--edge--\r\n"), 4096).await;
        assert!(
            matches!(
                rights,
                Err(RequestError::BadPart {
                    name: "filesPermissions",
                    ..
                })
            ),
            "{rights:?}"
        );
        let mut none = read("--edge--\r\n".to_owned(), 4096).await.unwrap();
        assert_eq!(
            none.take_wasm(),
            Err(RequestError::MissingPart { name: "component" })
        );
        assert_eq!(
            none.take_name(),
            Err(RequestError::MissingPart { name: "name" })
        );
    }

    #[test]
    fn the_type_is_read_bare_and_quoted() {
        for text in ["Durable", "\"Durable\"", " Durable\n"] {
            assert_eq!(component_type(text), Ok(ComponentType::Durable));
        }
        assert!(matches!(
            component_type("durable?"),
            Err(RequestError::BadPart {
                name: "componentType",
                ..
            })
        ));
    }
}
