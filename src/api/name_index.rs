//! From names to positions in a table of the store.
//!
//! Whoever looks an object up by its name (a pod its claims, a controller the attachment of a volume to a node) comes
//! here, and there may be millions of names: so they are found by what they are made of, and most need no keys.
use crate::api::names::{Name, Sym, Uid};
use rustc_hash::FxHashMap;

/// No slot.
const NONE: u32 = u32::MAX;

/// From names to table positions. Names of which there may be a million need no keys: ordinals of one stem lie side by
/// side in a vector, attachments are found by their volume, provisioned volumes by a number.
#[derive(Clone, Debug, Default)]
pub(super) struct NameIndex {
    /// By stem, then by ordinal.
    dense: FxHashMap<(Sym, Sym), Vec<u32>>,
    /// By table position of the volume: the node of one attachment, and its slot.
    attachments: Vec<(u32, u32)>,
    /// By uid of the claim.
    provisioned: FxHashMap<Uid, u32>,
    sparse: FxHashMap<(Sym, Name), u32>,
}

/// A volume is cluster-scoped; what else happens to be called like a provisioned one is an object like others.
fn provisioned_for(scope: Sym, name: Name) -> Option<Uid> {
    name.provisioned_for().filter(|_| scope.is_empty())
}

impl NameIndex {
    /// The position of this name.
    pub(super) fn get(&self, scope: Sym, name: Name) -> Option<u32> {
        if let Some(ordinal) = name.ordinal() {
            let slots = self.dense.get(&(scope, name.stem()));
            let slot = slots.and_then(|slots| slots.get(ordinal as usize)).filter(|slot| **slot != NONE);
            if let Some(&slot) = slot {
                return Some(slot);
            }
        } else if let Some((volume, node)) = name.attachment() {
            let found = self.attachments.get(volume as usize).filter(|found| found.0 == node);
            if let Some(&(_, slot)) = found {
                return Some(slot);
            }
        } else if let Some(uid) = provisioned_for(scope, name) {
            return self.provisioned.get(&uid).copied();
        }
        if self.sparse.is_empty() { None } else { self.sparse.get(&(scope, name)).copied() }
    }

    /// Gives a name a position.
    pub(super) fn insert(&mut self, scope: Sym, name: Name, slot: u32) {
        if let Some(ordinal) = name.ordinal() {
            let (position, slots) = (ordinal as usize, self.dense.entry((scope, name.stem())).or_default());
            if position < slots.len().saturating_mul(8) + 1024 {
                if position >= slots.len() {
                    slots.resize(position + 1, NONE);
                }
                slots[position] = slot;
                return;
            }
        } else if let Some((volume, node)) = name.attachment() {
            if volume as usize >= self.attachments.len() {
                self.attachments.resize(volume as usize + 1, (NONE, NONE));
            }
            let place = &mut self.attachments[volume as usize];
            if place.0 == NONE {
                *place = (node, slot);
                return;
            }
        } else if let Some(uid) = provisioned_for(scope, name) {
            self.provisioned.insert(uid, slot);
            return;
        }
        self.sparse.insert((scope, name), slot);
    }

    /// Forgets a name.
    pub(super) fn remove(&mut self, scope: Sym, name: Name) {
        if let Some(ordinal) = name.ordinal()
            && let Some(slots) = self.dense.get_mut(&(scope, name.stem()))
            && let Some(slot) = slots.get_mut(ordinal as usize)
        {
            *slot = NONE;
        } else if let Some((volume, node)) = name.attachment()
            && let Some(place) = self.attachments.get_mut(volume as usize).filter(|place| place.0 == node)
        {
            *place = (NONE, NONE);
        } else if let Some(uid) = provisioned_for(scope, name) {
            self.provisioned.remove(&uid);
        }
        self.sparse.remove(&(scope, name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::names::Interner;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// Names of all makes, in two namespaces: found where they were put.
        #[test]
        fn behaves_as_a_map(steps in prop::collection::vec((any::<bool>(), 0u32..2, 0usize..24, 0u32..99), 0..200)) {
            let mut words = Interner::default();
            let mut names = vec![words.name("web"), words.name("db"), words.name("far-2000000000")];
            names.extend((0..6).map(|n| words.name(&format!("web-{n}"))));
            names.extend((1..6).map(|uid| Name::of_provisioned_volume(Uid(uid))));
            names.extend((0..10).map(|n| Name::of_attachment(n / 3, n % 3)));
            let (mut index, mut model) = (NameIndex::default(), BTreeMap::new());
            for (put, scope, which, slot) in steps {
                let key = (Sym::from_u32(scope), names[which]);
                // A table does not give a name that has a position another one, and attachments have no namespace.
                if scope > 0 && key.1.attachment().is_some() {
                    continue;
                }
                if put && !model.contains_key(&key) {
                    index.insert(key.0, key.1, slot);
                    model.insert(key, slot);
                } else if !put {
                    index.remove(key.0, key.1);
                    model.remove(&key);
                }
                for scope in [0, 1].map(Sym::from_u32) {
                    for name in names.iter().filter(|name| scope.is_empty() || name.attachment().is_none()) {
                        prop_assert_eq!(index.get(scope, *name), model.get(&(scope, *name)).copied());
                    }
                }
            }
        }
    }
}
