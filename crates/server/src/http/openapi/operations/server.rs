// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/openapi/operations/server: what the routes take and answer that belong to no component: probes, tokens,
//! namespaces, secrets, exports. In: nothing. Out: a part of the table. Read next: `../operations.rs`.

use golem_model::api::{
    Empty, Export, GrantInfo, GrantRequest, ImportReadiness, NamespaceInfo, NamespaceRequest,
    SecretInfo, TokenCreated, TokenInfo, TokenRequest, VersionInfo, WhoAmI,
};
use serde_json::Value as Json;

use super::{Answers, Operation, Takes, json_of, of, op};

/// All of them, in the order of the document.
pub(super) fn operations() -> Vec<Operation> {
    let mut all = system();
    all.extend(namespaces());
    all.extend(secrets());
    all.extend(transfer());
    all
}

fn system() -> Vec<Operation> {
    let tag = "System";
    vec![
        op(
            "get",
            "/version",
            "version",
            tag,
            "The version that this API is compatible with",
            json_of::<VersionInfo>("the version"),
        ),
        op(
            "get",
            "/healthcheck",
            "healthcheck",
            tag,
            "Whether the process lives",
            json_of::<Empty>("it does"),
        ),
        op(
            "get",
            "/readyz",
            "ready",
            tag,
            "Whether requests are taken",
            json_of::<Empty>("they are"),
        )
        .fails(&[503]),
        op(
            "get",
            "/metrics",
            "metrics",
            tag,
            "Figures for Prometheus",
            Answers::Text("text of version 0.0.4, see docs/metrics.md"),
        ),
        op(
            "get",
            "/openapi.json",
            "openapi",
            tag,
            "This document",
            json_of::<Json>("an OpenAPI 3.1 document"),
        ),
        op(
            "get",
            "/v1/whoami",
            "whoAmI",
            tag,
            "Whose token the request has",
            json_of::<WhoAmI>("the token, `{}` where nobody is asked for one"),
        ),
        op(
            "get",
            "/v1/tokens",
            "listTokens",
            tag,
            "All tokens, also those that were taken back",
            json_of::<Vec<TokenInfo>>("the tokens, without secrets"),
        ),
        op(
            "post",
            "/v1/tokens",
            "createToken",
            tag,
            "Gives a token",
            json_of::<TokenCreated>("the token: the only answer with its secret"),
        )
        .takes(Takes::Json(of::<TokenRequest>))
        .fails(&[409]),
        op(
            "delete",
            "/v1/tokens/{token}",
            "revokeToken",
            tag,
            "Takes a token back, at once",
            json_of::<TokenInfo>("the token as it is now"),
        )
        .fails(&[409]),
    ]
}

fn namespaces() -> Vec<Operation> {
    let tag = "Namespaces";
    vec![
        op(
            "get",
            "/v1/namespaces",
            "listNamespaces",
            tag,
            "The namespaces in which whoever asks has a role",
            json_of::<Vec<NamespaceInfo>>("the namespaces, by name"),
        ),
        op(
            "post",
            "/v1/namespaces",
            "createNamespace",
            tag,
            "Makes a namespace",
            json_of::<NamespaceInfo>("the namespace, durable"),
        )
        .takes(Takes::Json(of::<NamespaceRequest>))
        .fails(&[409]),
        op(
            "delete",
            "/v1/namespaces/{namespace}",
            "deleteNamespace",
            tag,
            "Deletes an empty namespace, and the roles in it",
            json_of::<NamespaceInfo>("the namespace that is gone"),
        )
        .fails(&[404, 409]),
        op(
            "get",
            "/v1/namespaces/{namespace}/grants",
            "listGrants",
            tag,
            "The grants from a namespace and to it",
            json_of::<Vec<GrantInfo>>("the grants"),
        )
        .fails(&[404]),
        op(
            "post",
            "/v1/namespaces/{namespace}/grants",
            "createGrant",
            tag,
            "Lets workers of another namespace call workers of this one",
            json_of::<GrantInfo>("the grant, durable"),
        )
        .takes(Takes::Json(of::<GrantRequest>))
        .fails(&[404, 409]),
        op(
            "delete",
            "/v1/namespaces/{namespace}/grants/{grant}",
            "revokeGrant",
            tag,
            "Takes a grant back, at once",
            json_of::<GrantInfo>("the grant that is gone"),
        )
        .fails(&[404]),
    ]
}

fn secrets() -> Vec<Operation> {
    let tag = "Secrets";
    vec![
        op(
            "get",
            "/v1/secrets",
            "listSecrets",
            tag,
            "The secrets of a namespace, without their values",
            json_of::<Vec<SecretInfo>>("the secrets, by name"),
        ),
        op(
            "put",
            "/v1/secrets/{secret}",
            "setSecret",
            tag,
            "Sets a secret: its next version",
            json_of::<SecretInfo>("the version, durable; the value is in no answer"),
        )
        .takes(Takes::Bytes)
        .fails(&[409]),
        op(
            "delete",
            "/v1/secrets/{secret}",
            "deleteSecret",
            tag,
            "Deletes all versions of a secret",
            json_of::<SecretInfo>("the secret that is gone"),
        )
        .fails(&[404]),
    ]
}

fn transfer() -> Vec<Operation> {
    let tag = "System";
    vec![
        op(
            "get",
            "/v1/export",
            "export",
            tag,
            "Everything that the server keeps, as one file",
            Answers::Bytes(
                "the file, see docs/formats/export.md; without its end record it is none",
            ),
        )
        .fails(&[400, 503]),
        op(
            "get",
            "/v1/import",
            "importReadiness",
            tag,
            "Whether this server has nothing yet, and so takes an import",
            json_of::<ImportReadiness>("whether it does, or what is in the way"),
        )
        .fails(&[400]),
        op(
            "post",
            "/v1/import",
            "import",
            tag,
            "Takes the file of an export into a server that has nothing yet",
            Answers::Accepted(
                of::<Export>,
                "all of it is here, checked and durable; the server begins anew with it",
            ),
        )
        .takes(Takes::Bytes)
        .fails(&[409]),
        op(
            "get",
            "/v1/import/{sha256}",
            "imported",
            tag,
            "What was imported under this name",
            json_of::<Export>("the import is done"),
        )
        .fails(&[404, 409]),
    ]
}
