// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / loaded: a component version that is ready to be instantiated: compiled, linked, its exports found.
//! In: compiled code. Out: instances, functions by name. Read next: `../instance.rs`.

use std::collections::HashMap;
use std::sync::Arc;

use golem_model::WitType;
use golem_model::component::Component as ComponentInfo;
use golem_model::types::{Export, Function, HandleMode};
use golem_model::wave::has_handle;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker, ResourceType};
use wasmtime::{Engine, Result};

use super::reflect::{self, stub_name};
use crate::checkpoint::{Access, Obstacle, Pages, Starting, is_ours, link_access};
use crate::host::{
    HostState, InitialFiles, calls, link_golem_api, link_golem_api_old, link_golem_oplog,
    link_golem_worker, link_wasi,
};
use crate::maps;
use crate::rpc::{link_golem_rpc, link_stub};

/// An exported function, ready to be called.
pub(crate) struct ExportedFunction {
    /// Canonical name: `ns:pkg/iface.{fn}` or a bare name.
    pub(crate) name: String,
    /// Where it is in the component; `None` for the drop of a resource, which no component exports.
    pub(crate) index: Option<ComponentExportIndex>,
    /// Types of the parameters.
    pub(crate) params: Vec<WitType>,
    /// Whether resources of the guest are among the arguments.
    pub(crate) takes_handles: bool,
    /// Type of the result.
    pub(crate) result: Option<WitType>,
    /// The signature as REST shows it.
    pub(crate) signature: Arc<Function>,
}

/// A component version that is ready to be instantiated.
pub(crate) struct Loaded {
    /// What the catalogue says of it.
    pub(crate) info: Arc<ComponentInfo>,
    /// Linked code.
    pub(crate) pre: InstancePre<HostState>,
    /// What checkpoints are made with, or why there are none.
    pub(crate) access: std::result::Result<Access, Obstacle>,
    /// What its new workers write first.
    pub(crate) pages: Pages,
    /// Where its new workers begin, if they share their start.
    pub(crate) starting: Starting,
    /// What the files of a worker are at its beginning.
    pub(crate) initial: InitialFiles,
    /// Memory maps of an instance.
    pub(crate) maps: usize,
    functions: HashMap<String, Arc<ExportedFunction>>,
}

impl Loaded {
    /// Links compiled code.
    pub(crate) fn new(
        engine: &Engine,
        component: &Component,
        info: Arc<ComponentInfo>,
        initial: InitialFiles,
    ) -> Result<Self> {
        let (linker, stubs) = linker(engine, component)?;
        let pre = linker.instantiate_pre(component)?;
        let access = Access::find(engine, component, &stubs);
        let mut functions = HashMap::new();
        for export in &info.metadata.exports {
            match export {
                Export::Instance {
                    name,
                    functions: exported,
                } => {
                    let instance = component.get_export_index(None, name);
                    for function in exported {
                        let index = component.get_export_index(instance.as_ref(), &function.name);
                        add(&mut functions, Some(name), function, index);
                    }
                }
                Export::Function(function) => {
                    let index = component.get_export_index(None, &function.name);
                    add(&mut functions, None, function, index);
                }
            }
        }
        Ok(Self {
            info,
            pre,
            access,
            pages: Pages::default(),
            starting: Starting::default(),
            initial,
            maps: maps::of(component),
            functions,
        })
    }

    /// SHA-256 of the component as uploaded.
    pub(crate) fn hash(&self) -> [u8; 32] {
        let mut hash = [0; 32];
        let digits = self.info.wasm_hash.as_bytes().as_chunks::<2>().0;
        for (byte, pair) in hash.iter_mut().zip(digits) {
            let text = std::str::from_utf8(pair).unwrap_or_default();
            *byte = u8::from_str_radix(text, 16).unwrap_or_default();
        }
        hash
    }

    /// The function of a canonical name.
    pub(crate) fn function(&self, canonical: &str) -> Option<&Arc<ExportedFunction>> {
        self.functions.get(canonical)
    }

    /// Canonical names of all functions, in no order.
    pub(crate) fn function_names(&self) -> impl Iterator<Item = &str> {
        self.functions.keys().map(String::as_str)
    }

    /// The function that a stub means by `resource` and `function`: a method of an interface of the same name (dialect L
    /// or N), of an inline interface, or of the world. Source: client spec §3.3, §3.5.
    pub(crate) fn stub_function(
        &self,
        package: &str,
        version: &str,
        resource: &str,
        function: &str,
    ) -> Option<&Arc<ExportedFunction>> {
        let inline = resource.strip_suffix("-inline-functions");
        [
            Some(format!("{package}/{resource}{version}.{{{function}}}")),
            Some(format!(
                "{package}-interface/{resource}{version}.{{{function}}}"
            )),
            Some(format!("{resource}.{{{function}}}")),
            Some(function.to_owned()),
            inline.map(|_| function.to_owned()),
        ]
        .iter()
        .flatten()
        .find_map(|name| self.functions.get(name))
    }

    /// The function of an exported resource that a stub means: in an interface of its package, or an inline one.
    pub(crate) fn stub_member(
        &self,
        package: &str,
        version: &str,
        resource: &str,
        function: &str,
    ) -> Option<&Arc<ExportedFunction>> {
        let member = format!(".{{{resource}.{function}}}");
        let meant = self.functions.iter().filter(|(name, _)| {
            let Some(interface) = name.strip_suffix(&member) else {
                return false;
            };
            let Some((own, named)) = interface.split_once('/') else {
                return true;
            };
            let own = own.strip_suffix("-interface").unwrap_or(own);
            own == package
                && named.split_once('@').map_or("", |(_, own)| own)
                    == version.trim_start_matches('@')
        });
        // A stub has one resource of a name; the first one keeps a strange component from giving now this, now that.
        meant.min_by_key(|(name, _)| *name).map(|(_, found)| found)
    }
}

fn add(
    functions: &mut HashMap<String, Arc<ExportedFunction>>,
    interface: Option<&str>,
    function: &Function,
    index: Option<ComponentExportIndex>,
) {
    let inner = spoken_name(&function.name);
    let name = match interface {
        Some(interface) => format!("{interface}.{{{inner}}}"),
        None => inner,
    };
    let params: Vec<WitType> = function
        .parameters
        .iter()
        .map(|parameter| parameter.typ.clone())
        .collect();
    let result = function.results.first().map(|result| result.typ.clone());
    if let Some(resource) = function.name.strip_prefix("[constructor]")
        && let Some(WitType::Handle { resource_id, .. }) = &result
    {
        let own = WitType::Handle {
            resource_id: *resource_id,
            mode: HandleMode::Owned,
        };
        let name = match interface {
            Some(interface) => format!("{interface}.{{{resource}.drop}}"),
            None => format!("{resource}.drop"),
        };
        let parameters = vec![golem_model::types::NamedType {
            name: "self".into(),
            typ: own.clone(),
        }];
        let signature = Function {
            name: format!("[drop]{resource}"),
            parameters,
            results: Vec::new(),
        };
        let dropping = ExportedFunction {
            name: name.clone(),
            index: None,
            params: vec![own],
            takes_handles: true,
            result: None,
            signature: Arc::new(signature),
        };
        functions.insert(name, Arc::new(dropping));
    }
    if index.is_some() {
        let exported = ExportedFunction {
            name: name.clone(),
            index,
            takes_handles: params.iter().any(has_handle),
            params,
            result,
            signature: Arc::new(function.clone()),
        };
        functions.insert(name, Arc::new(exported));
    }
}

/// A function as people name it: `r.new` for `[constructor]r`, `r.m` for `[method]r.m` and `[static]r.m`.
fn spoken_name(exported: &str) -> String {
    match exported
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        Some(("constructor", resource)) => format!("{resource}.new"),
        Some((_, rest)) => rest.to_owned(),
        None => exported.to_owned(),
    }
}

/// Everything that a component may import, for this one: WASI, `golem:rpc`, its stub interfaces, and what its accessor
/// needs. The resource types of the stub interfaces stand beside it.
pub(crate) fn linker(
    engine: &Engine,
    component: &Component,
) -> Result<(Linker<HostState>, Vec<ResourceType>)> {
    let mut linker = Linker::new(engine);
    link_wasi(&mut linker)?;
    link_golem_rpc(&mut linker)?;
    link_golem_api(&mut linker)?;
    link_golem_api_old(&mut linker)?;
    link_golem_oplog(&mut linker)?;
    link_golem_worker(&mut linker)?;
    let typ = component.component_type();
    let (mut foreign, mut stubs) = (Vec::new(), Vec::new());
    for (name, item) in typ.imports(engine) {
        let ComponentItem::ComponentInstance(instance) = item.ty else {
            continue;
        };
        if stub_name(name).is_some() {
            stubs.push((name, instance));
        } else {
            let resources = instance
                .exports(engine)
                .filter_map(|(_, item)| match item.ty {
                    ComponentItem::Resource(resource) => Some(resource),
                    _ => None,
                });
            foreign.extend(resources);
        }
    }
    let mut numbers = Vec::new();
    for (name, instance) in stubs {
        link_stub(&mut linker, engine, name, &instance, &foreign, &mut numbers)?;
    }
    link_access(&mut linker, engine, component)?;
    Ok((linker, numbers))
}

/// Imports that nobody provides. An instance of types only needs nobody.
pub(crate) fn unknown_imports(engine: &Engine, component: &Component) -> Vec<String> {
    let typ = component.component_type();
    let unknown = typ.imports(engine).filter(|(name, item)| {
        let only_types = match &item.ty {
            ComponentItem::ComponentInstance(instance) => {
                !instance.exports(engine).any(|(_, item)| {
                    matches!(
                        item.ty,
                        ComponentItem::ComponentFunc(_)
                            | ComponentItem::Resource(_)
                            | ComponentItem::CoreFunc(_)
                    )
                })
            }
            ComponentItem::Type(_) => true,
            _ => false,
        };
        !only_types && !is_ours(name) && !calls::provides(name) && stub_name(name).is_none()
    });
    unknown.map(|(name, _)| name.to_owned()).collect()
}

/// Names of the stub interfaces among the imports.
pub(crate) fn stubs(engine: &Engine, component: &Component) -> Vec<String> {
    reflect::imports(engine, component)
        .into_iter()
        .filter(|name| stub_name(name).is_some())
        .collect()
}
