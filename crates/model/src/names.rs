// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / names: which names of workers and components REST accepts. In: text. Out: yes, or why not.
//! Never touches IO. Bound: [`NAME_CHARS_MAX`]. Read next: `urn.rs`. Source: client spec §6.7, §8.2 (5).

use crate::error::Coded;

/// Longest name of a worker or component, in characters: the limit of the 1.1 REST API.
pub const NAME_CHARS_MAX: usize = 100;

/// A name that REST refuses. Calls between workers may use any name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Empty, or longer than [`NAME_CHARS_MAX`].
    #[error(
        "Invalid worker name: Worker name must be between 1 and {NAME_CHARS_MAX} characters, `{shown}` has {chars}"
    )]
    Length {
        /// The start of the name.
        shown: String,
        /// Its length.
        chars: usize,
    },
    /// A space, or another character that is no letter, digit, `_` or `-`.
    #[error(
        "Invalid worker name: Worker name must contain only alphanumeric characters, underscores and dashes, \
             `{name}` has `{found}`"
    )]
    Character {
        /// The name.
        name: String,
        /// The first such character.
        found: char,
    },
    /// A dash at the start.
    #[error("Invalid worker name: Worker name must not start with a dash: `{0}`")]
    Dash(String),
    /// A component name that is empty or too long.
    #[error(
        "component name must be between 1 and {NAME_CHARS_MAX} characters, `{shown}` has {chars}"
    )]
    ComponentLength {
        /// The start of the name.
        shown: String,
        /// Its length.
        chars: usize,
    },
    /// A control character, a slash or a space in a component name.
    #[error("component name `{name}` has the character {found:?}")]
    ComponentCharacter {
        /// The name.
        name: String,
        /// The first such character.
        found: char,
    },
}

impl Coded for NameError {
    fn code(&self) -> &'static str {
        match self {
            Self::Length { .. } => "VAL-020",
            Self::Character { .. } => "VAL-021",
            Self::Dash(_) => "VAL-022",
            Self::ComponentLength { .. } => "VAL-023",
            Self::ComponentCharacter { .. } => "VAL-024",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Character { name, .. } | Self::Dash(name) => {
                let fixed: String = name
                    .chars()
                    .map(|c| if allowed(c) { c } else { '-' })
                    .collect();
                format!(
                    "choose another name, such as `{}`",
                    fixed.trim_start_matches('-')
                )
            }
            Self::Length { .. } => {
                "choose a name of letters, digits, `_` and `-`, such as `worker-1`".to_owned()
            }
            Self::ComponentLength { .. } | Self::ComponentCharacter { .. } => {
                "choose a name of letters, digits, `_`, `-`, `.` and `:`, such as `shopping-cart`"
                    .to_owned()
            }
        })
    }
}

fn allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

/// Checks the name of a worker that is created over REST: 1 to 100 letters, digits, `_`, `-`, no `-` in front.
pub fn check_worker_name(name: &str) -> Result<(), NameError> {
    let chars = name.chars().count();
    if chars == 0 || chars > NAME_CHARS_MAX {
        return Err(NameError::Length {
            shown: name.chars().take(20).collect(),
            chars,
        });
    }
    if let Some(found) = name.chars().find(|c| !allowed(*c)) {
        return Err(NameError::Character {
            name: name.to_owned(),
            found,
        });
    }
    if name.starts_with('-') {
        return Err(NameError::Dash(name.to_owned()));
    }
    Ok(())
}

/// Checks the name of a component: 1 to 100 characters, no control character, slash or white space.
pub fn check_component_name(name: &str) -> Result<(), NameError> {
    let chars = name.chars().count();
    if chars == 0 || chars > NAME_CHARS_MAX {
        return Err(NameError::ComponentLength {
            shown: name.chars().take(20).collect(),
            chars,
        });
    }
    match name
        .chars()
        .find(|c| c.is_control() || c.is_whitespace() || matches!(c, '/' | '\\'))
    {
        Some(found) => Err(NameError::ComponentCharacter {
            name: name.to_owned(),
            found,
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worker_names_follow_the_rest_rules() {
        for good in ["w", "worker_1-A", "1", &"x".repeat(100)] {
            assert_eq!(check_worker_name(good), Ok(()), "{good}");
        }
        for (bad, code) in [
            ("", "VAL-020"),
            ("a b", "VAL-021"),
            ("ü", "VAL-021"),
            ("-a", "VAL-022"),
            ("a/b", "VAL-021"),
        ] {
            let error = check_worker_name(bad).unwrap_err();
            assert_eq!(error.code(), code, "{bad}");
            assert!(
                error
                    .to_string()
                    .starts_with("Invalid worker name: Worker name must ")
            );
            assert!(error.hint().is_some());
        }
        assert!(check_worker_name(&"x".repeat(101)).is_err());
    }

    #[test]
    fn component_names_may_have_colons_but_no_slash() {
        assert_eq!(check_component_name("rpcdemo:component2"), Ok(()));
        assert!(check_component_name("a/b").is_err() && check_component_name("").is_err());
        assert!(check_component_name("a b").is_err());
    }
}
