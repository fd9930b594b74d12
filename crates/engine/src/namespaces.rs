// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / namespaces: which there are, and which of them may call which. In: names, grants. Out: yes or no, at the moment of a
//! call. Bounds: [`NAMESPACES_MAX`], [`GRANTS_MAX`]. Never knows who asks over REST (golem-server `http/routes.rs`).
//! Read next: `node/namespaces.rs`. Why: ADR 0012.

use std::collections::BTreeMap;
use std::sync::Arc;

use golem_model::api::{GrantId, GrantInfo, NamespaceInfo};
use golem_model::{Coded, ComponentId, Namespace, Timestamp};
use golem_storage::{Store, StoreError};
use parking_lot::{Mutex, RwLock};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Most namespaces that a server has had, deleted ones included: all of them are in memory.
pub(crate) const NAMESPACES_MAX: usize = 10_000;
/// Most pairs (and components) that were ever granted: all of them are in memory. One that is given again takes its old place.
pub(crate) const GRANTS_MAX: usize = 10_000;
/// Kinds of the catalogue's rows. The key of a namespace is its name, that of a grant is its [`Pair`] as text.
const NAMESPACE_KIND: &str = "namespace";
const GRANT_KIND: &str = "grant";
/// Rows that are read at a time.
const PAGE: usize = 256;

/// Why a namespace or a grant was not made or taken back.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NamespaceError {
    /// There is none of that name, or none that the one who asks may know of.
    #[error("there is no namespace `{0}`")]
    NotFound(Namespace),
    /// The name is taken.
    #[error("there is a namespace `{0}` already")]
    AlreadyExists(Namespace),
    /// A namespace is deleted only when nothing is in it.
    #[error("the namespace `{name}` has {components} components")]
    NotEmpty {
        /// The namespace.
        name: Namespace,
        /// How many.
        components: usize,
    },
    /// What is in no other namespace is in this one.
    #[error("the namespace `default` cannot be deleted")]
    Default,
    /// As many as are kept.
    #[error("there are {limit} {what}, and more are not kept")]
    Full {
        /// `namespaces` or `grants`.
        what: &'static str,
        /// [`NAMESPACES_MAX`] or [`GRANTS_MAX`].
        limit: usize,
    },
    /// No such grant of this namespace, or it was taken back.
    #[error("there is no grant {0}")]
    GrantNotFound(GrantId),
    /// A grant is for a component of another namespace, or for none that is there.
    #[error("there is no component {component} in the namespace `{namespace}`")]
    NoComponent {
        /// The component.
        component: ComponentId,
        /// The namespace that grants.
        namespace: Namespace,
    },
    /// Workers of one namespace call each other without a grant.
    #[error("the namespace `{0}` needs no grant to call itself")]
    Itself(Namespace),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Coded for NamespaceError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "NSP-001",
            Self::AlreadyExists(_) => "NSP-002",
            Self::NotEmpty { .. } => "NSP-003",
            Self::Default => "NSP-004",
            Self::Full { .. } => "NSP-005",
            Self::GrantNotFound(_) => "NSP-006",
            Self::Itself(_) => "NSP-007",
            Self::NoComponent { .. } => "NSP-008",
            Self::Store(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotFound(_) => "see which there are: golem-cli namespace list".into(),
            Self::AlreadyExists(name) => format!("use it: golem-cli --namespace {name} component list"),
            Self::NotEmpty { name, .. } => format!("see them: golem-cli --namespace {name} component list"),
            Self::Default => "leave it empty: golem-cli --namespace OTHER deploy".into(),
            Self::Full { .. } => "name those again that were deleted or taken back: they keep their places".into(),
            Self::GrantNotFound(_) => "see which there are: golem-cli namespace grants NAME".into(),
            Self::Itself(_) => "name another namespace as the caller: golem-cli namespace grant TARGET --caller CALLER".into(),
            Self::NoComponent { namespace, .. } => format!("see which there are: golem-cli --namespace {namespace} component list"),
            Self::Store(error) => return error.hint(),
        })
    }
}

/// Row of a namespace.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct NamespaceRow {
    #[serde(flatten)]
    info: NamespaceInfo,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deleted_at: Option<Timestamp>,
}

/// Who may call whom.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Pair {
    caller: Namespace,
    target: Namespace,
    component: Option<ComponentId>,
}

impl Pair {
    fn key(&self) -> Vec<u8> {
        let component = self.component.map_or(String::new(), |id| id.to_string());
        format!("{}/{}/{component}", self.target, self.caller).into_bytes()
    }

    fn of(info: &GrantInfo) -> Self {
        Self {
            caller: info.caller.clone(),
            target: info.target.clone(),
            component: info.component,
        }
    }
}

/// A row with the revision of the catalogue, which is not part of its text.
type Kept<T> = (T, u64);

#[derive(Debug, Default)]
struct Table {
    namespaces: BTreeMap<Namespace, Kept<NamespaceRow>>,
    grants: BTreeMap<Pair, Kept<GrantInfo>>,
}

/// The namespaces of a store. Changes wait for the disk, questions never do.
pub(crate) struct Namespaces {
    store: Arc<dyn Store>,
    table: RwLock<Table>,
    /// Held by whoever changes something, from looking to having written.
    changing: Mutex<()>,
}

impl Namespaces {
    /// Those in `store`. Blocks. Errors: of the store.
    pub(crate) fn open(store: Arc<dyn Store>) -> Result<Self, StoreError> {
        let namespaces = read(store.as_ref(), NAMESPACE_KIND, |row: &NamespaceRow| {
            row.info.name.clone()
        })?;
        let grants = read(store.as_ref(), GRANT_KIND, Pair::of)?;
        Ok(Self {
            store,
            table: RwLock::new(Table { namespaces, grants }),
            changing: Mutex::default(),
        })
    }

    /// Whether there is one of that name.
    pub(crate) fn has(&self, name: &Namespace) -> bool {
        let table = self.table.read();
        let row = table.namespaces.get(name);
        name.is_default() || row.is_some_and(|(row, _)| row.deleted_at.is_none())
    }

    /// All of them by name, `default` among them.
    pub(crate) fn list(&self) -> Vec<NamespaceInfo> {
        let table = self.table.read();
        let made = table.namespaces.values();
        let made = made.filter(|(row, _)| row.deleted_at.is_none());
        let mut list: Vec<NamespaceInfo> = made.map(|(row, _)| row.info.clone()).collect();
        list.push(NamespaceInfo {
            name: Namespace::default(),
            created_at: None,
        });
        list.sort_by(|a, b| a.name.cmp(&b.name));
        list
    }

    /// Makes one; durable on return. Blocks. Errors: `AlreadyExists`, `Full`, `Store`.
    pub(crate) fn create(
        &self,
        name: Namespace,
        now: Timestamp,
    ) -> Result<NamespaceInfo, NamespaceError> {
        let _turn = self.changing.lock();
        if self.has(&name) {
            return Err(NamespaceError::AlreadyExists(name));
        }
        let revision = {
            let table = self.table.read();
            let known = table.namespaces.get(&name);
            if known.is_none() && table.namespaces.len() >= NAMESPACES_MAX {
                let (what, limit) = ("namespaces", NAMESPACES_MAX);
                return Err(NamespaceError::Full { what, limit });
            }
            known.map_or(0, |(_, revision)| *revision)
        };
        let info = NamespaceInfo {
            name,
            created_at: Some(now),
        };
        let row = NamespaceRow {
            info: info.clone(),
            deleted_at: None,
        };
        self.put_namespace(row, revision)?;
        Ok(info)
    }

    /// Deletes one that is empty, and every grant from it and to it; durable on return. Blocks. Errors: `NotFound`, `Default`,
    /// `Store`.
    pub(crate) fn delete(
        &self,
        name: &Namespace,
        now: Timestamp,
    ) -> Result<NamespaceInfo, NamespaceError> {
        let _turn = self.changing.lock();
        if name.is_default() {
            return Err(NamespaceError::Default);
        }
        let found = self.table.read().namespaces.get(name).cloned();
        let Some((mut row, revision)) = found.filter(|(row, _)| row.deleted_at.is_none()) else {
            return Err(NamespaceError::NotFound(name.clone()));
        };
        // First: a namespace that is made anew under the name must not find them.
        for grant in self.grants(name) {
            self.take_back(&grant, now)?;
        }
        row.deleted_at = Some(now);
        let info = row.info.clone();
        self.put_namespace(row, revision)?;
        Ok(info)
    }

    /// Grants from a namespace and to it that hold, oldest first.
    pub(crate) fn grants(&self, name: &Namespace) -> Vec<GrantInfo> {
        let table = self.table.read();
        let mut found: Vec<GrantInfo> = table
            .grants
            .values()
            .map(|(info, _)| info)
            .filter(|info| info.revoked_at.is_none())
            .filter(|info| info.caller == *name || info.target == *name)
            .cloned()
            .collect();
        found.sort_by_key(|info| (info.created_at, info.id));
        found
    }

    /// Lets workers of `caller` call workers of `target`; durable on return, and from then on. One that holds already is returned as
    /// it is. Blocks. Errors: `NotFound` of the target, `Itself`, `Full`, `Store`.
    pub(crate) fn grant(
        &self,
        caller: Namespace,
        target: Namespace,
        component: Option<ComponentId>,
        now: Timestamp,
    ) -> Result<GrantInfo, NamespaceError> {
        let _turn = self.changing.lock();
        if !self.has(&target) {
            return Err(NamespaceError::NotFound(target));
        }
        if caller == target {
            return Err(NamespaceError::Itself(target));
        }
        let pair = Pair {
            caller,
            target,
            component,
        };
        let revision = {
            let table = self.table.read();
            match table.grants.get(&pair) {
                Some((info, _)) if info.revoked_at.is_none() => return Ok(info.clone()),
                Some((_, revision)) => *revision,
                None if table.grants.len() >= GRANTS_MAX => {
                    let (what, limit) = ("grants", GRANTS_MAX);
                    return Err(NamespaceError::Full { what, limit });
                }
                None => 0,
            }
        };
        let info = GrantInfo {
            id: GrantId(Uuid::new_v4()),
            caller: pair.caller,
            target: pair.target,
            component,
            created_at: now,
            revoked_at: None,
        };
        self.put_grant(info.clone(), revision)?;
        Ok(info)
    }

    /// Takes a grant to `target` back; durable on return, and from then on. Blocks. Errors: `GrantNotFound`, `Store`.
    pub(crate) fn revoke(
        &self,
        target: &Namespace,
        id: GrantId,
        now: Timestamp,
    ) -> Result<GrantInfo, NamespaceError> {
        let _turn = self.changing.lock();
        let held = self.grants(target);
        let held = held
            .iter()
            .find(|info| info.id == id && info.target == *target);
        self.take_back(held.ok_or(NamespaceError::GrantNotFound(id))?, now)
    }

    /// Whether workers of `caller` may call those of a component of `target` at this moment.
    pub(crate) fn allow(
        &self,
        caller: &Namespace,
        target: &Namespace,
        component: ComponentId,
    ) -> bool {
        let table = self.table.read();
        [None, Some(component)].into_iter().any(|component| {
            let pair = Pair {
                caller: caller.clone(),
                target: target.clone(),
                component,
            };
            let grant = table.grants.get(&pair);
            grant.is_some_and(|(info, _)| info.revoked_at.is_none())
        })
    }

    fn take_back(&self, grant: &GrantInfo, now: Timestamp) -> Result<GrantInfo, NamespaceError> {
        let revision = {
            let table = self.table.read();
            let kept = table.grants.get(&Pair::of(grant));
            kept.map_or(0, |(_, revision)| *revision)
        };
        let mut info = grant.clone();
        info.revoked_at = Some(now);
        self.put_grant(info.clone(), revision)?;
        Ok(info)
    }

    fn put_namespace(&self, row: NamespaceRow, revision: u64) -> Result<(), StoreError> {
        let name = row.info.name.clone();
        let revision = self.put(NAMESPACE_KIND, name.as_str().as_bytes(), revision, &row)?;
        self.table.write().namespaces.insert(name, (row, revision));
        Ok(())
    }

    fn put_grant(&self, info: GrantInfo, revision: u64) -> Result<(), StoreError> {
        let pair = Pair::of(&info);
        let revision = self.put(GRANT_KIND, &pair.key(), revision, &info)?;
        self.table.write().grants.insert(pair, (info, revision));
        Ok(())
    }

    fn put(
        &self,
        kind: &str,
        key: &[u8],
        revision: u64,
        row: &impl Serialize,
    ) -> Result<u64, StoreError> {
        let value = serde_json::to_vec(row)
            .map_err(|error| StoreError::Io(format!("a {kind} as JSON: {error}")))?;
        self.store.catalog_put(kind, key, revision, &value)
    }
}

/// All rows of a kind.
fn read<K: Ord, T: DeserializeOwned>(
    store: &dyn Store,
    kind: &str,
    key: impl Fn(&T) -> K,
) -> Result<BTreeMap<K, Kept<T>>, StoreError> {
    let mut found = BTreeMap::new();
    let mut after: Option<Vec<u8>> = None;
    loop {
        let rows = store.catalog_scan(kind, b"", after.as_deref(), PAGE)?;
        let Some(last) = rows.last() else {
            return Ok(found);
        };
        after = Some(last.key.clone());
        for row in rows {
            let value: T =
                serde_json::from_slice(&row.value).map_err(|error| StoreError::Corrupt {
                    what: format!("{kind} `{}`", String::from_utf8_lossy(&row.key)),
                    detail: error.to_string(),
                })?;
            found.insert(key(&value), (value, row.revision));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use golem_storage::MemStore;

    fn name(text: &str) -> Namespace {
        text.parse().unwrap()
    }

    const NOW: Timestamp = Timestamp(1);

    #[test]
    fn namespaces_and_grants_are_there_after_a_restart_and_gone_after_their_end() {
        let store: Arc<dyn Store> = Arc::new(MemStore::new());
        let open = || Namespaces::open(Arc::clone(&store)).unwrap();
        let (a, b) = (name("a"), name("b"));
        let component = ComponentId::random();
        let first = open();
        for made in [&a, &b] {
            first.create(made.clone(), NOW).unwrap();
        }
        let twice = first.create(a.clone(), NOW);
        assert!(matches!(twice, Err(NamespaceError::AlreadyExists(_))));
        let one = first.grant(a.clone(), b.clone(), Some(component), NOW);
        let one = one.unwrap();
        let again = first.grant(a.clone(), b.clone(), Some(component), NOW);
        assert_eq!(again.unwrap(), one);

        let second = open();
        assert!(second.allow(&a, &b, component));
        assert!(!second.allow(&b, &a, component));
        assert!(!second.allow(&a, &b, ComponentId::random()));
        // Only the namespace that is called takes it back.
        let wrong = second.revoke(&a, one.id, NOW);
        assert!(matches!(wrong, Err(NamespaceError::GrantNotFound(_))));
        second.revoke(&b, one.id, NOW).unwrap();
        assert!(!second.allow(&a, &b, component));
        second.grant(a.clone(), b.clone(), None, NOW).unwrap();
        assert!(second.allow(&a, &b, ComponentId::random()));

        // A namespace of the same name inherits nothing.
        second.delete(&b, NOW).unwrap();
        second.create(b.clone(), NOW).unwrap();
        let third = open();
        assert_eq!(third.grants(&a), []);
        assert!(!third.allow(&a, &b, component));
        let names: Vec<String> = third.list().iter().map(|it| it.name.to_string()).collect();
        assert_eq!(names, ["a", "b", "default"]);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let namespaces = Namespaces::open(Arc::new(MemStore::new())).unwrap();
        let default = Namespace::default();
        let taken = namespaces.create(default.clone(), NOW).unwrap_err();
        assert_eq!(taken.code(), "NSP-002");
        let kept = namespaces.delete(&default, NOW).unwrap_err();
        assert_eq!(kept.code(), "NSP-004");
        let absent = namespaces.delete(&name("a"), NOW).unwrap_err();
        assert_eq!(absent.code(), "NSP-001");
        let itself = namespaces.grant(default.clone(), default.clone(), None, NOW);
        assert_eq!(itself.unwrap_err().code(), "NSP-007");
        let nowhere = namespaces.grant(default.clone(), name("a"), None, NOW);
        assert_eq!(nowhere.unwrap_err().code(), "NSP-001");
        let none = namespaces.revoke(&default, GrantId(Uuid::nil()), NOW);
        assert_eq!(none.unwrap_err().code(), "NSP-006");
    }
}
