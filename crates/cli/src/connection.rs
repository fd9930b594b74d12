// SPDX-License-Identifier: Apache-2.0
//! THE DESK / connection: which server a command talks to, and as whom. In the options that all commands share, the environment and the
//! active profile; out a client. Warns, once, when nobody will know who answers. Read next: `config.rs`, golem-client `client.rs`.
//! Source: client spec §1.3.

use std::sync::Once;

use golem_client::{Client, ClientError, DEFAULT_URL, Trust};

use crate::args::Global;
use crate::config::Config;
use crate::error::Failure;

/// The variable with a token.
const TOKEN_VARIABLE: &str = "GOLEM_TOKEN";

/// A client for the server that the options, the environment or the active profile name; else for the one of this machine.
///
/// Nothing is sent yet. Errors: an address that is none, a configuration, a token or certificates that cannot be read.
pub(crate) fn client(global: &Global) -> Result<Client, Failure> {
    let config = match global.url {
        Some(_) => Config::default(),
        None => Config::load()?,
    };
    let named = global.ca_file.clone().map(Trust::File);
    let mut client = match (&global.url, config.server()) {
        (Some(url), _) => Client::new(url, "from --url or GOLEM_URL", named.unwrap_or_default())?,
        (None, Some((server, origin))) => {
            let of_profile = if server.allow_insecure {
                Trust::Anything
            } else {
                Trust::Web
            };
            // Certificates that were named are more than none.
            let trust = named.unwrap_or(of_profile);
            let mut client = Client::new(&server.url, &origin, trust)?;
            if let Some(url) = &server.worker_url {
                client = client.with_workers_at(url, &format!("{origin}, for workers"))?;
            }
            match &server.namespace {
                Some(namespace) => client.in_namespace(namespace.clone()),
                None => client,
            }
        }
        (None, None) => Client::new(DEFAULT_URL, "the default", named.unwrap_or_default())?,
    };
    // That of a profile is one of its server.
    if let Some(namespace) = &global.namespace {
        client = client.in_namespace(namespace.clone());
    }
    if let Some((text, from)) = token(global)? {
        client = client.with_token(&text, &from)?;
    }
    warn(&client, global);
    Ok(client)
}

/// The token to show and where it comes from: `--token-file`, else `GOLEM_TOKEN`. It is never an argument: others see those.
fn token(global: &Global) -> Result<Option<(String, String)>, ClientError> {
    let Some(file) = &global.token_file else {
        let text = std::env::var(TOKEN_VARIABLE).ok();
        return Ok(text.map(|text| (text, TOKEN_VARIABLE.to_owned())));
    };
    let path = file.display().to_string();
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some((text, path))),
        Err(error) => Err(ClientError::Secret {
            what: "the token",
            path,
            reason: error.to_string(),
        }),
    }
}

fn warn(client: &Client, global: &Global) {
    static WARNED: Once = Once::new();
    if let Some((url, origin)) = client.unverified() {
        WARNED.call_once(|| {
            global.out().warn(&format!(
                "nobody checks who answers at {url} ({origin}, which allows insecure connections): the token and all data may go to \
                 anybody in between; name the certificates to trust instead: --ca-file FILE"
            ));
        });
    }
}
