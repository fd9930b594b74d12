// SPDX-License-Identifier: Apache-2.0
//! THE JANITOR / read: finds error codes in Rust source. In: one file's text. Out: [`Entry`]s. Two shapes are understood: an
//! enum with `#[error("…")]` and `impl Coded` (arms of `code` and `hint`), and a literal `Problem { code, message, hint }`.
//! Tests are left out. Read next: `page.rs`.

use std::collections::BTreeMap;

use quote::ToTokens;
use syn::{Attribute, Expr, ImplItem, Item, Lit, Meta};

use super::Entry;

/// What an enum says about one variant.
#[derive(Debug, Default, Clone)]
struct Variant {
    sentence: String,
    meaning: String,
}

/// The codes of one file. `report` is told of codes whose explanation is not found.
pub(super) fn entries(path: &str, text: &str, report: &mut dyn FnMut(String)) -> Vec<Entry> {
    if !text.contains("Problem") && !text.contains("Coded") {
        return Vec::new();
    }
    let file = match syn::parse_file(text) {
        Ok(file) => file,
        Err(error) => {
            report(format!("is not Rust: {error}"));
            return Vec::new();
        }
    };
    let mut found = Vec::new();
    items(&file.items, path, &mut found, report);
    found
}

fn items(
    items_of_module: &[Item],
    path: &str,
    found: &mut Vec<Entry>,
    report: &mut dyn FnMut(String),
) {
    let known = explanations(items_of_module);
    for item in items_of_module.iter().filter(|item| !is_test(item)) {
        match item {
            Item::Mod(module) => {
                if let Some((_, inner)) = &module.content {
                    items(inner, path, found, report);
                }
            }
            Item::Impl(coded) if implements(coded, "Coded") => {
                coded_type(coded, &known, path, found, report);
            }
            other => problems(other.to_token_stream(), path, found),
        }
    }
}

/// What the enums and structs of a module say about their variants and themselves, by `Type` and `Type::Variant`, and each
/// variant also by its bare name, for a struct that matches on the kind inside it.
fn explanations(items_of_module: &[Item]) -> BTreeMap<String, Variant> {
    let mut known: BTreeMap<String, Variant> = BTreeMap::new();
    for item in items_of_module {
        match item {
            Item::Enum(item) => {
                for variant in &item.variants {
                    let explained = explained(&variant.attrs);
                    known
                        .entry(variant.ident.to_string())
                        .or_insert_with(|| explained.clone());
                    // An enum of one variant is explained by it.
                    known
                        .entry(item.ident.to_string())
                        .or_insert_with(|| explained.clone());
                    known.insert(format!("{}::{}", item.ident, variant.ident), explained);
                }
            }
            Item::Struct(item) => {
                known.insert(item.ident.to_string(), explained(&item.attrs));
            }
            _ => {}
        }
    }
    // Sentences of a hand-written `impl Display`.
    for item in items_of_module {
        let Item::Impl(display) = item else { continue };
        let functions = display.items.iter().filter_map(|item| match item {
            ImplItem::Fn(function) if implements(display, "Display") => Some(function),
            _ => None,
        });
        let type_name = last_word(&display.self_ty.to_token_stream().to_string());
        for (names, body) in functions.flat_map(|function| arms(&function.block)) {
            let Some(sentence) = literal(body) else {
                continue;
            };
            for name in names {
                for key in [format!("{type_name}::{name}"), name] {
                    if let Some(variant) = known
                        .get_mut(&key)
                        .filter(|variant| variant.sentence.is_empty())
                    {
                        variant.sentence.clone_from(&sentence);
                    }
                }
            }
        }
    }
    known
}

fn implements(item: &syn::ItemImpl, wanted: &str) -> bool {
    item.trait_.as_ref().is_some_and(|(_, name, _)| {
        name.segments
            .last()
            .is_some_and(|last| last.ident == wanted)
    })
}

fn is_test(item: &Item) -> bool {
    let attrs = match item {
        Item::Mod(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        _ => return false,
    };
    attrs.iter().any(|attr| {
        let text = attr.to_token_stream().to_string();
        text.contains("test")
    })
}

/// Sentence and meaning of a variant, from its attributes.
fn explained(attrs: &[Attribute]) -> Variant {
    let mut variant = Variant::default();
    let mut meaning: Vec<String> = Vec::new();
    for attr in attrs {
        match &attr.meta {
            Meta::NameValue(pair) if pair.path.is_ident("doc") => {
                meaning.extend(
                    literal(pair.value.to_token_stream()).map(|line| line.trim().to_owned()),
                );
            }
            Meta::List(list) if list.path.is_ident("error") => {
                variant.sentence = literal(list.tokens.clone()).unwrap_or_default();
            }
            _ => {}
        }
    }
    variant.meaning = meaning.join(" ");
    variant
}

/// Reads `fn code` and `fn hint` of one `impl Coded`.
fn coded_type(
    item: &syn::ItemImpl,
    known: &BTreeMap<String, Variant>,
    path: &str,
    found: &mut Vec<Entry>,
    report: &mut dyn FnMut(String),
) {
    let type_name = last_word(&item.self_ty.to_token_stream().to_string());
    let mut hints: BTreeMap<String, String> = BTreeMap::new();
    let mut codes: Vec<(String, String)> = Vec::new();
    for function in &item.items {
        let ImplItem::Fn(function) = function else {
            continue;
        };
        let is_code = function.sig.ident == "code";
        for (names, body) in arms(&function.block) {
            if !is_code && is_none(&body) {
                report(format!(
                    "`{type_name}::{}` has no hint: say what to do next",
                    names.join("`, `")
                ));
            }
            let Some(text) = literal(body) else { continue };
            for name in names {
                if is_code && is_error_code(&text) {
                    codes.push((name, text.clone()));
                } else if function.sig.ident == "hint" {
                    hints.entry(name).or_insert_with(|| text.clone());
                }
            }
        }
    }
    for (name, code) in codes {
        let keys = [
            format!("{type_name}::{name}"),
            if name == "_" {
                type_name.clone()
            } else {
                name.clone()
            },
        ];
        let variant = keys
            .iter()
            .find_map(|key| known.get(key))
            .cloned()
            .unwrap_or_default();
        if variant.sentence.is_empty() && variant.meaning.is_empty() {
            report(format!(
                "`{code}`: no variant `{name}` with `#[error]` and a doc comment beside `impl Coded`"
            ));
        }
        let hint = hints
            .get(&name)
            .or_else(|| hints.get("_"))
            .cloned()
            .unwrap_or_default();
        found.push(Entry {
            code,
            sentence: variant.sentence,
            meaning: variant.meaning,
            hint,
            path: path.to_owned(),
        });
    }
}

/// The arms of all `match`es in a function: names of the variants before `=>`, tokens after it. A function without a `match`
/// is one arm called `_`.
fn arms(block: &syn::Block) -> Vec<(Vec<String>, proc_macro2::TokenStream)> {
    let mut all = Vec::new();
    for statement in &block.stmts {
        if let syn::Stmt::Expr(expr, _) = statement {
            collect_arms(expr, &mut all);
        }
    }
    if all.is_empty() {
        all.push((vec!["_".to_owned()], block.to_token_stream()));
    }
    all
}

fn collect_arms(expr: &Expr, all: &mut Vec<(Vec<String>, proc_macro2::TokenStream)>) {
    match expr {
        Expr::Match(expr) => {
            for arm in &expr.arms {
                all.push((variant_names(&arm.pat), arm.body.to_token_stream()));
            }
        }
        Expr::Call(call) => call.args.iter().for_each(|arg| collect_arms(arg, all)),
        Expr::MethodCall(call) => {
            collect_arms(&call.receiver, all);
            call.args.iter().for_each(|arg| collect_arms(arg, all));
        }
        Expr::Return(expr) => {
            if let Some(expr) = &expr.expr {
                collect_arms(expr, all);
            }
        }
        Expr::Paren(expr) => collect_arms(&expr.expr, all),
        _ => {}
    }
}

/// Whether an arm gives nothing: `None`, `return None`.
fn is_none(body: &proc_macro2::TokenStream) -> bool {
    let text = body.to_string();
    let text = text.trim_matches(['{', '}', ' ', ';']);
    text.strip_prefix("return ").unwrap_or(text) == "None"
}

fn variant_names(pattern: &syn::Pat) -> Vec<String> {
    let name = |path: &syn::Path| path.segments.last().map(|last| last.ident.to_string());
    match pattern {
        syn::Pat::Or(pattern) => pattern.cases.iter().flat_map(variant_names).collect(),
        syn::Pat::Struct(pattern) => name(&pattern.path).into_iter().collect(),
        syn::Pat::TupleStruct(pattern) => name(&pattern.path).into_iter().collect(),
        syn::Pat::Path(pattern) => name(&pattern.path).into_iter().collect(),
        syn::Pat::Wild(_) => vec!["_".to_owned()],
        _ => Vec::new(),
    }
}

/// Finds `Problem { code: "…", message: …, hint: … }` anywhere in `tokens`.
fn problems(tokens: proc_macro2::TokenStream, path: &str, found: &mut Vec<Entry>) {
    let tokens: Vec<proc_macro2::TokenTree> = tokens.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        let proc_macro2::TokenTree::Group(group) = token else {
            continue;
        };
        let before = at
            .checked_sub(1)
            .and_then(|at| tokens.get(at))
            .map(ToString::to_string)
            .unwrap_or_default();
        if before == "Problem" {
            let literal = format!("Problem {group}");
            if let Ok(parsed) = syn::parse_str::<syn::ExprStruct>(&literal) {
                found.extend(problem(&parsed, path));
            }
        }
        problems(group.stream(), path, found);
    }
}

fn problem(expr: &syn::ExprStruct, path: &str) -> Option<Entry> {
    let field = |name: &str| {
        let field = expr
            .fields
            .iter()
            .find(|field| field.member.to_token_stream().to_string() == name)?;
        literal(field.expr.to_token_stream())
    };
    let code = field("code").filter(|code| is_error_code(code))?;
    let sentence = field("message").unwrap_or_default();
    Some(Entry {
        code,
        sentence,
        meaning: String::new(),
        hint: field("hint").unwrap_or_default(),
        path: path.to_owned(),
    })
}

/// The first string literal among `tokens`, at any depth.
fn literal(tokens: proc_macro2::TokenStream) -> Option<String> {
    tokens.into_iter().find_map(|token| match token {
        proc_macro2::TokenTree::Group(group) => literal(group.stream()),
        proc_macro2::TokenTree::Literal(text) => match syn::parse_str::<Lit>(&text.to_string()) {
            Ok(Lit::Str(text)) => Some(text.value()),
            _ => None,
        },
        _ => None,
    })
}

fn is_error_code(text: &str) -> bool {
    let (area, number) = text.split_once('-').unwrap_or_default();
    let is_area = area.len() == 3 && area.chars().all(|c| c.is_ascii_uppercase());
    is_area && number.len() == 3 && number.chars().all(|c| c.is_ascii_digit())
}

fn last_word(text: &str) -> String {
    text.rsplit(|c: char| !c.is_alphanumeric() && c != '_')
        .find(|word| !word.is_empty())
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<Entry>, Vec<String>) {
        let mut reports = Vec::new();
        let entries = entries("a.rs", text, &mut |report| reports.push(report));
        (entries, reports)
    }

    #[test]
    fn enum_with_codes_and_hints_is_read() {
        let (entries, reports) = read(
            r#"
            pub enum E {
                /// The directory holds no WIT.
                #[error("`{}` holds no WIT files", path.display())]
                Empty { path: PathBuf },
                /// Two lines,
                /// one sentence.
                #[error("{0} is not there")]
                Gone(String),
                #[error(transparent)]
                Other(#[from] X),
            }
            impl Coded for E {
                fn code(&self) -> &'static str {
                    match self { Self::Empty { .. } => "STB-001", Self::Gone(_) => "STB-002", Self::Other(e) => e.code() }
                }
                fn hint(&self) -> Option<String> {
                    Some(match self {
                        Self::Empty { path } | Self::Gone(path) => format!("look into {path}"),
                        Self::Other(e) => return e.hint(),
                    })
                }
            }"#,
        );
        assert_eq!(reports, [""; 0]);
        let shown: Vec<_> = entries
            .iter()
            .map(|e| [&e.code, &e.sentence, &e.meaning, &e.hint].map(String::as_str))
            .collect();
        assert_eq!(
            shown,
            [
                [
                    "STB-001",
                    "`{}` holds no WIT files",
                    "The directory holds no WIT.",
                    "look into {path}"
                ],
                [
                    "STB-002",
                    "{0} is not there",
                    "Two lines, one sentence.",
                    "look into {path}"
                ],
            ]
        );
    }

    #[test]
    fn literal_problem_is_read_and_tests_are_not() {
        let (entries, _) = read(
            r#"
            fn f() -> Problem { Problem { code: "CLI-001".to_owned(), message: format!("no {x}"), hint: Some("do it".into()) } }
            #[cfg(test)]
            mod tests { fn g() { Problem { code: "CLI-009".into(), message: "m".into(), hint: None }; } }
            "#,
        );
        let shown: Vec<_> = entries
            .iter()
            .map(|e| [&e.code, &e.sentence, &e.hint].map(String::as_str))
            .collect();
        assert_eq!(shown, [["CLI-001", "no {x}", "do it"]]);
    }

    #[test]
    fn struct_with_a_kind_inside_is_read() {
        let (entries, reports) = read(
            r#"
            /// A cursor that is none.
            #[error("`{0}` is not a cursor")]
            pub struct BadCursor(String);
            impl Coded for BadCursor { fn code(&self) -> &'static str { "VAL-010" } }
            pub enum Kind {
                /// Too many levels.
                Deep,
            }
            impl fmt::Display for Kind {
                fn fmt(&self, f: &mut F) -> R { match self { Self::Deep => write!(f, "nested too deep") } }
            }
            pub struct E { kind: Kind }
            impl Coded for E { fn code(&self) -> &'static str { match self.kind { Kind::Deep => "VAL-011" } } }
            "#,
        );
        assert_eq!(reports, [""; 0]);
        let shown: Vec<_> = entries
            .iter()
            .map(|e| [&e.code, &e.sentence, &e.meaning].map(String::as_str))
            .collect();
        assert_eq!(
            shown,
            [
                ["VAL-010", "`{0}` is not a cursor", "A cursor that is none."],
                ["VAL-011", "nested too deep", "Too many levels."],
            ]
        );
    }

    #[test]
    fn code_without_explanation_is_reported() {
        let (_, reports) = read(
            "impl Coded for E { fn code(&self) -> &'static str { match self { Self::A => \"ABC-001\" } } }",
        );
        assert_eq!(reports.len(), 1);
        let (_, reports) = read("enum Coded {");
        assert_eq!(reports.len(), 1);
    }

    #[test]
    fn codes_have_three_letters_and_three_digits() {
        assert!(is_error_code("STB-004"));
        for text in ["STB-04", "stb-004", "STBX-004", "STB004", "STB-00a", ""] {
            assert!(!is_error_code(text), "{text}");
        }
    }
}
