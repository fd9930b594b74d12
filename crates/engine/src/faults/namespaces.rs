// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / faults/namespaces: calls into another namespace: denied, granted, taken back, in the middle of a history and after
//! crashes. Read next: `../node/namespaces.rs`. Source: reliability spec §5.

use golem_model::component::ComponentType;
use golem_model::{ComponentId, ComponentName, Namespace, Value, WorkerId};

use super::guest;
use super::gym::{Gym, number};
use crate::error::{ComponentError, WorkerError};

/// The same guest once more, in a namespace of its own.
struct Other {
    name: Namespace,
    component: ComponentId,
}

impl Other {
    async fn of(gym: &Gym) -> Self {
        let name: Namespace = "other".parse().unwrap();
        let called = ComponentName::new(name.clone(), "faults");
        let early =
            gym.node
                .create_component(called.clone(), ComponentType::Durable, guest::user(0));
        let early = early.await.unwrap_err();
        assert!(matches!(early, ComponentError::NoNamespace(_)), "{early}");
        gym.node.create_namespace(name.clone()).await.unwrap();
        // The name is taken in `default` only.
        let upload = gym
            .node
            .create_component(called, ComponentType::Durable, guest::user(0));
        let component = upload.await.unwrap().versioned_component_id.component_id;
        Self { name, component }
    }

    fn urn(&self, worker: &str) -> Value {
        Value::String(format!("urn:worker:{}/{worker}", self.component))
    }
}

/// What a call from the default namespace says; `None` when it was let through.
async fn denial(gym: &Gym, worker: &str, function: &str, to: Value) -> Option<String> {
    match gym
        .ask(worker, function, vec![to, Value::U64(1)], None)
        .await
        .unwrap()
    {
        Ok(_) => None,
        Err(WorkerError::Failed(failure)) => Some(failure.message),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_into_another_namespace_need_a_grant_at_the_moment_of_the_call() {
    let mut gym = Gym::new(16, 1).await;
    let other = Other::of(&gym).await;
    let default = Namespace::default();
    for (worker, function) in [("w1", "send"), ("w2", "later")] {
        let said = denial(&gym, worker, function, other.urn("t"))
            .await
            .unwrap();
        assert!(said.contains("granted no call"), "{function}: {said}");
        assert!(!said.contains("`other`"), "{function}: {said}");
    }
    let made = gym.node.worker(&WorkerId::new(other.component, "t")).await;
    assert!(
        matches!(made, Err(WorkerError::NotFound(_))),
        "a denied call makes nothing"
    );

    // Only for the component that was named.
    let wrong = gym
        .node
        .grant(default.clone(), other.name.clone(), Some(gym.component));
    assert_eq!(
        golem_model::Coded::code(&wrong.await.unwrap_err()),
        "NSP-008"
    );
    let grant = gym
        .node
        .grant(default.clone(), other.name.clone(), Some(other.component));
    let grant = grant.await.unwrap();
    let two = vec![other.urn("t"), Value::U64(2)];
    assert_eq!(gym.number("w3", "send", two.clone()).await, 2);
    // Not the other way round.
    let back = WorkerId::new(other.component, "back");
    let request = Gym::request("send", vec![gym.urn("t"), Value::U64(1)], None);
    let back = gym
        .node
        .invoke_and_await(crate::queue::Target::Worker(back), request)
        .await;
    assert!(matches!(back, Err(WorkerError::Failed(_))), "{back:?}");

    // Both hold after a crash; what was answered is repeated after the grant is gone, and nothing new is let through.
    gym.crash().await;
    gym.node.revoke(other.name.clone(), grant.id).await.unwrap();
    let said = denial(&gym, "w3", "send", other.urn("t")).await;
    assert!(
        said.is_some(),
        "the history was repeated, and the new call was denied"
    );
    gym.crash().await;
    assert!(
        !gym.node
            .grants(&default)
            .iter()
            .any(|held| held.id == grant.id)
    );
    let reached = WorkerId::new(other.component, "t");
    let request = Gym::request("get", vec![], None);
    let target = crate::queue::Target::Worker(reached.clone());
    let got = gym.node.invoke_and_await(target, request).await.unwrap();
    assert_eq!(number::<()>(Ok(got.results[0].clone())), 2);
    // What a namespace gives its workers is none of another's.
    let view = gym.node.worker(&reached).await.unwrap();
    assert_eq!((view.args, view.env), (vec![], vec![]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespace_is_deleted_only_when_it_is_empty() {
    let gym = Gym::new(16, 1).await;
    let other = Other::of(&gym).await;
    let full = gym
        .node
        .delete_namespace(other.name.clone())
        .await
        .unwrap_err();
    assert_eq!(golem_model::Coded::code(&full), "NSP-003");
    let empty: Namespace = "empty".parse().unwrap();
    gym.node.create_namespace(empty.clone()).await.unwrap();
    gym.node.delete_namespace(empty.clone()).await.unwrap();
    assert!(!gym.node.has_namespace(&empty) && gym.node.has_namespace(&other.name));
    assert_eq!(gym.node.components(&other.name, None).len(), 1);
    assert_eq!(
        gym.node
            .components(&Namespace::default(), Some("faults"))
            .len(),
        1
    );
}
