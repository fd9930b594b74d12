// SPDX-License-Identifier: Apache-2.0
//! THE DESK / new: makes a component, or a whole project, from a template. In names, out a directory.
//! Never needs a network. Read next: `template/mod.rs`. Why: client specification §2.

use std::path::{Component, Path, PathBuf};

use crate::{
    error::{Failure, Outcome},
    exit,
    output::Out,
    template::{self, Names, TemplateError},
};

const EXAMPLES: &str = "Examples:
  golem-cli new --example go-default --package-name rpcdemo:component1 component1
  golem-cli new --example go-multi-rpc --package-name golem:demo go-example
  golem-cli new --language go counter";

/// Options of `new`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(group = clap::ArgGroup::new("template").required(true).args(["example", "language"]))]
pub(crate) struct Args {
    /// The template, see `golem-cli list-examples`
    #[arg(short, long, value_name = "NAME")]
    example: Option<String>,
    /// The language, for its default template
    #[arg(short, long, alias = "lang", value_name = "LANG", value_parser = super::list_examples::language)]
    language: Option<String>,
    /// The WIT package of the component
    #[arg(short, long, value_name = "NS:NAME", default_value = "golem:component", value_parser = template::package_spec)]
    package_name: template::PackageSpec,
    /// Overwrite files of the template in a directory that is not empty; other files stay
    #[arg(long)]
    force: bool,
    /// The name of the component and of its directory
    component_name: String,
}

/// Makes the project and prints what to do next.
pub(crate) fn run(args: Args, out: &Out) -> Outcome {
    let name = match (&args.example, &args.language) {
        (Some(example), _) => example.clone(),
        (None, language) => format!("{}-default", language.as_deref().unwrap_or("go")),
    };
    let template = template::find(&name)?;
    let target = target(&args.component_name).map_err(Failure::exit_with(exit::USAGE))?;
    let last = target
        .file_name()
        .map(|word| word.to_string_lossy().into_owned())
        .unwrap_or_default();
    let component = template::component_word(&last).map_err(Failure::exit_with(exit::USAGE))?;
    let names = Names {
        component,
        package: args.package_name,
        target: target.display().to_string(),
    };
    template::check(template, &names).map_err(Failure::exit_with(exit::USAGE))?;
    let (files, instructions) = template::render(template, &names);
    template::write_tree(Path::new("."), &target, &files, args.force)?;
    out.data(&instructions);
    Ok(())
}

/// The directory of the new component: relative, below the current one, made of plain words.
fn target(text: &str) -> Result<PathBuf, TemplateError> {
    let path = Path::new(text);
    let outside = || TemplateError::Outside {
        path: text.to_owned(),
    };
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(word) => clean.push(word),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err(outside());
            }
        }
    }
    // A backslash is a separator on one system and a letter on another; in a name it is never meant.
    if clean.as_os_str().is_empty() && !text.is_empty() || text.contains('\\') {
        Err(outside())
    } else {
        Ok(clean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_below_the_current_directory_pass() {
        let ok = |text: &str| target(text).ok().map(|path| path.display().to_string());
        assert_eq!(ok("a").as_deref(), Some("a"));
        assert_eq!(ok("./a/b/").as_deref(), Some("a/b"));
        for bad in ["..", "../x", "a/../../b", "/tmp/x", ".", "./", "a\\b"] {
            assert_eq!(ok(bad), None, "{bad}");
        }
    }
}
