// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / http/access_tests: every route, asked by everybody who could ask. In: the table of routes. Out: 401, 403 or let in.
//! Read next: `routes.rs`, `../access.rs`.

use axum::http::{HeaderMap, Method};
use golem_model::api::Role;
use serde_json::{Value as Json, json};

use super::door::all_routes;
use super::routes::{Needs, Routes, VIEW};
use super::tests::Gym;

/// A path that fits the route.
fn example(path: &str) -> String {
    path.replace("{component}", "8e0b4b8c-14a8-4b6e-9d3f-0123456789ab")
        .replace("{token}", "8e0b4b8c-14a8-4b6e-9d3f-0123456789ab")
        .replace("{secret}", "api-key")
        .replace("{version}", "0")
        .replace("{*path}", "x")
        .replace("{worker}", "w")
        .replace("{key}", "k")
        .replace("{schedule}", "1-1")
}

#[tokio::test]
async fn every_route_lets_in_whom_it_names_and_nobody_else() {
    let gym = Gym::asking();
    let tokens: Vec<(Role, String)> = Role::ALL
        .into_iter()
        .map(|role| (role, gym.token(role)))
        .collect();
    let mut asked = 0;
    for route in all_routes().table() {
        let verb = route.method.clone().unwrap_or(Method::POST);
        let path = example(&route.path);
        let stranger = gym.call(&verb, &path, None, &Json::Null).await;
        let Needs::Role(needs) = route.needs else {
            assert_eq!(stranger.status(), 200, "{path}");
            continue;
        };
        stranger.is(401, "error", "API-030");
        assert_eq!(stranger.header("www-authenticate"), "Bearer");
        let wrong = gym.call(&verb, &path, Some("golem_x"), &Json::Null).await;
        wrong.is(401, "error", "API-031");
        for (role, token) in &tokens {
            let answer = gym.call(&verb, &path, Some(token), &Json::Null).await;
            if *role < needs {
                answer.is(403, "error", "API-033");
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
    let worker = "/v1/components/8e0b4b8c-14a8-4b6e-9d3f-0123456789ab/workers/w";
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
        [("DELETE", 403, None), ("DELETE", 404, Some("deployer"))]
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
