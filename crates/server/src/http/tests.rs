// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/tests: the routes in front of a real engine on the memory store. In: requests. Out: statuses, bodies.
//! Never opens a socket (tests/it does). Read next: `door.rs`.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request};
use golem_engine::{Node, NodeConfig};
use golem_model::api::{Role, Roles};
use golem_storage::{Blobs, MemStore};
use hyper::server::conn::http1;
use hyper::service::Service as _;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value as Json, json};
use tokio::io::DuplexStream;

use super::archive::tests::zipped;
use super::gate::Peer;
use super::routes::Routes;
use super::{Door, router};
use crate::access::Access;
use crate::audit::Audit;
use crate::jwt::Jwt;
use crate::limits::PING_EVERY;
use crate::rates::{RateLimits, Rates};

/// Exports `add: func(a: u64, b: u64) -> u64` and `boom: func()`, which traps.
const GUEST: &str = r#"(component
  (core module $m
    (func (export "add") (param i64 i64) (result i64) local.get 0 local.get 1 i64.add)
    (func (export "boom") unreachable))
  (core instance $i (instantiate $m))
  (func (export "add") (param "a" u64) (param "b" u64) (result u64) (canon lift (core func $i "add")))
  (func (export "boom") (canon lift (core func $i "boom"))))"#;

/// What a connection of a test holds on its way.
const WIRE_BYTES: usize = 64 << 10;

/// The door of a fresh node.
pub(super) struct Gym {
    door: Arc<Door>,
    routes: TowerToHyperService<axum::Router>,
    dir: tempfile::TempDir,
}

/// An answer, read.
#[derive(Debug)]
pub(super) struct Answer {
    status: u16,
    headers: HeaderMap,
    bytes: Vec<u8>,
}

impl Answer {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn status(&self) -> u16 {
        self.status
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub(super) fn json(&self) -> Json {
        serde_json::from_slice(&self.bytes).unwrap()
    }

    /// Asserts a failure: its status, its shape, its code.
    pub(super) fn is(&self, status: u16, shape: &str, code: &str) -> Json {
        let body = self.json();
        assert_eq!(self.status, status, "{body}");
        assert!(!body[shape].is_null(), "{body}");
        assert_eq!(body["code"], json!(code), "{body}");
        body
    }

    pub(super) fn ok(&self) -> Json {
        let body = self.json();
        assert_eq!(self.status, 200, "{body}");
        assert_eq!(
            self.headers["content-type"],
            "application/json; charset=utf-8"
        );
        body
    }
}

impl Gym {
    /// Of a server that asks nobody who they are.
    pub(super) fn new() -> Self {
        Self::with(false)
    }

    /// Of a server where requests need a token.
    pub(super) fn asking() -> Self {
        Self::with(true)
    }

    fn with(required: bool) -> Self {
        Self::limited(required, RateLimits::OPEN, None)
    }

    /// Of a server that asks nobody, and pings listeners so often.
    pub(super) fn pinging(every: Duration) -> Self {
        Self::made(false, RateLimits::OPEN, None, every)
    }

    /// With limits, and for those as well for whom other issuers vouch.
    pub(super) fn limited(required: bool, limits: RateLimits, issuers: Option<Jwt>) -> Self {
        Self::made(required, limits, issuers, PING_EVERY)
    }

    fn made(required: bool, rates: RateLimits, issuers: Option<Jwt>, ping_every: Duration) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Arc::new(Blobs::open(dir.path().join("blobs")).unwrap());
        let config = NodeConfig::new(dir.path().join("code"));
        let fatal = |error| panic!("{error}");
        let node = Node::start(&config, Arc::new(MemStore::new()), blobs, fatal).unwrap();
        let access = Access::open(Arc::new(MemStore::new()), required).unwrap();
        let access = access.trusting(issuers);
        let audit = if required {
            Audit::open(dir.path()).unwrap()
        } else {
            Audit::none()
        };
        let door = Door::new(node, access, Rates::new(rates), audit).pinging(ping_every);
        let door = Arc::new(door);
        let routes = TowerToHyperService::new(router(Arc::clone(&door)));
        Self { door, routes, dir }
    }

    /// A token of that role, with its name.
    pub(super) fn token(&self, role: Role) -> String {
        self.token_with(role.name(), Roles::everywhere(role))
    }

    /// A token with these roles.
    pub(super) fn token_with(&self, name: &str, roles: Roles) -> String {
        let made = self.door.access.add(name.to_owned(), roles, None);
        made.unwrap().token
    }

    pub(super) fn figures(&self) -> golem_engine::Figures {
        self.door.node.figures()
    }

    pub(super) fn audit_text(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("audit.jsonl")).unwrap()
    }

    /// A request of the bearer of `token`; no body when it is `null`.
    pub(super) async fn call(
        &self,
        verb: &Method,
        path: &str,
        token: Option<&str>,
        body: &Json,
    ) -> Answer {
        let mut request = Request::builder().method(verb).uri(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = match body {
            Json::Null => Body::empty(),
            body => Body::from(body.to_string()),
        };
        self.send(request.body(body).unwrap()).await
    }

    /// `GET path` from an address.
    pub(super) async fn call_from(&self, peer: &str, path: &str, token: Option<&str>) -> Answer {
        let mut request = Request::get(path).extension(Peer {
            address: peer.parse().unwrap(),
            via: None,
        });
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// `GET path` in a namespace.
    pub(super) async fn call_in(&self, namespace: &str, path: &str, token: Option<&str>) -> Answer {
        let mut request = Request::get(path).header("golem-namespace", namespace);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// One end of a connection, at whose other end requests are answered until it ends.
    pub(super) fn connection(&self) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(WIRE_BYTES);
        let connection = http1::Builder::new()
            .serve_connection(TokioIo::new(theirs), self.routes.clone())
            .with_upgrades();
        tokio::spawn(connection);
        ours
    }

    /// `GET path` of `routes` instead of the server's, by somebody of that role.
    pub(super) async fn call_on(&self, routes: Routes, path: &str, role: Role) -> Answer {
        let routes = TowerToHyperService::new(routes.build(Arc::clone(&self.door)));
        let bearer = format!("Bearer {}", self.token(role));
        let request = Request::get(path).header("authorization", bearer);
        read(
            routes
                .call(request.body(Body::empty()).unwrap())
                .await
                .unwrap(),
        )
        .await
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        read(self.routes.call(request).await.unwrap()).await
    }

    pub(super) async fn ask(&self, method: Method, path: &str, body: impl Into<Body>) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .body(body.into());
        self.send(request.unwrap()).await
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, Body::empty()).await
    }

    pub(super) async fn post(&self, path: &str, body: Json) -> Answer {
        self.ask(Method::POST, path, body.to_string()).await
    }

    pub(super) async fn form(&self, path: &str, parts: &[(&str, &[u8])]) -> Answer {
        self.form_of(None, path, parts).await
    }

    async fn form_of(&self, token: Option<&str>, path: &str, parts: &[(&str, &[u8])]) -> Answer {
        let mut body = Vec::new();
        for (name, value) in parts {
            let head = format!("--edge\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n");
            body.extend([head.as_bytes(), value, b"\r\n"].concat());
        }
        body.extend(b"--edge--\r\n");
        let mut request =
            Request::post(path).header("content-type", "multipart/form-data; boundary=edge");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    /// Uploads the guest and returns its id.
    pub(super) async fn upload(&self, name: &str) -> String {
        let asks = self.door.access.is_required();
        let owner = asks.then(|| self.token(Role::Owner));
        self.upload_as(owner.as_deref(), name).await
    }

    /// The same by the bearer of a token.
    pub(super) async fn upload_as(&self, token: Option<&str>, name: &str) -> String {
        let parts = [("name", name.as_bytes()), ("component", &guest())];
        let body = self.form_of(token, "/v1/components", &parts).await.ok();
        assert_eq!(body["componentType"], json!("Durable"));
        let id = &body["versionedComponentId"]["componentId"];
        id.as_str().unwrap().to_owned()
    }
}

async fn read(answer: axum::response::Response) -> Answer {
    let (head, body) = answer.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    Answer {
        status: head.status.as_u16(),
        headers: head.headers,
        bytes: bytes.to_vec(),
    }
}

pub(super) fn guest() -> Vec<u8> {
    wat::parse_str(GUEST).unwrap()
}

#[tokio::test]
async fn components_are_uploaded_listed_updated_and_downloaded() {
    let gym = Gym::new();
    let id = gym.upload("adder").await;
    let parts: [(&str, &[u8]); 2] = [("name", b"adder"), ("component", &guest())];
    let again = gym.form("/v1/components", &parts).await;
    let body = again.is(409, "error", "CMP-004");
    assert_eq!(
        body["error"],
        json!(format!("Component already exists: {id}"))
    );
    let updates = format!("/v1/components/{id}/updates");
    let parts: [(&str, &[u8]); 2] = [("componentType", b"\"Durable\""), ("component", &guest())];
    let body = gym.form(&updates, &parts).await.ok();
    assert_eq!(body["versionedComponentId"]["version"], json!(1));
    let upload = format!("/v1/components/{id}/upload");
    let body = gym.ask(Method::PUT, &upload, guest()).await.ok();
    assert_eq!(body["versionedComponentId"]["version"], json!(2));

    let named = gym.get("/v1/components?component-name=adder").await.ok();
    assert_eq!(named.as_array().unwrap().len(), 3);
    let absent = gym.get("/v1/components?component-name=absent").await.ok();
    assert_eq!(absent, json!([]));
    let all = gym.get(&format!("/v1/components/{id}")).await.ok();
    assert_eq!(all, named);
    let latest = gym.get(&format!("/v1/components/{id}/latest")).await.ok();
    assert_eq!(latest, all[2]);
    let first = gym
        .get(&format!("/v1/components/{id}/versions/0"))
        .await
        .ok();
    assert_eq!(first, all[0]);
    let later = gym.get(&format!("/v1/components/{id}/versions/7")).await;
    later.is(404, "error", "CMP-003");
    let bytes = gym
        .get(&format!("/v1/components/{id}/download?version=0"))
        .await;
    assert_eq!((bytes.status, bytes.bytes), (200, guest()));
}

#[tokio::test]
async fn uploads_that_are_no_components_are_refused() {
    let gym = Gym::new();
    for (parts, code) in [
        (vec![("name", &b"x"[..]), ("component", b"")], "CMP-005"),
        (
            vec![("name", b"x"), ("component", b"\0asm\x01\0\0\0")],
            "CMP-005",
        ),
        (vec![("name", b"x")], "API-011"),
        (vec![("component", b"x")], "API-011"),
        (vec![("name", b"a b"), ("component", b"x")], "VAL-024"),
        (vec![("componentType", b"Odd")], "API-012"),
    ] {
        gym.form("/v1/components", &parts)
            .await
            .is(400, "errors", code);
    }
    let plain = gym
        .ask(Method::POST, "/v1/components", "no form at all")
        .await;
    plain.is(400, "errors", "API-010");
    let id = golem_model::ComponentId::random();
    let absent = gym
        .ask(Method::PUT, &format!("/v1/components/{id}/upload"), guest())
        .await;
    absent.is(404, "error", "CMP-001");
}

#[tokio::test]
async fn an_invocation_is_typed_by_the_signature_and_keeps_its_key() {
    let gym = Gym::new();
    let id = gym.upload("adder").await;
    let path = format!("/v1/components/{id}/workers/a%2Fb%20%C3%BC/invoke-and-await?function=add");
    let wrong_types =
        json!({"params": [{"typ": {"type": "Str"}, "value": 1}, {"value": u64::MAX - 1}]});
    let answer = gym.post(&path, wrong_types).await;
    let expected =
        json!({"typ": {"type": "Tuple", "items": [{"type": "U64"}]}, "value": [u64::MAX]});
    assert_eq!(answer.ok()["result"], expected);
    let made = answer.headers["idempotency-key"].to_str().unwrap();
    assert_eq!(made.len(), 36);

    let with_key = |params: Json| {
        let body = Body::from(json!({ "params": params }).to_string());
        Request::post(&path)
            .header("Idempotency-Key", "k1")
            .body(body)
            .unwrap()
    };
    for _ in 0..2 {
        let answer = gym.send(with_key(json!([1, 2]))).await;
        assert_eq!(answer.ok()["result"]["value"], json!([3]));
        assert_eq!(answer.headers["idempotency-key"], "k1");
    }
    let reused = gym.send(with_key(json!([1, 3]))).await;
    reused.is(409, "error", "WRK-005");
    assert_eq!(reused.headers["idempotency-key"], "k1");
    let worker = gym
        .get(&format!("/v1/components/{id}/workers/a%2Fb%20%C3%BC"))
        .await
        .ok();
    assert_eq!(
        worker["workerId"],
        json!({"componentId": id, "workerName": "a/b ü"})
    );
    assert_eq!(worker["status"], json!("Idle"));
}

#[tokio::test]
async fn a_wrong_invocation_says_what_is_wrong_and_makes_no_worker() {
    let gym = Gym::new();
    let id = gym.upload("adder").await;
    let path = format!("/v1/components/{id}/workers/w");
    let add = format!("{path}/invoke-and-await?function=add");
    let body = gym.post(&add, json!({"params": [1, "x"]})).await;
    let body = body.is(400, "errors", "VAL-001");
    let text = body["errors"][0].as_str().unwrap();
    assert!(text.starts_with("params[1]"), "{text}");
    let few = gym.post(&add, json!({"params": [1]})).await;
    few.is(400, "errors", "VAL-006");
    let none = gym.ask(Method::POST, &add, Body::empty()).await;
    none.is(400, "errors", "VAL-006");
    let torn = gym.ask(Method::POST, &add, "{\"params\": [1,").await;
    torn.is(400, "errors", "API-006");
    let nameless = format!("{path}/invoke-and-await");
    let nameless = gym.post(&nameless, json!({"params": []})).await;
    nameless.is(400, "errors", "API-005");
    let unknown = gym
        .post(&format!("{path}/invoke?function=ad"), json!({"params": []}))
        .await;
    unknown.is(400, "errors", "WRK-003");
    let id_is_bad = gym.get("/v1/components/1234/workers/w").await;
    id_is_bad.is(400, "errors", "API-003");
    let body = gym.get(&path).await.is(404, "error", "WRK-001");
    assert_eq!(body["error"], json!(format!("Worker not found: {id}/w")));
}

#[tokio::test]
async fn a_trap_is_a_runtime_error_with_the_key() {
    let gym = Gym::new();
    let id = gym.upload("adder").await;
    let path = format!("/v1/components/{id}/workers/w/invoke-and-await?function=boom");
    let answer = gym.ask(Method::POST, &path, Body::empty()).await;
    let body = answer.is(500, "golemError", "WRK-006");
    assert_eq!(body["golemError"]["type"], json!("RuntimeError"));
    assert!(answer.headers.contains_key("idempotency-key"));
}

#[tokio::test]
async fn workers_are_created_listed_in_pages_and_deleted() {
    let gym = Gym::new();
    let id = gym.upload("adder").await;
    let workers = format!("/v1/components/{id}/workers");
    for name in ["e", "d", "c", "b", "a"] {
        let body = json!({"name": name, "args": ["x"], "env": {"K": "v"}});
        let created = gym.post(&workers, body).await.ok();
        let expected =
            json!({"workerId": {"componentId": id, "workerName": name}, "componentVersion": 0});
        assert_eq!(created, expected);
    }
    let again = gym.post(&workers, json!({"name": "a"})).await;
    let body = again.is(500, "golemError", "WRK-002");
    assert_eq!(body["golemError"]["type"], json!("WorkerAlreadyExists"));
    gym.post(&workers, json!({"name": "a b"}))
        .await
        .is(400, "errors", "VAL-021");

    let mut names = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = gym
            .get(&format!("{workers}?count=2&precise=true{cursor}"))
            .await
            .ok();
        let found = page["workers"].as_array().unwrap();
        names.extend(
            found
                .iter()
                .map(|w| w["workerId"]["workerName"].as_str().unwrap().to_owned()),
        );
        let next = &page["cursor"];
        if next.is_null() {
            break;
        }
        cursor = format!("&cursor={}%2F{}", next["layer"], next["cursor"]);
    }
    assert_eq!(names, ["a", "b", "c", "d", "e"]);
    let counted = gym.get(&format!("{workers}?cursor=0%2F3")).await.ok();
    assert_eq!(counted["workers"].as_array().unwrap().len(), 2);
    assert_eq!(counted["workers"][0]["env"], json!({"K": "v"}));
    let beyond = gym.get(&format!("{workers}?cursor=0%2F9")).await.ok();
    assert_eq!(beyond, json!({"workers": [], "cursor": null}));
    let chosen = |filters: &str| format!("{workers}?{filters}count=2");
    let some = gym
        .get(&chosen("filter=name+%21%3D+b&filter=status+%3D+Idle&"))
        .await
        .ok();
    let names = |page: &Json| -> Vec<String> {
        let workers = page["workers"].as_array().unwrap().iter();
        workers
            .map(|w| w["workerId"]["workerName"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&some), ["a", "c"]);
    let cursor = format!(
        "filter=name+%21%3D+b&cursor={}%2F{}&",
        some["cursor"]["layer"], some["cursor"]["cursor"]
    );
    let rest = gym.get(&chosen(&cursor)).await.ok();
    assert_eq!(
        (names(&rest), &rest["cursor"]),
        (vec!["d".to_owned(), "e".to_owned()], &Json::Null)
    );
    gym.get(&chosen("filter=name+a&"))
        .await
        .is(400, "errors", "VAL-040");

    let a = format!("{workers}/a");
    for verb in ["interrupt?recovery-immediately=true", "interrupt", "resume"] {
        let done = gym
            .ask(Method::POST, &format!("{a}/{verb}"), Body::empty())
            .await;
        assert_eq!(done.ok(), json!({}), "{verb}");
    }
    assert_eq!(
        gym.ask(Method::DELETE, &a, Body::empty()).await.ok(),
        json!({})
    );
    gym.get(&a).await.is(404, "error", "WRK-001");
    let twice = gym.ask(Method::DELETE, &a, Body::empty()).await;
    twice.is(404, "error", "WRK-001");
}

#[tokio::test]
async fn a_call_without_waiting_is_answered_and_runs() {
    let gym = Gym::new();
    let id = gym.upload("adder").await;
    let path = format!("/v1/components/{id}/workers/w");
    let invoke = format!("{path}/invoke?function=add");
    let answer = gym.post(&invoke, json!({"params": [20, 22]})).await;
    assert_eq!(answer.ok(), json!({}));
    // The same key waits for the call that is already there instead of making another.
    let request = Request::post(format!("{path}/invoke-and-await?function=add"))
        .header("idempotency-key", &answer.headers["idempotency-key"])
        .body(Body::from(json!({"params": [20, 22]}).to_string()));
    let answer = gym.send(request.unwrap()).await;
    assert_eq!(answer.ok()["result"]["value"], json!([42]));
}

#[tokio::test]
async fn other_paths_verbs_and_a_stopping_server_have_bodies_too() {
    let gym = Gym::new();
    assert_eq!(gym.get("/version").await.ok(), json!({"version": "1.1.0"}));
    assert_eq!(gym.get("/healthcheck").await.ok(), json!({}));
    assert_eq!(gym.get("/readyz").await.ok(), json!({}));
    gym.get("/v1/nothing").await.is(404, "error", "API-001");
    let wrong = gym
        .ask(Method::DELETE, "/v1/components", Body::empty())
        .await;
    wrong.is(405, "error", "API-002");
    gym.door.stop();
    gym.get("/readyz").await.is(503, "error", "API-018");
}

#[tokio::test]
async fn a_worker_is_listened_to_by_a_websocket_only() {
    let gym = Gym::new();
    let id = gym.upload("adder").await;
    let path = format!("/v1/components/{id}/workers/w/connect");
    gym.get(&path).await.is(400, "errors", "API-020");
    let upgrade = |version: &str| {
        Request::get(&path)
            .header("connection", "keep-alive, Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", version)
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .body(Body::empty())
            .unwrap()
    };
    let old = gym.send(upgrade("8")).await;
    old.is(400, "errors", "API-020");
    // The head is right, and there is no such worker.
    let absent = gym.send(upgrade("13")).await;
    assert_eq!(absent.status, 404, "{absent:?}");
    let bad = gym.get(&format!("{path}?from=yesterday")).await;
    bad.is(400, "errors", "API-004");
}

#[tokio::test]
async fn workers_are_found_by_conditions_that_are_joined() {
    let gym = Gym::new();
    let id = gym.upload("adder").await;
    let workers = format!("/v1/components/{id}/workers");
    for name in ["find", "b", "a"] {
        gym.post(&workers, json!({"name": name})).await.ok();
    }
    let find = format!("{workers}/find");
    let named = |name: &str| json!({"type": "Name", "comparator": "Equal", "value": name});
    let either = json!({"type": "Or", "filters": [named("a"), named("find")]});
    let page = gym.post(
        &find,
        json!({"filter": either, "count": 1, "precise": true}),
    );
    let page = page.await.ok();
    assert_eq!(page["workers"][0]["workerId"]["workerName"], json!("a"));
    let rest = json!({"filter": either, "cursor": page["cursor"]});
    let rest = gym.post(&find, rest).await.ok();
    assert_eq!(rest["workers"][0]["workerId"]["workerName"], json!("find"));
    assert_eq!(rest["workers"].as_array().unwrap().len(), 1);
    let none = json!({"filter": {"type": "Not", "filter": {"type": "And", "filters": []}}});
    assert_eq!(gym.post(&find, none).await.ok()["workers"], json!([]));
    let all = gym.post(&find, json!({})).await.ok();
    assert_eq!(all["workers"].as_array().unwrap().len(), 3);
    let wrong = json!({"filter": {"type": "Colour", "value": "red"}});
    gym.post(&find, wrong).await.is(400, "errors", "API-006");
    // A worker may be called so all the same.
    assert_eq!(
        gym.get(&find).await.ok()["workerId"]["workerName"],
        json!("find")
    );
    let path = format!("{find}/invoke-and-await?function=add");
    let answer = gym.post(&path, json!({"params": [1, 2]})).await.ok();
    assert_eq!(answer["result"]["value"], json!([3]));
    gym.ask(Method::DELETE, &find, Body::empty()).await.ok();
    gym.get(&find).await.is(404, "error", "WRK-001");
}

#[tokio::test]
async fn initial_files_come_with_an_upload_and_stay_until_another_brings_others() {
    let gym = Gym::new();
    let archive = zipped(&[("etc/app.conf", b"colour = red"), ("notes.txt", b"mine")]);
    let rights = br#"{"values":[{"path":"/notes.txt","permissions":"read-write"}]}"#;
    let parts: [(&str, &[u8]); 4] = [
        ("files", &archive),
        ("name", b"adder"),
        ("filesPermissions", rights),
        ("component", &guest()),
    ];
    let made = gym.form("/v1/components", &parts).await.ok();
    let id = made["versionedComponentId"]["componentId"]
        .as_str()
        .unwrap();
    let files = made["files"].as_array().unwrap();
    assert_eq!(files[0]["path"], json!("/etc/app.conf"));
    assert_eq!(files[0]["permissions"], json!("read-only"));
    assert_eq!(files[1]["permissions"], json!("read-write"));
    assert_eq!(files[1]["size"], json!(4));
    let component = format!("/v1/components/{id}");

    // What a worker has: asked while it was never in memory, and while it is.
    gym.post(&format!("{component}/workers"), json!({"name": "w"}))
        .await
        .ok();
    let worker = format!("{component}/workers/w");
    for round in 0..2 {
        for root in ["files", "files/", "files/etc/.."] {
            let nodes = gym.get(&format!("{worker}/{root}")).await.ok();
            let names: Vec<_> = nodes["nodes"]
                .as_array()
                .unwrap()
                .iter()
                .map(|node| (&node["name"], &node["kind"]))
                .collect();
            assert_eq!(
                names,
                [
                    (&json!("etc"), &json!("directory")),
                    (&json!("notes.txt"), &json!("file"))
                ],
                "{root} {round}"
            );
            assert!(
                nodes["nodes"][0]["lastModified"].as_u64().unwrap() > 1_700_000_000,
                "{nodes}"
            );
        }
        let nodes = gym.get(&format!("{worker}/files/etc")).await.ok();
        assert_eq!(nodes["nodes"][0]["permissions"], json!("read-only"));
        let content = gym
            .get(&format!("{worker}/file-contents/etc%2Fapp.conf"))
            .await;
        assert_eq!(
            (content.status(), content.bytes()),
            (200, b"colour = red".as_slice())
        );
        assert_eq!(content.header("content-length"), "12");
        gym.get(&format!("{worker}/file-contents/etc"))
            .await
            .is(400, "errors", "WRK-032");
        gym.get(&format!("{worker}/files/notes.txt"))
            .await
            .is(400, "errors", "WRK-032");
        gym.get(&format!("{worker}/files/notes.txt/x"))
            .await
            .is(400, "errors", "WRK-032");
        gym.get(&format!("{worker}/files/absent"))
            .await
            .is(404, "error", "WRK-031");
        gym.get(&format!("{worker}/file-contents/..%2Fx"))
            .await
            .is(404, "error", "WRK-031");
        gym.post(
            &format!("{worker}/invoke-and-await?function=add"),
            json!({"params": [1, 2]}),
        )
        .await
        .ok();
    }
    gym.get(&format!("{component}/workers/absent/files"))
        .await
        .is(404, "error", "WRK-001");

    // An update without files keeps them, one with an archive replaces them.
    let kept = gym
        .form(&format!("{component}/updates"), &[("component", &guest())])
        .await
        .ok();
    assert_eq!(kept["files"], made["files"]);
    let one = zipped(&[("only", b"1")]);
    let parts: [(&str, &[u8]); 2] = [("component", &guest()), ("files", &one)];
    let replaced = gym.form(&format!("{component}/updates"), &parts).await.ok();
    assert_eq!(replaced["files"].as_array().unwrap().len(), 1);
    let at =
        |version: u64, path: &str| format!("{component}/versions/{version}/file-contents/{path}");
    assert_eq!(gym.get(&at(2, "only")).await.bytes(), b"1");
    assert_eq!(
        gym.get(&at(1, "etc/app.conf")).await.bytes(),
        b"colour = red"
    );
    gym.get(&at(2, "etc/app.conf"))
        .await
        .is(404, "error", "CMP-022");
    // The worker runs the first version, and has its files.
    let nodes = gym.get(&format!("{worker}/files")).await.ok();
    assert_eq!(nodes["nodes"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn wrong_initial_files_are_refused_with_the_component() {
    let gym = Gym::new();
    let check = async |archive: &[u8], rights: &[u8], code: &str| {
        let parts: [(&str, &[u8]); 4] = [
            ("name", b"adder"),
            ("component", &guest()),
            ("files", archive),
            ("filesPermissions", rights),
        ];
        gym.form("/v1/components", &parts)
            .await
            .is(400, "errors", code);
    };
    let rights = br#"{"values":[{"path":"/a","permissions":"read-write"}]}"#;
    check(b"PK nothing", b"", "API-050").await;
    check(&zipped(&[("../a", b"")]), b"", "CMP-021").await;
    check(&zipped(&[("/a", b"")]), b"", "CMP-021").await;
    check(&zipped(&[("b", b"")]), rights, "API-012").await;
    check(b"", rights, "API-011").await;
    check(b"", b"[]", "API-012").await;
    assert_eq!(gym.get("/v1/components").await.ok(), json!([]));
}

#[tokio::test]
async fn paths_of_what_is_not_here_say_what_there_is_instead() {
    let gym = Gym::new();
    let id = gym.upload("adder").await;
    for path in [
        "/v1/api/definitions",
        "/v1/api/definitions/shop/1",
        "/v1/api/deployments/shop.example.com",
        "/v1/api/security/google",
    ] {
        let body = gym.get(path).await.is(501, "error", "API-051");
        assert!(
            body["hint"].as_str().unwrap().contains("http-api"),
            "{body}"
        );
    }
    assert_eq!(gym.get("/v1/plugins?scope=global").await.ok(), json!([]));
    gym.post("/v1/plugins", json!({}))
        .await
        .is(501, "error", "API-052");
    let installs = format!("/v1/components/{id}/versions/0/plugins/installs");
    assert_eq!(gym.get(&installs).await.ok(), json!([]));
    let absent = format!("/v1/components/{id}/versions/7/plugins/installs");
    gym.get(&absent).await.is(404, "error", "CMP-003");
}
