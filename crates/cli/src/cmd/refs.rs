// SPDX-License-Identifier: Apache-2.0
//! THE DESK / refs: the options that name a component or a worker, the same for all verbs. In options, out ids.
//! Read next: `component.rs`, `worker.rs`. Source: client spec §6.1.

use std::str::FromStr;

use golem_client::{Client, Target};
use golem_model::urn::{ComponentRef, ComponentUrn, UrnError, WorkerUrn};
use golem_model::{Coded, WorkerId};

use crate::error::Failure;
use crate::exit;

/// Names a component.
#[derive(Debug, Clone, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct ComponentArgs {
    /// The component as URN or URL: urn:component:UUID, component:///NAME
    #[arg(short = 'C', long, value_name = "URI")]
    component: Option<String>,
    /// The component by name
    #[arg(short = 'c', long, value_name = "NAME")]
    component_name: Option<String>,
}

impl ComponentArgs {
    /// What was named, with the version that a URI may have. Errors: a text that is no URN or URL of a component.
    pub(crate) fn urn(&self) -> Result<ComponentUrn, Failure> {
        match &self.component {
            Some(uri) => named(uri),
            // Exactly one of the two options is there.
            None => {
                let name = self.component_name.clone().unwrap_or_default();
                Ok(ComponentUrn {
                    component: ComponentRef::Name(name),
                    version: None,
                })
            }
        }
    }
}

/// Reads a URN or URL of the command line. Errors: exit code `USAGE`.
pub(crate) fn named<T: FromStr<Err = UrnError>>(uri: &str) -> Result<T, Failure> {
    uri.parse().map_err(Failure::exit_with(exit::USAGE))
}

/// Names a worker.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct WorkerArgs {
    /// The worker as URN or URL: urn:worker:UUID/NAME, worker:///COMPONENT-NAME/NAME
    #[arg(short = 'W', long, value_name = "URI", required_unless_present_any = ["component", "component_name"],
        conflicts_with_all = ["component", "component_name", "worker_name"])]
    worker: Option<String>,
    /// Its component as URN or URL
    #[arg(
        short = 'C',
        long,
        value_name = "URI",
        conflicts_with = "component_name",
        requires = "worker_name"
    )]
    component: Option<String>,
    /// Its component by name
    #[arg(short = 'c', long, value_name = "NAME", requires = "worker_name")]
    component_name: Option<String>,
    /// The worker by name
    #[arg(short = 'w', long, value_name = "NAME")]
    worker_name: Option<String>,
}

/// A worker without a name where one is needed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RefError {
    /// A URN of an ephemeral worker, for a verb that needs one that lasts.
    #[error("Must specify the worker's name: `{0}` has none")]
    NoName(String),
}

impl Coded for RefError {
    fn code(&self) -> &'static str {
        match self {
            Self::NoName(_) => "CLI-020",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoName(urn) => Some(format!("add it: {urn}/NAME")),
        }
    }
}

impl WorkerArgs {
    fn urn(&self) -> Result<WorkerUrn, Failure> {
        if let Some(uri) = &self.worker {
            return named(uri);
        }
        let component = match (&self.component, &self.component_name) {
            (Some(uri), _) => named::<ComponentUrn>(uri)?.component,
            (None, name) => ComponentRef::Name(name.clone().unwrap_or_default()),
        };
        Ok(WorkerUrn {
            component,
            worker_name: self.worker_name.clone(),
            function: None,
        })
    }

    /// What was named, as a URN or URL.
    pub(crate) fn shown(&self) -> Result<String, Failure> {
        self.urn().map(|urn| urn.to_string())
    }

    /// The target of an invocation; a component name is looked up.
    pub(crate) fn target(&self, client: &Client) -> Result<Target, Failure> {
        target(&self.urn()?, client)
    }

    /// The worker; a component name is looked up. Errors: `NoName`.
    pub(crate) fn worker(&self, client: &Client) -> Result<WorkerId, Failure> {
        worker(&self.urn()?, client)
    }
}

/// The target that a URN or URL names.
pub(crate) fn target(urn: &WorkerUrn, client: &Client) -> Result<Target, Failure> {
    let component = client.find_id(&urn.component)?;
    Ok(match &urn.worker_name {
        Some(name) => Target::Worker(WorkerId::new(component, name.as_str())),
        None => Target::Unnamed(component),
    })
}

/// The worker that a URN or URL names. Errors: `NoName`.
pub(crate) fn worker(urn: &WorkerUrn, client: &Client) -> Result<WorkerId, Failure> {
    if urn.worker_name.is_none() {
        return Err(RefError::NoName(urn.to_string()).into());
    }
    match target(urn, client)? {
        Target::Worker(worker) => Ok(worker),
        Target::Unnamed(_) => Err(RefError::NoName(urn.to_string()).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        worker: WorkerArgs,
    }

    /// `expect`: the URN, or the code of the error; none for a line that makes no command.
    #[track_caller]
    fn check(line: &str, expect: Option<&str>) {
        let words = std::iter::once("x").chain(line.split_whitespace());
        let urn = Line::try_parse_from(words).ok().map(|line| {
            line.worker
                .urn()
                .map_or_else(|failure| failure.problem.code, |urn| urn.to_string())
        });
        assert_eq!(urn.as_deref(), expect, "{line}");
    }

    #[test]
    fn a_worker_is_named_in_one_way() {
        let id = "0d8e3a5c-1b2f-4c3d-8e9f-a0b1c2d3e4f5";
        check(
            &format!("-W urn:worker:{id}/w"),
            Some(&format!("urn:worker:{id}/w")),
        );
        check(
            &format!("-W urn:worker:{id}"),
            Some(&format!("urn:worker:{id}")),
        );
        check(
            &format!("-C urn:component:{id} -w w"),
            Some(&format!("urn:worker:{id}/w")),
        );
        check("-c counter -w w", Some("worker:///counter/w"));
        check(
            "--component-name counter --worker-name w",
            Some("worker:///counter/w"),
        );
        check("-W worker:///counter/w", Some("worker:///counter/w"));
        check("-W nonsense", Some("URN-001"));
        check("-W component:///counter", Some("URN-009"));
        for line in [
            "",
            "-w w",
            "-c counter",
            "-W worker:///a/b -w w",
            "-c a -C component:///a -w w",
        ] {
            check(line, None);
        }
    }
}
