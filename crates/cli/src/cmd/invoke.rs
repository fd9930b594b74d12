// SPDX-License-Identifier: Apache-2.0
//! THE DESK / invoke: the short form of `worker invoke-and-await`: the component is that of the project. In a function and its
//! parameters, out the result. Read next: `worker/invoke.rs`. Exit codes: the finer ones.

use std::path::Path;

use golem_client::{CallsOf, Client, Target};
use golem_model::duration::parse_duration;
use golem_model::urn::ComponentRef;
use golem_model::{
    Coded, IdempotencyKey, WorkerId, api::CallTree, component::ComponentType,
    json::TypeAnnotatedValue,
};

use super::worker::{
    invoke::{Call, await_call, prepare_for, print},
    params::ParamArgs,
};
use crate::args::Global;
use crate::build;
use crate::connection;
use crate::error::{Failure, Outcome};
use crate::exit;
use crate::manifest::Manifest;
use crate::output::Out;
use crate::view::tree_text;

/// The worker that is called when nobody names one.
pub(super) const DEFAULT_WORKER: &str = "main";

/// Options of `invoke`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  golem-cli invoke add 3
  golem-cli invoke --worker-name cart-1 put '{id: 7, title: \"tea\"}'
  golem-cli invoke --component-name stock take '\"tea\"' 2
  golem-cli invoke --trace checkout

Parameters are WAVE, as for `worker invoke-and-await`: texts in double quotes, records in braces. The worker is made by the
call if it is not there.")]
pub(crate) struct Args {
    /// The component [default: the one of golem.yaml if there is one only, else the one of this directory]
    #[arg(short = 'c', long, value_name = "NAME")]
    component_name: Option<String>,
    /// The worker; a component whose workers do not last takes none
    #[arg(short = 'w', long, value_name = "NAME", default_value = DEFAULT_WORKER)]
    worker_name: String,
    /// Names the call: a repetition with the same key gets the first result
    #[arg(short = 'k', long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// How long the call and the calls that it makes may take, such as 500ms or 30s [default: no limit]
    #[arg(long, value_name = "DURATION")]
    timeout: Option<String>,
    /// Print the calls that it has made as well, with their times: on standard error, or as `trace` of the document in the other formats
    #[arg(long)]
    trace: bool,
    /// All parameters as a JSON array
    #[arg(short = 'j', long, value_name = "JSON", conflicts_with = "args")]
    parameters: Option<String>,
    /// The function: its name, as far as it is clear
    #[arg(value_name = "FUNCTION")]
    function: String,
    /// Its parameters as WAVE
    #[arg(value_name = "WAVE", allow_negative_numbers = true)]
    args: Vec<String>,
}

/// Why it is not clear what is called.
#[derive(Debug, thiserror::Error)]
enum InvokeError {
    /// The project has several components.
    #[error("it is not clear which component is meant: there are {}", names.join(", "))]
    WhichComponent {
        /// Their names.
        names: Vec<String>,
    },
}

impl Coded for InvokeError {
    fn code(&self) -> &'static str {
        match self {
            Self::WhichComponent { .. } => "CLI-032",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::WhichComponent { names } => {
                let first = names.first().map_or("NAME", String::as_str);
                Some(format!(
                    "name it: golem-cli invoke --component-name {first} …"
                ))
            }
        }
    }
}

/// Calls and waits.
pub(crate) fn run(args: Args, global: &Global, out: &Out) -> Outcome {
    if let Some(timeout) = &args.timeout {
        parse_duration(timeout).map_err(Failure::exit_with(exit::USAGE))?;
    }
    let name = match args.component_name {
        Some(name) => name,
        None => of_project()?,
    };
    let client = connection::client(global)?;
    let component = client.find(&ComponentRef::Name(name))?;
    let id = component.versioned_component_id.component_id;
    let target = match component.component_type {
        ComponentType::Durable => Target::Worker(WorkerId::new(id, args.worker_name)),
        ComponentType::Ephemeral => Target::Unnamed(id),
    };
    let params = ParamArgs::new(args.args, args.parameters);
    let call = prepare_for(target, &args.function, &params, &client)?;
    let (key, timeout) = (args.idempotency_key, args.timeout.as_deref());
    if args.trace {
        // The tree is asked for by the key, so there has to be one.
        let key = key.unwrap_or_else(|| IdempotencyKey::random().0);
        return traced_call(&call, &key, timeout, &client, out);
    }
    await_call(&call, key.as_deref(), timeout, &client, out)
}

/// Calls, waits, and prints the result and the tree of the calls.
fn traced_call(
    call: &Call,
    key: &str,
    timeout: Option<&str>,
    client: &Client,
    out: &Out,
) -> Outcome {
    let result = call.send(Some(key), timeout, client);
    let tree = match &call.target {
        Target::Worker(worker) => client
            .calls(worker, CallsOf::Key(key))
            .map_err(|error| error.to_string()),
        Target::Unnamed(_) => Err("an ephemeral component keeps no oplog".to_owned()),
    };
    // What matters is what was called: without a tree that is told all the same.
    match (&tree, out.is_text()) {
        (Ok(tree), true) => out.note(&tree_text(tree)),
        (Err(why), _) if result.is_ok() => out.warn(&format!("there is no tree of calls: {why}")),
        _ => {}
    }
    let result = result?;
    match tree {
        Ok(trace) if !out.is_text() => out.view(&Traced { result, trace }, |_| String::new()),
        _ => print(&result, out),
    }
    Ok(())
}

/// A result with the tree of its calls.
#[derive(Debug, serde::Serialize)]
struct Traced {
    #[serde(flatten)]
    result: TypeAnnotatedValue,
    trace: CallTree,
}

/// The name of the component that is meant when nobody names one.
pub(super) fn of_project() -> Result<String, Failure> {
    let Some(manifest) = Manifest::discover(None)? else {
        return Ok(build::of_directory(
            Path::new("."),
            None,
            None,
            golem_wit::bindgen::go::Style::default(),
        )?
        .name);
    };
    if let [only] = manifest.components.as_slice() {
        return Ok(only.name.clone());
    }
    match manifest.here() {
        Some(component) => Ok(component.name.clone()),
        None => Err(Failure::from(InvokeError::WhichComponent {
            names: manifest
                .components
                .iter()
                .map(|component| component.name.clone())
                .collect(),
        })
        .with_exit(exit::USAGE)),
    }
}
