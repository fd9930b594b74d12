// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / wait_graph: finds calls that would wait for ever. In: who waits for whom. Out: a guard, or the cycle.
//! A worker that waits for several needs any one of them, so it is stuck only if nobody whom it can reach is free.
//! Read next: `call.rs`. Why: architecture, life of a call; runtime spec §1.6.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use golem_model::WorkerId;
use parking_lot::Mutex;

/// Who waits for whom on this node.
#[derive(Default)]
pub(crate) struct WaitGraph {
    waits: Mutex<HashMap<WorkerId, Vec<WorkerId>>>,
}

/// Holds one wait; it ends when dropped.
pub(crate) struct WaitGuard {
    graph: Arc<WaitGraph>,
    waiter: WorkerId,
}

impl Drop for WaitGuard {
    fn drop(&mut self) {
        self.graph.waits.lock().remove(&self.waiter);
    }
}

impl WaitGraph {
    /// Lets `waiter` wait for any one of `targets`. Refused with the workers along the cycle, from `waiter` to where it
    /// closes, when all that `waiter` can reach wait themselves.
    pub(crate) fn wait(
        self: &Arc<Self>,
        waiter: &WorkerId,
        targets: Vec<WorkerId>,
    ) -> Result<WaitGuard, Vec<WorkerId>> {
        let mut waits = self.waits.lock();
        if let Some(cycle) = stuck(&waits, waiter, &targets) {
            return Err(cycle);
        }
        waits.insert(waiter.clone(), targets);
        Ok(WaitGuard {
            graph: Arc::clone(self),
            waiter: waiter.clone(),
        })
    }
}

/// The cycle, when everything that `waiter` reaches through `targets` waits.
fn stuck(
    waits: &HashMap<WorkerId, Vec<WorkerId>>,
    waiter: &WorkerId,
    targets: &[WorkerId],
) -> Option<Vec<WorkerId>> {
    let mut from: HashMap<&WorkerId, &WorkerId> = HashMap::new();
    let mut seen: HashSet<&WorkerId> = HashSet::from([waiter]);
    let mut closing = None;
    let mut open: VecDeque<(&WorkerId, &WorkerId)> =
        targets.iter().map(|target| (waiter, target)).collect();
    while let Some((before, worker)) = open.pop_front() {
        if worker == waiter {
            closing.get_or_insert(before);
            continue;
        }
        if !seen.insert(worker) {
            continue;
        }
        from.insert(worker, before);
        // A worker that waits for nobody is free: the call to it will be answered.
        let next = waits.get(worker)?;
        open.extend(next.iter().map(|target| (worker, target)));
    }
    let mut path = vec![waiter.clone()];
    // A cycle that does not pass `waiter` holds it up as well; then the path ends at its first target.
    let mut at = closing.or_else(|| targets.first())?;
    while at != waiter {
        path.push(at.clone());
        at = from.get(at)?;
    }
    path.push(waiter.clone());
    path.reverse();
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use golem_model::ComponentId;

    fn worker(name: &str) -> WorkerId {
        WorkerId::new(ComponentId(uuid::Uuid::nil()), name)
    }

    fn names(path: &[WorkerId]) -> Vec<&str> {
        path.iter()
            .map(|worker| worker.worker_name.as_str())
            .collect()
    }

    #[test]
    fn a_call_to_oneself_and_a_cycle_are_found_with_the_path() {
        let graph = Arc::new(WaitGraph::default());
        assert_eq!(
            names(&graph.wait(&worker("a"), vec![worker("a")]).err().unwrap()),
            ["a", "a"]
        );
        let _ab = graph.wait(&worker("a"), vec![worker("b")]).unwrap();
        let bc = graph.wait(&worker("b"), vec![worker("c")]).unwrap();
        assert_eq!(
            names(&graph.wait(&worker("c"), vec![worker("a")]).err().unwrap()),
            ["c", "a", "b", "c"]
        );
        drop(bc);
        assert!(graph.wait(&worker("c"), vec![worker("a")]).is_ok());
    }

    #[test]
    fn waiting_for_any_of_several_is_no_deadlock_while_one_is_free() {
        let graph = Arc::new(WaitGraph::default());
        let _b = graph.wait(&worker("b"), vec![worker("a")]).unwrap();
        assert!(
            graph
                .wait(&worker("a"), vec![worker("b"), worker("free")])
                .is_ok()
        );
        assert!(graph.wait(&worker("a"), vec![worker("b")]).is_err());
    }
}
