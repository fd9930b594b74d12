// SPDX-License-Identifier: Apache-2.0
//! THE WORKSHOP / bindgen go idiom names: identifiers and packages as Go programmers write them. In WIT names, out Go.
//! Never looks at types. Read next: `../plan.rs`. Why: docs/go-bindings.md, section "Style go".

use super::super::ir::Side;
use super::super::names::is_keyword;
use std::collections::HashMap;
use wit_parser::{Resolve, WorldKey};

/// Words that Go writes in capitals. Source: the Go wiki, "Initialisms"; those that occur in WIT.
const INITIALISMS: [&str; 26] = [
    "api", "ascii", "cpu", "css", "dns", "eof", "guid", "html", "http", "https", "id", "io", "ip",
    "json", "ram", "rpc", "sql", "ssh", "tcp", "tls", "ttl", "udp", "ui", "uri", "url", "uuid",
];

/// What generated code calls by its plain name, so that no package and no parameter may be called so.
const RESERVED: [&str; 62] = [
    // Packages that generated files import.
    "context",
    "errors",
    "fmt",
    "golemrt",
    "math",
    "rpc",
    "strconv",
    "unsafe",
    "wit",
    "worker",
    // Packages that could not be imported, or that `go` treats specially.
    "main",
    "internal",
    "testdata",
    "vendor",
    // Names of Go itself.
    "any",
    "append",
    "bool",
    "byte",
    "cap",
    "clear",
    "close",
    "comparable",
    "complex64",
    "complex128",
    "copy",
    "delete",
    "error",
    "false",
    "float32",
    "float64",
    "imag",
    "int",
    "int16",
    "int32",
    "int64",
    "int8",
    "iota",
    "len",
    "make",
    "max",
    "min",
    "new",
    "nil",
    "panic",
    "print",
    "println",
    "real",
    "recover",
    "rune",
    "string",
    "true",
    "uint",
    "uint16",
    "uint32",
    "uint64",
    "uint8",
    "uintptr",
    // Names of locals in generated code.
    "ctx",
    "err",
    "self",
    "args",
    "ret",
];

fn words(name: &str) -> impl Iterator<Item = String> {
    name.split(['-', '_'])
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

fn capital(word: &str) -> String {
    if INITIALISMS.contains(&word) {
        return word.to_uppercase();
    }
    let mut chars = word.chars();
    chars
        .next()
        .map(|c| c.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

/// `worker-id` → `WorkerID`.
pub(in super::super) fn exported(name: &str) -> String {
    words(name).map(|word| capital(&word)).collect()
}

/// `worker-id` → `workerID`.
pub(in super::super) fn unexported(name: &str) -> String {
    words(name)
        .enumerate()
        .map(|(i, word)| if i == 0 { word } else { capital(&word) })
        .collect()
}

/// A parameter; what Go, generated code or a package of these bindings calls the same gets `Arg` behind it.
pub(in super::super) fn param(name: &str, packages: &[String]) -> String {
    let plain = unexported(name);
    // Locals of generated code are one letter, or one letter and a number.
    let local = plain.len() == 1
        || plain
            .get(1..)
            .is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit()));
    if local || is_taken(&plain) || packages.contains(&plain) {
        format!("{plain}Arg")
    } else {
        plain
    }
}

fn is_taken(name: &str) -> bool {
    is_keyword(name) || RESERVED.contains(&name)
}

/// The name of a package for a world.
pub(in super::super) fn world_package(world: &str) -> String {
    let name: String = words(world).collect();
    if is_taken(&name) {
        format!("{name}world")
    } else {
        name
    }
}

/// One interface of a world, for the choice of a package.
#[derive(Debug, Clone)]
struct Wish {
    /// What it is called when nobody else is.
    short: String,
    /// With the name of its package in front.
    long: String,
    /// The version of its package, digits only.
    version: String,
    side: Side,
    /// The same for both sides of an interface.
    key: String,
    stub: bool,
}

/// The packages of the interfaces of a world, in their order: the last word of the interface in lower case; with the
/// WIT package in front where two want one name, where Go has taken it, and for what every second package has (`types`).
pub(in super::super) fn packages(
    resolve: &Resolve,
    root: &str,
    interfaces: &[(&WorldKey, Side, bool)],
) -> Vec<String> {
    let wishes: Vec<Wish> = interfaces
        .iter()
        .map(|(key, side, stub)| wish(resolve, key, *side, *stub))
        .collect();
    let mut owners: HashMap<&str, Vec<&str>> = HashMap::new();
    for wish in &wishes {
        let keys = owners.entry(&wish.short).or_default();
        if !keys.contains(&wish.key.as_str()) {
            keys.push(&wish.key);
        }
    }
    let mut taken: Vec<String> = vec![root.to_owned()];
    wishes
        .iter()
        .map(|wish| {
            let shared = owners
                .get(wish.short.as_str())
                .is_some_and(|keys| keys.len() > 1);
            let short = !shared && wish.short != "types" && !is_taken(&wish.short);
            let base = if short { &wish.short } else { &wish.long };
            let both = wishes
                .iter()
                .any(|other| other.key == wish.key && other.side != wish.side);
            let suffix = match wish.side {
                Side::Export if both => "export",
                _ => "",
            };
            let base = format!("{base}{suffix}");
            let second = if wish.stub {
                format!("{base}client")
            } else {
                format!("{}{}{suffix}", wish.long, wish.version)
            };
            let free = |name: &String| !taken.contains(name) && !is_taken(name);
            let name = [base.clone(), second.clone()]
                .into_iter()
                .chain((2u32..).map(|n| format!("{second}{n}")))
                .find(free)
                .unwrap_or(base);
            taken.push(name.clone());
            name
        })
        .collect()
}

fn wish(resolve: &Resolve, key: &WorldKey, side: Side, stub: bool) -> Wish {
    let joined = |name: &str| words(name).collect::<String>();
    let mut found = Wish {
        short: String::new(),
        long: String::new(),
        version: String::new(),
        side,
        key: resolve.name_world_key(key),
        stub,
    };
    match key {
        WorldKey::Name(name) => {
            found.short = joined(name);
            found.long = format!("{}inline", found.short);
        }
        WorldKey::Interface(id) => {
            let Some(interface) = resolve.interfaces.get(*id) else {
                return found;
            };
            let name = interface.name.clone().unwrap_or_default();
            let name = name.strip_prefix("stub-").filter(|_| stub).unwrap_or(&name);
            found.short = joined(name);
            found.long.clone_from(&found.short);
            if let Some(package) = interface.package.and_then(|id| resolve.packages.get(id)) {
                let package = &package.name;
                let target = package.name.strip_suffix("-stub").filter(|_| stub);
                let target = joined(target.unwrap_or(&package.name));
                found.long = format!("{target}{}", found.short);
                if let Some(version) = &package.version {
                    found.version = version
                        .to_string()
                        .chars()
                        .filter(char::is_ascii_alphanumeric)
                        .collect();
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_go_programmers_write() {
        assert_eq!(exported("worker-id"), "WorkerID");
        assert_eq!(exported("get-json-url2"), "GetJSONUrl2");
        assert_eq!(unexported("http-method"), "httpMethod");
        assert_eq!(param("type", &[]), "typeArg");
        assert_eq!(param("c", &[]), "cArg");
        assert_eq!(param("p12", &[]), "p12Arg");
        assert_eq!(param("cart", &["cart".to_owned()]), "cartArg");
        assert_eq!(param("amount", &[]), "amount");
        assert_eq!(world_package("unit-test"), "unittest");
        assert_eq!(world_package("main"), "mainworld");
    }
}
