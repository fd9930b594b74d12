// SPDX-License-Identifier: Apache-2.0
//! THE DESK / token: gives and takes the tokens that a server asks for. In names and roles; out tokens, the secret once.
//! Read next: golem-server `access.rs`.

use std::str::FromStr;

use golem_model::api::{BadRole, Role, Roles, TokenId, TokenInfo, TokenRequest};
use golem_model::namespace::BadNamespace;
use golem_model::{Coded, Namespace};

use crate::args::Global;
use crate::connection;
use crate::error::Outcome;
use crate::output::Out;
use crate::view::{moment, table};

/// Options of `token`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// What to do with tokens.
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "Examples:
  golem-cli token add --name ci --role deployer --expires-in 90d
  golem-cli token add --name team-a --role team-a=owner --role shared=invoker
  golem-cli token list
  GOLEM_TOKEN=$(cat token) golem-cli token who";

/// What to do with tokens.
#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Make a token and print it; it is not shown again
    #[command(after_help = "Example:\n  golem-cli token add --name ci --role deployer > ci.token")]
    Add(Add),
    /// List tokens, without their secrets
    #[command(after_help = "Example:\n  golem-cli token list")]
    List,
    /// Take a token back, at once and for ever
    #[command(
        after_help = "Example:\n  golem-cli token revoke 8e0b4b8c-14a8-4b6e-9d3f-0123456789ab"
    )]
    Revoke(Revoke),
    /// Show whom the server sees
    #[command(after_help = "Example:\n  golem-cli token who")]
    Who,
}

/// Options of `token add`.
#[derive(Debug, clap::Args)]
struct Add {
    /// Who or what it is for
    #[arg(long)]
    name: String,
    /// What its bearer may do: viewer, invoker, deployer or owner, each also what those before it may; in one namespace with
    /// NAMESPACE=ROLE, which may be given several times, else in all of them
    #[arg(long, value_name = "[NAMESPACE=]ROLE", required = true)]
    role: Vec<RoleAt>,
    /// How long it holds, such as 90d [default: for ever]
    #[arg(long, value_name = "DURATION")]
    expires_in: Option<String>,
}

/// A role, and where.
#[derive(Debug, Clone)]
struct RoleAt {
    namespace: Option<Namespace>,
    role: Role,
}

impl FromStr for RoleAt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let said = |error: &dyn Coded| match error.hint() {
            Some(hint) => format!("{error}: {hint}"),
            None => error.to_string(),
        };
        let (namespace, role) = match text.split_once('=') {
            Some((namespace, role)) => (
                Some(
                    namespace
                        .parse()
                        .map_err(|error: BadNamespace| said(&error))?,
                ),
                role,
            ),
            None => (None, text),
        };
        let role = role.parse().map_err(|error: BadRole| said(&error))?;
        Ok(Self { namespace, role })
    }
}

/// Options of `token revoke`.
#[derive(Debug, clap::Args)]
struct Revoke {
    /// Its id, as `token list` shows it
    id: TokenId,
}

/// Runs the verb.
pub(crate) fn run(args: Args, global: &Global, out: &Out) -> Outcome {
    let client = connection::client(global)?;
    match args.verb {
        Verb::Add(add) => {
            let mut roles = Roles::default();
            for RoleAt { namespace, role } in add.role {
                match namespace {
                    Some(namespace) => drop(roles.namespaces.insert(namespace, role)),
                    None => roles.role = Some(role),
                }
            }
            let made = client.add_token(&TokenRequest {
                name: add.name,
                role: roles.role,
                namespaces: roles.namespaces,
                expires_in: add.expires_in,
            })?;
            out.note(&format!("the token {} is not shown again", made.info.id));
            out.view(&made, |made| made.token.clone());
        }
        Verb::List => out.view(&client.tokens()?, |tokens| list(tokens)),
        Verb::Revoke(revoke) => {
            let revoked = client.revoke_token(revoke.id)?;
            out.view(&revoked, |revoked| format!("Revoked {}", revoked.name));
        }
        Verb::Who => out.view(&client.who_am_i()?, |who| match &who.name {
            Some(name) => format!("{name} ({})", who.roles),
            None => "nobody: this server asks for no token".to_owned(),
        }),
    }
    Ok(())
}

fn list(tokens: &[TokenInfo]) -> String {
    let rows = tokens.iter().map(|token| {
        let state = match (token.revoked_at, token.expires_at) {
            (Some(at), _) => format!("revoked {}", moment(at)),
            (None, Some(at)) => format!("until {}", moment(at)),
            (None, None) => "holds".to_owned(),
        };
        vec![
            token.id.to_string(),
            token.name.clone(),
            token.roles.to_string(),
            moment(token.created_at),
            state,
        ]
    });
    table(&["Id", "Name", "Roles", "Created at", "State"], rows)
}
