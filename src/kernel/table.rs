//! Dense storage: objects in a `Vec`, named by typed 32-bit ids.
//!
//! An id is an index, nothing more: 4 bytes in an event, one array access to follow. A freed slot is given to
//! the next object, so an id outlives its object; who keeps ids across deletions compares the uid inside the
//! object, as Kubernetes does with names.
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

/// The index of a `T` in its [`Arena`] (or in any other table of `T`s).
pub struct Id<T>(u32, PhantomData<fn() -> T>);

impl<T> Id<T> {
    /// No object.
    pub const NONE: Id<T> = Id(u32::MAX, PhantomData);

    /// The id with this index; [`Id::NONE`] if the index needs more than 32 bits.
    pub fn from_index(index: usize) -> Id<T> {
        debug_assert!(index < u32::MAX as usize, "a table holds fewer than 2^32 - 1 objects");
        Id(u32::try_from(index).unwrap_or(u32::MAX), PhantomData)
    }

    /// The index of the object in its table.
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// Whether this is [`Id::NONE`].
    pub const fn is_none(self) -> bool {
        self.0 == u32::MAX
    }

    /// The index as stored.
    pub const fn as_u32(self) -> u32 {
        self.0
    }
}

// By hand, because derives would ask the same of `T`.
impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Id<T> {}

impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T> Eq for Id<T> {}

impl<T> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Id<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

impl<T> Hash for Id<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() { f.write_str("#none") } else { write!(f, "#{}", self.0) }
    }
}

/// A table of `T`s with stable ids and a free list.
#[derive(Debug)]
pub struct Arena<T> {
    slots: Vec<Option<T>>,
    /// Freed slots; the one freed last is used first.
    free: Vec<u32>,
}

impl<T> Arena<T> {
    /// An empty table.
    pub const fn new() -> Arena<T> {
        Arena { slots: Vec::new(), free: Vec::new() }
    }

    /// Stores `value` in the slot freed last, or in a new one.
    pub fn insert(&mut self, value: T) -> Id<T> {
        if let Some(index) = self.free.pop() {
            let id = Id(index, PhantomData);
            self.slots[id.index()] = Some(value);
            return id;
        }
        self.slots.push(Some(value));
        Id::from_index(self.slots.len() - 1)
    }

    /// Takes the object out; `None` if there is none.
    pub fn remove(&mut self, id: Id<T>) -> Option<T> {
        let value = self.slots.get_mut(id.index())?.take()?;
        self.free.push(id.as_u32());
        Some(value)
    }

    /// The object with this id.
    pub fn get(&self, id: Id<T>) -> Option<&T> {
        self.slots.get(id.index())?.as_ref()
    }

    /// The object with this id, to be changed.
    pub fn get_mut(&mut self, id: Id<T>) -> Option<&mut T> {
        self.slots.get_mut(id.index())?.as_mut()
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All objects, in ascending order of their ids.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Id<T>, &T)> {
        let slots = self.slots.iter().enumerate();
        slots.filter_map(|(index, slot)| Some((Id::from_index(index), slot.as_ref()?)))
    }
}

impl<T> Default for Id<T> {
    fn default() -> Self {
        Id::NONE
    }
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Arena::new()
    }
}

impl<T: Clone> Clone for Arena<T> {
    fn clone(&self) -> Self {
        Arena { slots: self.slots.clone(), free: self.free.clone() }
    }

    /// Reuses the buffers of `self`.
    fn clone_from(&mut self, source: &Self) {
        self.slots.clone_from(&source.slots);
        self.free.clone_from(&source.free);
    }
}

/// Room for one more entry of a list of which there are many: lists that doubled would be half empty.
pub fn make_room<T>(list: &mut Vec<T>) {
    if list.len() == list.capacity() {
        list.reserve_exact(list.len() / 8 + 4);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_freed_slot_is_used_again() {
        let mut arena = Arena::new();
        let ids = ["a", "b", "c"].map(|name| arena.insert(name));
        assert_eq!(ids.map(Id::index), [0, 1, 2]);
        assert_eq!(arena.remove(ids[0]), Some("a"));
        assert_eq!(arena.remove(ids[2]), Some("c"));
        assert_eq!(arena.remove(ids[2]), None);
        assert_eq!(arena.insert("d"), ids[2]);
        assert_eq!(arena.insert("e"), ids[0]);
        assert_eq!(arena.insert("f").as_u32(), 3);
        let names: Vec<&str> = arena.iter().map(|(_, &name)| name).collect();
        assert_eq!(names, ["e", "b", "d", "f"]);
    }

    #[test]
    fn no_object_has_the_id_none() {
        let mut arena: Arena<u8> = Arena::default();
        assert!(Id::<u8>::NONE.is_none() && !Id::<u8>::from_index(0).is_none());
        assert_eq!((arena.remove(Id::NONE), arena.get(Id::NONE), arena.is_empty()), (None, None, true));
        assert_eq!(format!("{:?} {:?}", Id::<u8>::from_index(7), Id::<u8>::NONE), "#7 #none");
    }

    #[test]
    fn ids_are_small_and_need_nothing_of_their_type() {
        struct Opaque;
        fn usable<T: Copy + Ord + Hash + fmt::Debug + Send + Sync>() {}
        usable::<Id<Opaque>>();
        assert_eq!(size_of::<Id<Opaque>>(), 4);
    }

    proptest! {
        #[test]
        fn behaves_as_a_map(steps in prop::collection::vec((0u8..4, 0usize..40), 0..200)) {
            let (mut arena, mut model) = (Arena::new(), BTreeMap::new());
            let mut copy = Arena::new();
            for (number, (what, index)) in steps.into_iter().enumerate() {
                let id = Id::from_index(index);
                match what {
                    0 | 1 => {
                        let id = arena.insert(number);
                        prop_assert_eq!(model.insert(id, number), None);
                    }
                    2 => prop_assert_eq!(arena.remove(id), model.remove(&id)),
                    _ => {
                        let changed = arena.get_mut(id).map(|value| *value += 1000);
                        prop_assert_eq!(changed, model.get_mut(&id).map(|value| *value += 1000));
                        copy.clone_from(&arena);
                    }
                }
                prop_assert_eq!(arena.get(id), model.get(&id));
                prop_assert_eq!(arena.len(), model.len());
            }
            copy.clone_from(&arena);
            prop_assert!(copy.iter().eq(model.iter().map(|(&id, value)| (id, value))));
            prop_assert_eq!(copy.insert(0), arena.clone().insert(0));
        }
    }
}
