// SPDX-License-Identifier: Apache-2.0
//! THE PHONE / access: tokens and secrets of a server, and whom it sees. In names and values, out bodies of the API; the value of a
//! secret never comes back. Read next: `client.rs`, golem-server `http/token.rs`. Source: docs/front-door.md, docs/rest.md.

use golem_model::api::{SecretInfo, TokenCreated, TokenId, TokenInfo, TokenRequest, WhoAmI};
use golem_model::urn::percent_encode;

use crate::client::Client;
use crate::error::ClientError;
use crate::transport::Request;

impl Client {
    /// Makes a token; the only answer with the secret. Errors: `Refused`, of kind `Conflict` when there are too many, and for a role or a
    /// time that is none.
    pub fn add_token(&self, request: &TokenRequest) -> Result<TokenCreated, ClientError> {
        self.transport
            .json(Request::post("/v1/tokens").body(request))
    }

    /// All tokens, without secrets. Errors: as for every call (crate documentation).
    pub fn tokens(&self) -> Result<Vec<TokenInfo>, ClientError> {
        self.transport.json(Request::get("/v1/tokens"))
    }

    /// Takes a token back; returns what it was. Errors: `Refused`, of kind `NotFound`, or `Conflict` for the last owner.
    pub fn revoke_token(&self, id: TokenId) -> Result<TokenInfo, ClientError> {
        self.transport
            .json(Request::delete(format!("/v1/tokens/{id}")))
    }

    /// Whom the server sees. Errors: as for every call; a server of another make may not say, with status 404.
    pub fn who_am_i(&self) -> Result<WhoAmI, ClientError> {
        self.transport.json(Request::get("/v1/whoami"))
    }

    /// Sets a secret, which is any bytes: a new one, or a new version of the one with this name. Errors: `Refused`, for a name or a size
    /// that the server does not take.
    pub fn set_secret(&self, name: &str, value: Vec<u8>) -> Result<SecretInfo, ClientError> {
        self.transport
            .json(Request::put(secret_path(name)).bytes(value))
    }

    /// All secrets, without values. Errors: as for every call.
    pub fn secrets(&self) -> Result<Vec<SecretInfo>, ClientError> {
        self.transport.json(Request::get("/v1/secrets"))
    }

    /// Deletes a secret; returns what it was. Errors: `Refused`, of kind `NotFound`.
    pub fn delete_secret(&self, name: &str) -> Result<SecretInfo, ClientError> {
        self.transport.json(Request::delete(secret_path(name)))
    }
}

fn secret_path(name: &str) -> String {
    format!("/v1/secrets/{}", percent_encode(name))
}
