// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/gate: what every request passes. In: a request and what its route needs. Out: the request with who asks and the
//! namespace that it acts in, or a refusal. The only place that decides who may see what. Never knows what a route does.
//! Read next: `routes.rs`, `../access.rs`. Why: ADR 0012.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::RequestPartsExt as _;
use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use golem_engine::trace::ServedRequest;
use golem_engine::{ComponentError, NamespaceError, WorkerError};
use golem_model::api::{NAMESPACE_HEADER, Role, Roles};
use golem_model::{ComponentId, Namespace, WorkerId};

use super::Door;
use super::error::{ApiError, RequestError};
use super::extract::{Inside, Traced, short};
use super::routes::{Needs, Route, WORKER};
use crate::access::{Caller, Stranger};
use crate::audit::{Asked, Audit};
use crate::jwt::JwtError;

/// The namespace that a request acts in.
#[derive(Debug, Clone)]
pub(super) struct Acting(pub(super) Namespace);

impl<S: Send + Sync> FromRequestParts<S> for Acting {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        // The gate has put it there, for every request that it lets through.
        Ok(parts
            .extensions
            .get::<Self>()
            .cloned()
            .unwrap_or_else(|| Self(Namespace::default())))
    }
}

/// What an answer says of itself for the log of changes, beside its path.
#[derive(Debug, Clone)]
pub(super) struct Detail(pub(super) String);

/// Who asks: as the connection says, or a proxy whose word counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    /// The address; port 0 where a proxy has not said it.
    pub(crate) address: SocketAddr,
    /// That proxy.
    pub(crate) via: Option<SocketAddr>,
}

/// The verbs of a path.
type Verbs = Vec<(Option<Method>, Needs)>;

/// Routes whose requests have no spans: those of supervisors, which ask all the time.
const UNTRACED: [&str; 3] = ["/metrics", "/healthcheck", "/readyz"];

/// What every request passes.
#[derive(Clone)]
pub(super) struct Gate {
    door: Arc<Door>,
    needs: Arc<HashMap<String, Verbs>>,
}

/// Ids in a path.
#[derive(Debug, Default)]
struct Named {
    component: Option<ComponentId>,
    /// The worker, where the path is that of a worker itself.
    worker: Option<String>,
    namespace: Option<String>,
}

impl Gate {
    /// In front of the routes of `table`.
    pub(super) fn new(door: Arc<Door>, table: Vec<Route>) -> Self {
        let mut needs: HashMap<String, Verbs> = HashMap::new();
        for route in table {
            let verbs = needs.entry(route.path).or_default();
            verbs.push((route.method, route.needs));
        }
        Self {
            door,
            needs: Arc::new(needs),
        }
    }

    /// What a request needs. One that fits no route needs to be known all the same: strangers do not learn what is there.
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
            .map_or(Needs::Known, |(_, needs)| *needs)
    }

    /// Who asks, if they do not ask too often; `None` where nobody is asked who they are.
    async fn caller(
        &self,
        headers: &HeaderMap,
        peer: Option<IpAddr>,
    ) -> Result<Option<Caller>, RequestError> {
        let (access, rates) = (&self.door.access, &self.door.rates);
        if let Some(peer) = peer {
            rates
                .address(peer)
                .map_err(|wait| too_often("the address", peer, wait))?;
        }
        if !access.is_required() {
            // Nobody else is known.
            if let Some(peer) = peer {
                rates
                    .identity(&peer)
                    .map_err(|wait| too_often("the address", peer, wait))?;
            }
            return Ok(None);
        }
        if let Some(peer) = peer {
            rates
                .may_try(peer)
                .map_err(|wait| RequestError::LockedOut {
                    address: peer,
                    seconds: whole(wait),
                })?;
        }
        let caller = match access.caller(headers.get(AUTHORIZATION)).await {
            Ok(caller) => caller,
            Err(stranger) => {
                if let (Some(peer), true) = (peer, stranger.has_failed()) {
                    rates.failed(peer);
                }
                return Err(match stranger {
                    Stranger::Nobody => RequestError::NoToken,
                    Stranger::Malformed => RequestError::BadToken,
                    Stranger::Refused => RequestError::TokenRefused,
                    Stranger::Jwt(JwtError::KeysAway { issuer }) => {
                        RequestError::KeysAway { issuer }
                    }
                    Stranger::Jwt(why) => RequestError::JwtRefused {
                        why: why.to_string(),
                    },
                });
            }
        };
        rates
            .identity(&caller.identity())
            .map_err(|wait| too_often("the token", &caller.name, wait))?;
        Ok(Some(caller))
    }

    /// The namespace that a request acts in, if whoever asks may do there what the route needs. What they may not see does not exist:
    /// the answer is the one for what does not.
    fn place(
        &self,
        caller: Option<&Caller>,
        needs: Needs,
        headers: &HeaderMap,
        named: &Named,
    ) -> Result<Namespace, ApiError> {
        let all = Roles::everywhere(Role::Owner);
        let roles = caller.map_or(&all, |caller| &caller.roles);
        let wanted = headers.get(NAMESPACE_HEADER).map(asked).transpose()?;
        if let Some(wanted) = &wanted {
            self.exists(roles, wanted)?;
        }
        let needed = match needs {
            Needs::Nothing => return Ok(Namespace::default()),
            Needs::Known => return Ok(wanted.unwrap_or_else(|| home(roles).unwrap_or_default())),
            Needs::Everywhere(needed) => {
                return match (roles.role.is_some_and(|has| has >= needed), caller) {
                    (false, Some(caller)) => Err(RequestError::NotEverywhere {
                        name: caller.name.clone(),
                        needs: needed,
                    }
                    .into()),
                    _ => Ok(wanted.unwrap_or_default()),
                };
            }
            Needs::Role(needed) => needed,
        };
        let namespace = if let Some(id) = named.component {
            let found = self.door.node.component(id, None);
            let found = found.ok().map(|component| component.namespace.clone());
            found
                .filter(|at| roles.of(at).is_some())
                .filter(|at| wanted.as_ref().is_none_or(|wanted| wanted == at))
                .ok_or_else(|| absent(id, named.worker.as_deref()))?
        } else if let Some(text) = &named.namespace {
            let namespace: Namespace = text.parse().map_err(ApiError::from_bad)?;
            self.exists(roles, &namespace)?;
            namespace
        } else {
            match wanted {
                Some(wanted) => wanted,
                None => home(roles)?,
            }
        };
        match (caller, roles.of(&namespace)) {
            (Some(caller), has) if has.is_none_or(|has| has < needed) => {
                Err(RequestError::NotAllowed {
                    name: caller.name.clone(),
                    has,
                    namespace,
                    needs: needed,
                }
                .into())
            }
            _ => Ok(namespace),
        }
    }

    /// Errors: the namespace is not there, or not for these.
    fn exists(&self, roles: &Roles, namespace: &Namespace) -> Result<(), ApiError> {
        if roles.of(namespace).is_some() && self.door.node.has_namespace(namespace) {
            return Ok(());
        }
        Err(NamespaceError::NotFound(namespace.clone()).into())
    }

    /// The span of a request, if there is to be one.
    fn span(&self, request: &Request) -> Option<ServedRequest> {
        let route = request.extensions().get::<MatchedPath>();
        let route = route.map(MatchedPath::as_str);
        if route.is_some_and(|route| UNTRACED.contains(&route)) {
            return None;
        }
        let context = || Traced::of(request.headers()).0;
        // Names of spans are few: a verb that nobody knows is not among them.
        let method = match request.method().as_str() {
            known @ ("GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "OPTIONS" | "PATCH" | "TRACE"
            | "CONNECT") => known,
            _ => "_OTHER",
        };
        self.door.node.request_begins(context, method, route)
    }

    /// Lets in whom the route names, and notes who was refused and who changed what.
    async fn checked(&self, request: Request, next: Next) -> Response {
        let needs = self.needs(&request);
        let peer = request.extensions().get::<Peer>().copied();
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let (mut head, body) = request.into_parts();
        let named = named(&mut head).await;
        let line = Line {
            audit: &self.door.audit,
            peer,
            method: &method,
            path: &path,
        };
        let caller = match needs {
            Needs::Nothing => Ok(None),
            _ => {
                let address = peer.map(|peer| peer.address.ip());
                self.caller(&head.headers, address).await
            }
        };
        let caller = match caller {
            Ok(caller) => caller,
            Err(stranger) => {
                let answer = ApiError::from(stranger).into_response();
                if answer.status() == StatusCode::UNAUTHORIZED {
                    line.note(None, None, answer.status(), None);
                }
                return challenged(answer);
            }
        };
        let namespace = match self.place(caller.as_ref(), needs, &head.headers, &named) {
            Ok(namespace) => namespace,
            Err(refused) => {
                let answer = refused.into_response();
                if needs.is_change() || answer.status() == StatusCode::FORBIDDEN {
                    line.note(caller.as_ref(), None, answer.status(), None);
                }
                return answer;
            }
        };
        if caller.is_some() {
            // It was for this server: no worker that answers a request may see it, nor its log.
            head.headers.remove(AUTHORIZATION);
        }
        // For routes that tell who asks, and for those that act in a namespace.
        head.extensions.insert(caller.clone());
        head.extensions.insert(Acting(namespace.clone()));
        let mut answer = self.let_in(Request::from_parts(head, body), next).await;
        let detail = answer.extensions_mut().remove::<Detail>();
        if needs.is_change() {
            let detail = detail.map(|detail| detail.0);
            line.note(caller.as_ref(), Some(&namespace), answer.status(), detail);
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

/// A line of the log of changes, as far as it is known when a request comes.
struct Line<'a> {
    audit: &'a Audit,
    peer: Option<Peer>,
    method: &'a Method,
    path: &'a str,
}

impl Line<'_> {
    fn note(
        &self,
        caller: Option<&Caller>,
        namespace: Option<&Namespace>,
        status: StatusCode,
        detail: Option<String>,
    ) {
        let asked = Asked {
            caller,
            namespace,
            peer: self.peer,
            method: self.method,
            path: self.path,
        };
        self.audit.note(&asked, status, detail);
    }
}

impl Needs {
    /// Whether whoever takes the route is noted.
    fn is_change(self) -> bool {
        matches!(self, Self::Role(role) | Self::Everywhere(role) if role >= Role::Deployer)
    }
}

/// Lets a request in, or answers it, and counts it when its answer begins.
pub(super) async fn pass(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let begin = Instant::now();
    let span = gate.span(&request);
    if let Some(span) = &span {
        request.extensions_mut().insert(Inside(span.inside()));
    }
    let answer = gate.checked(request, next).await;
    gate.door.requests.add(answer.status(), begin.elapsed());
    if let Some(span) = span {
        span.answered(answer.status().as_u16());
    }
    answer
}

fn too_often(what: &'static str, who: impl std::fmt::Display, wait: Duration) -> RequestError {
    RequestError::TooOften {
        what,
        who: who.to_string(),
        seconds: whole(wait),
    }
}

/// Seconds, at least one, after which it is time.
fn whole(wait: Duration) -> u64 {
    wait.as_secs() + 1
}

/// The namespace in a header. Errors: it is none.
fn asked(header: &HeaderValue) -> Result<Namespace, ApiError> {
    let text = String::from_utf8_lossy(header.as_bytes());
    text.parse().map_err(ApiError::from_bad)
}

/// Where somebody acts who names no namespace: `default`, or the only one that they have a role in.
fn home(roles: &Roles) -> Result<Namespace, RequestError> {
    let default = Namespace::default();
    if roles.of(&default).is_some() {
        return Ok(default);
    }
    match roles.namespaces.keys().collect::<Vec<_>>().as_slice() {
        [] => Ok(default),
        [only] => Ok((*only).clone()),
        several => Err(RequestError::WhichNamespace {
            names: several.iter().map(ToString::to_string).collect(),
        }),
    }
}

/// The answer for a component that is not there, or not for whoever asks: the same for both.
fn absent(component: ComponentId, worker: Option<&str>) -> ApiError {
    match worker {
        Some(worker) => WorkerError::NotFound(WorkerId::new(component, worker)).into(),
        None => ComponentError::NotFound(component).into(),
    }
}

/// The ids in the path. What cannot be read is left to the route, which says so.
async fn named(head: &mut Parts) -> Named {
    let is_worker = head
        .extensions
        .get::<MatchedPath>()
        .is_some_and(|path| path.as_str() == WORKER);
    let mut named = Named::default();
    let Ok(params) = head.extract::<RawPathParams>().await else {
        return named;
    };
    for (name, value) in &params {
        match name {
            "component" => named.component = value.parse().ok(),
            "worker" if is_worker => named.worker = Some(value.to_owned()),
            "namespace" => named.namespace = Some(short(value)),
            _ => {}
        }
    }
    named
}

/// Says which scheme is spoken, as RFC 9110 asks of a 401.
fn challenged(mut answer: Response) -> Response {
    if answer.status() == StatusCode::UNAUTHORIZED {
        let bearer = HeaderValue::from_static("Bearer");
        answer.headers_mut().insert(WWW_AUTHENTICATE, bearer);
    }
    answer
}
