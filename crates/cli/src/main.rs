// SPDX-License-Identifier: Apache-2.0
//! THE DESK: the command line `golem-cli`. In arguments, out an exit code; parses, calls a room, prints.
//! Never holds logic of another room. Read next: `args.rs` (the tree of commands), `cmd/` (one file per verb).
#![warn(missing_docs)]

mod args;
mod build;
mod cmd;
mod config;
mod connection;
mod error;
mod exit;
mod files;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod golem_1;
mod hash;
mod manifest;
mod output;
#[cfg(test)]
mod reference;
#[cfg(feature = "server")]
mod scenario;
#[cfg(test)]
mod schemas;
mod sdk;
mod template;
mod usage;
mod view;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use crate::{
    args::{Args, Command},
    error::{CliError, Failure, Outcome},
    output::Out,
};

/// The server makes and frees thousands of instances from many threads; glibc's heap is slow at that, and keeps what was freed.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return wrong(&error),
    };
    args.start_log();
    let out = args.global.out();
    // What the verbs leave behind when they panic is files under temporary names, nothing that a second run would trip over.
    match guarded(|| dispatch(args, &out)) {
        Ok(()) => ExitCode::from(exit::OK),
        Err(failure) => {
            out.failure(&failure);
            ExitCode::from(failure.exit)
        }
    }
}

/// What a verb gives; a panic becomes the failure of a bug.
fn guarded(verb: impl FnOnce() -> Outcome) -> Outcome {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(verb))
        .unwrap_or_else(|_| Err(Failure::from(CliError::Bug).with_exit(exit::INTERNAL)))
}

/// Runs the chosen verb.
fn dispatch(args: Args, out: &Out) -> Outcome {
    let Args { global, command } = args;
    match command {
        Command::New(a) => cmd::new::run(a, out),
        Command::ListTemplates(a) => cmd::list_examples::run_templates(&a, out),
        Command::Logs(a) => cmd::logs::run(a, &global, out),
        Command::Repl(a) => cmd::repl::run(a, &global, out),
        Command::Oplog(a) => cmd::oplog::run(a, &global, out),
        Command::Trace(a) => cmd::trace::run(&a, &global, out),
        Command::Dev(a) => cmd::dev::run(a, &global, out),
        Command::Invoke(a) => cmd::invoke::run(a, &global, out),
        Command::ListExamples(a) => cmd::list_examples::run(&a, out),
        Command::Build(a) => cmd::build::run(a, out),
        Command::Deploy(a) => cmd::deploy::run(a, &global, out),
        Command::AddDependency(a) => cmd::add_dependency::run(&a, out),
        Command::Bindings(a) => cmd::bindings::run(a, out),
        Command::Sdk(a) => cmd::sdk::run(a, out),
        Command::Stubgen(a) => cmd::stubgen::run(a, out),
        Command::Component(a) => cmd::component::run(a, &global, out),
        Command::Worker(a) => cmd::worker::run(a, &global, out),
        Command::Token(a) => cmd::token::run(a, &global, out),
        Command::Secret(a) => cmd::secret::run(a, &global, out),
        Command::Namespace(a) => cmd::namespace::run(a, &global, out),
        Command::Promise(a) => cmd::promise::run(a, &global, out),
        Command::App(a) => cmd::app::run(&a, out),
        Command::Plugin(a) => cmd::plugin::run(a, &global, out),
        Command::ApiDefinition(a) => cmd::api::definitions(a, &global, out),
        Command::ApiDeployment(a) => cmd::api::deployments(a, &global, out),
        Command::ApiSecurityScheme(a) => cmd::api::schemes(a, &global, out),
        Command::Get(a) => cmd::get::run(a, &global, out),
        Command::Profile(a) => cmd::profile::run(a, out),
        Command::Init(a) => cmd::profile::init(&a, out),
        Command::Completion(a) => cmd::completion::run(&a, out),
        Command::Man(a) => cmd::man::run(&a, out),
        Command::Explain(a) => cmd::explain::run(&a, out),
        Command::Help(a) => cmd::help::run(&a, out),
        Command::Doctor(a) => cmd::doctor::run(&a, &global, out),
        Command::Diagnose(a) => cmd::diagnose::run(&a, out),
        #[cfg(feature = "server")]
        Command::Export(a) => cmd::export::run(&a, &global, out),
        #[cfg(feature = "server")]
        Command::Import(a) => cmd::import::run(&a, &global, out),
        #[cfg(feature = "server")]
        Command::Server(a) => cmd::server::run(a, out),
        #[cfg(feature = "server")]
        Command::Test(a) => cmd::test::run(a, out),
    }
}

/// Shows clap's own text for help, version and usage errors; in JSON mode a usage error is a JSON object of one sentence.
fn wrong(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // Help and version are data; a closed pipe is no failure.
        let _ = error.print();
        return ExitCode::from(exit::OK);
    }
    if let Some(format) = args::json_format(std::env::args_os()) {
        let words: Vec<String> = std::env::args_os()
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        let usage = usage::explain(error, &words, &Args::command());
        Out::new(format, false, true).failure(&Failure::from(usage).with_exit(exit::USAGE));
    } else {
        let _ = error.print();
    }
    ExitCode::from(exit::USAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bug_ends_with_70_and_a_code() {
        let failure = guarded(|| panic!("a broken invariant")).unwrap_err();
        assert_eq!(
            (failure.exit, failure.problem.code.as_str()),
            (70, "CLI-001")
        );
        assert!(failure.problem.hint.is_some());
    }
}
