// SPDX-License-Identifier: Apache-2.0
//! THE DESK / template names: from the two names of the command line to every spelling a template needs. In text, out [`Names`].
//! Never touches files. Read next: `render.rs`. Why: whatever is accepted here must compile, so the traps of Go's import
//! paths are closed here and not met in the compiler.

use golem_wit::bindgen::go::is_keyword;
use golem_wit::names as wit;
use heck::{ToSnakeCase as _, ToUpperCamelCase as _};

use super::{Template, TemplateError, catalogue::WIT_DEPS_PACKAGES};

/// Names that no file or directory may have on Windows, and that Go therefore refuses in import paths.
const DEVICES: &[&str] = &[
    "aux", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9", "con", "lpt1",
    "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9", "nul", "prn",
];

/// First words of import paths that Go keeps for its standard library and its own tools.
const GO_ROOTS: &[&str] = &[
    "archive",
    "arena",
    "bufio",
    "builtin",
    "bytes",
    "cmd",
    "cmp",
    "compress",
    "container",
    "context",
    "crypto",
    "database",
    "debug",
    "embed",
    "encoding",
    "errors",
    "expvar",
    "flag",
    "fmt",
    "go",
    "hash",
    "html",
    "image",
    "index",
    "internal",
    "io",
    "iter",
    "log",
    "main",
    "maps",
    "math",
    "mime",
    "net",
    "os",
    "path",
    "plugin",
    "reflect",
    "regexp",
    "runtime",
    "simd",
    "slices",
    "sort",
    "std",
    "strconv",
    "strings",
    "structs",
    "sync",
    "syscall",
    "testing",
    "text",
    "time",
    "tool",
    "unicode",
    "unique",
    "unsafe",
    "vendor",
    "weak",
];

/// Directories of a component that the bindings must not share, or that Go treats in a way of its own.
const TAKEN_DIRS: &[&str] = &[
    "adapters", "internal", "target", "testdata", "tools", "vendor", "wit",
];

/// What `main.go` of the templates calls by its bare name; a package of that name would hide it, as a keyword cannot be one.
const TAKEN_IDENTS: &[&str] = &["init", "main", "total", "uint64"];

/// `namespace:name[@version]`, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PackageSpec {
    /// The namespace.
    pub(crate) namespace: String,
    /// The name.
    pub(crate) name: String,
    /// The version, in the text form of semver.
    pub(crate) version: Option<String>,
}

impl std::fmt::Display for PackageSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.namespace, self.name)?;
        self.version
            .as_ref()
            .map_or(Ok(()), |version| write!(f, "@{version}"))
    }
}

/// Reads `--package-name`; for clap.
pub(crate) fn package_spec(text: &str) -> Result<PackageSpec, String> {
    let parsed = wit::package_name(text).map_err(|error| {
        use golem_model::Coded as _;
        let hint = error
            .hint()
            .map(|hint| format!(" ({hint})"))
            .unwrap_or_default();
        format!("Unexpected package name {text}. Must be in 'pack:name' format: {error}{hint}")
    })?;
    for word in [&parsed.namespace, &parsed.name] {
        if DEVICES.contains(&word.as_str()) {
            return Err(format!(
                "`{word}` cannot be a file name on every system, so Go refuses it; choose another word"
            ));
        }
    }
    Ok(PackageSpec {
        namespace: parsed.namespace,
        name: parsed.name,
        version: parsed.version.map(|v| v.to_string()),
    })
}

/// The kebab-case identifier of a component name: the name itself, or what snake_case and PascalCase turn into.
pub(crate) fn component_word(text: &str) -> Result<String, TemplateError> {
    let refuse = |why: String, nearest: Option<String>| TemplateError::Name {
        name: text.to_owned(),
        why,
        nearest,
    };
    let word = match wit::identifier(text) {
        Ok(()) => text.to_owned(),
        Err(wit::NameError::Keyword { .. }) => {
            return Err(refuse(
                "it is a keyword of WIT".to_owned(),
                Some(format!("my-{text}")),
            ));
        }
        Err(_) => {
            let plain = text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
                && text.starts_with(|c: char| c.is_ascii_alphabetic());
            let nearest = wit::suggestion(text);
            match nearest {
                Some(word) if plain => word,
                other => {
                    return Err(refuse(
                        "a name is made of lower-case words joined by `-`".to_owned(),
                        other,
                    ));
                }
            }
        }
    };
    if DEVICES.contains(&word.as_str()) {
        return Err(refuse(
            "it cannot be a file name on every system, so Go refuses it".to_owned(),
            Some(format!("my-{word}")),
        ));
    }
    Ok(word)
}

/// The directory, next to `go.mod`, that bindings of a world go to when nothing else is said: the world in snake_case,
/// with `_bindings` behind it where that name is taken.
pub(crate) fn bindings_dir(world: &str) -> String {
    let snake = world.to_snake_case();
    if TAKEN_DIRS.contains(&snake.as_str()) {
        format!("{snake}_bindings")
    } else {
        snake
    }
}

/// Refuses names that clash inside the template. Errors: `Name`, `Package`.
pub(crate) fn check(template: &Template, names: &Names) -> Result<(), TemplateError> {
    if !template.uses_package {
        return Ok(());
    }
    // The world is named like the component and lives in one package with the interface `api`.
    if names.component == "api" {
        return Err(TemplateError::Name {
            name: names.component.clone(),
            why: "the interface of this template has that name".to_owned(),
            nearest: Some("my-api".to_owned()),
        });
    }
    let package = names.package.to_string();
    if WIT_DEPS_PACKAGES.contains(&package.as_str()) {
        return Err(TemplateError::Package {
            package,
            why: "the component depends on a package of that name".to_owned(),
        });
    }
    Ok(())
}

/// Every spelling of the two names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    /// The kebab-case component name.
    pub(crate) component: String,
    /// The package.
    pub(crate) package: PackageSpec,
    /// The directory as typed.
    pub(crate) target: String,
}

impl Names {
    /// What each placeholder stands for, longest placeholder first, so that one never hides in another.
    pub(crate) fn placeholders(&self) -> Vec<(&'static str, String)> {
        let PackageSpec {
            namespace: ns,
            name,
            version,
        } = &self.package;
        let component = &self.component;
        let snake = component.to_snake_case();
        let dir = bindings_dir(component);
        let at_version = version
            .as_ref()
            .map(|v| format!("@{v}"))
            .unwrap_or_default();
        let go_version = version
            .as_ref()
            .map(|v| format!("{}_", v.replace(['.', '-', '+'], "_")))
            .unwrap_or_default();
        let module = go_module(ns, name);
        // The generated package is called like the world, so an import needs a name of its own where that is no usable
        // identifier or not the name of the directory.
        let (ident, import) =
            if is_keyword(&dir) || TAKEN_IDENTS.contains(&dir.as_str()) || dir != snake {
                (
                    "bindings".to_owned(),
                    format!("bindings \"{module}/{dir}\""),
                )
            } else {
                (dir.clone(), format!("\"{module}/{dir}\""))
            };
        let mut all = vec![
            ("component-name", component.clone()),
            ("ComponentName", component.to_upper_camel_case()),
            ("component_name", snake),
            ("pack::name", format!("{ns}::{name}")),
            ("pack:name", format!("{ns}:{name}{at_version}")),
            ("pack_name", format!("{ns}_{name}")),
            ("pack-name", format!("{ns}-{name}")),
            ("pack/name", format!("{ns}/{name}")),
            (
                "PackName",
                format!(
                    "{}{}{go_version}",
                    ns.to_upper_camel_case(),
                    name.to_upper_camel_case()
                ),
            ),
            ("pack-ns", ns.clone()),
            ("PackNs", ns.to_upper_camel_case()),
            ("api_function", format!("{ns}:{name}/api{at_version}")),
            ("bindings_dir", dir),
            ("bindings_pkg", ident),
            ("bindings_import", import),
            ("go_module", module),
            ("target_dir", self.target.clone()),
            // Nothing: keeps a word that looks like a placeholder from being one.
            ("{{}}", String::new()),
        ];
        all.sort_by_key(|(placeholder, _)| std::cmp::Reverse(placeholder.len()));
        all
    }
}

/// The module path: `namespace/name`, kept apart from Go's own packages, from version suffixes such as `/v1`, and from
/// `vendor`, which no import path may contain.
fn go_module(ns: &str, name: &str) -> String {
    let plain = |word: &str| {
        let version = word
            .strip_prefix('v')
            .is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit()));
        if version || word == "vendor" {
            format!("{word}-component")
        } else {
            word.to_owned()
        }
    };
    let module = format!("{}/{}", plain(ns), plain(name));
    if GO_ROOTS.contains(&ns) {
        format!("wit/{module}")
    } else {
        module
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn component_names_are_converted_or_refused() {
        let check = |input: &str, expect: Option<&str>| {
            assert_eq!(component_word(input).ok().as_deref(), expect, "{input}")
        };
        check("component1", Some("component1"));
        check("shopping-cart", Some("shopping-cart"));
        check("shopping_cart", Some("shopping-cart"));
        check("ShoppingCart", Some("shopping-cart"));
        check("HTTPServer", Some("http-server"));
        for bad in [
            "",
            "1abc",
            "with space",
            "a.b",
            "type",
            "café",
            "_x",
            "-x",
            "nul",
            "Con",
            "a-1",
            &"x".repeat(129),
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn package_names_are_checked() {
        assert_eq!(
            package_spec("rpcdemo:component1").unwrap().name,
            "component1"
        );
        assert_eq!(
            package_spec("a:b@1.0.0").unwrap().version.as_deref(),
            Some("1.0.0")
        );
        for bad in [
            "foo",
            "foo:bar:baz",
            "Foo:Bar",
            "a:b/c",
            "foo:1x",
            "a_b:c",
            ":x",
            "x:",
            "type:world",
            "aux:x",
        ] {
            assert!(package_spec(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn go_names_step_aside_for_go() {
        let names = |component: &str, package: &str| Names {
            component: component.to_owned(),
            package: package_spec(package).unwrap(),
            target: "x".to_owned(),
        };
        let get = |names: &Names, key: &str| {
            names
                .placeholders()
                .into_iter()
                .find(|(k, _)| *k == key)
                .unwrap()
                .1
        };
        assert_eq!(
            get(
                &names("component1", "rpcdemo:component1"),
                "bindings_import"
            ),
            "\"rpcdemo/component1/component1\""
        );
        assert_eq!(
            get(&names("select", "a:b"), "bindings_import"),
            "bindings \"a/b/select\""
        );
        assert_eq!(get(&names("wit", "a:b"), "bindings_dir"), "wit_bindings");
        assert_eq!(get(&names("x", "net:http"), "go_module"), "wit/net/http");
        assert_eq!(
            get(&names("x", "acme:v1"), "go_module"),
            "acme/v1-component"
        );
        assert_eq!(
            get(&names("x", "my-org:demo-app@1.2.3"), "PackName"),
            "MyOrgDemoApp1_2_3_"
        );
    }
}
