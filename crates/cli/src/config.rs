// SPDX-License-Identifier: Apache-2.0
//! THE DESK / config: the file that keeps profiles. In `$GOLEM_CONFIG_DIR/config.json`, else `~/.golem/config.json`; out
//! profiles, and back, as one whole file. Never asks a server. Read next: `cmd/profile.rs`. Source: client spec §1.3.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

use golem_model::{Coded, Namespace};
use serde::{Deserialize, Serialize};

use crate::output::Format;

/// The whole file.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Config {
    /// Profiles by name.
    #[serde(default)]
    pub(crate) profiles: BTreeMap<String, Profile>,
    /// The one in use; the one called `default` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) active_profile: Option<String>,
    /// What other programs keep here.
    #[serde(flatten)]
    pub(crate) other: serde_json::Map<String, serde_json::Value>,
}

/// A profile. JSON: externally tagged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Profile {
    /// A server of the user.
    Golem(Server),
    /// A profile of the hosted service, which this program does not talk to; kept as it is.
    GolemCloud(serde_json::Value),
}

/// The address of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Server {
    /// Its URL.
    pub(crate) url: String,
    /// Where requests about workers go, if not to `url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) worker_url: Option<String>,
    /// Whether any certificate is believed at both addresses; `--ca-file` is stronger.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) allow_insecure: bool,
    /// The namespace to act in there. An addition to the file of 1.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) namespace: Option<Namespace>,
    /// How it is talked to.
    #[serde(default)]
    pub(crate) config: ProfileConfig,
}

/// Settings of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct ProfileConfig {
    /// How data is printed without `--format`.
    pub(crate) default_format: StoredFormat,
}

/// A format as the file writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
pub(crate) enum StoredFormat {
    /// For people.
    #[default]
    Text,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

impl From<StoredFormat> for Format {
    fn from(format: StoredFormat) -> Self {
        match format {
            StoredFormat::Text => Self::Text,
            StoredFormat::Json => Self::Json,
            StoredFormat::Yaml => Self::Yaml,
        }
    }
}

impl std::fmt::Display for StoredFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Yaml => "yaml",
        })
    }
}

/// Errors of the file and of profiles.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// There is no home directory to keep it in.
    #[error("no directory for the configuration: neither GOLEM_CONFIG_DIR nor HOME is set")]
    NoHome,
    /// The file cannot be read or written.
    #[error("cannot {verb} the configuration `{path}`")]
    Io {
        /// `read` or `write`.
        verb: &'static str,
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not a configuration.
    #[error("the configuration `{path}` cannot be understood")]
    Parse {
        /// The file.
        path: String,
        /// Why.
        source: serde_json::Error,
    },
    /// No profile has the name.
    #[error("Profile {name} not found")]
    NotFound {
        /// The name.
        name: String,
        /// The name that is most like it.
        suggestion: Option<String>,
    },
    /// The profile in use cannot be removed.
    #[error("Can't remove active profile {0}")]
    Active(String),
    /// A word that names no format of a profile.
    #[error("`{0}` is not a format that a profile keeps")]
    Format(String),
    /// A profile of the hosted service has no settings here.
    #[error("profile {0} is one of the hosted service, which this program does not talk to")]
    Cloud(String),
}

impl Coded for ConfigError {
    fn code(&self) -> &'static str {
        match self {
            Self::NoHome => "PRF-001",
            Self::Io { .. } => "PRF-002",
            Self::Parse { .. } => "PRF-003",
            Self::NotFound { .. } => "PRF-004",
            Self::Active(_) => "PRF-005",
            Self::Cloud(_) => "PRF-006",
            Self::Format(_) => "PRF-007",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoHome => "export GOLEM_CONFIG_DIR=$PWD/.golem".to_owned(),
            Self::Io { path, .. } => format!("check the permissions: ls -l {path}"),
            Self::Parse { path, .. } => {
                format!("mend it, or move it away: mv {path} {path}.broken")
            }
            Self::NotFound {
                suggestion: Some(name),
                ..
            } => format!("did you mean `{name}`?"),
            Self::NotFound { .. } => "golem-cli profile list".to_owned(),
            Self::Format(_) => "write text, json or yaml".to_owned(),
            Self::Active(_) => "switch to another first: golem-cli profile switch NAME".to_owned(),
            Self::Cloud(_) => {
                "make another: golem-cli profile add NAME --component-url http://localhost:9881"
                    .to_owned()
            }
        })
    }
}

impl Config {
    /// The file's path.
    pub(crate) fn path() -> Result<PathBuf, ConfigError> {
        let set = |name: &str| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let dir = set("GOLEM_CONFIG_DIR").or_else(|| set("HOME").map(|home| home.join(".golem")));
        Ok(dir.ok_or(ConfigError::NoHome)?.join("config.json"))
    }

    /// Reads the file; no file is an empty configuration. Errors: `Io`, `Parse`.
    pub(crate) fn load() -> Result<Self, ConfigError> {
        let Ok(path) = Self::path() else {
            return Ok(Self::default());
        };
        let shown = path.display().to_string();
        match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|source| ConfigError::Parse {
                path: shown,
                source,
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(ConfigError::Io {
                verb: "read",
                path: shown,
                source,
            }),
        }
    }

    /// Writes the file: all of it or nothing. Errors: `NoHome`, `Io`.
    pub(crate) fn save(&self) -> Result<(), ConfigError> {
        let path = Self::path()?;
        let shown = path.display().to_string();
        let io = |source| ConfigError::Io {
            verb: "write",
            path: shown.clone(),
            source,
        };
        let dir = path.parent().ok_or(ConfigError::NoHome)?;
        std::fs::create_dir_all(dir).map_err(io)?;
        let temporary = path.with_extension(format!("json.{}", std::process::id()));
        let text = crate::output::json(self);
        let write = || {
            let mut file = std::fs::File::create(&temporary)?;
            file.write_all(text.as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            std::fs::rename(&temporary, &path)
        };
        write().map_err(|error| {
            let _ = std::fs::remove_file(&temporary);
            io(error)
        })
    }

    /// Name of the profile in use, if that profile is there.
    pub(crate) fn active(&self) -> Option<&str> {
        let name = self.active_profile.as_deref().unwrap_or("default");
        self.profiles
            .get_key_value(name)
            .map(|(name, _)| name.as_str())
    }

    /// The profile with this name. Errors: `NotFound`.
    pub(crate) fn profile(&self, name: &str) -> Result<&Profile, ConfigError> {
        self.profiles.get(name).ok_or_else(|| self.not_found(name))
    }

    /// The failure for a name that no profile has.
    pub(crate) fn not_found(&self, name: &str) -> ConfigError {
        let known = self.profiles.keys().map(String::as_str);
        let suggestion = golem_model::suggest::closest(name, known).map(str::to_owned);
        ConfigError::NotFound {
            name: name.to_owned(),
            suggestion,
        }
    }

    /// How the active profile wants data to be printed.
    pub(crate) fn format(&self) -> Option<Format> {
        match self.profiles.get(self.active()?)? {
            Profile::Golem(server) => Some(server.config.default_format.into()),
            Profile::GolemCloud(_) => None,
        }
    }

    /// The server of the active profile, and where its address comes from.
    pub(crate) fn server(&self) -> Option<(&Server, String)> {
        let name = self.active()?;
        match self.profiles.get(name)? {
            Profile::Golem(server) => Some((server, format!("from profile {name}"))),
            Profile::GolemCloud(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_the_original_is_read_and_kept() {
        let text = r#"{"profiles":{"cloud":{"GolemCloud":{"auth":1}},"default":{"Golem":{"url":"http://localhost:9881/",
            "allow_insecure":true,"config":{"default_format":"Text"}}}},"active_profile":"default",
            "active_cloud_profile":"cloud"}"#;
        let config: Config = serde_json::from_str(text).unwrap();
        let plain: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_value(&config).unwrap(), plain);
        let (server, origin) = config.server().unwrap();
        assert_eq!(
            (server.url.as_str(), origin.as_str()),
            ("http://localhost:9881/", "from profile default")
        );
    }

    #[test]
    fn without_a_profile_there_is_no_address() {
        assert_eq!(Config::default().server(), None);
        let config = Config {
            active_profile: Some("gone".into()),
            ..Config::default()
        };
        assert_eq!((config.active(), config.server()), (None, None));
        assert_eq!(config.profile("gone").unwrap_err().code(), "PRF-004");
    }
}
