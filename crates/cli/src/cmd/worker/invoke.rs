// SPDX-License-Identifier: Apache-2.0
//! THE DESK / worker/invoke: calls of a function. In a worker, a function name and parameters; out the result.
//! Looks the signature up first, so that slips are found before anything is sent. Read next: `params.rs`.
//! Source: client spec §6.4.

use golem_client::{Begin, Client, ClientError, ErrorKind, Target};
use golem_model::OplogIndex;
use golem_model::api::InvokeParameters;
use golem_model::duration::parse_duration;
use golem_model::function::find;
use golem_model::json::TypeAnnotatedValue;
use golem_model::types::FoundFunction;

use super::connect::{self, LineArgs};
use super::params::{ParamArgs, hinted, typed};
use crate::cmd::refs::{RefError, WorkerArgs};
use crate::error::{Failure, Outcome};
use crate::exit;
use crate::output::Out;
use crate::view::ResultView;

/// Options of `invoke` and `invoke-and-await`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    worker: WorkerArgs,
    /// Names the call: a repetition with the same key gets the first result
    #[arg(short = 'k', long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// The function: 'ns:pkg/interface.{function}', or a short form that fits one only
    #[arg(short, long, value_name = "NAME")]
    function: String,
    /// How long the call and the calls that it makes may take, such as 500ms or 30s [default: no limit]
    #[arg(long, value_name = "DURATION")]
    timeout: Option<String>,
    #[command(flatten)]
    params: ParamArgs,
    /// Print what the worker writes and logs as well: while the call runs, or after `invoke` until Ctrl-C
    #[arg(long)]
    connect: bool,
    #[command(flatten)]
    lines: LineArgs,
}

/// A call that is ready to be sent.
pub(crate) struct Call {
    pub(crate) target: Target,
    pub(super) function: String,
    pub(super) parameters: InvokeParameters,
}

/// Calls and waits.
pub(super) fn invoke_and_await(args: &Args, client: &Client, out: &Out) -> Outcome {
    let call = prepare(args, client)?;
    let (key, timeout) = (args.idempotency_key.as_deref(), args.timeout.as_deref());
    match (args.connect, &call.target) {
        (true, Target::Worker(worker)) => {
            let send = || call.send(key, timeout, client).map_err(Failure::from);
            let result = connect::beside(worker, args.lines, client, out, send)?;
            print(&result, out);
            Ok(())
        }
        (true, Target::Unnamed(_)) => Err(RefError::NoName(args.worker.shown()?).into()),
        (false, _) => await_call(&call, key, timeout, client, out),
    }
}

/// Sends a call, waits and prints the result.
pub(crate) fn await_call(
    call: &Call,
    key: Option<&str>,
    timeout: Option<&str>,
    client: &Client,
    out: &Out,
) -> Outcome {
    print(&call.send(key, timeout, client)?, out);
    Ok(())
}

/// Prints a result.
pub(crate) fn print(result: &TypeAnnotatedValue, out: &Out) {
    let view = ResultView::of(result);
    if out.is_text() && matches!(view, ResultView::Json(_)) {
        out.warn("the result has no WAVE form, because of a resource handle in it");
    }
    out.view(result, |_| view.text());
}

impl Call {
    /// Sends it and waits for its result.
    pub(crate) fn send(
        &self,
        key: Option<&str>,
        timeout: Option<&str>,
        client: &Client,
    ) -> Result<TypeAnnotatedValue, ClientError> {
        let Self {
            target,
            function,
            parameters,
        } = self;
        let answer = client.invoke_and_await(target, function, key, timeout, parameters)?;
        Ok(answer.result)
    }
}

/// Calls and returns when the call is in the worker's queue.
pub(super) fn invoke(args: &Args, client: &Client, out: &Out) -> Outcome {
    let call = prepare(args, client)?;
    let listened = match (args.connect, &call.target) {
        (true, Target::Worker(worker)) => Some((worker, connect::last_entry(worker, client)?)),
        (true, Target::Unnamed(_)) => {
            return Err(RefError::NoName(args.worker.shown()?).into());
        }
        (false, _) => None,
    };
    client.invoke(
        &call.target,
        &call.function,
        args.idempotency_key.as_deref(),
        args.timeout.as_deref(),
        &call.parameters,
    )?;
    out.data("Invoked");
    match listened {
        Some((worker, last)) => {
            let begin = Begin::At(OplogIndex(last.0 + 1));
            connect::listen(worker, begin, args.lines, client, out)
        }
        None => Ok(()),
    }
}

fn prepare(args: &Args, client: &Client) -> Result<Call, Failure> {
    if let Some(timeout) = &args.timeout {
        parse_duration(timeout).map_err(Failure::exit_with(exit::USAGE))?;
    }
    // A slip in the parameters is told before anybody is asked.
    args.params.json()?;
    let target = args.worker.target(client)?;
    prepare_for(target, &args.function, &args.params, client)
}

/// The call of `function` with `params`, checked against its signature.
pub(crate) fn prepare_for(
    target: Target,
    function: &str,
    params: &ParamArgs,
    client: &Client,
) -> Result<Call, Failure> {
    let json = params.json()?;
    if let Some(parameters) = json.as_deref().and_then(typed) {
        return Ok(Call {
            target,
            function: function.to_owned(),
            parameters,
        });
    }
    let component = client.component(target.component(), version(&target, client)?)?;
    let found =
        find(&component.metadata.exports, function).map_err(Failure::exit_with(exit::NOT_FOUND))?;
    let parameters = params
        .checked(json.as_deref(), &found.function)
        .map_err(|failure| {
            if failure.problem.code != "VAL-006" {
                return failure;
            }
            let interface = found.name.split_once(".{").map(|(interface, _)| interface);
            let signature = FoundFunction {
                interface,
                function: &found.function,
            }
            .signature();
            hinted(failure, &format!("the function is {signature}"))
        })?;
    Ok(Call {
        target,
        function: found.name,
        parameters,
    })
}

/// The version that a worker runs; none, for the newest, when the call will create it.
fn version(target: &Target, client: &Client) -> Result<Option<u64>, Failure> {
    let Target::Worker(worker) = target else {
        return Ok(None);
    };
    match client.worker(worker) {
        Ok(worker) => Ok(Some(worker.component_version)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}
