// SPDX-License-Identifier: Apache-2.0
//! THE DESK / repl: a session with a worker: calls of its functions, one on each line. In lines of a person or of a pipe, out results.
//! A person gets a prompt, completion and history; a pipe gets results only, and the first failure ends it. Read next:
//! `repl/line.rs` (what a line says), `repl/editor.rs`. Exit codes: the finer ones.

mod editor;
mod line;

use std::io::{BufRead as _, IsTerminal as _};

use clap::ValueEnum as _;
use golem_client::{Client, Page, Target};
use golem_model::component::{Component, ComponentType};
use golem_model::function::spoken;
use golem_model::types::functions;
use golem_model::urn::ComponentRef;
use golem_model::{OplogIndex, WorkerId};

use self::editor::{Editor, Known, Wrote};
pub(crate) use self::line::LineError;
use self::line::{COMMANDS, Call, Command, Line};
use super::invoke::{DEFAULT_WORKER, of_project};
use super::logs::so_far;
use super::worker::connect::{LineArgs, beside};
use super::worker::invoke::{prepare_for, print};
use super::worker::oplog::What;
use super::worker::params::ParamArgs;
use super::worker::{show, suggested};
use crate::args::Global;
use crate::config::Config;
use crate::connection;
use crate::error::{Failure, Outcome};
use crate::exit;
use crate::output::{Format, Out};
use crate::view::table;

/// Workers whose names are completed: more would not be looked through.
const WORKERS_MAX: u64 = 200;

/// Options of `repl`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  golem-cli repl
  golem-cli repl --component-name counter --worker-name w1
  printf 'add(3)\\nget\\n' | golem-cli --format jsonl repl --component-name counter

In the session: NAME(WAVE, WAVE) or NAME [JSON, JSON] calls a function; :help shows the rest")]
pub(crate) struct Args {
    /// The component [default: the one of golem.yaml if there is one only, else the one of this directory]
    #[arg(short = 'c', long, value_name = "NAME")]
    component_name: Option<String>,
    /// The worker
    #[arg(short = 'w', long, value_name = "NAME", default_value = DEFAULT_WORKER)]
    worker_name: String,
}

/// Whether the session goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    On,
    End,
}

/// A session.
struct Session<'a> {
    client: &'a Client,
    component: Component,
    worker: String,
    out: Out,
    known: Known,
}

/// Reads lines until there are no more.
pub(crate) fn run(args: Args, global: &Global, out: &Out) -> Outcome {
    let name = match args.component_name {
        Some(name) => name,
        None => of_project()?,
    };
    let client = connection::client(global)?;
    let component = client.find(&ComponentRef::Name(name))?;
    let mut session = Session {
        client: &client,
        component,
        worker: args.worker_name,
        out: *out,
        known: Known::default(),
    };
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        session.learn();
        session.talk()
    } else {
        session.listen()
    }
}

impl Session<'_> {
    /// With a person.
    fn talk(&mut self) -> Outcome {
        self.out
            .note("calls are NAME(WAVE, …); :help shows the rest, Ctrl-D ends");
        let history = Config::path()
            .ok()
            .map(|path| path.with_file_name("repl_history"));
        let mut editor = Editor::new(history).map_err(|source| LineError::Terminal { source })?;
        loop {
            let prompt = format!("{}> ", self.shown());
            match editor.line(&prompt, &self.known) {
                Wrote::Line(line) => match self.line(&line) {
                    Ok(Next::On) => {}
                    Ok(Next::End) => break,
                    Err(failure) => self.out.failure(&failure),
                },
                Wrote::Nothing => {}
                Wrote::End => break,
            }
        }
        editor.keep();
        Ok(())
    }

    /// With a pipe: a script that went on after a failed call could do damage.
    fn listen(&mut self) -> Outcome {
        let mut text = String::new();
        for line in std::io::stdin().lock().lines() {
            text.push_str(&line.map_err(|source| LineError::Terminal { source })?);
            if line::is_open(&text) {
                text.push('\n');
                continue;
            }
            if self.line(&std::mem::take(&mut text))? == Next::End {
                return Ok(());
            }
        }
        // What is left is a line whose brackets nobody closed.
        self.line(&text).map(drop)
    }

    fn line(&mut self, text: &str) -> Result<Next, Failure> {
        let line = line::read(text).map_err(Failure::exit_with(exit::USAGE))?;
        let client = self.client;
        match line {
            Line::Nothing => Ok(Next::On),
            Line::Call(call) => self.call(call).map(|()| Next::On),
            Line::Command(command, rest) => self.command(command, &rest),
        }
        .map_err(|failure| suggested(failure, client))
    }

    fn call(&mut self, call: Call) -> Outcome {
        let params = ParamArgs::new(call.wave, call.json);
        let target = self.target();
        let call = prepare_for(target.clone(), &call.function, &params, self.client)?;
        let send = || call.send(None, None, self.client).map_err(Failure::from);
        let result = match &target {
            Target::Worker(worker) if self.out.is_text() => {
                let lines = LineArgs::plain();
                beside(worker, lines, self.client, &self.out, send)?
            }
            _ => send()?,
        };
        print(&result, &self.out);
        if !self.known.workers.contains(&self.worker) {
            self.known.workers.push(self.worker.clone());
        }
        Ok(())
    }

    fn command(&mut self, command: Command, rest: &str) -> Result<Next, Failure> {
        match command {
            Command::Quit => return Ok(Next::End),
            Command::Help => {
                let row = |(name, behind, about, _): &(&str, &str, &str, Command)| {
                    vec![
                        format!(":{name} {behind}").trim().to_owned(),
                        (*about).to_owned(),
                    ]
                };
                let call = [
                    "NAME(WAVE, WAVE)",
                    "call a function; NAME [JSON, JSON] does the same",
                ];
                let rows = std::iter::once(call.map(str::to_owned).to_vec());
                self.out.data(&table(
                    &["Line", "What it does"],
                    rows.chain(COMMANDS.iter().map(row)),
                ));
            }
            Command::Functions => {
                let signatures: Vec<String> = functions(&self.component.metadata.exports)
                    .map(|function| function.signature())
                    .collect();
                self.out.view(&signatures, |list| {
                    list.iter().map(|line| format!("{line}\n")).collect()
                });
            }
            Command::Format => {
                self.out.format = Format::from_str(rest, true).map_err(|_| LineError::Word {
                    command: "format",
                    found: rest.to_owned(),
                    expected: "text, json, yaml or jsonl".to_owned(),
                })?;
            }
            Command::Component => {
                if rest.is_empty() {
                    return Err(LineError::Word {
                        command: "component",
                        found: String::new(),
                        expected: "NAME".to_owned(),
                    }
                    .into());
                }
                let name = ComponentRef::Name(rest.to_owned());
                self.component = self.client.find(&name)?;
                self.learn();
            }
            Command::Worker if rest.is_empty() => {
                show(&self.worker_id(), self.client, &self.out)?;
            }
            Command::Worker => rest.clone_into(&mut self.worker),
            Command::Workers => {
                self.learn();
                self.out.view(&self.known.workers, |names| {
                    names.iter().map(|name| format!("{name}\n")).collect()
                });
            }
            Command::Logs => {
                let lines = LineArgs::plain();
                so_far(&self.worker_id(), OplogIndex(1), self.client, |line| {
                    lines.show(line, &self.out);
                })?;
            }
            Command::Oplog => {
                let query = Some(rest.to_owned()).filter(|rest| !rest.is_empty());
                What::of(query).show(&self.worker_id(), self.client, &self.out)?;
            }
        }
        Ok(Next::On)
    }

    fn worker_id(&self) -> WorkerId {
        let component = self.component.versioned_component_id.component_id;
        WorkerId::new(component, self.worker.as_str())
    }

    fn target(&self) -> Target {
        match self.component.component_type {
            ComponentType::Durable => Target::Worker(self.worker_id()),
            ComponentType::Ephemeral => {
                Target::Unnamed(self.component.versioned_component_id.component_id)
            }
        }
    }

    /// `counter/main`
    fn shown(&self) -> String {
        match self.component.component_type {
            ComponentType::Durable => format!("{}/{}", self.component.component_name, self.worker),
            ComponentType::Ephemeral => self.component.component_name.clone(),
        }
    }

    /// Finds out what can be completed. What a server does not say is not completed.
    fn learn(&mut self) {
        let exports = &self.component.metadata.exports;
        let all: Vec<_> = functions(exports)
            .map(|found| {
                let params: Vec<String> = found
                    .function
                    .parameters
                    .iter()
                    .map(|parameter| format!("{}: {}", parameter.name, parameter.typ))
                    .collect();
                let short = spoken(&found.function.name).into_owned();
                (short, found.name(), params.join(", "))
            })
            .collect();
        let is_clear = |short: &str| all.iter().filter(|(other, ..)| other == short).count() == 1;
        self.known.functions = all
            .iter()
            .map(|(short, full, params)| {
                let name = if is_clear(short) { short } else { full };
                (name.clone(), params.clone())
            })
            .collect();
        let page = Page {
            count: Some(WORKERS_MAX),
            ..Page::default()
        };
        let id = self.component.versioned_component_id.component_id;
        let workers = self.client.workers(id, &page);
        self.known.workers = workers.map_or_else(
            |_| Vec::new(),
            |page| {
                page.workers
                    .into_iter()
                    .map(|worker| worker.worker_id.worker_name)
                    .collect()
            },
        );
        let components = self.client.components(None).unwrap_or_default();
        self.known.components = components
            .into_iter()
            .map(|component| component.component_name)
            .collect();
        self.known.components.sort();
        self.known.components.dedup();
    }
}
