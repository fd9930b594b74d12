// SPDX-License-Identifier: Apache-2.0
//! THE DESK / namespace: keeps components apart, and lets them call each other. In names; out namespaces and grants.
//! Read next: golem-client `namespace.rs`. Why: ADR 0012.

use golem_model::api::{GrantId, GrantInfo, GrantRequest};
use golem_model::{ComponentId, Namespace};

use crate::args::Global;
use crate::connection;
use crate::error::Outcome;
use crate::output::Out;
use crate::view::{moment, table};

/// Options of `namespace`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// What to do with namespaces.
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "Examples:
  golem-cli namespace create team-a
  golem-cli token add --name ci-of-team-a --role team-a=deployer
  golem-cli --namespace team-a deploy
  golem-cli namespace grant team-a --caller team-b";

/// What to do with namespaces.
#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List the namespaces that the token is for
    #[command(
        visible_alias = "ls",
        after_help = "Example:\n  golem-cli namespace list"
    )]
    List,
    /// Make a namespace
    #[command(after_help = "Example:\n  golem-cli namespace create team-a")]
    Create(Named),
    /// Delete a namespace without components, and all grants and roles in it
    #[command(
        visible_alias = "rm",
        after_help = "Example:\n  golem-cli namespace delete team-a"
    )]
    Delete(Named),
    /// List who may call a namespace, and whom it may call
    #[command(after_help = "Example:\n  golem-cli namespace grants team-a")]
    Grants(Named),
    /// Let workers of another namespace call workers of this one, at once
    #[command(
        after_help = "Examples:\n  golem-cli namespace grant team-a --caller team-b\n  golem-cli namespace grant team-a --caller team-b --component 8e0b4b8c-14a8-4b6e-9d3f-0123456789ab"
    )]
    Grant(Grant),
    /// Take a grant back, at once
    #[command(
        after_help = "Example:\n  golem-cli namespace revoke team-a 8e0b4b8c-14a8-4b6e-9d3f-0123456789ab"
    )]
    Revoke(Revoke),
}

/// A namespace.
#[derive(Debug, clap::Args)]
struct Named {
    /// Its name: lower-case letters, digits and `-`
    #[arg(value_name = "NAME")]
    called: Namespace,
}

/// Options of `namespace grant`.
#[derive(Debug, clap::Args)]
struct Grant {
    /// The namespace that is called
    target: Namespace,
    /// The namespace whose workers may call
    #[arg(long)]
    caller: Namespace,
    /// The id of the only component that they may call [default: every one]
    #[arg(long, value_name = "ID")]
    component: Option<ComponentId>,
}

/// Options of `namespace revoke`.
#[derive(Debug, clap::Args)]
struct Revoke {
    /// The namespace that is called
    target: Namespace,
    /// The id of the grant, as `namespace grants` shows it
    id: GrantId,
}

/// Runs the verb.
pub(crate) fn run(args: Args, global: &Global, out: &Out) -> Outcome {
    let client = connection::client(global)?;
    match args.verb {
        Verb::List => out.view(&client.namespaces()?, |list| {
            let rows = list.iter().map(|found| {
                let made = found.created_at.map_or_else(|| "always".to_owned(), moment);
                vec![found.name.to_string(), made]
            });
            table(&["Name", "Created at"], rows)
        }),
        Verb::Create(named) => {
            let made = client.create_namespace(named.called)?;
            out.view(&made, |made| format!("Created {}", made.name));
        }
        Verb::Delete(named) => {
            let deleted = client.delete_namespace(&named.called)?;
            out.view(&deleted, |deleted| format!("Deleted {}", deleted.name));
        }
        Verb::Grants(named) => out.view(&client.grants(&named.called)?, |grants| list(grants)),
        Verb::Grant(grant) => {
            let request = GrantRequest {
                caller: grant.caller,
                component: grant.component,
            };
            let given = client.grant(&grant.target, &request)?;
            out.view(&given, |given| {
                format!(
                    "Granted {}: {} may call {}",
                    given.id, given.caller, given.target
                )
            });
        }
        Verb::Revoke(revoke) => {
            let taken = client.revoke_grant(&revoke.target, revoke.id)?;
            out.view(&taken, |taken| format!("Revoked {}", taken.id));
        }
    }
    Ok(())
}

fn list(grants: &[GrantInfo]) -> String {
    let rows = grants.iter().map(|grant| {
        let component = grant.component;
        vec![
            grant.id.to_string(),
            grant.caller.to_string(),
            grant.target.to_string(),
            component.map_or_else(|| "every one".to_owned(), |id| id.to_string()),
            moment(grant.created_at),
        ]
    });
    table(&["Id", "Caller", "Target", "Component", "Created at"], rows)
}
