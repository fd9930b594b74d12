// SPDX-License-Identifier: Apache-2.0
//! THE DESK / get: shows what a URN or URL names. In a URI, out the view of a component or worker, or a signature.
//! Read next: `component.rs`, `worker.rs`. Source: client spec §1.4.

use golem_client::Client;
use golem_model::function;
use golem_model::types::FoundFunction;
use golem_model::urn::{Uri, WorkerUrn, percent_decode};

use super::classic::classic;
use super::{component, refs, worker};
use crate::args::Global;
use crate::connection;
use crate::error::{Failure, Outcome};
use crate::exit;
use crate::output::Out;
use crate::view::published;

/// Options of `get`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  golem-cli get component:///counter
  golem-cli get worker:///counter/w1
  golem-cli get urn:worker:0d8e3a5c-1b2f-4c3d-8e9f-a0b1c2d3e4f5/w1

Exit codes of this command: 0 ok, 1 failed, 2 wrong command line")]
pub(crate) struct Args {
    /// What to show: urn:component:…, urn:worker:…, component:///…, worker:///…; of servers that have them also
    /// api-definition and api-deployment
    #[arg(value_name = "URI")]
    uri: String,
}

/// Runs the verb.
pub(crate) fn run(args: Args, global: &Global, out: &Out) -> Outcome {
    classic(match api_path(&args.uri) {
        Some(path) => connection::client(global).and_then(|client| {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            out.view(&client.get_json(&path, None)?, published);
            Ok(())
        }),
        None => refs::named(&args.uri).and_then(|uri| show(&uri, global, out)),
    })
}

/// The path of the definition or deployment of an API that a URN or URL names: `urn:api-definition:ID/VERSION`,
/// `api-deployment:///SITE`. None for any other text.
fn api_path(uri: &str) -> Option<Vec<String>> {
    let (kind, rest) = match uri.strip_prefix("urn:") {
        Some(rest) => rest.split_once(':')?,
        None => uri.split_once(":///")?,
    };
    let noun = match kind.to_ascii_lowercase().as_str() {
        "api-definition" => "definitions",
        "api-deployment" => "deployments",
        _ => return None,
    };
    // The keys of the hosted service mean nothing here.
    let rest = rest.split_once('?').map_or(rest, |(rest, _)| rest);
    let names = rest
        .splitn(2, '/')
        .map(percent_decode)
        .collect::<Option<Vec<_>>>()?;
    let path = ["v1", "api", noun].map(str::to_owned);
    Some(path.into_iter().chain(names).collect())
}

fn show(uri: &Uri, global: &Global, out: &Out) -> Outcome {
    let client = connection::client(global)?;
    shown(uri, &client, out).map_err(|failure| worker::suggested(failure, &client))
}

fn shown(uri: &Uri, client: &Client, out: &Out) -> Outcome {
    match uri {
        Uri::Component(urn) => component::show(&urn.component, urn.version, client, out),
        Uri::Worker(urn) => match &urn.function {
            None => worker::show(&refs::worker(urn, client)?, client, out),
            Some(name) => signature(urn, name, client, out),
        },
    }
}

/// The signature of a function, in the version that the worker runs.
fn signature(urn: &WorkerUrn, name: &str, client: &Client, out: &Out) -> Outcome {
    let worker = client.worker(&refs::worker(urn, client)?)?;
    let component = client.component(
        worker.worker_id.component_id,
        Some(worker.component_version),
    )?;
    let found = function::find(&component.metadata.exports, name)
        .map_err(Failure::exit_with(exit::NOT_FOUND))?;
    let interface = found.name.split_once(".{").map(|(interface, _)| interface);
    let signature = FoundFunction {
        interface,
        function: &found.function,
    }
    .signature();
    out.view(&signature, Clone::clone);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::api_path;

    #[test]
    fn apis_are_named_like_everything_else() {
        for (uri, expect) in [
            (
                "urn:api-definition:shop/0.1.0",
                Some("v1 api definitions shop 0.1.0"),
            ),
            (
                "api-definition:///my%20shop/1?account=x",
                Some("v1 api definitions my shop 1"),
            ),
            (
                "urn:API-deployment:localhost%3A9006",
                Some("v1 api deployments localhost:9006"),
            ),
            ("urn:worker:x/y", None),
            ("component:///shop", None),
            ("nonsense", None),
        ] {
            assert_eq!(
                api_path(uri).map(|path| path.join(" ")).as_deref(),
                expect,
                "{uri}"
            );
        }
    }
}
