// SPDX-License-Identifier: Apache-2.0
//! THE WORDS / types: WIT types and function signatures as data, in the JSON shape of the REST API.
//! Never touches IO. Read next: `value.rs`. Source: client spec §6.5 and §6.6.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A WIT type. JSON: an object tagged by `type`. Client spec §6.5.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum WitType {
    /// `bool`
    Bool,
    /// `u8`
    U8,
    /// `s8`
    S8,
    /// `u16`
    U16,
    /// `s16`
    S16,
    /// `u32`
    U32,
    /// `s32`
    S32,
    /// `u64`
    U64,
    /// `s64`
    S64,
    /// `f32`
    F32,
    /// `f64`
    F64,
    /// `char`
    Chr,
    /// `string`
    Str,
    /// `list<inner>`
    List {
        /// Type of every element.
        inner: Box<WitType>,
    },
    /// `option<inner>`
    Option {
        /// Type of the value that may be there.
        inner: Box<WitType>,
    },
    /// `tuple<…>`
    Tuple {
        /// Types in order.
        items: Vec<WitType>,
    },
    /// `record { … }`
    Record {
        /// Fields in declaration order.
        fields: Vec<NamedType>,
    },
    /// `variant { … }`
    Variant {
        /// Cases in declaration order.
        cases: Vec<NamedCase>,
    },
    /// `enum { … }`
    Enum {
        /// Case names in declaration order.
        cases: Vec<String>,
    },
    /// `flags { … }`
    Flags {
        /// Flag names in declaration order.
        names: Vec<String>,
    },
    /// `result<ok, err>`
    Result {
        /// Type of the good side, if it has one.
        ok: Option<Box<WitType>>,
        /// Type of the bad side, if it has one.
        err: Option<Box<WitType>>,
    },
    /// A resource handle.
    Handle {
        /// Number of the resource type inside its component.
        resource_id: u64,
        /// Own or borrow.
        mode: HandleMode,
    },
}

/// How a handle is passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum HandleMode {
    /// `own<r>`
    Owned,
    /// `borrow<r>`
    Borrowed,
}

/// A record field or a function parameter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct NamedType {
    /// WIT name.
    pub name: String,
    /// Its type.
    pub typ: WitType,
}

/// A case of a variant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct NamedCase {
    /// WIT name.
    pub name: String,
    /// Type of the payload, if it has one.
    pub typ: Option<WitType>,
}

/// A result of a function. WIT has at most one and it has no name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct FunctionResult {
    /// Always `None` today; kept because the REST shape has it.
    pub name: Option<String>,
    /// Its type.
    pub typ: WitType,
}

/// An exported function with its signature.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Function {
    /// WIT name; resource functions as `[constructor]r`, `[method]r.m`, `[static]r.m`.
    pub name: String,
    /// Parameters in order.
    pub parameters: Vec<NamedType>,
    /// Nothing, or one element.
    pub results: Vec<FunctionResult>,
}

/// An export of a component. JSON: tagged by `type`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Export {
    /// An exported interface: `ns:pkg/iface[@version]`, or the bare name of an inline one.
    Instance {
        /// Name of the interface.
        name: String,
        /// Its functions in declaration order.
        functions: Vec<Function>,
    },
    /// A function at the level of the world.
    Function(Function),
}

/// An exported function and where it is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoundFunction<'a> {
    /// The interface, `None` at the level of the world.
    pub interface: Option<&'a str>,
    /// The function.
    pub function: &'a Function,
}

/// Every exported function with its interface, in declaration order.
pub fn functions(exports: &[Export]) -> impl Iterator<Item = FoundFunction<'_>> {
    exports.iter().flat_map(|export| {
        let (interface, functions) = match export {
            Export::Instance { name, functions } => (Some(name.as_str()), functions.as_slice()),
            Export::Function(function) => (None, std::slice::from_ref(function)),
        };
        functions.iter().map(move |function| FoundFunction {
            interface,
            function,
        })
    })
}
