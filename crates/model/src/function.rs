// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / function: how a function of a worker is named. In: what a user or a stub wrote, and the exports of the
//! component. Out: the canonical name and signature, or what was perhaps meant. Never calls anything.
//! Read next: `signature.rs`. Source: client spec §1.5.
//!
//! ```text
//! name     := site ".{" function "}" | function           a bare function is one of the world
//! site     := [ns ":" pkg "/"] interface ["@" version]
//! function := name | res ".new" | res ".drop" | res "." method | "[constructor]" res | "[method]" res "." method | …
//! ```
//! When no export has exactly that name, shorter forms are tried: `iface.get`, `iface.{get}`, `get`,
//! `ns:pkg/iface.get`, `ns:pkg.{world-function}`, without the version. They work when one function only fits.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::error::Coded;
use crate::suggest;
use crate::types::{Export, FoundFunction, Function, HandleMode, NamedType, WitType, functions};

/// A function name, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FunctionName {
    /// Interface, `None` for a function of the world.
    pub site: Option<String>,
    /// Name in the interface; functions of resources as `r.new`, `r.drop`, `r.m`.
    pub function: String,
}

/// A function that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedFunction<'a> {
    /// Canonical name: `ns:pkg/iface.{fn}`, or a bare name.
    pub name: String,
    /// Its signature. Made up for `r.drop`, which no component exports.
    pub function: Cow<'a, Function>,
}

/// A name that is none, or that no function has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FunctionError {
    /// Text that follows no form of a name.
    #[error("`{0}` is not a function name")]
    Syntax(String),
    /// A resource named by its constructor's parameters.
    #[error("`{0}` names a resource by its parameters, which is not supported")]
    Indexed(String),
    /// No export has the name.
    #[error("can't find function `{name}` in component")]
    Unknown {
        /// The name.
        name: String,
        /// The exported name that is most like it.
        suggestion: Option<String>,
        /// Exported names, the first [`LISTED_MAX`].
        exported: Vec<String>,
    },
    /// A short form that fits more than one function.
    #[error("`{name}` may be any of {}", .fitting.join(", "))]
    Ambiguous {
        /// The name.
        name: String,
        /// Canonical names of the functions that it fits.
        fitting: Vec<String>,
    },
}

/// Most names that a hint lists: a hint is one line.
pub const LISTED_MAX: usize = 5;

impl FunctionError {
    /// The exported name that was perhaps meant.
    #[must_use]
    pub fn suggestion(&self) -> Option<String> {
        match self {
            Self::Unknown { suggestion, .. } => suggestion.clone(),
            Self::Ambiguous { fitting, .. } => fitting.first().cloned(),
            Self::Syntax(_) | Self::Indexed(_) => None,
        }
    }
}

impl Coded for FunctionError {
    fn code(&self) -> &'static str {
        match self {
            Self::Syntax(_) => "FUN-001",
            Self::Indexed(_) => "FUN-002",
            Self::Unknown { .. } => "FUN-003",
            Self::Ambiguous { .. } => "FUN-004",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Syntax(_) => {
                "write `namespace:package/interface.{function}`, in quotes".to_owned()
            }
            Self::Indexed(_) => {
                "call `resource.new` first, and pass the handle it returns".to_owned()
            }
            Self::Unknown {
                suggestion: Some(name),
                ..
            } => format!("did you mean '{name}'?"),
            Self::Unknown { exported, .. } if exported.is_empty() => {
                "the component exports no function: check the exports of its world".to_owned()
            }
            Self::Unknown { exported, .. } => {
                format!("the component exports '{}'", exported.join("', '"))
            }
            Self::Ambiguous { fitting, .. } => {
                format!(
                    "write the full name: '{}'",
                    fitting.first().map_or("", String::as_str)
                )
            }
        })
    }
}

impl FromStr for FunctionName {
    type Err = FunctionError;

    /// Takes a name apart. Errors: `Syntax`, `Indexed`.
    fn from_str(text: &str) -> Result<Self, FunctionError> {
        let syntax = || FunctionError::Syntax(text.to_owned());
        let (site, inner) = match text.split_once(".{") {
            Some((site, rest)) => (Some(site), rest.strip_suffix('}').ok_or_else(syntax)?),
            None => (None, text),
        };
        if inner.contains('(') {
            return Err(FunctionError::Indexed(text.to_owned()));
        }
        let function = spoken(inner);
        let words = |word: &str| !word.is_empty() && word.chars().all(is_name_char);
        // Without braces, dots and slashes may belong to a short form of the site.
        let good = if site.is_some() {
            function.split('.').all(words)
        } else {
            function.split(SITE_MARKS).all(words)
        };
        if !good || site.is_some_and(|site| !site.split(SITE_MARKS).all(words)) {
            return Err(syntax());
        }
        Ok(Self {
            site: site.map(str::to_owned),
            function: function.into_owned(),
        })
    }
}

/// What separates the words of a site.
const SITE_MARKS: [char; 5] = [':', '/', '@', '.', '+'];

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

impl fmt::Display for FunctionName {
    /// The canonical form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.site {
            Some(site) => write!(f, "{site}.{{{}}}", self.function),
            None => f.write_str(&self.function),
        }
    }
}

/// The canonical name of an exported function.
pub(crate) fn canonical(interface: Option<&str>, exported: &str) -> String {
    match interface {
        Some(interface) => format!("{interface}.{{{}}}", spoken(exported)),
        None => spoken(exported).into_owned(),
    }
}

/// A function as people name it: `r.new` for `[constructor]r`, `r.m` for `[method]r.m` and `[static]r.m`, `r.drop` for
/// `[drop]r`.
#[must_use]
pub fn spoken(exported: &str) -> Cow<'_, str> {
    match exported
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        Some(("constructor", resource)) => Cow::Owned(format!("{resource}.new")),
        Some(("drop", resource)) => Cow::Owned(format!("{resource}.drop")),
        Some(("method" | "static", rest)) => Cow::Borrowed(rest),
        _ => Cow::Borrowed(exported),
    }
}

/// The canonical name of the function that `name` means.
///
/// Errors: every variant of [`FunctionError`].
pub fn resolve(exports: &[Export], name: &str) -> Result<String, FunctionError> {
    find(exports, name).map(|found| found.name)
}

/// The function that `name` means, with its signature.
///
/// Errors: every variant of [`FunctionError`].
pub fn find<'a>(exports: &'a [Export], name: &str) -> Result<ResolvedFunction<'a>, FunctionError> {
    let wanted: FunctionName = name.parse()?;
    let mut all: Vec<(Option<&str>, ResolvedFunction<'a>)> = Vec::new();
    for found in functions(exports) {
        let resolved = ResolvedFunction {
            name: found.name(),
            function: Cow::Borrowed(found.function),
        };
        all.push((found.interface, resolved));
        all.extend(drop_of(found).map(|resolved| (found.interface, resolved)));
    }
    let canonical = wanted.to_string();
    if let Some(at) = all
        .iter()
        .position(|(_, function)| function.name == canonical)
    {
        return Ok(all.swap_remove(at).1);
    }
    let fits = |(interface, resolved): &(Option<&str>, ResolvedFunction<'a>)| {
        fits(&wanted, *interface, &spoken(&resolved.function.name))
    };
    let (mut fitting, others): (Vec<_>, Vec<_>) = all.into_iter().partition(fits);
    match (fitting.pop(), fitting.is_empty()) {
        (Some((_, one)), true) => Ok(one),
        (Some(last), false) => {
            let fitting = fitting
                .into_iter()
                .chain([last])
                .map(|(_, function)| function.name)
                .collect();
            Err(FunctionError::Ambiguous {
                name: name.to_owned(),
                fitting,
            })
        }
        (None, _) => Err(unknown(
            name,
            &wanted,
            others
                .into_iter()
                .map(|(_, function)| function.name)
                .collect(),
        )),
    }
}

fn unknown(name: &str, wanted: &FunctionName, mut exported: Vec<String>) -> FunctionError {
    // Whole names of one component are all alike: only the function's own name tells a slip from another wish.
    let inner = |full: &str| {
        full.parse::<FunctionName>()
            .map(|name| name.function)
            .unwrap_or_default()
    };
    let short: Vec<String> = exported.iter().map(|full| inner(full)).collect();
    let last = wanted
        .function
        .rsplit(['.', '/'])
        .next()
        .unwrap_or_default();
    let suggestion = suggest::closest(last, short.iter().map(String::as_str)).and_then(|close| {
        let alike = || {
            exported
                .iter()
                .zip(&short)
                .filter(|(_, short)| *short == close)
                .map(|(full, _)| full.as_str())
        };
        suggest::closest(name, alike())
            .or_else(|| alike().next())
            .map(str::to_owned)
    });
    exported.truncate(LISTED_MAX);
    FunctionError::Unknown {
        name: name.to_owned(),
        suggestion,
        exported,
    }
}

/// Dropping a resource, which the engine does itself: there for every resource with a constructor.
fn drop_of<'a>(found: FoundFunction<'_>) -> Option<ResolvedFunction<'a>> {
    let resource = found.function.name.strip_prefix("[constructor]")?;
    let Some(WitType::Handle { resource_id, .. }) =
        found.function.results.first().map(|result| &result.typ)
    else {
        return None;
    };
    let typ = WitType::Handle {
        resource_id: *resource_id,
        mode: HandleMode::Owned,
    };
    let name = format!("[drop]{resource}");
    Some(ResolvedFunction {
        name: canonical(found.interface, &name),
        function: Cow::Owned(Function {
            name,
            parameters: vec![NamedType {
                name: "self".into(),
                typ,
            }],
            results: vec![],
        }),
    })
}

/// Whether a name that is not exact may mean the function `spoken` of `interface`.
fn fits(wanted: &FunctionName, interface: Option<&str>, spoken: &str) -> bool {
    if let Some(site) = &wanted.site {
        return wanted.function == spoken
            && match interface {
                Some(interface) => site_fits(site, interface),
                // `ns:pkg.{f}`: documented by the original for functions of the world.
                None => !site.contains('/'),
            };
    }
    if wanted.function == spoken {
        return true;
    }
    let Some(site) = wanted
        .function
        .strip_suffix(spoken)
        .and_then(|rest| rest.strip_suffix(['.', '/']))
    else {
        return false;
    };
    match interface {
        Some(interface) => site_fits(site, interface),
        None => site.contains(':') && !site.contains('/'),
    }
}

/// Whether `site` is `interface`, perhaps without version or package, or with the package name of the other dialect
/// (client spec §3.5: `ns:pkg-interface`).
fn site_fits(site: &str, interface: &str) -> bool {
    let split = |full: &str| {
        let (path, version) = full
            .split_once('@')
            .map_or((full.to_owned(), None), |(path, version)| {
                (path.to_owned(), Some(version.to_owned()))
            });
        match path.rsplit_once('/') {
            Some((package, name)) => (Some(package.to_owned()), name.to_owned(), version),
            None => (None, path, version),
        }
    };
    let (package, name, version) = split(site);
    let (real_package, real_name, real_version) = split(interface);
    let bare = |package: &str| {
        package
            .strip_suffix("-interface")
            .unwrap_or(package)
            .to_owned()
    };
    name == real_name
        && (version.is_none() || version == real_version)
        && package
            .is_none_or(|package| real_package.is_some_and(|real| bare(&real) == bare(&package)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::FunctionResult;

    fn function(name: &str) -> Function {
        let typ = WitType::Handle {
            resource_id: 0,
            mode: HandleMode::Owned,
        };
        let results = if name.starts_with("[constructor]") {
            vec![FunctionResult { name: None, typ }]
        } else {
            vec![]
        };
        Function {
            name: name.into(),
            parameters: vec![],
            results,
        }
    }

    fn exports() -> Vec<Export> {
        let instance = |name: &str, functions: &[&str]| Export::Instance {
            name: name.into(),
            functions: functions.iter().map(|name| function(name)).collect(),
        };
        vec![
            instance("rpcdemo:component2/component2-api", &["add", "get"]),
            instance(
                "rpcdemo:component2/other@1.2.0",
                &["get", "[constructor]counter", "[method]counter.inc-by"],
            ),
            instance("n:three-interface/three-api", &["reset"]),
            instance("inline", &["run"]),
            Export::Function(function("top-level")),
        ]
    }

    #[track_caller]
    fn check(name: &str, expect: &str) {
        let found = resolve(&exports(), name).unwrap_or_else(|error| {
            assert!(error.hint().is_some());
            error.code().to_owned()
        });
        assert_eq!(found, expect, "{name}");
    }

    #[test]
    fn exact_names_are_found() {
        for name in [
            "rpcdemo:component2/component2-api.{get}",
            "rpcdemo:component2/other@1.2.0.{get}",
            "rpcdemo:component2/other@1.2.0.{counter.new}",
            "rpcdemo:component2/other@1.2.0.{counter.drop}",
            "inline.{run}",
            "top-level",
        ] {
            check(name, name);
        }
        check(
            "rpcdemo:component2/other@1.2.0.{[constructor]counter}",
            "rpcdemo:component2/other@1.2.0.{counter.new}",
        );
        check(
            "rpcdemo:component2/other@1.2.0.{[method]counter.inc-by}",
            "rpcdemo:component2/other@1.2.0.{counter.inc-by}",
        );
    }

    #[test]
    fn short_forms_work_when_one_function_fits() {
        let get = "rpcdemo:component2/component2-api.{get}";
        check("component2-api.get", get);
        check("component2-api.{get}", get);
        check("component2-api/get", get);
        check("rpcdemo:component2/component2-api.get", get);
        check("rpcdemo:component2-interface/component2-api.{get}", get);
        check("add", "rpcdemo:component2/component2-api.{add}");
        check(
            "other.{counter.inc-by}",
            "rpcdemo:component2/other@1.2.0.{counter.inc-by}",
        );
        check(
            "rpcdemo:component2/other@1.2.0.counter.new",
            "rpcdemo:component2/other@1.2.0.{counter.new}",
        );
        check("rpcdemo:component2.{top-level}", "top-level");
        check(
            "n:three/three-api.{reset}",
            "n:three-interface/three-api.{reset}",
        );
        check("get", "FUN-004");
        check("rpcdemo:component2/other@9.0.0.{get}", "FUN-003");
    }

    #[test]
    fn broken_names_are_refused() {
        for name in ["", "a.{b", "a.{}", "a b", "a.{b c}", ".{x}"] {
            check(name, "FUN-001");
        }
        check("a:b/c.{counter(\"n\").inc-by}", "FUN-002");
    }

    #[test]
    fn a_slip_gets_a_suggestion() {
        let suggestion = |name: &str| resolve(&exports(), name).unwrap_err().suggestion();
        assert_eq!(
            suggestion("rpcdemo:component2/component2-api.{ad}").as_deref(),
            Some("rpcdemo:component2/component2-api.{add}")
        );
        assert_eq!(suggestion("toplevel").as_deref(), Some("top-level"));
        assert_eq!(suggestion("rpcdemo:component2/component2-api.{zzz}"), None);
        assert!(
            resolve(&[], "zzz")
                .unwrap_err()
                .hint()
                .unwrap()
                .contains("exports no function")
        );
    }

    #[test]
    fn a_drop_takes_the_handle() {
        let exports = exports();
        let found = find(&exports, "other.{counter.drop}").unwrap();
        assert_eq!(
            found.function.parameters[0].typ,
            WitType::Handle {
                resource_id: 0,
                mode: HandleMode::Owned
            }
        );
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_resolved_or_refused(name in "\\PC*|[a-z:/@.{}\\[\\]()-]{0,30}") {
            if let Err(error) = resolve(&exports(), &name) {
                proptest::prop_assert!(error.hint().is_some());
            }
        }
    }
}
