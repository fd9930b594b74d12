// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/routes: a route and who may take it, declared together. In: what the nouns declare. Out: axum's router behind
//! the gate. Never knows tokens (`../access.rs`). Read next: `gate.rs` (the check), `door.rs` (the table), `token.rs`.

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::http::{Method, Uri};
use axum::middleware::from_fn_with_state;
use axum::routing::{self, MethodRouter};
use golem_model::api::Role;

use super::Door;
use super::error::{ApiError, RequestError};
use super::extract::short;
use super::gate::{Gate, pass};

/// Who may take a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// Everybody: probes of supervisors and the version.
    Nothing,
    /// Whoever is known: the answer has only what is theirs.
    Known,
    /// Whoever has at least this role in the namespace of the request: that of `{component}` or `{namespace}` in the path, else the one
    /// that the request acts in. To others that namespace does not exist.
    Role(Role),
    /// Whoever has at least this role in every namespace: what belongs to none of them.
    Everywhere(Role),
}

/// Look, call, change, give tokens: what each role adds.
pub(super) const VIEW: Needs = Needs::Role(Role::Viewer);
/// See [`VIEW`].
pub(super) const INVOKE: Needs = Needs::Role(Role::Invoker);
/// See [`VIEW`].
pub(super) const DEPLOY: Needs = Needs::Role(Role::Deployer);
/// See [`VIEW`].
pub(super) const OWN: Needs = Needs::Role(Role::Owner);

/// The path of one worker.
pub(super) const WORKER: &str = "/v1/components/{component}/workers/{worker}";

/// Verb and path of a route, and who may take it. The verb is absent for a route that takes all.
#[derive(Debug, Clone)]
pub(super) struct Route {
    pub(super) method: Option<Method>,
    pub(super) path: String,
    pub(super) needs: Needs,
}

/// Routes under construction.
#[derive(Default)]
pub(super) struct Routes {
    router: Router<Arc<Door>>,
    table: Vec<Route>,
}

impl Routes {
    /// None yet.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Adds `GET path` (and `HEAD`).
    pub(super) fn get<H: Handler<T, Arc<Door>>, T: 'static>(
        self,
        path: &str,
        needs: Needs,
        how: H,
    ) -> Self {
        self.on(Method::GET, path, needs, routing::get(how))
    }

    /// Adds `POST path`.
    pub(super) fn post<H: Handler<T, Arc<Door>>, T: 'static>(
        self,
        path: &str,
        needs: Needs,
        how: H,
    ) -> Self {
        self.on(Method::POST, path, needs, routing::post(how))
    }

    /// Adds `PUT path`.
    pub(super) fn put<H: Handler<T, Arc<Door>>, T: 'static>(
        self,
        path: &str,
        needs: Needs,
        how: H,
    ) -> Self {
        self.on(Method::PUT, path, needs, routing::put(how))
    }

    /// Adds `DELETE path`.
    pub(super) fn delete<H: Handler<T, Arc<Door>>, T: 'static>(
        self,
        path: &str,
        needs: Needs,
        how: H,
    ) -> Self {
        self.on(Method::DELETE, path, needs, routing::delete(how))
    }

    /// Adds a path for all verbs.
    pub(super) fn any<H: Handler<T, Arc<Door>>, T: 'static>(
        self,
        path: &str,
        needs: Needs,
        how: H,
    ) -> Self {
        self.add(None, path, needs, routing::any(how))
    }

    /// Adds a route that has more to it than a function. `how` answers `method` and no other.
    pub(super) fn on(
        self,
        method: Method,
        path: &str,
        needs: Needs,
        how: MethodRouter<Arc<Door>>,
    ) -> Self {
        self.add(Some(method), path, needs, how)
    }

    fn add(
        mut self,
        method: Option<Method>,
        path: &str,
        needs: Needs,
        how: MethodRouter<Arc<Door>>,
    ) -> Self {
        self.table.push(Route {
            method,
            path: path.to_owned(),
            needs,
        });
        self.router = self.router.route(path, how);
        self
    }

    /// Adds all of `other`.
    pub(super) fn merge(mut self, other: Self) -> Self {
        self.table.extend(other.table);
        self.router = self.router.merge(other.router);
        self
    }

    /// All of them.
    pub(super) fn table(&self) -> &[Route] {
        &self.table
    }

    /// The router. An unknown path is a 404 with a body, a known one with another verb a 405. Every request is checked first, also one
    /// that fits no route.
    pub(super) fn build(self, door: Arc<Door>) -> Router {
        let gate = Gate::new(Arc::clone(&door), self.table);
        self.router
            .fallback(nothing_here)
            .method_not_allowed_fallback(wrong_verb)
            .layer(from_fn_with_state(gate, pass))
            .with_state(door)
    }
}

async fn nothing_here(uri: Uri) -> ApiError {
    RequestError::NoSuchPath {
        path: short(uri.path()),
    }
    .into()
}

async fn wrong_verb(method: Method, uri: Uri) -> ApiError {
    RequestError::MethodNotAllowed {
        path: short(uri.path()),
        method,
    }
    .into()
}
