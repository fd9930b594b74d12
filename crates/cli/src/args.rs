// SPDX-License-Identifier: Apache-2.0
//! THE DESK / args: the tree of commands and the options that all share. In words of the command line, out [`Args`].
//! Never does what they ask for. Read next: `cmd/mod.rs`.

use std::ffi::OsString;
use std::path::PathBuf;

use golem_model::Namespace;

use crate::{
    cmd,
    config::Config,
    output::{Format, Out},
};

/// Builds, deploys and runs WebAssembly components as durable workers.
#[derive(Debug, clap::Parser)]
#[command(name = "golem-cli", version, max_term_width = 100, after_help = EXAMPLES)]
#[command(disable_help_subcommand = true, arg_required_else_help = true)]
pub(crate) struct Args {
    /// Options that every command takes.
    #[command(flatten)]
    pub(crate) global: Global,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "From nothing to a worker that answers:
  golem-cli new hello --lang go
  cd hello
  golem-cli dev
  golem-cli invoke add 3            (in another terminal)

Examples:
  golem-cli new --example go-default --package-name demo:counter counter
  golem-cli new --example go-multi-rpc --package-name golem:demo go-example
  golem-cli build
  golem-cli test
  golem-cli worker invoke-and-await --component-name counter --worker-name w1 \\
      --function 'demo:counter/api.{add}' --arg 3

Exit codes: 0 ok, 1 failed, 2 wrong command line, 3 not found, 4 the worker failed, 5 server unreachable,
  6 not allowed, 7 conflict, 8 timeout, 9 a build tool is missing or failed, 70 a bug of golem-cli";

/// Options that every command takes, before or after the verb.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Global {
    /// How data is printed on standard output [default: that of the active profile, else text]
    #[arg(short = 'F', long, global = true, value_enum, ignore_case = true)]
    pub(crate) format: Option<Format>,
    /// Say more on standard error; repeat for still more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Say nothing on standard error but warnings and errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// The server to talk to [default: that of the active profile, else http://localhost:9881]
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "GOLEM_URL",
        hide_env_values = true
    )]
    pub(crate) url: Option<String>,
    /// The file with the token to show [default: the token in GOLEM_TOKEN, if there is one]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "GOLEM_TOKEN_FILE",
        hide_env_values = true
    )]
    pub(crate) token_file: Option<PathBuf>,
    /// A file with certificates (PEM) to trust for https instead of those of the web
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "GOLEM_CA_FILE",
        hide_env_values = true
    )]
    pub(crate) ca_file: Option<PathBuf>,
    /// The namespace to act in [default: that of the active profile, else the only one that the token is for, else `default`]
    #[arg(
        short = 'N',
        long,
        global = true,
        value_name = "NAMESPACE",
        env = "GOLEM_NAMESPACE",
        hide_env_values = true
    )]
    pub(crate) namespace: Option<Namespace>,
    /// No colours (also with the environment variable NO_COLOR)
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
    /// Answer every question with yes; so does the variable CI, when it is set
    #[arg(short, long, global = true, visible_alias = "non-interactive")]
    pub(crate) yes: bool,
}

impl Global {
    /// The terminal these options ask for.
    pub(crate) fn out(&self) -> Out {
        // A file that cannot be read is told by the first command that needs it.
        let of_profile = || Config::load().ok().and_then(|config| config.format());
        let format = self.format.or_else(of_profile).unwrap_or_default();
        let ci = std::env::var_os("CI").is_some_and(|ci| !ci.is_empty());
        Out::new(format, self.quiet, self.no_color).agreeing(self.yes || ci)
    }

    fn filter(&self) -> tracing_subscriber::EnvFilter {
        let level = match self.verbose {
            0 => "error",
            1 => "warn",
            2 => "info",
            _ => "debug",
        };
        tracing_subscriber::EnvFilter::try_from_default_env()
            .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level))
    }
}

/// How a log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, with the fields of the event beside `timestamp`, `level`, `target` and `message`.
    Json,
}

impl Args {
    /// Starts the log on standard error: errors only, one level more per `-v`; `RUST_LOG` wins.
    pub(crate) fn start_log(&self) {
        let format = match &self.command {
            #[cfg(feature = "server")]
            Command::Server(server) => server.log_format(),
            _ => LogFormat::Text,
        };
        let log = tracing_subscriber::fmt()
            .with_env_filter(self.global.filter())
            .with_writer(std::io::stderr);
        // A second start (in tests) changes nothing.
        let _ = match format {
            LogFormat::Text => log.try_init(),
            LogFormat::Json => log.json().flatten_event(true).try_init(),
        };
    }
}

/// The verbs.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make a new component, or a whole project, from a template
    New(cmd::new::Args),
    /// List the templates that `new --template` knows
    ListTemplates(cmd::list_examples::TemplateArgs),
    /// List the templates of Golem 1.1, which `new --example` knows
    ListExamples(cmd::list_examples::Args),
    /// Build, serve, deploy; and again after every change of a file
    Dev(cmd::dev::Args),
    /// Call a function of a worker of this project and wait for its result
    Invoke(cmd::invoke::Args),
    /// Talk to a worker of this project: a call on each line
    Repl(cmd::repl::Args),
    /// Build the component of this directory, or all components of the manifest
    Build(cmd::build::Args),
    /// Upload every component of the manifest: add it, or update it
    Deploy(cmd::deploy::Args),
    /// Let one component call another one: stub, WIT, import and golem.yaml in one step
    AddDependency(cmd::add_dependency::Args),
    /// Print what a worker of this project has written and logged
    Logs(cmd::logs::Args),
    /// Print what a worker of this project has done, entry by entry
    Oplog(cmd::oplog::Args),
    /// Print the calls that an invocation has made, across workers, with their times
    Trace(cmd::trace::Args),
    /// Generate guest-language bindings from WIT
    Bindings(cmd::bindings::Args),
    /// Put the Go SDK into a project, or refresh it
    Sdk(cmd::sdk::Args),
    /// Make and use RPC stubs, step by step
    Stubgen(cmd::stubgen::Args),
    /// Build a project as Golem 1.1 did, or take away what builds make
    App(cmd::app::Args),
    /// Upload, update, list and show components
    Component(cmd::component::Args),
    /// Create, call, watch and end workers
    Worker(cmd::worker::Args),
    /// Give and take the tokens that a server asks for
    Token(cmd::token::Args),
    /// Set and delete the secrets that components refer to
    Secret(cmd::secret::Args),
    /// Keep components apart, and let them call each other
    Namespace(cmd::namespace::Args),
    /// Complete promises of workers
    Promise(cmd::promise::Args),
    /// List, register and show plugins
    Plugin(cmd::plugin::Args),
    /// Definitions of HTTP APIs, of servers that have them
    ApiDefinition(cmd::api::DefinitionArgs),
    /// Where definitions of HTTP APIs are served, of servers that have them
    ApiDeployment(cmd::api::DeploymentArgs),
    /// Whom HTTP APIs ask who somebody is, of servers that have them
    ApiSecurityScheme(cmd::api::SchemeArgs),
    /// Show what a URN or URL names
    Get(cmd::get::Args),
    /// Keep the addresses of servers under names
    Profile(cmd::profile::Args),
    /// Make a profile for the server of this machine
    Init(cmd::profile::InitArgs),
    /// Print a completion script for a shell, or install it
    #[command(visible_alias = "completions")]
    Completion(cmd::completion::Args),
    /// Print manual pages, or write them
    Man(cmd::man::Args),
    /// Say what an error code means and what to do
    Explain(cmd::explain::Args),
    /// Show the help of a command, or a topic
    Help(cmd::help::Args),
    /// Check everything that building and calling need: server, Go, project, disk, limits
    Doctor(cmd::doctor::Args),
    /// Check the tools that building needs
    Diagnose(cmd::diagnose::Args),
    /// Write everything that a server keeps into a file, while it runs
    #[cfg(feature = "server")]
    Export(cmd::export::Args),
    /// Put everything that an export has into a server that has nothing yet
    #[cfg(feature = "server")]
    Import(cmd::import::Args),
    /// Run a server on this machine
    #[cfg(feature = "server")]
    Server(cmd::server::Args),
    /// Run the scenarios of a project: in the real engine, with crashes at every step
    #[cfg(feature = "server")]
    Test(cmd::test::Args),
}

/// The format that the raw words ask for, if it is one of JSON; needed for a usage error, when there are no parsed options.
pub(crate) fn json_format(words: impl Iterator<Item = OsString>) -> Option<Format> {
    let words: Vec<String> = words
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    words.iter().enumerate().find_map(|(at, word)| {
        let value = match word.as_str() {
            "-F" | "--format" => words.get(at + 1).map_or("", String::as_str),
            other => other
                .strip_prefix("--format=")
                .or_else(|| other.strip_prefix("-F"))
                .unwrap_or(""),
        };
        match value.trim_start_matches('=').to_lowercase().as_str() {
            "json" => Some(Format::Json),
            "jsonl" => Some(Format::Jsonl),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each(command: &clap::Command, path: &str, check: &mut dyn FnMut(&str, &clap::Command)) {
        check(path, command);
        for sub in command.get_subcommands() {
            each(sub, &format!("{path} {}", sub.get_name()), check);
        }
    }

    #[test]
    fn the_tree_is_sound() {
        use clap::CommandFactory as _;
        Args::command().debug_assert();
    }

    #[test]
    fn every_leaf_command_has_an_example_in_its_help() {
        use clap::CommandFactory as _;
        let mut without = Vec::new();
        each(&Args::command(), "golem-cli", &mut |path, command| {
            let help = command.clone().render_long_help().to_string();
            if !help.contains("Example") || !help.contains("golem-cli") {
                without.push(path.to_owned());
            }
        });
        assert!(
            without.is_empty(),
            "no example in the help of: {without:#?}"
        );
    }

    #[test]
    fn every_exit_code_is_in_the_help() {
        for (code, _) in crate::exit::TABLE {
            assert!(
                EXAMPLES.contains(&format!(" {code} ")),
                "exit code {code} is missing"
            );
            let readme = include_str!("../README.md");
            assert!(
                readme.contains(&format!("| {code} | ")),
                "exit code {code} is missing in README.md"
            );
        }
    }

    #[test]
    fn json_is_seen_in_raw_words() {
        let ask =
            |line: &str| json_format(line.split(' ').map(OsString::from)) == Some(Format::Json);
        assert!(
            ask("golem-cli --format json x")
                && ask("golem-cli x -F json")
                && ask("golem-cli --format=JSON")
        );
        assert!(ask("golem-cli -Fjson") && !ask("golem-cli --format yaml json"));
        let parsed =
            <Args as clap::Parser>::try_parse_from(["golem-cli", "list-examples", "-F", "json"])
                .unwrap();
        assert_eq!(parsed.global.format, Some(Format::Json));
    }
}
