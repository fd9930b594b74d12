// SPDX-License-Identifier: Apache-2.0
//! THE DESK / list-examples, list-templates: shows the templates of Golem 1.1, and our own. In filters, out a table. Never reads the disk. Why: client specification §2.1.

use serde::Serialize;

use crate::{error::Outcome, output::Out, template};

/// Languages that Golem 1.1 had templates for; here there is Go.
const LANGUAGES: &[&str] = &["go"];

/// Options of `list-examples`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  golem-cli list-examples --language go")]
pub(crate) struct Args {
    /// Only languages of this tier or better (1 is best)
    #[arg(short, long, value_name = "TIER", value_parser = tier)]
    min_tier: Option<u8>,
    /// Only this language
    #[arg(short, long, value_name = "LANG", value_parser = language)]
    language: Option<String>,
}

#[derive(Serialize)]
struct Row {
    name: &'static str,
    language: &'static str,
    tier: &'static str,
    description: &'static str,
}

/// Prints the table.
pub(crate) fn run(args: &Args, out: &Out) -> Outcome {
    // Go is tier 1, the best, so that every bound lets it pass.
    let _ = (args.min_tier, &args.language);
    list(template::Kind::Example, out);
    Ok(())
}

/// Options of `list-templates`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  golem-cli list-templates")]
pub(crate) struct TemplateArgs {}

/// Prints our own.
pub(crate) fn run_templates(_: &TemplateArgs, out: &Out) -> Outcome {
    list(template::Kind::Template, out);
    Ok(())
}

fn list(kind: template::Kind, out: &Out) {
    let rows: Vec<Row> = kind
        .list()
        .iter()
        .map(|t| Row {
            name: t.name,
            language: "Go",
            tier: "Tier1",
            description: t.description,
        })
        .collect();
    out.view(&rows, |rows| {
        let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
        let mut text = format!("{:width$}  Language  Tier   Description\n", "Name");
        for row in rows {
            text.push_str(&format!(
                "{:width$}  {:8}  {:5}  {}\n",
                row.name, row.language, row.tier, row.description
            ));
        }
        text
    });
}

/// Reads a language, in any case; for clap.
pub(super) fn language(text: &str) -> Result<String, String> {
    let word = text.to_lowercase();
    if LANGUAGES.contains(&word.as_str()) {
        Ok(word)
    } else {
        Err(format!(
            "Unknown guest language: {text}. Expected one of \"Go\""
        ))
    }
}

fn tier(text: &str) -> Result<u8, String> {
    match text.to_lowercase().trim_start_matches("tier") {
        "1" => Ok(1),
        "2" => Ok(2),
        "3" => Ok(3),
        _ => Err(format!(
            "Unknown tier: {text}. Expected one of \"tier1\", \"tier2\", \"tier3\""
        )),
    }
}
