// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/access_tests: every route, asked by everybody who could ask. In: the table of routes. Out: 401, 403 or let in.
//! Read next: `routes.rs`, `../access.rs`.

use axum::http::{HeaderMap, Method};
use golem_model::api::{Role, Roles};
use serde_json::{Value as Json, json};

use super::door::all_routes;
use super::routes::{Needs, Routes, VIEW};
use super::tests::{Answer, Gym};
use crate::jwt::tests::{Vouching, claims, ed};
use crate::rates::RateLimits;

/// An id that nothing has.
const ABSENT: &str = "8e0b4b8c-14a8-4b6e-9d3f-0123456789ab";

/// A path that fits the route.
fn example(path: &str, component: &str) -> String {
    path.replace("{component}", component)
        .replace("{namespace}", "default")
        .replace("{grant}", ABSENT)
        .replace("{token}", ABSENT)
        .replace("{secret}", "api-key")
        .replace("{version}", "0")
        .replace("{sha256}", "0")
        .replace("{*path}", "x")
        .replace("{worker}", "w")
        .replace("{key}", "k")
        .replace("{schedule}", "1-1")
        .replace("{id}", "shop")
        .replace("{site}", "shop.example.com")
        .replace("{scheme}", "google")
        .replace("{name}", "otlp")
        .replace("{installation}", "8e0b4b8c-14a8-4b6e-9d3f-0123456789ab")
}

#[tokio::test]
async fn every_route_lets_in_whom_it_names_and_nobody_else() {
    let gym = Gym::asking();
    let component = gym.upload("adder").await;
    let tokens: Vec<(Role, String)> = Role::ALL
        .into_iter()
        .map(|role| (role, gym.token(role)))
        .collect();
    let mut asked = 0;
    for route in all_routes().table() {
        let verb = route.method.clone().unwrap_or(Method::POST);
        let path = example(&route.path, &component);
        let stranger = gym.call(&verb, &path, None, &Json::Null).await;
        let (needs, refusal) = match route.needs {
            Needs::Nothing => {
                assert_eq!(stranger.status(), 200, "{path}");
                continue;
            }
            Needs::Known => (Role::Viewer, ""),
            Needs::Role(needs) => (needs, "API-033"),
            Needs::Everywhere(needs) => (needs, "API-038"),
        };
        stranger.is(401, "error", "API-030");
        assert_eq!(stranger.header("www-authenticate"), "Bearer");
        let wrong = gym.call(&verb, &path, Some("golem_x"), &Json::Null).await;
        wrong.is(401, "error", "API-031");
        for (role, token) in &tokens {
            let answer = gym.call(&verb, &path, Some(token), &Json::Null).await;
            if *role < needs {
                answer.is(403, "error", refusal);
            } else {
                assert!(
                    !matches!(answer.status(), 401 | 403 | 405),
                    "{verb} {path} as {role}: {}",
                    answer.status()
                );
            }
            asked += 1;
        }
    }
    assert!(asked >= 4 * 30, "{asked}");
}

#[tokio::test]
async fn strangers_do_not_learn_what_is_there() {
    let gym = Gym::asking();
    let stranger = gym
        .call(&Method::GET, "/v1/nothing", None, &Json::Null)
        .await;
    stranger.is(401, "error", "API-030");
    let viewer = gym.token(Role::Viewer);
    let known = gym
        .call(&Method::GET, "/v1/nothing", Some(&viewer), &Json::Null)
        .await;
    known.is(404, "error", "API-001");
}

#[tokio::test]
async fn an_owner_gives_and_takes_tokens() {
    let gym = Gym::asking();
    let owner = gym.token(Role::Owner);
    let made = gym
        .call(
            &Method::POST,
            "/v1/tokens",
            Some(&owner),
            &json!({"name": "ci", "role": "invoker", "expiresIn": "1h"}),
        )
        .await
        .ok();
    let token = made["token"].as_str().unwrap();
    let who = gym
        .call(&Method::GET, "/v1/whoami", Some(token), &Json::Null)
        .await
        .ok();
    assert_eq!(
        (&who["name"], &who["role"]),
        (&json!("ci"), &json!("invoker"))
    );
    let list = gym
        .call(&Method::GET, "/v1/tokens", Some(&owner), &Json::Null)
        .await
        .ok();
    assert!(!list.to_string().contains(token), "{list}");
    let path = format!("/v1/tokens/{}", made["id"].as_str().unwrap());
    gym.call(&Method::DELETE, &path, Some(&owner), &Json::Null)
        .await
        .ok();
    let refused = gym
        .call(&Method::GET, "/v1/whoami", Some(token), &Json::Null)
        .await;
    refused.is(401, "error", "API-032");
    for body in [
        json!({"name": "", "role": "invoker"}),
        json!({"name": "a\nb", "role": "invoker"}),
        json!({"name": "a", "role": "root"}),
        json!({"name": "a", "role": "viewer", "expiresIn": "soon"}),
        json!({"name": "a", "role": "viewer", "admin": true}),
    ] {
        let answer = gym
            .call(&Method::POST, "/v1/tokens", Some(&owner), &body)
            .await;
        assert_eq!(answer.status(), 400, "{body}");
    }
    let absent = "/v1/tokens/8e0b4b8c-14a8-4b6e-9d3f-0123456789ab";
    let answer = gym
        .call(&Method::DELETE, absent, Some(&owner), &Json::Null)
        .await;
    answer.is(404, "error", "API-035");
}

#[tokio::test]
async fn changes_and_refusals_are_noted_and_calls_are_not() {
    let gym = Gym::asking();
    let (viewer, deployer) = (gym.token(Role::Viewer), gym.token(Role::Deployer));
    let component = gym.upload("adder").await;
    let worker = &format!("/v1/components/{component}/workers/w");
    gym.call(&Method::GET, worker, Some(&viewer), &Json::Null)
        .await;
    gym.call(&Method::DELETE, worker, Some(&viewer), &Json::Null)
        .await;
    gym.call(&Method::DELETE, worker, Some(&deployer), &Json::Null)
        .await;
    let lines: Vec<Json> = gym
        .audit_text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let seen: Vec<_> = lines
        .iter()
        .map(|line| {
            (
                line["method"].as_str().unwrap(),
                line["status"].as_u64().unwrap(),
                line["name"].as_str(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("POST", 200, Some("owner")),
            ("DELETE", 403, Some("viewer")),
            ("DELETE", 404, Some("deployer"))
        ]
    );
}

#[tokio::test]
async fn the_token_goes_no_further_than_the_door() {
    let gym = Gym::asking();
    let told =
        |headers: HeaderMap| async move { format!("{}", headers.contains_key("authorization")) };
    let answer = gym.call_on(
        Routes::new().get("/seen", VIEW, told),
        "/seen",
        Role::Viewer,
    );
    assert_eq!(answer.await.bytes(), b"false");
}

/// Namespaces `a` and `b`, each with the component `adder` and a worker; an owner of each.
struct Tenants {
    gym: Gym,
    owners: [String; 2],
    components: [String; 2],
}

impl Tenants {
    async fn new() -> Self {
        let gym = Gym::asking();
        let server = gym.token(Role::Owner);
        let (mut owners, mut components) = (Vec::new(), Vec::new());
        for name in ["a", "b"] {
            let body = json!({ "name": name });
            let made = gym.call(&Method::POST, "/v1/namespaces", Some(&server), &body);
            made.await.ok();
            let owner = gym.token_with(name, Roles::within(name.parse().unwrap(), Role::Owner));
            // Who has a role in one namespace acts in that one.
            let component = gym.upload_as(Some(&owner), "adder").await;
            let path = format!("/v1/components/{component}/workers");
            gym.call(&Method::POST, &path, Some(&owner), &json!({"name": "w"}))
                .await
                .ok();
            owners.push(owner);
            components.push(component);
        }
        let pair = |list: Vec<String>| <[String; 2]>::try_from(list).unwrap();
        Self {
            gym,
            owners: pair(owners),
            components: pair(components),
        }
    }

    async fn ask(&self, who: usize, verb: &Method, path: &str, body: &Json) -> Answer {
        self.gym
            .call(verb, path, Some(&self.owners[who]), body)
            .await
    }

    async fn see(&self, who: usize, path: &str) -> Json {
        self.ask(who, &Method::GET, path, &Json::Null).await.ok()
    }
}

#[tokio::test]
async fn nothing_of_one_namespace_is_visible_from_another_by_any_route() {
    let tenants = Tenants::new().await;
    let mut asked = 0;
    for route in all_routes().table() {
        let verb = route.method.clone().unwrap_or(Method::POST);
        let is_of_one = ["{component}", "{namespace}"]
            .iter()
            .any(|part| route.path.contains(part));
        let Needs::Role(_) = route.needs else {
            continue;
        };
        if !is_of_one {
            continue;
        }
        // What is there but not for them is answered like what is nowhere: the same status, the same words.
        let path = |component: &str, namespace: &str| {
            example(&route.path, component).replace("/default", &format!("/{namespace}"))
        };
        let foreign = path(&tenants.components[1], "b");
        let absent = path(ABSENT, "nowhere");
        let shown = |answer: &Answer| {
            let text = String::from_utf8_lossy(answer.bytes()).into_owned();
            let text = text.replace(&tenants.components[1], ABSENT);
            (answer.status(), text.replace("`b`", "`nowhere`"))
        };
        for body in [Json::Null, json!({"name": "x"})] {
            let one = tenants.ask(0, &verb, &foreign, &body).await;
            let other = tenants.ask(0, &verb, &absent, &body).await;
            assert_eq!(one.status(), 404, "{verb} {foreign}");
            assert_eq!(shown(&one), shown(&other), "{verb} {foreign}");
        }
        asked += 1;
    }
    assert!(asked >= 30, "{asked}");
    // Their own is as it was.
    for who in [0, 1] {
        let path = format!("/v1/components/{}/workers/w", tenants.components[who]);
        assert_eq!(tenants.see(who, &path).await["status"], "Idle");
    }
}

#[tokio::test]
async fn lists_show_what_is_of_ones_own() {
    let tenants = Tenants::new().await;
    let components = tenants.see(0, "/v1/components").await;
    assert_eq!(components.as_array().unwrap().len(), 1);
    let id = &components[0]["versionedComponentId"]["componentId"];
    assert_eq!(
        (id, &components[0]["namespace"]),
        (&json!(tenants.components[0]), &json!("a"))
    );
    let named = tenants.see(0, "/v1/components?component-name=adder").await;
    assert_eq!(named, components);
    let namespaces = tenants.see(0, "/v1/namespaces").await;
    assert_eq!(namespaces.as_array().unwrap().len(), 1);
    let who = tenants.see(0, "/v1/whoami").await;
    assert_eq!(who["namespaces"], json!({"a": "owner"}));
    let tokens = tenants.see(0, "/v1/tokens").await;
    let names: Vec<&str> = tokens
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["a"]);
    let numbers = tenants.ask(0, &Method::GET, "/metrics", &Json::Null).await;
    numbers.is(403, "error", "API-038");
    // The whole server is seen by whoever owns it, one namespace at a time.
    let server = tenants.gym.token(Role::Owner);
    let default = tenants
        .gym
        .call(&Method::GET, "/v1/components", Some(&server), &Json::Null)
        .await;
    assert_eq!(default.ok(), json!([]));
    let seen = |namespace: &'static str| {
        tenants
            .gym
            .call_in(namespace, "/v1/components", Some(&server))
    };
    assert_eq!(seen("a").await.ok(), components);
    seen("nowhere").await.is(404, "error", "NSP-001");
    seen("A").await.is(400, "errors", "VAL-058");
    let other = tenants
        .gym
        .call_in("b", "/v1/components", Some(&tenants.owners[0]));
    other.await.is(404, "error", "NSP-001");
    // A component is looked for in the namespace that is named.
    let path = format!("/v1/components/{}/latest", tenants.components[0]);
    tenants.gym.call_in("a", &path, Some(&server)).await.ok();
    tenants
        .gym
        .call_in("b", &path, Some(&server))
        .await
        .is(404, "error", "CMP-001");
}

#[tokio::test]
async fn an_owner_of_a_namespace_gives_tokens_for_it_and_no_others() {
    let tenants = Tenants::new().await;
    let body = json!({"name": "n", "namespaces": {"a": "invoker"}});
    let made = tenants.ask(0, &Method::POST, "/v1/tokens", &body).await;
    let token = made.ok()["token"].as_str().unwrap().to_owned();
    let path = format!("/v1/components/{}/workers/w", tenants.components[0]);
    tenants
        .gym
        .call(&Method::GET, &path, Some(&token), &Json::Null)
        .await
        .ok();
    let delete = tenants
        .gym
        .call(&Method::DELETE, &path, Some(&token), &Json::Null)
        .await;
    let body = delete.is(403, "error", "API-033");
    assert!(body["message"].as_str().unwrap().contains("`a`"), "{body}");
    for (body, status, code) in [
        (json!({"name": "n", "role": "viewer"}), 403, "API-041"),
        (
            json!({"name": "n", "namespaces": {"b": "viewer"}}),
            404,
            "NSP-001",
        ),
        (
            json!({"name": "n", "namespaces": {"nowhere": "viewer"}}),
            404,
            "NSP-001",
        ),
    ] {
        let refused = tenants.ask(0, &Method::POST, "/v1/tokens", &body).await;
        refused.is(status, "error", code);
    }
    let nothing = tenants
        .ask(0, &Method::POST, "/v1/tokens", &json!({"name": "n"}))
        .await;
    nothing.is(400, "errors", "API-040");
    let other = tenants.see(1, "/v1/tokens").await[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/v1/tokens/{other}");
    let refused = tenants.ask(0, &Method::DELETE, &path, &Json::Null).await;
    refused.is(404, "error", "API-035");
}

#[tokio::test]
async fn grants_are_given_and_taken_by_the_namespace_that_is_called_and_noted() {
    let tenants = Tenants::new().await;
    let grants = "/v1/namespaces/b/grants";
    let body = json!({"caller": "a", "component": tenants.components[1]});
    tenants
        .ask(0, &Method::POST, grants, &body)
        .await
        .is(404, "error", "NSP-001");
    let given = tenants.ask(1, &Method::POST, grants, &body).await.ok();
    assert_eq!(
        (&given["caller"], &given["target"]),
        (&json!("a"), &json!("b"))
    );
    // Both sides see it.
    assert_eq!(tenants.see(1, grants).await, json!([given]));
    assert_eq!(
        tenants.see(0, "/v1/namespaces/a/grants").await,
        json!([given])
    );
    let one = format!("{grants}/{}", given["id"].as_str().unwrap());
    tenants
        .ask(0, &Method::DELETE, &one, &Json::Null)
        .await
        .is(404, "error", "NSP-001");
    let taken = tenants
        .ask(1, &Method::DELETE, &one, &Json::Null)
        .await
        .ok();
    assert!(taken["revokedAt"].is_string());
    tenants
        .ask(1, &Method::DELETE, &one, &Json::Null)
        .await
        .is(404, "error", "NSP-006");
    let foreign = json!({"caller": "a", "component": tenants.components[0]});
    tenants
        .ask(1, &Method::POST, grants, &foreign)
        .await
        .is(404, "error", "NSP-008");
    let itself = tenants
        .ask(1, &Method::POST, grants, &json!({"caller": "b"}))
        .await;
    itself.is(400, "errors", "NSP-007");
    let audit = tenants.gym.audit_text();
    let line = audit
        .lines()
        .find(|line| line.contains("a calls b"))
        .unwrap();
    let line: Json = serde_json::from_str(line).unwrap();
    assert_eq!(
        (&line["name"], &line["namespace"]),
        (&json!("b"), &json!("b"))
    );
}

#[tokio::test]
async fn a_namespace_that_is_made_anew_lets_nobody_in_who_was_in_the_old_one() {
    let gym = Gym::asking();
    let server = gym.token(Role::Owner);
    let make = async || {
        let body = json!({"name": "brief"});
        gym.call(&Method::POST, "/v1/namespaces", Some(&server), &body)
            .await
    };
    make().await.ok();
    make().await.is(409, "error", "NSP-002");
    let tenant = gym.token_with("t", Roles::within("brief".parse().unwrap(), Role::Owner));
    gym.call(&Method::GET, "/v1/components", Some(&tenant), &Json::Null)
        .await
        .ok();
    let itself = gym.call(
        &Method::DELETE,
        "/v1/namespaces/brief",
        Some(&tenant),
        &Json::Null,
    );
    itself.await.is(403, "error", "API-038");
    let gone = gym.call(
        &Method::DELETE,
        "/v1/namespaces/brief",
        Some(&server),
        &Json::Null,
    );
    gone.await.ok();
    make().await.ok();
    let late = gym.call_in("brief", "/v1/components", Some(&tenant)).await;
    late.is(404, "error", "NSP-001");
    let default = gym.call(
        &Method::DELETE,
        "/v1/namespaces/default",
        Some(&server),
        &Json::Null,
    );
    default.await.is(409, "error", "NSP-004");
}

#[tokio::test]
async fn who_is_in_several_namespaces_names_one() {
    let gym = Gym::asking();
    let server = gym.token(Role::Owner);
    let mut roles = Roles::default();
    for name in ["a", "b"] {
        let body = json!({ "name": name });
        let made = gym.call(&Method::POST, "/v1/namespaces", Some(&server), &body);
        made.await.ok();
        roles.namespaces.insert(name.parse().unwrap(), Role::Viewer);
    }
    let both = gym.token_with("both", roles);
    let which = gym
        .call(&Method::GET, "/v1/components", Some(&both), &Json::Null)
        .await;
    which.is(400, "errors", "API-039");
    gym.call_in("b", "/v1/components", Some(&both)).await.ok();
    // Whom nobody is asked, namespaces are there all the same.
    let open = Gym::new();
    open.post("/v1/namespaces", json!({"name": "x"})).await.ok();
    open.call_in("x", "/v1/components", None).await.ok();
    open.call_in("y", "/v1/components", None)
        .await
        .is(404, "error", "NSP-001");
}

#[tokio::test]
async fn who_asks_too_often_is_sent_away_and_others_are_not() {
    let limits = RateLimits {
        identity_per_second: 1,
        address_per_second: 0,
        failures_per_minute: 0,
    };
    let gym = Gym::limited(true, limits, None);
    let (one, other) = (gym.token(Role::Viewer), gym.token(Role::Viewer));
    let who = "/v1/whoami";
    let mut answers = Vec::new();
    for _ in 0..5 {
        answers.push(gym.call_from("192.0.2.1:1", who, Some(&one)).await);
    }
    let last = answers.pop().unwrap();
    last.is(429, "error", "API-044");
    assert!(last.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!(answers[0].status(), 200);
    gym.call_from("192.0.2.1:1", who, Some(&other)).await.ok();
    let limits = RateLimits {
        identity_per_second: 0,
        address_per_second: 1,
        failures_per_minute: 0,
    };
    let gym = Gym::limited(false, limits, None);
    let mut refused = 0;
    for port in 1..=5 {
        let answer = gym
            .call_from(&format!("192.0.2.1:{port}"), "/v1/components", None)
            .await;
        refused += u32::from(answer.status() == 429);
    }
    assert!(refused >= 1, "{refused}");
    gym.call_from("192.0.2.2:1", "/v1/components", None)
        .await
        .ok();
    // Probes are let through.
    gym.call_from("192.0.2.1:1", "/healthcheck", None)
        .await
        .ok();
}

#[tokio::test]
async fn who_fails_too_often_is_locked_out_even_with_a_token_that_holds() {
    let limits = RateLimits {
        failures_per_minute: 3,
        ..RateLimits::OPEN
    };
    let gym = Gym::limited(true, limits, None);
    let token = gym.token(Role::Viewer);
    let ask = |peer: &'static str, token: Option<String>| {
        let gym = &gym;
        async move { gym.call_from(peer, "/v1/whoami", token.as_deref()).await }
    };
    let guess = || Some("golem_guess".to_owned());
    // Without a token it is no guess.
    for _ in 0..10 {
        ask("192.0.2.1:1", None).await.is(401, "error", "API-030");
    }
    for _ in 0..4 {
        ask("192.0.2.1:1", guess())
            .await
            .is(401, "error", "API-031");
    }
    let out = ask("192.0.2.1:2", Some(token.clone())).await;
    out.is(429, "error", "API-045");
    assert!(out.header("retry-after").parse::<u64>().unwrap() > 30);
    ask("192.0.2.2:1", Some(token)).await.ok();
}

#[tokio::test]
async fn whoever_an_issuer_vouches_for_may_what_the_claims_give_and_no_more() {
    let issuer = Vouching::new();
    let rules = "    rules: [{claim: groups, value: team, role: deployer, namespace: a}]\n";
    let jwt = issuer.open("EdDSA", rules).unwrap();
    let gym = Gym::limited(true, RateLimits::OPEN, Some(jwt));
    let server = gym.token(Role::Owner);
    let body = json!({"name": "a"});
    let made = gym.call(&Method::POST, "/v1/namespaces", Some(&server), &body);
    made.await.ok();
    let default = gym.upload("other").await;
    let member = issuer.token(&ed(), &claims(json!({"groups": ["team"]})));
    let own = gym.upload_as(Some(&member), "adder").await;
    let path = |id: &str| format!("/v1/components/{id}/workers/w");
    let show = |id: &str, token: &str| {
        let (gym, path, token) = (&gym, path(id), token.to_owned());
        async move {
            gym.call(&Method::GET, &path, Some(&token), &Json::Null)
                .await
        }
    };
    show(&own, &member).await.is(404, "error", "WRK-001");
    let workers = format!("/v1/components/{own}/workers");
    let add = gym
        .call(
            &Method::POST,
            &workers,
            Some(&member),
            &json!({"name": "w"}),
        )
        .await;
    add.ok();
    show(&own, &member).await.ok();
    let foreign = format!("/v1/components/{default}");
    let foreign = gym.call(&Method::GET, &foreign, Some(&member), &Json::Null);
    foreign.await.is(404, "error", "CMP-001");
    let tokens = gym
        .call(&Method::GET, "/v1/tokens", Some(&member), &Json::Null)
        .await;
    tokens.is(403, "error", "API-033");
    let nobody = issuer.token(&ed(), &claims(json!({})));
    let refused = gym
        .call(&Method::GET, "/v1/components", Some(&nobody), &Json::Null)
        .await;
    refused.is(403, "error", "API-033");
    show(&own, &nobody).await.is(404, "error", "WRK-001");
    let late = issuer.token(&ed(), &claims(json!({"exp": 1})));
    show(&own, &late).await.is(401, "error", "API-042");
    // The log names the subject.
    let audit = gym.audit_text();
    assert!(
        audit.lines().any(|line| line.contains("\"name\":\"u1\"")),
        "{audit}"
    );
}
