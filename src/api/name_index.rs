//! From names to positions in a table of the store.
//!
//! Whoever looks an object up by its name (a pod its claims, a controller the attachment of a volume to a node) comes
//! here, and there may be millions of names: so they are found by what they are made of, and most need no keys.
use crate::api::names::{Name, Sym};
use hashbrown::HashTable;
use rustc_hash::{FxHashMap, FxHasher};
use std::hash::{Hash, Hasher};

/// No slot.
const NONE: u32 = u32::MAX;

/// What a name is unique in, and the name.
type Key = (Sym, Name);

/// From names to table positions. Ordinals of one stem lie side by side in a vector, attachments are found by their
/// volume; the rest is hashed. Names are not kept a second time: the object at a position says what it is called
/// (`key_of`).
#[derive(Clone, Debug, Default)]
pub(super) struct NameIndex {
    /// By stem, then by ordinal.
    dense: FxHashMap<(Sym, Sym), Vec<u32>>,
    /// By table position of the volume: the slot of one attachment.
    attachments: Vec<u32>,
    others: HashTable<u32>,
}

fn hash(key: &Key) -> u64 {
    let mut hasher = FxHasher::default();
    key.hash(&mut hasher);
    hasher.finish()
}

impl NameIndex {
    /// The position of this name.
    pub(super) fn get(&self, key: Key, key_of: impl Fn(u32) -> Option<Key>) -> Option<u32> {
        let (scope, name) = key;
        if let Some(ordinal) = name.ordinal() {
            let slots = self.dense.get(&(scope, name.stem()));
            let slot = slots.and_then(|slots| slots.get(ordinal as usize)).filter(|slot| **slot != NONE);
            if let Some(&slot) = slot {
                return Some(slot);
            }
        } else if let Some((volume, _)) = name.attachment() {
            let found = self.attachments.get(volume as usize).filter(|slot| key_of(**slot) == Some(key));
            if let Some(&slot) = found {
                return Some(slot);
            }
        }
        if self.others.is_empty() {
            return None;
        }
        self.others.find(hash(&key), |slot| key_of(*slot) == Some(key)).copied()
    }

    /// Gives a name a position.
    pub(super) fn insert(&mut self, key: Key, slot: u32, key_of: impl Fn(u32) -> Option<Key>) {
        let (scope, name) = key;
        if let Some(ordinal) = name.ordinal() {
            let (position, slots) = (ordinal as usize, self.dense.entry((scope, name.stem())).or_default());
            if position < slots.len().saturating_mul(8) + 1024 {
                if position >= slots.len() {
                    slots.resize(position + 1, NONE);
                }
                slots[position] = slot;
                return;
            }
        } else if let Some((volume, _)) = name.attachment() {
            if volume as usize >= self.attachments.len() {
                self.attachments.resize(volume as usize + 1, NONE);
            }
            let place = &mut self.attachments[volume as usize];
            if *place == NONE {
                *place = slot;
                return;
            }
        }
        self.others.insert_unique(hash(&key), slot, |slot| key_of(*slot).map_or(0, |key| hash(&key)));
    }

    /// Forgets a name. The object at its position must still be called so.
    pub(super) fn remove(&mut self, key: Key, key_of: impl Fn(u32) -> Option<Key>) {
        let (scope, name) = key;
        if let Some(ordinal) = name.ordinal()
            && let Some(slots) = self.dense.get_mut(&(scope, name.stem()))
            && let Some(slot) = slots.get_mut(ordinal as usize).filter(|slot| **slot != NONE)
        {
            *slot = NONE;
        } else if let Some((volume, _)) = name.attachment()
            && let Some(place) = self.attachments.get_mut(volume as usize)
            && key_of(*place) == Some(key)
        {
            *place = NONE;
        } else if let Ok(entry) = self.others.find_entry(hash(&key), |slot| key_of(*slot) == Some(key)) {
            entry.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::names::{Interner, Uid};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// Names of all makes, in two namespaces: found where they were put.
        #[test]
        fn behaves_as_a_map(steps in prop::collection::vec((any::<bool>(), 0u32..2, 0usize..24), 0..200)) {
            let mut words = Interner::default();
            let mut names = vec![words.name("web"), words.name("db"), words.name("far-2000000000")];
            names.extend((0..6).map(|n| words.name(&format!("web-{n}"))));
            names.extend((1..6).map(|uid| Name::of_provisioned_volume(Uid(uid))));
            names.extend((0..10).map(|n| Name::of_attachment(n / 3, n % 3)));
            let (mut index, mut model) = (NameIndex::default(), BTreeMap::new());
            // What lies at each position.
            let mut objects: Vec<Key> = Vec::new();
            for (put, scope, which) in steps {
                let key = (Sym::from_u32(scope), names[which]);
                // A table does not give a name that has a position another one, and attachments have no namespace.
                if scope > 0 && key.1.attachment().is_some() {
                    continue;
                }
                if put && !model.contains_key(&key) {
                    let slot = u32::try_from(objects.len()).unwrap();
                    objects.push(key);
                    index.insert(key, slot, |slot| objects.get(slot as usize).copied());
                    model.insert(key, slot);
                } else if !put {
                    index.remove(key, |slot| objects.get(slot as usize).copied());
                    model.remove(&key);
                }
                for scope in [0, 1].map(Sym::from_u32) {
                    for name in names.iter().filter(|name| scope.is_empty() || name.attachment().is_none()) {
                        let found = index.get((scope, *name), |slot| objects.get(slot as usize).copied());
                        prop_assert_eq!(found, model.get(&(scope, *name)).copied());
                    }
                }
            }
        }
    }
}
