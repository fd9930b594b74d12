// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / tests, suite: every case of a directory through the whole workshop: stubs of all kinds, a caller, the
//! composition, bindings of both styles, and the Go compiler once over all of it. In: `tests/cases/`, and the directory in
//! `GOLEM_WIT_SUITE`. Out: a case works, or is refused with a code. Read next: `cases/README.md`.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;

use golem_model::Coded;
use golem_wit::bindgen::go::{GoOptions, Home, Style, generate};
use golem_wit::bindgen::{GoModule, write_bindings};
use golem_wit::compose::compose;
use golem_wit::deps::add_stub_dependency;
use golem_wit::resolve::load;
use golem_wit::stub::{BuildRequest, Flavour, build};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, WorldId};

use crate::support::write;

/// A directory with WIT of somebody else; each file or directory in it is a case.
const SUITE: &str = "GOLEM_WIT_SUITE";

fn say(line: &str) {
    std::io::Write::write_all(&mut std::io::stderr(), format!("{line}\n").as_bytes()).unwrap();
}

/// What became of the cases.
#[derive(Default)]
struct Report {
    /// Directories and files that are no WIT, and why.
    unread: Vec<String>,
    worlds: usize,
    stubs: usize,
    composed: usize,
    components: usize,
    packages: usize,
    /// What was refused: the code with a sentence for each.
    refused: Vec<(String, String)>,
    /// What must not be.
    problems: Vec<String>,
    /// Which case stands behind a directory of the Go module.
    directories: BTreeMap<String, String>,
}

impl Report {
    fn refuse(&mut self, case: &str, what: &str, error: &dyn Coded) {
        let code = error.code().to_owned();
        let line = format!("{case}: {what}: {code} {error}");
        // A defect of the generator is no refusal.
        if code == "STB-010" || error.hint().is_none() {
            self.problems.push(line.clone());
        }
        self.refused.push((code, line));
    }

    fn codes(&self) -> BTreeMap<&str, usize> {
        let mut count = BTreeMap::new();
        for (code, _) in &self.refused {
            *count.entry(code.as_str()).or_default() += 1;
        }
        count
    }

    fn say(&self, name: &str) {
        say(&format!(
            "{name}: {} worlds, {} stubs made, {} composed, {} components, {} Go packages of worlds; refused {:?}; not read: {}",
            self.worlds,
            self.stubs,
            self.composed,
            self.components,
            self.packages,
            self.codes(),
            self.unread.len()
        ));
        let refused = self.refused.iter().map(|(_, line)| line);
        for line in self.unread.iter().chain(refused) {
            say(&format!("  {line}"));
        }
    }
}

/// The roots of WIT trees below `dir`: a directory with `deps`, every file by itself, and a directory of several files.
fn roots(dir: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    let wit = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "wit");
    if dir.join("deps").is_dir() && entries.iter().any(wit) {
        found.push(dir.to_owned());
        return;
    }
    let files: Vec<PathBuf> = entries.iter().filter(|path| wit(path)).cloned().collect();
    if files.len() > 1 {
        found.push(dir.to_owned());
    }
    found.extend(files);
    for entry in entries.iter().filter(|path| path.is_dir()) {
        roots(entry, found);
    }
}

struct Walk<'a> {
    module: &'a GoModule,
    work: &'a Path,
    report: Report,
}

impl Walk<'_> {
    /// One WIT tree with all its worlds.
    fn tree(&mut self, root: &Path, name: &str) {
        let loaded = match load(root) {
            Ok(loaded) => loaded,
            Err(error) => {
                let line = format!("{name}: {} {error}", error.code());
                return self.report.unread.push(line);
            }
        };
        let worlds: Vec<(String, WorldId)> = loaded.resolve.packages[loaded.package]
            .worlds
            .iter()
            .map(|(name, id)| (name.clone(), *id))
            .collect();
        for (world, id) in worlds {
            let case = format!("{name} world {world}");
            self.report.worlds += 1;
            let number = self.report.worlds;
            let result = catch_unwind(AssertUnwindSafe(|| {
                self.bindings(&case, &loaded.resolve, id, &format!("w{number}/target"));
                self.component(&case, &loaded.resolve, id);
                for (flavour, inline) in [
                    (Flavour::Trapping, false),
                    (Flavour::Trapping, true),
                    (Flavour::ErrorResults, false),
                ] {
                    self.stub(&case, root, &world, flavour, inline, number);
                }
            }));
            if result.is_err() {
                self.report.problems.push(format!("{case}: panicked"));
            }
        }
    }

    /// A component for the world can be encoded, or nothing at all can be.
    fn component(
        &mut self,
        case: &str,
        resolve: &wit_parser::Resolve,
        world: WorldId,
    ) -> Option<Vec<u8>> {
        let made = (|| {
            let mut module = dummy_module(resolve, world, ManglingAndAbi::Standard32);
            embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8)?;
            ComponentEncoder::default()
                .validate(true)
                .module(&module)?
                .encode()
        })();
        match made {
            Ok(bytes) => {
                self.report.components += 1;
                Some(bytes)
            }
            Err(error) => {
                let text = format!("{error:#}").replace('\n', " ");
                self.report
                    .refused
                    .push(("encoder".to_owned(), format!("{case}: {text}")));
                None
            }
        }
    }

    fn stub(
        &mut self,
        case: &str,
        root: &Path,
        world: &str,
        flavour: Flavour,
        inline: bool,
        number: usize,
    ) {
        let what = format!("stub {flavour:?}{}", if inline { " inline" } else { "" });
        let dir = tempfile::tempdir_in(self.work).unwrap();
        let (wasm, wit) = (dir.path().join("stub.wasm"), dir.path().join("stub"));
        let built = build(BuildRequest {
            source_wit_root: root,
            dest_wasm: &wasm,
            dest_wit_root: &wit,
            world: Some(world),
            always_inline_types: inline,
            flavour,
        });
        let stub = match built {
            Ok(built) => built.stub,
            Err(error) => return self.report.refuse(case, &what, &error),
        };
        self.report.stubs += 1;
        let caller = dir.path().join("caller");
        write(
            &caller,
            &[(
                "caller.wit",
                "package test:caller;\n\nworld caller {\n  export run: func();\n}\n",
            )],
        );
        if let Err(error) = add_stub_dependency(&wit, &caller, false, false) {
            self.report
                .problems
                .push(format!("{case}: {what}: {} {error}", error.code()));
            return;
        }
        let import = golem_wit::names::path(&stub.package, &stub.interface);
        let text = format!(
            "package test:caller;\n\nworld caller {{\n  import {import};\n  export run: func();\n}}\n"
        );
        write(&caller, &[("caller.wit", &text)]);
        let loaded = match load(&caller) {
            Ok(loaded) => loaded,
            Err(error) => {
                self.report
                    .problems
                    .push(format!("{case}: {what}: the caller: {error}"));
                return;
            }
        };
        let id = loaded.world(None).unwrap();
        if !inline {
            let place = format!(
                "w{number}/{}",
                if flavour == Flavour::Trapping {
                    "caller"
                } else {
                    "fails"
                }
            );
            self.bindings(
                &format!("{case}, caller, {what}"),
                &loaded.resolve,
                id,
                &place,
            );
        }
        let Some(bytes) = self.component(&format!("{case}, caller, {what}"), &loaded.resolve, id)
        else {
            return;
        };
        let file = dir.path().join("caller.wasm");
        fs::write(&file, bytes).unwrap();
        match compose(&file, std::slice::from_ref(&wasm)) {
            Ok(_) => self.report.composed += 1,
            Err(error) => self
                .report
                .problems
                .push(format!("{case}: {what}: {} {error}", error.code())),
        }
    }

    /// Bindings in both styles, written into the module; `go` looks at them later.
    fn bindings(&mut self, case: &str, resolve: &wit_parser::Resolve, world: WorldId, place: &str) {
        for (style, directory) in [(Style::TinyGo, "tiny"), (Style::Go, "idiom")] {
            let out = self.module.root.join(place).join(directory);
            let options = GoOptions {
                module_path: self.module.path.clone(),
                package_path: self.module.import_path(&out),
                style,
                ..GoOptions::default()
            };
            match generate(resolve, world, &options) {
                Ok(bindings) => {
                    self.report.packages += 1;
                    self.report
                        .directories
                        .insert(format!("{place}/{directory}"), case.to_owned());
                    if let Err(error) = write_bindings(&bindings, &out, self.module) {
                        self.report.problems.push(format!("{case}: {error}"));
                    }
                }
                Err(error) => self.report.refuse(case, directory, &error),
            }
        }
    }

    /// The compiler over the whole module, for both platforms. `false`: there is no Go.
    fn compile(&mut self) -> bool {
        if Command::new("go").arg("version").output().is_err() {
            say("SKIP: no `go` on the PATH, generated Go code was not compiled");
            return false;
        }
        let formatted = Command::new("gofmt")
            .args(["-l", "."])
            .current_dir(&self.module.root)
            .output()
            .unwrap();
        for file in String::from_utf8_lossy(&formatted.stdout).lines() {
            self.report
                .problems
                .push(format!("gofmt would change {file}"));
        }
        // Methods that WIT calls like those of Go, with another shape, are not ours to judge.
        for (wasm, args) in [
            (false, &["vet", "-stdmethods=false", "./..."][..]),
            (true, &["build", "./..."]),
        ] {
            let mut go = Command::new("go");
            go.args(args)
                .current_dir(&self.module.root)
                .envs([
                    ("GOPROXY", "off"),
                    ("GOTOOLCHAIN", "local"),
                    ("GOFLAGS", "-mod=mod"),
                ])
                .env_remove("GOROOT");
            if wasm {
                go.env("GOOS", "wasip1").env("GOARCH", "wasm");
            }
            let output = go.output().unwrap();
            if !output.status.success() {
                let text = String::from_utf8_lossy(&output.stderr).into_owned();
                self.report
                    .problems
                    .push(format!("go {args:?}:\n{}", self.explained(&text)));
            }
        }
        true
    }

    /// `staticcheck` over the same, if there is one: it is no part of Go.
    fn staticcheck(&mut self) {
        let beside = Command::new("go").args(["env", "GOPATH"]).output().ok();
        let beside = beside.map(|output| {
            let path = String::from_utf8_lossy(&output.stdout).into_owned();
            Path::new(path.trim()).join("bin/staticcheck")
        });
        let found = [Some(PathBuf::from("staticcheck")), beside];
        let works = |path: &PathBuf| Command::new(path).arg("-version").output().is_ok();
        let Some(program) = found.into_iter().flatten().find(works) else {
            return say(
                "SKIP: no staticcheck; go install honnef.co/go/tools/cmd/staticcheck@latest",
            );
        };
        // On this platform the code that moves values is left out, on that one the doubles are.
        let output = Command::new(program)
            .arg("./...")
            .current_dir(&self.module.root)
            .envs([("GOPROXY", "off"), ("GOTOOLCHAIN", "local")])
            .envs([("GOOS", "wasip1"), ("GOARCH", "wasm")])
            .env_remove("GOROOT")
            .output()
            .unwrap();
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stdout).into_owned()
                + &String::from_utf8_lossy(&output.stderr);
            self.report.problems.push(format!("staticcheck:\n{text}"));
        }
    }

    /// What Go printed, with the case behind each package.
    fn explained(&self, text: &str) -> String {
        let case = |line: &str| {
            let place = line.strip_prefix(&format!("# {}/", self.module.path))?;
            let (directory, case) = self
                .report
                .directories
                .iter()
                .find(|(directory, _)| place.starts_with(directory.as_str()))?;
            Some(format!("{line} ({directory}: {case})"))
        };
        text.lines()
            .map(|line| case(line).unwrap_or_else(|| line.to_owned()) + "\n")
            .collect()
    }
}

/// Takes all cases of `list` below `root`; `go` runs over what they gave. `title` names the report, which is said before a
/// problem ends the test.
fn walk(title: &str, root: &Path, list: &[PathBuf]) -> Report {
    // What was generated can be kept to look at.
    let kept = std::env::var_os("GOLEM_WIT_SUITE_OUT").map(PathBuf::from);
    let dir = tempfile::tempdir().unwrap();
    let work = tempfile::tempdir().unwrap();
    let out = kept.unwrap_or_else(|| dir.path().to_owned());
    write(&out, &[("go.mod", "module suite\n\ngo 1.24\n")]);
    let module = GoModule {
        root: out,
        path: "suite".to_owned(),
        home: Home::Module,
    };
    let mut walk = Walk {
        module: &module,
        work: work.path(),
        report: Report::default(),
    };
    for case in list {
        let name = case.strip_prefix(root).unwrap().display().to_string();
        walk.tree(case, &name);
    }
    if walk.compile() {
        walk.staticcheck();
    }
    walk.report.say(title);
    assert!(
        walk.report.problems.is_empty(),
        "{} problems:\n{}",
        walk.report.problems.len(),
        walk.report.problems.join("\n")
    );
    walk.report
}

#[test]
fn a_suite_of_somebody_else_works_or_is_refused_by_name() {
    let Some(root) = std::env::var_os(SUITE) else {
        return say(&format!("no foreign suite: {SUITE}=dir names one"));
    };
    let (root, mut found) = (PathBuf::from(root), Vec::new());
    roots(&root, &mut found);
    let report = walk("suite", &root, &found);
    assert!(report.worlds > 0, "no world in {}", root.display());
}

#[test]
fn every_construct_of_wit_goes_through_the_workshop() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut found: Vec<PathBuf> = fs::read_dir(&root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_none_or(|extension| extension == "wit"))
        .collect();
    found.sort();
    let report = walk("cases", &root, &found);
    assert_eq!(report.unread, [""; 0]);
    // A worker cannot hand out what another component made.
    let expected = "resources.wit world both-of-them: stub";
    for (code, line) in &report.refused {
        assert!(code == "STB-005" && line.starts_with(expected), "{line}");
    }
    assert_eq!(report.refused.len(), 3);
    assert!(report.worlds >= found.len(), "{} worlds", report.worlds);
}

/// What stubs and bindings refuse of a function `f`: its declaration, what else stands beside it, the words of the two errors.
#[test]
fn what_cannot_be_made_is_refused_by_the_name_of_the_construct() {
    let flags: Vec<String> = (0..65).map(|bit| format!("bit{bit}")).collect();
    let many = format!("flags many {{ {} }}", flags.join(", "));
    let refusals: [(&str, &str, &str, &str); 16] = [
        (
            "",
            "f: func(x: map<string, u8>);",
            "STB-004 map",
            "GEN-001 a map",
        ),
        (
            "",
            "f: func() -> list<u8, 4>;",
            "STB-004 fixed-length list",
            "GEN-001 a fixed-length list",
        ),
        (
            "record r { deep: list<option<map<u32, string>>> }",
            "f: func(x: r);",
            "STB-004 map",
            "GEN-001 a map",
        ),
        (
            "type four = list<string, 4>;",
            "f: func(x: four);",
            "STB-004 fixed-length list",
            "GEN-001 a fixed-length list",
        ),
        (
            "",
            "f: async func(x: u8) -> u8;",
            "STB-007 async",
            "GEN-001 an async function",
        ),
        (
            "",
            "f: func(x: stream<u8>);",
            "STB-004 stream",
            "GEN-001 a stream",
        ),
        (
            "",
            "f: func() -> stream;",
            "STB-004 stream",
            "GEN-001 a stream",
        ),
        (
            "",
            "f: func() -> future<string>;",
            "STB-004 future",
            "GEN-001 a future",
        ),
        (
            "",
            "f: func(x: result<future, u8>);",
            "STB-004 future",
            "GEN-001 a future",
        ),
        (
            "",
            "f: func() -> option<error-context>;",
            "STB-004 error-context",
            "GEN-001 `error-context`",
        ),
        (
            &many,
            "f: func(x: many);",
            "STB-004 65 flags",
            "GEN-001 65 flags",
        ),
        (
            "record none { }",
            "f: func(x: none);",
            "STB-004 a record without fields",
            "GEN-001 `no:way/i.none` uses a record without fields",
        ),
        (
            "record r { deep: list<tuple<>> }",
            "f: func(x: r);",
            "STB-004 a tuple without members",
            "GEN-001 `no:way/i.r` uses a tuple without members",
        ),
        (
            "",
            "f: func(x: tuple<>);",
            "STB-004 a tuple without members",
            "GEN-001 `no:way/i.f` uses a tuple without members",
        ),
        (
            "resource item { item: func(); }",
            "f: func(x: item);",
            "STB-015 item",
            "GEN-008 `no:way/i.[method]item.item` has the name of its resource",
        ),
        (
            "flags none { }",
            "f: func() -> list<none>;",
            "STB-004 flags without members",
            "GEN-001 `no:way/i.none` uses flags without members",
        ),
    ];
    for (beside, function, stub, go) in refusals {
        let text = format!(
            "package no:way;\ninterface i {{ {beside} {function} }}\nworld w {{ export i; }}\n"
        );
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &[("t/wit/t.wit", &text)]);
        for inline in [false, true] {
            let made = crate::support::build_stub(dir.path(), "t", inline);
            refused(
                &text,
                stub,
                made.err().as_ref().map(|error| error as &dyn Coded),
            );
        }
        let loaded = load(&dir.path().join("t/wit")).unwrap();
        for style in [Style::TinyGo, Style::Go] {
            let options = GoOptions {
                style,
                ..GoOptions::default()
            };
            let made = generate(&loaded.resolve, loaded.world(None).unwrap(), &options);
            refused(
                &text,
                go,
                made.err().as_ref().map(|error| error as &dyn Coded),
            );
        }
    }
}

/// `expected` is a code and words of the sentence; empty if nothing is to be refused.
fn refused(wit: &str, expected: &str, error: Option<&dyn Coded>) {
    let Some((code, words)) = expected.split_once(' ') else {
        return assert!(error.is_none(), "{wit}");
    };
    assert!(error.is_some(), "not refused:\n{wit}");
    let Some(error) = error else { return };
    let text = error.to_string();
    assert_eq!(error.code(), code, "{text}");
    assert!(text.contains(words), "`{words}` is not in `{text}`");
    assert!(error.hint().is_some(), "{text}");
}
