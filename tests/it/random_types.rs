// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / random types: values of random types cross three components, with bindings of both styles in both directions,
//! and come back as they were. In: a seed. One component in Go per side holds all functions, since compiling it is what
//! takes time. `GOLEM_RANDOM_SHAPES` is the number of types. Read next: `shapes.rs`. Source: Go guests §6, §7.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use golem_testkit::{Random, Server, run};
use serde_json::Value;

use crate::shapes::{Choices, KINDS, Shape, Shapes};
use crate::support::{compile_part, compose, needs_go};

const SEED: &str = "GOLEM_RANDOM_SEED";
const SHAPES: &str = "GOLEM_RANDOM_SHAPES";

/// Types of a run unless [`SHAPES`] says otherwise: several times each kind.
const DEFAULT_SHAPES: usize = 60;

/// Values of each type.
const VALUES: usize = 4;

/// Functions of several parameters: one for every so many types.
const PER_WIDE: usize = 4;

const INTERFACE: &str = "it:random/echo@0.1.0";

/// A function of the interface, and what it takes: one value, which it gives back, or several, which come back as a tuple.
struct Function {
    name: String,
    params: Vec<Shape>,
}

/// The functions, and the WIT of the three components.
fn world(random: &mut Choices, count: usize) -> (Vec<Function>, String) {
    let mut shapes = Shapes::default();
    let mut functions = Vec::new();
    for index in 0..count {
        let shape = if index < KINDS {
            shapes.of_kind(random, index, 0)
        } else {
            shapes.any(random, 0)
        };
        functions.push(Function {
            name: format!("echo{index}"),
            params: vec![shape],
        });
    }
    for index in 0..count / PER_WIDE {
        let params = (0..2 + random.below(6))
            .map(|_| shapes.any(random, 2))
            .collect();
        functions.push(Function {
            name: format!("wide{index}"),
            params,
        });
    }
    // Half of the types come from another interface, up to the first that needs a later one: those stand in order.
    let own = shapes.declared.len() / 2;
    let (others, here) = shapes.declared.split_at(own);
    let other = Shapes {
        declared: others.to_vec(),
    };
    let here = Shapes {
        declared: here.to_vec(),
    };
    let used: Vec<&str> = others.iter().map(|(name, _)| name.as_str()).collect();
    let uses = if used.is_empty() {
        String::new()
    } else {
        format!("  use shared.{{{}}};\n", used.join(", "))
    };
    let mut text = String::new();
    for function in &functions {
        let params: Vec<String> = function
            .params
            .iter()
            .enumerate()
            .map(|(at, shape)| format!("p{at}: {}", shape.wit()))
            .collect();
        let result = match function.params.as_slice() {
            [one] => one.wit(),
            many => Shape::Tuple(many.to_vec()).wit(),
        };
        let _ = writeln!(
            text,
            "  {}: func({}) -> {result};",
            function.name,
            params.join(", ")
        );
    }
    let wit = format!(
        "package it:random@0.1.0;\n\ninterface shared {{\n{}}}\n\ninterface echo {{\n{uses}{}{text}}}\n\n\
         world base {{ export echo; }}\nworld middle {{ import echo; export echo; }}\nworld front {{ import echo; export echo; }}\n",
        other.wit(),
        here.wit(),
    );
    (functions, wit)
}

/// The lines of the Go interface `name` in generated text: method, parameters, results.
fn methods<'t>(text: &'t str, name: &str) -> Result<Vec<&'t str>> {
    let start = format!("type {name} interface {{\n");
    let (_, rest) = text
        .split_once(&start)
        .with_context(|| format!("no {start}"))?;
    let (body, _) = rest.split_once("\n}").context("the interface has no end")?;
    Ok(body
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("//"))
        .collect())
}

/// The arguments of a method: `Wide0(p0 uint8, p1 []string) T` → `p0, p1`.
fn arguments(method: &str, count: usize) -> String {
    // Style `go` renames what looks like one of its locals; both spell them in order.
    let suffix = if method.contains("p0Arg ") { "Arg" } else { "" };
    (0..count)
        .map(|at| format!("p{at}{suffix}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// What stands behind the parameters: `Wide0(p0 A) T` → `T`.
fn result(function: &str) -> &str {
    let mut depth = 0;
    for (at, c) in function.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 1 => return function[at + 1..].trim_end_matches('{').trim(),
            ')' => depth -= 1,
            _ => {}
        }
    }
    ""
}

/// How many results `(A, B[C, D])` is; one if it is no list.
fn results(list: &str) -> usize {
    let Some(list) = list.strip_prefix('(') else {
        return 1;
    };
    let mut depth = 0;
    let commas = list.chars().filter(|c| {
        depth += i32::from(matches!(c, '[' | '(')) - i32::from(matches!(c, ']' | ')'));
        *c == ',' && depth == 0
    });
    1 + commas.count()
}

const PREFIX: &str = "ItRandom0_1_0_Echo";

/// What answers the interface in a package of style `tiny-go`: the far side itself, or by asking the next component.
fn tiny(package: &str, text: &str, functions: &[Function], forward: bool) -> Result<String> {
    let exports = format!("Exports{PREFIX}");
    let mut out = format!(
        "package {package}\n\ntype impl struct{{}}\n\nfunc init() {{\n\tSet{exports}(impl{{}})\n}}\n"
    );
    for (method, function) in methods(text, &exports)?.iter().zip(functions) {
        let args = arguments(method, function.params.len());
        let (name, _) = method.split_once('(').context("no method")?;
        let answer = match function.params.len() {
            _ if forward => format!("{PREFIX}{name}({args})"),
            1 => args,
            count => {
                let fields: Vec<String> = (0..count).map(|at| format!("F{at}: p{at}")).collect();
                format!("{}{{{}}}", result(method), fields.join(", "))
            }
        };
        let _ = write!(out, "\nfunc (impl) {method} {{\n\treturn {answer}\n}}\n");
    }
    Ok(out)
}

/// The same in style `go`, always by asking the next component.
fn idiom(text: &str, imports: &str, functions: &[Function]) -> Result<String> {
    let methods = methods(text, "Exports")?;
    let mut body = String::new();
    for (method, function) in methods.iter().zip(functions) {
        let args = arguments(method, function.params.len());
        let (name, _) = method.split_once('(').context("no method")?;
        let start = format!("func {name}(");
        let import = imports
            .lines()
            .find(|line| line.starts_with(&start))
            .with_context(|| format!("no {start}"))?;
        let given = result(import);
        let fails = given == "error" || given.ends_with(", error)");
        let call = format!("echo.{name}({args})");
        let answer = match results(given) {
            _ if fails => format!("return {call}"),
            1 => format!("return {call}, nil"),
            several => {
                let names: Vec<String> = (0..several).map(|at| format!("x{at}")).collect();
                let names = names.join(", ");
                format!("{names} := {call}\n\treturn {names}, nil")
            }
        };
        let _ = write!(body, "\nfunc (impl) {method} {{\n\t{answer}\n}}\n");
    }
    // Of the packages that the generated file has, those that the methods mention.
    let mut packages: BTreeSet<String> =
        [String::from("\"randomtypes/middle/internal/golem/echo\"")].into();
    for line in text
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with('"') && line.ends_with('"'))
    {
        let last = line
            .trim_matches('"')
            .rsplit('/')
            .next()
            .unwrap_or_default();
        if body.contains(&format!("{last}.")) {
            packages.insert(line.to_owned());
        }
    }
    let packages: Vec<String> = packages.into_iter().collect();
    Ok(format!(
        "package echoexport\n\nimport (\n\t{}\n)\n\ntype impl struct{{}}\n\nfunc init() {{\n\tExport(impl{{}})\n}}\n{body}",
        packages.join("\n\t")
    ))
}

/// Builds the three components below `root` and gives the front with the others behind it.
fn build(root: &Path, wit: &str, functions: &[Function]) -> Result<Vec<u8>> {
    std::fs::create_dir_all(root.join("wit"))?;
    std::fs::write(root.join("wit/random.wit"), wit)?;
    std::fs::write(root.join("go.mod"), "module randomtypes\n\ngo 1.24\n")?;
    let parts = [
        ("base", "tiny-go", "base/base", "randomtypes/base/base"),
        (
            "middle",
            "go",
            "middle/internal/golem",
            "randomtypes/middle/internal/golem",
        ),
        ("front", "tiny-go", "front/front", "randomtypes/front/front"),
    ];
    for (part, style, out, package) in parts {
        run(
            root,
            &[
                "bindings",
                "go",
                "--style",
                style,
                "--world",
                part,
                "--out-dir",
                out,
                "./wit",
            ],
        )?;
        let read = |name: &str| {
            std::fs::read_to_string(root.join(out).join(name)).with_context(|| name.to_owned())
        };
        let (place, answers) = if style == "go" {
            (
                "echoexport/answers.go",
                idiom(
                    &read("echoexport/echoexport.go")?,
                    &read("echo/echo.go")?,
                    functions,
                )?,
            )
        } else {
            (
                "answers.go",
                tiny(
                    part,
                    &read(&format!("{part}.go"))?,
                    functions,
                    part == "front",
                )?,
            )
        };
        std::fs::write(root.join(out).join(place), answers)?;
        let mut imports = format!("import _ \"{package}\"\n");
        if style == "go" {
            let _ = writeln!(imports, "import _ \"{package}/echoexport\"");
        }
        std::fs::write(
            root.join(part).join("main.go"),
            format!("package main\n\n{imports}\nfunc main() {{}}\n"),
        )?;
        compile_part("go", root, part, part)?;
    }
    compose(root, "middle.wasm", "base.wasm", "far.wasm")?;
    compose(root, "front.wasm", "far.wasm", "whole.wasm")?;
    Ok(std::fs::read(root.join("whole.wasm"))?)
}

/// Whether two values are one: numbers in JSON may be written with a point or without.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| same(a, b))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(key, value)| other.get(key).is_some_and(|found| same(value, found)))
        }
        (Value::Number(a), Value::Number(b)) => {
            a == b || ((a.is_f64() || b.is_f64()) && a.as_f64() == b.as_f64())
        }
        _ => one == other,
    }
}

fn exercise(seed: u64, count: usize) -> Result<()> {
    let mut random = Choices::new(seed);
    let (functions, wit) = world(&mut random, count);
    let folder = tempfile::tempdir()?;
    let wasm = build(folder.path(), &wit, &functions).with_context(|| wit.clone())?;
    let data = tempfile::tempdir()?;
    let server = Server::start(data.path())?;
    let rest = server.rest();
    let component = rest.create_component("random", &wasm)?;
    let mut calls = 0;
    for function in &functions {
        for _ in 0..VALUES {
            let values: Vec<Value> = function
                .params
                .iter()
                .map(|shape| shape.value(&mut random, 0))
                .collect();
            let sent = match values.as_slice() {
                [one] => one.clone(),
                many => many.iter().cloned().collect(),
            };
            let name = format!("{INTERFACE}.{{{}}}", function.name);
            let answer = rest
                .call(&component, "echo", &name, &values)
                .with_context(|| format!("{sent}\n{wit}"))?;
            ensure!(
                same(&answer, &sent),
                "{name}: {sent} came back as {answer}\n{wit}"
            );
            calls += 1;
        }
    }
    eprintln!(
        "{calls} values of {} functions crossed three components",
        functions.len()
    );
    Ok(())
}

#[test]
fn random_values_of_random_types_come_back_as_they_were() -> Result<()> {
    if needs_go("random_values_of_random_types_come_back_as_they_were") {
        return Ok(());
    }
    let seed = Random::seed(SEED);
    let count = Random::setting(SHAPES)
        .and_then(|count| usize::try_from(count).ok())
        .unwrap_or(DEFAULT_SHAPES);
    let repeat = format!(
        "repeat with {SEED}={seed} {SHAPES}={count} cargo test --workspace --test it -- random_values"
    );
    eprintln!("{repeat}");
    exercise(seed, count).context(repeat)
}
