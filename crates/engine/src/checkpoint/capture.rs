// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / capture: the image of an instance in which nothing runs. In: an instance between two invocations. Out: an
//! image, or why there is none now. The instance stays usable, and what it holds is verified, not believed: the table of
//! handles is looked at, and every handle is asked what it stands for. Never touches the log. Read next: `restore.rs`.
//! Why: host design §8.2.

use std::sync::Arc;

use golem_model::oplog::FailureKind;
use wasmtime::Result;

use super::access::{Access, READ_MAX};
use super::handles::{HandleMirror, SLOTS_MAX, Slot};
use super::image::{HeldHandle, Image, MemoryImage, PAGE};
use super::instrument::Obstacle;
use crate::instance::{Instance, Stopped};

/// Bytes of a page of WebAssembly.
pub(super) const WASM_PAGE: usize = 64 << 10;
/// New slots that are taken beyond what seems to be the end of a table: a handle that the host does not know shows itself
/// as a gap in their numbers. Guests have a handful of handles, so one that is further away is as good as impossible.
const BEYOND: u32 = 128;
/// The same for a component that has resources of its own, whose handles the host never sees.
const BEYOND_OWN: u32 = 1024;

/// Why there is no checkpoint now. The log alone then brings the worker back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoCheckpoint {
    /// There never is one of this component.
    #[error("{0}")]
    Component(#[from] Obstacle),
    /// Resources of the guest that others hold.
    #[error("others hold {0} resources of the worker")]
    GivenAway(usize),
    /// Pollables of timers, promises and calls that the guest still has.
    #[error("the guest still has something to wait for: a timer, a promise or another worker")]
    Waiting,
    /// Something of a past invocation is still open.
    #[error("the guest still holds a {0}")]
    Open(&'static str),
    /// What the guest holds is not all known.
    #[error("the guest holds {objects} objects of the host, of which {known} are known")]
    Unknown {
        /// Objects in the resource table.
        objects: usize,
        /// Those that the mirror has.
        known: usize,
    },
    /// The table of handles is not as it was believed to be.
    #[error("the handles of the guest cannot be told: {0}")]
    Handles(&'static str),
    /// The worker's files are too large for an image, or the machine does not give them.
    #[error("the files of the worker are too large for a checkpoint or cannot be read")]
    Files,
    /// More handles than are looked at.
    #[error("the guest has had more than {SLOTS_MAX} handles at a time")]
    TooMany,
}

impl Instance {
    /// The image of the instance, to be called between two invocations. `Err`: the accessor failed and the instance is
    /// dead, which is no fault of the guest's; drop it, and ask for no more checkpoints of this worker, because the same
    /// history fails in the same way. Not to be dropped halfway: then the instance has to be dropped too.
    pub(crate) async fn capture(&mut self) -> Result<Result<Image, NoCheckpoint>, Stopped> {
        let loaded = Arc::clone(&self.loaded);
        let access = match &loaded.access {
            Ok(access) => access,
            Err(obstacle) => return Ok(Err((*obstacle).into())),
        };
        if let Err(reason) = self.quiet() {
            return Ok(Err(reason));
        }
        match self.image(access).await {
            Ok(image) => Ok(image),
            Err(error) => Err(failed(&error)),
        }
    }

    /// Whether the host's side has nothing that could not be made again.
    fn quiet(&mut self) -> Result<(), NoCheckpoint> {
        let state = self.store.data_mut();
        match state.given_away() {
            0 => {}
            count => return Err(NoCheckpoint::GivenAway(count)),
        }
        if !state.waits.is_empty() {
            return Err(NoCheckpoint::Waiting);
        }
        if state.mirror.lost() {
            return Err(NoCheckpoint::TooMany);
        }
        for (_, (held, _)) in state.mirror.used() {
            if let super::Held::Passing(what) = held {
                return Err(NoCheckpoint::Open(what));
            }
        }
        // Every handle to something of the host has an object in the table, and every object there belongs to a handle
        // or to another object. If both counts agree, there is no handle that the mirror does not have.
        let (objects, known) = (state.table.iter_mut().count(), state.mirror.live());
        if objects != known {
            return Err(NoCheckpoint::Unknown { objects, known });
        }
        Ok(())
    }

    async fn image(&mut self, access: &Access) -> Result<Result<Image, NoCheckpoint>> {
        if let Err(reason) = self.verify_handles(access).await? {
            return Ok(Err(reason));
        }
        let mut slots = Vec::new();
        let mirror = &self.store.data().mirror;
        for index in 1..=mirror.len() {
            let Some((held, _)) = mirror.get(index) else {
                slots.push(None);
                continue;
            };
            let Some((resource, _)) = held.kind().and_then(|kind| access.resource(kind)) else {
                return Ok(Err(NoCheckpoint::Handles("a resource that cannot be made")));
            };
            let held = held.kept();
            slots.push(Some(HeldHandle { resource, held }));
        }
        let free = mirror.free().to_vec();
        let mut globals = Vec::new();
        for global in &access.globals {
            let (bits,): (u64,) = self.access(&global.get, ()).await?;
            globals.push(bits);
        }
        let mut memories = Vec::new();
        for memory in &access.memories {
            let (size,): (u32,) = self.access(&memory.size, ()).await?;
            let mut image = MemoryImage {
                size,
                ..MemoryImage::default()
            };
            let total = size as usize * WASM_PAGE;
            // At most this much; pages of it that are never written cost nothing.
            image.data.reserve_exact(total);
            for at in (0..total).step_by(READ_MAX) {
                let length = READ_MAX.min(total - at);
                image = self
                    .lend(&memory.read, at, length, move |bytes| {
                        image.add((at / PAGE) as u32, bytes);
                        image
                    })
                    .await?;
            }
            image.data.shrink_to_fit();
            memories.push(Arc::new(image));
        }
        let component = self.loaded.hash();
        let Ok(Some(host)) = self.store.data().image() else {
            return Ok(Err(NoCheckpoint::Files));
        };
        Ok(Ok(Image {
            component,
            memories,
            globals,
            slots,
            free,
            host,
        }))
    }

    /// Makes sure that the mirror is right, or puts it right where only one answer is possible.
    async fn verify_handles(&mut self, access: &Access) -> Result<Result<(), NoCheckpoint>> {
        let live = self.store.data().mirror.live() as u32;
        let free = match self.free_slots(access, live).await? {
            Ok(free) => free,
            Err(reason) => return Ok(Err(reason)),
        };
        let total = live + free.len() as u32;
        let mirror = self.store.data().mirror.clone();
        let truth = match settle(&mirror, total, &free) {
            Ok(truth) => truth,
            Err(reason) => return Ok(Err(reason)),
        };
        let mut slots: Vec<Option<Slot>> = Vec::new();
        let mut unplaced = truth.unplaced;
        for (index, slot) in (1..).zip(truth.slots) {
            let kind = match slot {
                None => {
                    slots.push(None);
                    continue;
                }
                Some(Guess::Known) => mirror.get(index).and_then(|(held, _)| held.kind()),
                Some(Guess::Unplaced) => unplaced.first().and_then(|(held, _)| held.kind()),
            };
            let Some((_, resource)) = kind.and_then(|kind| access.resource(kind)) else {
                return Ok(Err(NoCheckpoint::Handles("a resource that cannot be made")));
            };
            let (rep,): (u32,) = self.access(&resource.which, (index,)).await?;
            let known = match slot {
                Some(Guess::Unplaced) => unplaced
                    .iter()
                    .position(|(_, known)| *known == rep)
                    .map(|at| unplaced.swap_remove(at)),
                _ => mirror
                    .get(index)
                    .filter(|(_, known)| *known == rep)
                    .cloned(),
            };
            let Some(known) = known else {
                return Ok(Err(NoCheckpoint::Handles("one stands for another object")));
            };
            slots.push(Some(known));
        }
        self.store.data_mut().mirror = HandleMirror::of(slots, free);
        Ok(Ok(()))
    }

    /// The free slots of the guest's table, the one that is taken next last. Takes slots until a new one comes, which is
    /// the case when all numbers below it are in use; then gives them back in the opposite order.
    async fn free_slots(
        &mut self,
        access: &Access,
        live: u32,
    ) -> Result<Result<Vec<u32>, NoCheckpoint>> {
        let unknown = NoCheckpoint::Handles("the guest has one that is not known");
        let beyond = if access.own_resources {
            BEYOND_OWN
        } else {
            BEYOND
        };
        let slots = self.store.data().mirror.len();
        let mut taken: Vec<u32> = Vec::new();
        let mut end = None;
        // How many new slots came one after the other without the end being where it should.
        let mut past = 0;
        let reason = loop {
            let (slot,): (u32,) = self.access(&access.make_slot, ()).await?;
            let next = live + taken.len() as u32 + 1;
            let follows = taken.last().is_some_and(|last| last + 1 == slot);
            taken.push(slot);
            past = if follows && slot > slots { past + 1 } else { 0 };
            match end {
                None if slot == next => end = Some(slot),
                None if past > beyond => break Some(unknown),
                None if taken.len() > SLOTS_MAX => break Some(NoCheckpoint::TooMany),
                Some(_) if slot != next => break Some(unknown),
                _ => {}
            }
            if end.is_some_and(|end| slot - end >= beyond) {
                break None;
            }
        };
        for slot in taken.iter().rev() {
            let () = self.access(&access.drop_slot, (*slot,)).await?;
        }
        if let Some(reason) = reason {
            return Ok(Err(reason));
        }
        let end = end.unwrap_or(0);
        taken.retain(|slot| *slot < end);
        taken.reverse();
        Ok(Ok(taken))
    }
}

fn failed(error: &wasmtime::Error) -> Stopped {
    Stopped::failed(
        FailureKind::Trap,
        format!("the accessor of a checkpoint failed: {error:#}"),
    )
}

/// What is in a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Guess {
    /// What the mirror has there.
    Known,
    /// One of those of which the mirror only knows that they are held.
    Unplaced,
}

/// A table as it must be.
struct Truth {
    slots: Vec<Option<Guess>>,
    /// Handles whose slots the mirror has wrong. All of one resource type: asking a slot for one of another type would
    /// end the instance.
    unplaced: Vec<Slot>,
}

/// Compares the mirror with the slots that are really free of `total`. Things that are not followed (a file that was
/// open for a moment) move later handles to other slots, so the mirror may have the right handles in the wrong places.
fn settle(mirror: &HandleMirror, total: u32, free: &[u32]) -> Result<Truth, NoCheckpoint> {
    let mut slots = vec![Some(Guess::Unplaced); total as usize];
    for slot in free {
        match (*slot as usize)
            .checked_sub(1)
            .and_then(|at| slots.get_mut(at))
        {
            Some(guess @ Some(_)) => *guess = None,
            _ => return Err(NoCheckpoint::Handles("a free one is out of place")),
        }
    }
    let mut unplaced = Vec::new();
    for (index, slot) in mirror.used() {
        match slots.get_mut(index as usize - 1) {
            Some(guess @ Some(_)) => *guess = Some(Guess::Known),
            _ => unplaced.push(slot.clone()),
        }
    }
    let places = slots.iter().filter(|slot| **slot == Some(Guess::Unplaced));
    if places.count() != unplaced.len() {
        return Err(NoCheckpoint::Handles("their number differs"));
    }
    let mut kinds = unplaced.iter().map(|(held, _)| held.kind());
    let first = kinds.next();
    if kinds.any(|kind| Some(kind) != first) {
        return Err(NoCheckpoint::Handles("several are out of place"));
    }
    Ok(Truth { slots, unplaced })
}

#[cfg(test)]
mod tests {
    use super::super::Held;
    use super::*;

    fn mirror(slots: &[Option<Held>]) -> HandleMirror {
        let slots = slots.iter().cloned().zip(10..);
        let slots = slots.map(|(held, rep)| held.map(|held| (held, rep)));
        HandleMirror::of(slots.collect(), Vec::new())
    }

    #[test]
    fn handles_of_one_type_are_found_in_other_places_and_others_are_not_guessed() {
        use Held::{Stdin, Stdout};
        let right = mirror(&[Some(Stdin), Some(Stdout)]);
        let truth = settle(&right, 3, &[3]).unwrap();
        assert_eq!(truth.slots, [Some(Guess::Known), Some(Guess::Known), None]);
        let moved = settle(&right, 3, &[2]).unwrap();
        assert_eq!(
            moved.slots,
            [Some(Guess::Known), None, Some(Guess::Unplaced)]
        );
        assert_eq!(moved.unplaced, [(Stdout, 11)]);
        assert!(settle(&right, 4, &[1, 2]).is_err());
        assert!(settle(&right, 3, &[2, 2]).is_err());
        assert!(settle(&right, 3, &[4]).is_err());
    }
}
