// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / bindgen go names: from WIT words to Go identifiers, and the book of identifiers taken. In kebab-case, out Go.
//! Never looks at types. Read next: `plan.rs`. Why: docs/go-bindings.md, section "Names".

use heck::{ToSnakeCase, ToUpperCamelCase};
use std::collections::HashMap;
use wit_parser::{InterfaceId, Resolve, WorldKey};

/// The 25 keywords of the Go specification.
const KEYWORDS: [&str; 25] = [
    "break",
    "case",
    "chan",
    "const",
    "continue",
    "default",
    "defer",
    "else",
    "fallthrough",
    "for",
    "func",
    "go",
    "goto",
    "if",
    "import",
    "interface",
    "map",
    "package",
    "range",
    "return",
    "select",
    "struct",
    "switch",
    "type",
    "var",
];

/// Words that `go build` reads out of a file name (`x_linux.go` is for Linux only, `x_test.go` is a test).
const FILE_SUFFIXES: [&str; 41] = [
    "test",
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "hurd",
    "illumos",
    "ios",
    "js",
    "linux",
    "nacl",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "wasip1",
    "wasip2",
    "windows",
    "zos",
    "386",
    "amd64",
    "arm",
    "arm64",
    "armbe",
    "loong64",
    "mips",
    "mips64",
    "mips64le",
    "mipsle",
    "ppc",
    "ppc64",
    "ppc64le",
    "riscv",
    "riscv64",
    "s390",
    "s390x",
    "sparc",
    "sparc64",
    "wasm",
    "unix",
];

pub(super) fn upper(name: &str) -> String {
    name.to_upper_camel_case()
}

pub(super) fn snake(name: &str) -> String {
    name.to_snake_case()
}

/// A parameter: snake_case, with `_` before what Go keeps for itself.
pub(super) fn param(name: &str) -> String {
    let snake = snake(name);
    if is_keyword(&snake) || snake == "ret" {
        format!("_{snake}")
    } else {
        snake
    }
}

/// Whether `name` is one of the 25 keywords of the Go specification.
#[must_use]
pub fn is_keyword(name: &str) -> bool {
    KEYWORDS.contains(&name)
}

/// The package name of a world (or of the name asked for): snake_case, `_` before keywords and before `main`, which
/// could not be imported.
pub(super) fn package(name: &str) -> String {
    let snake = snake(name);
    if is_keyword(&snake) || snake == "main" {
        format!("_{snake}")
    } else {
        snake
    }
}

/// Whether `name` can be written after `package` and imported by others.
pub(super) fn is_package_name(name: &str) -> bool {
    let mut chars = name.chars();
    let first = chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    first
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name != "_"
        && name != "main"
        && !is_keyword(name)
}

/// The stem of the file names of a world. Never ends in a word that `go build` takes for a condition.
pub(super) fn file_stem(world: &str) -> String {
    let snake = snake(world);
    let last = snake.rsplit('_').next().unwrap_or_default();
    if snake.contains('_') && FILE_SUFFIXES.contains(&last) {
        format!("{snake}_bindings")
    } else {
        snake
    }
}

/// The prefix of everything in an interface: namespace, package, version, interface, run together.
pub(super) fn namespace(resolve: &Resolve, key: &WorldKey, exported: bool) -> String {
    match key {
        WorldKey::Name(name) => upper(name),
        WorldKey::Interface(id) => {
            let prefix = if exported { "Exports" } else { "" };
            format!("{prefix}{}", interface(resolve, *id))
        }
    }
}

fn interface(resolve: &Resolve, id: InterfaceId) -> String {
    let Some(iface) = resolve.interfaces.get(id) else {
        return String::new();
    };
    let mut out = String::new();
    if let Some(package) = iface.package.and_then(|p| resolve.packages.get(p)) {
        out.push_str(&upper(&package.name.namespace));
        out.push_str(&upper(&package.name.name));
        if let Some(version) = &package.name.version {
            let version = version.to_string().replace(['.', '-', '+'], "_");
            out.push_str(&format!("{version}_"));
        }
    }
    out.push_str(&upper(iface.name.as_deref().unwrap_or_default()));
    out
}

/// The exported identifiers of the package: who asked first keeps the short name, the others are told apart.
#[derive(Default)]
pub(super) struct Registry {
    taken: HashMap<String, String>,
    /// What stands before the number of a second owner.
    separator: &'static str,
    pub(super) warnings: Vec<String>,
}

impl Registry {
    /// A book whose second owners get a number after `separator`.
    pub(super) fn with_separator(separator: &'static str) -> Self {
        Self {
            separator,
            ..Self::default()
        }
    }

    /// Keeps `name` for `what` (for instance "the helper `Ok`") before anything else can ask.
    pub(super) fn reserve(&mut self, name: &str, what: &str) {
        self.taken.insert(name.to_owned(), what.to_owned());
    }

    /// Returns `want`, or `fallback` when it is taken, or the first free `fallback_2`, `fallback_3`… Says so in a warning.
    pub(super) fn take(&mut self, want: String, fallback: Option<String>, what: &str) -> String {
        let Some(owner) = self.taken.get(&want) else {
            self.taken.insert(want.clone(), what.to_owned());
            return want;
        };
        let base = fallback.unwrap_or_else(|| want.clone());
        let free = std::iter::once(base.clone())
            .chain((2u32..).map(|n| format!("{base}{}{n}", self.separator)))
            .find(|name| !self.taken.contains_key(name))
            .unwrap_or(base);
        self.warnings.push(format!(
            "{what} is named `{free}`, because `{want}` is already {owner}"
        ));
        self.taken.insert(free.clone(), what.to_owned());
        free
    }
}

/// Returns `want`, or the first free `want_2`, `want_3`… among `used` (with `separator` for the `_`), and adds it there. For
/// names inside one type.
pub(super) fn unique_with(separator: &str, used: &mut Vec<String>, want: String) -> String {
    let name = std::iter::once(want.clone())
        .chain((2u32..).map(|n| format!("{want}{separator}{n}")))
        .find(|name| !used.contains(name))
        .unwrap_or(want);
    used.push(name.clone());
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_contract() {
        let check = |input: &str, expect: &str| assert_eq!(param(input), expect);
        check("component2-id", "component2_id");
        check("type", "_type");
        check("ret", "_ret");
        assert_eq!(upper("blue-ish"), "BlueIsh");
        assert_eq!(package("go-world"), "go_world");
        assert_eq!(package("select"), "_select");
        assert_eq!(package("main"), "_main");
    }

    #[test]
    fn file_names_never_carry_a_build_condition() {
        assert_eq!(file_stem("component1"), "component1");
        assert_eq!(file_stem("unit-test"), "unit_test_bindings");
        assert_eq!(file_stem("on-linux"), "on_linux_bindings");
        assert_eq!(file_stem("linux"), "linux");
    }

    #[test]
    fn the_second_owner_of_a_name_is_told_apart_and_reported() {
        let mut registry = Registry::with_separator("_");
        assert_eq!(
            registry.take(
                "NewApi".into(),
                Some("ANewApi".into()),
                "constructor of a/api"
            ),
            "NewApi"
        );
        assert_eq!(
            registry.take(
                "NewApi".into(),
                Some("BNewApi".into()),
                "constructor of b/api"
            ),
            "BNewApi"
        );
        assert_eq!(registry.take("BNewApi".into(), None, "type"), "BNewApi_2");
        assert_eq!(registry.warnings.len(), 2);
        assert!(
            registry.warnings[0].contains("constructor of b/api")
                && registry.warnings[0].contains("constructor of a/api")
        );
    }
}
