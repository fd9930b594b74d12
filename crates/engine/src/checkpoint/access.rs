// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / access: the accessor of a compiled component, found by reflection, and its calls. In: a compiled
//! component. Out: functions that read and write the state of an instance; the host functions that the accessor imports.
//! Never touches the log. Read next: `accessor.rs`, `capture.rs`. Why: host design §8.2.

use std::sync::Arc;

use parking_lot::Mutex;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{
    Component, ComponentExportIndex, ComponentNamedList, Lift, Linker, Lower, Resource,
    ResourceType, Type, Val, WasmList,
};
use wasmtime::{Engine, Result, StoreContextMut};

use super::handles::{self, Held, Kind};
use super::instrument::{ACCESS, IMPORT_PREFIX, Obstacle, WITHOUT};
use crate::host::HostState;
use crate::host::durable::Halt;
use crate::instance::Instance;

/// Whether a name of an import or export of a component is one of the instrumentation's.
pub(crate) fn is_ours(name: &str) -> bool {
    name.starts_with(IMPORT_PREFIX) || name.starts_with("golem:checkpoint/")
}

/// A memory of the guest.
pub(super) struct MemoryAccess {
    pub(super) read: ComponentExportIndex,
    pub(super) size: ComponentExportIndex,
    pub(super) grow: ComponentExportIndex,
    pub(super) write: ComponentExportIndex,
}

/// A mutable global of the guest.
pub(super) struct GlobalAccess {
    pub(super) get: ComponentExportIndex,
    pub(super) set: ComponentExportIndex,
}

/// A resource whose handles can be made again.
pub(super) struct ResourceAccess {
    pub(super) kind: Kind,
    pub(super) make: ComponentExportIndex,
    /// The number of the object behind a handle.
    pub(super) which: ComponentExportIndex,
}

/// The accessor of a component.
pub(crate) struct Access {
    /// What the component ran at instantiation, to be called once by a new worker.
    pub(crate) starts: Vec<ComponentExportIndex>,
    pub(super) memories: Vec<MemoryAccess>,
    pub(super) globals: Vec<GlobalAccess>,
    pub(super) resources: Vec<ResourceAccess>,
    pub(super) target: ComponentExportIndex,
    pub(super) make_slot: ComponentExportIndex,
    pub(super) drop_slot: ComponentExportIndex,
    /// The component defines resources itself, so its table may have handles that the host does not know.
    pub(super) own_resources: bool,
}

impl Access {
    /// The accessor of `component`, or why it has none. `stubs` are the resource types of stub interfaces; the number of
    /// one is its place, from 1.
    pub(crate) fn find(
        engine: &Engine,
        component: &Component,
        stubs: &[ResourceType],
    ) -> Result<Self, Obstacle> {
        let typ = component.component_type();
        let mut own_resources = false;
        for (name, item) in typ.exports(engine) {
            if let Some(name) = name.strip_prefix(WITHOUT) {
                return Err(Obstacle::of_name(name));
            }
            own_resources |= match item.ty {
                ComponentItem::Resource(_) => true,
                ComponentItem::ComponentInstance(instance) => instance
                    .exports(engine)
                    .any(|(_, item)| matches!(item.ty, ComponentItem::Resource(_))),
                _ => false,
            };
        }
        let access = component.get_export_index(None, ACCESS);
        let access = access.ok_or(Obstacle::Unprepared)?;
        let find = |name: &str| component.get_export_index(Some(&access), name);
        let need = |name: &str| find(name).ok_or(Obstacle::Unprepared);
        let numbered = |name: &'static str| {
            let names = (0..).map(move |at| format!("{name}{at}"));
            names.map_while(|name| find(&name))
        };
        let mut memories = Vec::new();
        for (at, read) in numbered("read").enumerate() {
            memories.push(MemoryAccess {
                read,
                size: need(&format!("size{at}"))?,
                grow: need(&format!("grow{at}"))?,
                write: need(&format!("write{at}"))?,
            });
        }
        let mut globals = Vec::new();
        for (at, get) in numbered("get").enumerate() {
            let set = need(&format!("set{at}"))?;
            globals.push(GlobalAccess { get, set });
        }
        let mut resources = Vec::new();
        for (at, make) in numbered("make").enumerate() {
            resources.push(ResourceAccess {
                kind: kind(engine, component, stubs, at).ok_or(Obstacle::Unprepared)?,
                make,
                which: need(&format!("which{at}"))?,
            });
        }
        Ok(Self {
            starts: numbered("start").collect(),
            memories,
            globals,
            resources,
            target: need("target")?,
            make_slot: need("make-slot")?,
            drop_slot: need("drop-slot")?,
            own_resources,
        })
    }

    /// The resource whose handles are of `kind`, with its number.
    pub(super) fn resource(&self, kind: Kind) -> Option<(u32, &ResourceAccess)> {
        let mut numbered = (0..).zip(&self.resources);
        numbered.find(|(_, resource)| resource.kind == kind)
    }
}

/// What the accessor's resource of number `at` is: its type is compared with those of the imports.
fn kind(engine: &Engine, component: &Component, stubs: &[ResourceType], at: usize) -> Option<Kind> {
    let name = format!("{IMPORT_PREFIX}make{at}");
    let typ = component.component_type();
    let made = typ
        .imports(engine)
        .find_map(|(import, item)| match item.ty {
            ComponentItem::ComponentFunc(func) if import == name => func.results().next(),
            _ => None,
        });
    let Some(Type::Own(made)) = made else {
        return None;
    };
    if let Some(at) = stubs.iter().position(|stub| *stub == made) {
        return Some(Kind::Stub(u32::try_from(at).ok()? + 1));
    }
    typ.imports(engine).find_map(|(import, item)| {
        let ComponentItem::ComponentInstance(instance) = item.ty else {
            return None;
        };
        let interface = import.split_once('@').map_or(import, |(name, _)| name);
        instance.exports(engine).find_map(|(name, item)| {
            if !matches!(item.ty, ComponentItem::Resource(typ) if typ == made) {
                return None;
            }
            match (interface, name) {
                ("wasi:io/streams", "input-stream") => Some(Kind::Input),
                ("wasi:io/streams", "output-stream") => Some(Kind::Output),
                ("wasi:filesystem/types", "descriptor") => Some(Kind::Descriptor),
                ("golem:rpc/types", "wasm-rpc") => Some(Kind::Rpc),
                _ => None,
            }
        })
    })
}

/// What takes the bytes of a memory while they are lent.
type Reader = Box<dyn FnOnce(&[u8]) + Send>;

/// What the accessor's host functions need between two calls.
#[derive(Default)]
pub(crate) struct AccessState {
    reader: Option<Reader>,
    making: Option<Held>,
    made: Option<u32>,
}

/// A handle that stands for nothing: it fills a slot while a table is looked at or made.
struct Filler;

/// Defines what the accessor of `component` imports.
pub(crate) fn link_access(
    linker: &mut Linker<HostState>,
    engine: &Engine,
    component: &Component,
) -> Result<()> {
    let mut root = linker.root();
    let slot = ResourceType::host::<Filler>();
    root.resource(&format!("{IMPORT_PREFIX}slot"), slot, |_, _| Ok(()))?;
    root.func_wrap(&format!("{IMPORT_PREFIX}make-slot"), |_, (): ()| {
        Ok((Resource::<Filler>::new_own(0),))
    })?;
    root.func_wrap(
        &format!("{IMPORT_PREFIX}sink"),
        |mut store: StoreContextMut<'_, HostState>, (_, bytes): (u32, WasmList<u8>)| {
            if let Some(reader) = store.data_mut().access.reader.take() {
                reader(bytes.as_le_slice(&store));
            }
            Ok(())
        },
    )?;
    for (name, _) in component.component_type().imports(engine) {
        let Some(function) = name.strip_prefix(IMPORT_PREFIX) else {
            continue;
        };
        if function == "make-slot" {
            continue;
        }
        if function.starts_with("make") {
            root.func_new(name, |mut store, _, _, results| {
                let Some(held) = store.data_mut().access.making.take() else {
                    return Err(unasked());
                };
                let (handle, rep) = handles::make(&mut store, &held)?;
                store.data_mut().access.made = Some(rep);
                let result = results.first_mut().ok_or_else(unasked)?;
                *result = Val::Resource(handle);
                Ok(())
            })?;
        } else if function.starts_with("which") {
            root.func_new(name, |mut store, _, params, results| {
                let (Some(Val::Resource(handle)), Some(result)) =
                    (params.first(), results.first_mut())
                else {
                    return Err(unasked());
                };
                *result = Val::U32(handles::rep_of(&mut store, *handle)?);
                Ok(())
            })?;
        }
    }
    Ok(())
}

fn unasked() -> wasmtime::Error {
    Halt::InvalidRequest("a function of the platform was called by a guest".into()).into()
}

/// Bytes of a memory that are lent at once: a host call may take lists of up to 128 MiB.
pub(super) const READ_MAX: usize = 32 << 20;

impl Instance {
    /// Calls a function of the accessor.
    pub(crate) async fn access<P, R>(
        &mut self,
        function: &ComponentExportIndex,
        params: P,
    ) -> Result<R>
    where
        P: ComponentNamedList + Lower + Send + Sync,
        R: ComponentNamedList + Lift + Send + Sync + 'static,
    {
        let function = self
            .instance
            .get_typed_func::<P, R>(&mut self.store, function)?;
        function.call_async(&mut self.store, params).await
    }

    /// Lends `length` bytes of a memory, at most [`READ_MAX`], to `reader`.
    pub(super) async fn lend<R: Send + 'static>(
        &mut self,
        read: &ComponentExportIndex,
        at: usize,
        length: usize,
        reader: impl FnOnce(&[u8]) -> R + Send + 'static,
    ) -> Result<R> {
        let found = Arc::new(Mutex::new(None));
        let result = Arc::clone(&found);
        self.store.data_mut().access.reader = Some(Box::new(move |bytes| {
            *result.lock() = Some(reader(bytes));
        }));
        let span = (u32::try_from(at)?, u32::try_from(length)?);
        let () = self.access(read, span).await?;
        let found = found.lock().take();
        found.ok_or_else(unasked)
    }

    /// Makes a handle of `held` in the guest's table. Returns its slot and the number of its object.
    pub(super) async fn make_handle(
        &mut self,
        make: &ComponentExportIndex,
        held: Held,
    ) -> Result<(u32, u32)> {
        let state = &mut self.store.data_mut().access;
        state.making = Some(held);
        state.made = None;
        let (slot,): (u32,) = self.access(make, ()).await?;
        let made = self.store.data_mut().access.made.take();
        Ok((slot, made.ok_or_else(unasked)?))
    }
}
