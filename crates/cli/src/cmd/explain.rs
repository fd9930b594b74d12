// SPDX-License-Identifier: Apache-2.0
//! THE DESK / explain: what an error code means and what to do. In a code, out its part of docs/errors, which is compiled in. Never
//! asks a server. Read next: docs/errors/README.md. Exit codes: the finer ones.

use golem_model::{Coded, suggest};
use serde::Serialize;

use crate::error::{Failure, Outcome};
use crate::exit;
use crate::output::Out;
use crate::view::table;

/// The pages by area.
const PAGES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/error_pages.rs"));

/// Options of `explain`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  golem-cli explain STB-004
  golem-cli explain                  all codes, one on each line")]
pub(crate) struct Args {
    /// The code, such as STB-004; all of them without one
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

/// A code that no error has.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExplainError {
    /// There is no such code.
    #[error("there is no error `{code}`")]
    Unknown {
        /// The text.
        code: String,
        /// The code that is most like it.
        suggestion: Option<String>,
    },
}

impl Coded for ExplainError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "CLI-068",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unknown {
                suggestion: Some(code),
                ..
            } => format!("did you mean {code}? All of them: golem-cli explain"),
            Self::Unknown { .. } => "all of them: golem-cli explain".to_owned(),
        })
    }
}

/// What is known of a code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Explanation {
    code: &'static str,
    /// The sentence; names in braces stand for what the error puts there.
    message: String,
    meaning: String,
    /// Empty where only the error itself can say it.
    what_to_do: String,
}

impl Explanation {
    fn text(&self) -> String {
        let mut text = format!("{}: {}\n", self.code, self.message);
        if !self.meaning.is_empty() {
            text.push_str(&format!("\n{}\n", self.meaning));
        }
        if !self.what_to_do.is_empty() {
            text.push_str(&format!("\nWhat to do: {}\n", self.what_to_do));
        }
        text
    }
}

/// Prints one explanation, or all codes.
pub(crate) fn run(args: &Args, out: &Out) -> Outcome {
    let Some(code) = &args.code else {
        let all: Vec<Explanation> = all().collect();
        out.view(&all, |all| {
            let row = |one: &Explanation| vec![one.code.to_owned(), one.message.clone()];
            table(&["Code", "Message"], all.iter().map(row))
        });
        return Ok(());
    };
    let wanted = whole(code);
    match all().find(|one| one.code == wanted) {
        Some(found) => {
            out.view(&found, Explanation::text);
            Ok(())
        }
        None => {
            let suggestion = suggest::closest(&wanted, all().map(|one| one.code));
            let unknown = ExplainError::Unknown {
                code: code.clone(),
                suggestion: suggestion.map(str::to_owned),
            };
            Err(Failure::from(unknown).with_exit(exit::NOT_FOUND))
        }
    }
}

/// `stb4`, `STB-4` and `error[STB-004]` as `STB-004`.
fn whole(code: &str) -> String {
    let code = code.trim().trim_start_matches("error").to_uppercase();
    let letters: String = code.chars().filter(char::is_ascii_alphabetic).collect();
    let digits: String = code.chars().filter(char::is_ascii_digit).collect();
    format!("{letters}-{digits:0>3}")
}

/// Every code, by area and number.
fn all() -> impl Iterator<Item = Explanation> {
    PAGES
        .iter()
        .flat_map(|(_, page)| page.split("\n## ").skip(1).map(one))
}

/// A part of a page.
fn one(part: &'static str) -> Explanation {
    let (code, rest) = part.split_once('\n').unwrap_or((part, ""));
    let mut found = Explanation {
        code,
        message: String::new(),
        meaning: String::new(),
        what_to_do: String::new(),
    };
    for paragraph in rest.split("\n\n").map(str::trim) {
        if let Some(message) = paragraph.strip_prefix("> ") {
            found.message = message.to_owned();
        } else if let Some(hint) = paragraph.strip_prefix("**What to do:** ") {
            found.what_to_do = hint.to_owned();
        } else if !paragraph.starts_with("Source:") && !paragraph.is_empty() {
            let between = if found.meaning.is_empty() { "" } else { "\n\n" };
            found.meaning.push_str(between);
            found.meaning.push_str(paragraph);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_message_or_a_meaning() {
        let mut codes: Vec<&str> = Vec::new();
        for one in all() {
            assert_eq!(whole(one.code), one.code, "{one:?}");
            assert!(
                !one.message.is_empty() || !one.meaning.is_empty(),
                "{one:?}"
            );
            codes.push(one.code);
        }
        assert!(codes.len() > 200, "{}", codes.len());
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), all().count());
    }

    #[test]
    fn codes_are_read_as_people_write_them() {
        for text in ["STB-004", "stb-4", "stb4", "error[STB-004]", " STB004 "] {
            assert_eq!(whole(text), "STB-004", "{text}");
        }
    }
}
