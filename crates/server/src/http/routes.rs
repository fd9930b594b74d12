// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/routes: a route and who may take it, declared together. In: what the nouns declare. Out: axum's router, and
//! the check in front of it. Never knows tokens (`../access.rs`). Read next: `door.rs` (the table), `token.rs`.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::handler::Handler;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{self, MethodRouter};
use golem_model::api::Role;

use super::Door;
use super::error::{ApiError, RequestError};
use super::extract::short;
use crate::access::{Caller, Stranger};

/// Who may take a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// Everybody: probes of supervisors and the version.
    Nothing,
    /// Whoever has a token of at least this role.
    Role(Role),
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

    /// The router. An unknown path is a 404 with a body, a known one with another verb a 405. Where tokens are required, every
    /// request is checked first, also one that fits no route.
    pub(super) fn build(self, door: Arc<Door>) -> Router {
        let mut needs: HashMap<String, Verbs> = HashMap::new();
        for route in self.table {
            let verbs = needs.entry(route.path).or_default();
            verbs.push((route.method, route.needs));
        }
        let gate = Gate {
            door: Arc::clone(&door),
            needs: Arc::new(needs),
        };
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

/// The verbs of a path.
type Verbs = Vec<(Option<Method>, Needs)>;

/// What every request passes.
#[derive(Clone)]
struct Gate {
    door: Arc<Door>,
    needs: Arc<HashMap<String, Verbs>>,
}

impl Gate {
    /// What a request needs. One that fits no route needs a token all the same: strangers do not learn what is there.
    fn needs(&self, request: &Request) -> Needs {
        let verb = match request.method() {
            &Method::HEAD => &Method::GET,
            other => other,
        };
        let verbs = request
            .extensions()
            .get::<MatchedPath>()
            .and_then(|path| self.needs.get(path.as_str()));
        verbs
            .into_iter()
            .flatten()
            .find(|(method, _)| method.as_ref().is_none_or(|method| method == verb))
            .map_or(VIEW, |(_, needs)| *needs)
    }

    fn check(&self, request: &Request, needs: Needs) -> Result<Option<Caller>, RequestError> {
        let Needs::Role(role) = needs else {
            return Ok(None);
        };
        let caller = self
            .door
            .access
            .caller(request.headers().get(AUTHORIZATION))
            .map_err(|stranger| match stranger {
                Stranger::Nobody => RequestError::NoToken,
                Stranger::Malformed => RequestError::BadToken,
                Stranger::Refused => RequestError::TokenRefused,
            })?;
        if caller.role < role {
            return Err(RequestError::NotAllowed {
                name: caller.name,
                has: caller.role,
                needs: role,
            });
        }
        Ok(Some(caller))
    }

    /// Lets in whom the route names, and notes who was refused and who changed what.
    async fn checked(&self, mut request: Request, next: Next) -> Response {
        let needs = self.needs(&request);
        let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let audit = &self.door.audit;
        let caller = match self.check(&request, needs) {
            Ok(caller) => caller,
            Err(refused) => {
                let answer = ApiError::from(refused).into_response();
                audit.refused(peer, &method, &path, answer.status());
                return challenged(answer);
            }
        };
        // It was for this server: no worker that answers a request may see it, nor its log.
        request.headers_mut().remove(AUTHORIZATION);
        let noted = matches!(needs, DEPLOY | OWN)
            .then(|| caller.clone())
            .flatten();
        // For routes that tell who asks.
        request.extensions_mut().insert(caller);
        let answer = self.let_in(request, next).await;
        if let Some(caller) = noted {
            audit.done(&caller, peer, &method, &path, answer.status());
        }
        answer
    }

    /// Sends away what would write when the disk cannot take it. Reading goes on, and so does deleting, which makes space.
    async fn let_in(&self, request: Request, next: Next) -> Response {
        if matches!(*request.method(), Method::POST | Method::PUT)
            && let Err(refused) = self.door.takes_more().await
        {
            return ApiError::from(refused).into_response();
        }
        next.run(request).await
    }
}

/// The address of who asks, as the connection says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Lets a request in, or answers it, and counts it when its answer begins.
async fn pass(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let begin = Instant::now();
    let answer = if gate.door.access.is_required() {
        gate.checked(request, next).await
    } else {
        gate.let_in(request, next).await
    };
    gate.door.requests.add(answer.status(), begin.elapsed());
    answer
}

/// Says which scheme is spoken, as RFC 9110 asks of a 401.
fn challenged(mut answer: Response) -> Response {
    if answer.status() == StatusCode::UNAUTHORIZED {
        let bearer = HeaderValue::from_static("Bearer");
        answer.headers_mut().insert(WWW_AUTHENTICATE, bearer);
    }
    answer
}
