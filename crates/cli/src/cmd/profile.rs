// SPDX-License-Identifier: Apache-2.0
//! THE DESK / profile: keeps the addresses of servers under names. In options, out the changed file or a view of it.
//! Never talks to a server. Read next: `config.rs`. Source: client spec §1.3.

use golem_client::{Client, DEFAULT_URL, Trust};
use golem_model::Namespace;
use serde::Serialize;

use super::classic::classic;
use crate::config::{Config, ConfigError, Profile, ProfileConfig, Server, StoredFormat};
use crate::error::Outcome;
use crate::output::{Answer, Out};

/// Options of `profile`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  golem-cli profile add --set-active staging --component-url http://staging:9881

Exit codes of this command: 0 ok, 1 failed, 2 wrong command line")]
pub(crate) struct Args {
    /// What to do with profiles.
    #[command(subcommand)]
    verb: Verb,
}

/// What to do with profiles.
#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Keep the address of a server under a name
    #[command(
        after_help = "Example:\n  golem-cli profile add --set-active staging --component-url http://staging:9881"
    )]
    Add(Add),
    /// Make a profile, asking at a terminal for what is not said
    #[command(
        after_help = "Examples:\n  golem-cli profile init staging\n  golem-cli profile init staging --component-url http://staging:9881 --set-active"
    )]
    Init(Init),
    /// List profiles; a star stands before the one in use
    #[command(
        visible_alias = "ls",
        after_help = "Example:\n  golem-cli profile list"
    )]
    List,
    /// Use another profile from now on
    #[command(after_help = "Example:\n  golem-cli profile switch staging")]
    Switch(Named),
    /// Show a profile: the one in use, or another
    #[command(after_help = "Example:\n  golem-cli profile get staging")]
    Get(Maybe),
    /// Remove a profile
    #[command(
        visible_alias = "rm",
        after_help = "Example:\n  golem-cli profile delete staging"
    )]
    Delete(Named),
    /// Show or change the settings of a profile
    #[command(after_help = "Example:\n  golem-cli profile config --profile staging format json")]
    Config(Settings),
}

/// Options of `profile add`.
#[derive(Debug, clap::Args)]
struct Add {
    /// Name of the profile
    name: String,
    /// Use it from now on
    #[arg(short, long)]
    set_active: bool,
    /// The server's address
    #[arg(short, long, value_name = "URL")]
    component_url: String,
    /// Where requests about workers go [default: to the server's address]
    #[arg(short, long, value_name = "URL")]
    worker_url: Option<String>,
    /// The namespace to act in there [default: none is named]
    #[arg(long, value_name = "NAMESPACE")]
    in_namespace: Option<Namespace>,
    /// Believe any certificate there, and warn of it at each command; --ca-file FILE is better
    #[arg(short, long)]
    allow_insecure: bool,
    /// How data is printed by default
    #[arg(short = 'f', long, value_enum, ignore_case = true, default_value_t = StoredFormat::Text)]
    default_format: StoredFormat,
}

/// Options of `profile init`.
#[derive(Debug, clap::Args)]
struct Init {
    /// Name of the profile
    name: String,
    #[command(flatten)]
    wishes: Wishes,
}

/// What a profile that is made by questions shall be; at a terminal, what is not here is asked for.
#[derive(Debug, clap::Args)]
struct Wishes {
    /// The server's address [default: http://localhost:9881]
    #[arg(short, long, value_name = "URL")]
    component_url: Option<String>,
    /// How data is printed by default [default: text]
    #[arg(short = 'f', long, value_enum, ignore_case = true)]
    default_format: Option<StoredFormat>,
    /// Use it from now on [default of `init`: yes]
    #[arg(short, long)]
    set_active: bool,
}

/// A profile.
#[derive(Debug, clap::Args)]
struct Named {
    /// Name of the profile
    name: String,
}

/// A profile, or the one in use.
#[derive(Debug, clap::Args)]
struct Maybe {
    /// Name of the profile [default: the one in use]
    name: Option<String>,
}

/// Options of `profile config`.
#[derive(Debug, clap::Args)]
struct Settings {
    /// Name of the profile [default: the one in use]
    #[arg(short, long, value_name = "NAME")]
    profile: Option<String>,
    /// What to do with the settings.
    #[command(subcommand)]
    verb: SettingsVerb,
}

/// What to do with the settings.
#[derive(Debug, clap::Subcommand)]
enum SettingsVerb {
    /// Show them
    #[command(after_help = "Example:\n  golem-cli profile config show")]
    Show,
    /// Change how data is printed by default
    #[command(after_help = "Example:\n  golem-cli profile config format json")]
    Format {
        /// The format
        #[arg(value_enum, ignore_case = true)]
        default_format: StoredFormat,
    },
}

/// Options of `init`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  golem-cli init

Exit codes of this command: 0 ok, 1 failed, 2 wrong command line")]
pub(crate) struct InitArgs {
    #[command(flatten)]
    wishes: Wishes,
}

/// A profile as JSON and YAML show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct ProfileView {
    is_active: bool,
    name: String,
    typ: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    worker_url: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    allow_insecure: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<Namespace>,
    config: ProfileConfig,
}

impl ProfileView {
    fn new(name: &str, profile: &Profile, active: Option<&str>) -> Self {
        let (is_active, name) = (active == Some(name), name.to_owned());
        match profile {
            Profile::Golem(server) => Self {
                is_active,
                name,
                typ: "Golem",
                url: Some(server.url.clone()),
                worker_url: server.worker_url.clone(),
                allow_insecure: server.allow_insecure,
                namespace: server.namespace.clone(),
                config: server.config,
            },
            Profile::GolemCloud(_) => Self {
                is_active,
                name,
                typ: "GolemCloud",
                url: None,
                worker_url: None,
                allow_insecure: false,
                namespace: None,
                config: ProfileConfig::default(),
            },
        }
    }

    fn text(&self) -> String {
        let mut text = format!("Profile {} ({})\n", self.name, self.typ);
        let mut line = |label: &str, value: &str| text.push_str(&format!("  {label:15} {value}\n"));
        line("Active:", if self.is_active { "yes" } else { "no" });
        if let Some(url) = &self.url {
            line("URL:", url);
        }
        if let Some(url) = &self.worker_url {
            line("Worker URL:", url);
        }
        if self.allow_insecure {
            line("Allow insecure:", "yes");
        }
        if let Some(namespace) = &self.namespace {
            line("Namespace:", namespace.as_str());
        }
        line("Default format:", &self.config.default_format.to_string());
        text
    }
}

/// Runs the verb.
pub(crate) fn run(args: Args, out: &Out) -> Outcome {
    classic(dispatch(args.verb, out))
}

fn dispatch(verb: Verb, out: &Out) -> Outcome {
    let mut config = Config::load()?;
    match verb {
        Verb::Add(add) => {
            // Making a client checks an address.
            Client::new(&add.component_url, "from --component-url", Trust::Web)?;
            if let Some(url) = &add.worker_url {
                Client::new(url, "from --worker-url", Trust::Web)?;
            }
            let server = Server {
                url: add.component_url,
                worker_url: add.worker_url,
                allow_insecure: add.allow_insecure,
                namespace: add.in_namespace,
                config: ProfileConfig {
                    default_format: add.default_format,
                },
            };
            if add.set_active {
                config.active_profile = Some(add.name.clone());
            }
            config.profiles.insert(add.name, Profile::Golem(server));
            config.save()?;
            out.data("Profile created");
        }
        Verb::Init(args) => {
            let switch = args.wishes.set_active || {
                let question = format!("Use the profile {} from now on?", args.name);
                out.ask(&question) == Answer::Yes
            };
            args.wishes.make(&mut config, &args.name, switch, out)?;
        }
        Verb::List => {
            let active = config.active();
            let view =
                |(name, profile): (&String, &Profile)| ProfileView::new(name, profile, active);
            let views: Vec<ProfileView> = config.profiles.iter().map(view).collect();
            out.view(&views, |views| {
                let line = |view: &ProfileView| {
                    format!(
                        " {} {}\n",
                        if view.is_active { '*' } else { ' ' },
                        view.name
                    )
                };
                if views.is_empty() {
                    return "No profiles.\n".to_owned();
                }
                views.iter().map(line).collect()
            });
        }
        Verb::Switch(Named { name }) => {
            config.profile(&name)?;
            config.active_profile = Some(name.clone());
            config.save()?;
            out.data(&format!("Switched to profile {name}"));
        }
        Verb::Get(Maybe { name }) => {
            let name = chosen(&config, name)?;
            let view = ProfileView::new(&name, config.profile(&name)?, config.active());
            out.view(&view, ProfileView::text);
        }
        Verb::Delete(Named { name }) => {
            config.profile(&name)?;
            if config.active() == Some(name.as_str()) {
                return Err(ConfigError::Active(name).into());
            }
            config.profiles.remove(&name);
            config.save()?;
            out.data("Profile removed");
        }
        Verb::Config(Settings { profile, verb }) => {
            let name = chosen(&config, profile)?;
            let unknown = config.not_found(&name);
            match (config.profiles.get_mut(&name), verb) {
                (None, _) => return Err(unknown.into()),
                (Some(Profile::GolemCloud(_)), _) => return Err(ConfigError::Cloud(name).into()),
                (Some(Profile::Golem(server)), SettingsVerb::Show) => {
                    let settings = server.config;
                    out.view(&settings, |settings| {
                        format!("Default format: {}\n", settings.default_format)
                    });
                }
                (Some(Profile::Golem(server)), SettingsVerb::Format { default_format }) => {
                    server.config.default_format = default_format;
                    config.save()?;
                    out.data("Default format updated");
                }
            }
        }
    }
    Ok(())
}

/// The profile that was named, else the one in use.
fn chosen(config: &Config, name: Option<String>) -> Result<String, ConfigError> {
    let name = name.or_else(|| config.active().map(str::to_owned));
    name.ok_or_else(|| config.not_found(config.active_profile.as_deref().unwrap_or("default")))
}

/// Makes the profile `default` and uses it, if no profile is in use.
pub(crate) fn init(args: &InitArgs, out: &Out) -> Outcome {
    let make = || {
        let mut config = Config::load()?;
        if let Some(name) = config.active() {
            out.data(&format!("Profile {name} is in use already"));
            return Ok(());
        }
        args.wishes.make(&mut config, "default", true, out)
    };
    classic(make())
}

impl Wishes {
    /// Makes the profile, and asks a person at a terminal for what is not said; nobody else is asked, and gets the defaults.
    fn make(&self, config: &mut Config, name: &str, switch: bool, out: &Out) -> Outcome {
        let asked = |prompt: String| {
            let answer = if out.yes { None } else { out.read(&prompt) };
            answer.filter(|answer| !answer.is_empty())
        };
        let (url, origin) = match &self.component_url {
            Some(url) => (url.clone(), "from --component-url"),
            None => (
                asked(format!("Address of the server [{DEFAULT_URL}]:"))
                    .unwrap_or_else(|| DEFAULT_URL.to_owned()),
                "as you wrote it",
            ),
        };
        Client::new(&url, origin, Trust::Web)?;
        let default_format = match self.default_format {
            Some(format) => format,
            None => match asked("Print data as text, json or yaml [text]:".to_owned()) {
                Some(word) => <StoredFormat as clap::ValueEnum>::from_str(&word, true)
                    .map_err(|_| ConfigError::Format(word))?,
                None => StoredFormat::Text,
            },
        };
        let server = Server {
            url,
            worker_url: None,
            allow_insecure: false,
            namespace: None,
            config: ProfileConfig { default_format },
        };
        config
            .profiles
            .insert(name.to_owned(), Profile::Golem(server));
        if switch {
            config.active_profile = Some(name.to_owned());
        }
        config.save()?;
        out.data("Profile created");
        Ok(())
    }
}
