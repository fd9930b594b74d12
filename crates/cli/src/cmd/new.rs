// SPDX-License-Identifier: Apache-2.0
//! THE DESK / new: makes a component, or a whole project, from a template. In names, out a directory.
//! Never needs a network. Read next: `template/mod.rs`. Why: client specification §2.

use std::path::{Component, Path, PathBuf};

use crate::{
    error::{Failure, Outcome},
    exit,
    output::Out,
    template::{self, Kind, Names, TemplateError},
};

const EXAMPLES: &str = "Examples:
  golem-cli new hello --lang go
  golem-cli new hello --template minimal --package-name acme:hello
  golem-cli new --example go-default --package-name rpcdemo:component1 component1
  golem-cli new --example go-multi-rpc --package-name golem:demo go-example
  golem-cli new --language go counter";

/// Options of `new`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(group = clap::ArgGroup::new("template").required(true).args(["example", "language", "project", "lang"]))]
pub(crate) struct Args {
    /// A template of this program, see `golem-cli list-templates`
    #[arg(short, long = "template", id = "project", value_name = "NAME")]
    template: Option<String>,
    /// The language, for the template to begin with: `minimal`
    #[arg(long, value_name = "LANG", value_parser = super::list_examples::language)]
    lang: Option<String>,
    /// A template of Golem 1.1, see `golem-cli list-examples`
    #[arg(short, long, value_name = "NAME")]
    example: Option<String>,
    /// The language, for its default template of Golem 1.1
    #[arg(short, long, value_name = "LANG", value_parser = super::list_examples::language)]
    language: Option<String>,
    /// The WIT package of the component [default: golem:component for --example and --language, else demo:<component name>]
    #[arg(short, long, value_name = "NS:NAME", value_parser = template::package_spec)]
    package_name: Option<template::PackageSpec>,
    /// Overwrite files of the template in a directory that is not empty; other files stay
    #[arg(long)]
    force: bool,
    /// The name of the component and of its directory
    component_name: String,
}

/// Makes the project and prints what to do next.
pub(crate) fn run(args: Args, out: &Out) -> Outcome {
    let (kind, name) = match (&args.template, &args.example, &args.language) {
        (Some(template), ..) => (Kind::Template, template.clone()),
        (None, Some(example), _) => (Kind::Example, example.clone()),
        (None, None, Some(language)) => (Kind::Example, format!("{language}-default")),
        (None, None, None) => (Kind::Template, template::DEFAULT_TEMPLATE.to_owned()),
    };
    let template = template::find(kind, &name)?;
    let target = target(&args.component_name).map_err(Failure::exit_with(exit::USAGE))?;
    let last = target
        .file_name()
        .map(|word| word.to_string_lossy().into_owned())
        .unwrap_or_default();
    let component = template::component_word(&last).map_err(Failure::exit_with(exit::USAGE))?;
    let package = match (args.package_name, kind) {
        (Some(package), _) => package,
        (None, Kind::Example) => spec("golem", "component"),
        (None, Kind::Template) => spec("demo", &component),
    };
    let names = Names {
        component,
        package,
        target: target.display().to_string(),
    };
    template::check(template, &names).map_err(Failure::exit_with(exit::USAGE))?;
    let (files, instructions) = template::render(template, &names);
    template::write_tree(Path::new("."), &target, &files, args.force)?;
    out.data(&instructions);
    Ok(())
}

/// A package without a version.
fn spec(namespace: &str, name: &str) -> template::PackageSpec {
    template::PackageSpec {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        version: None,
    }
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
