//! What an object was, stretch by stretch: for pictures that know no states, only bars.
use crate::kernel::Time;
use crate::report::history::{History, Object};

/// A time in which an object is the same for a reader.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stretch {
    /// Since when.
    pub from: Time,
    /// Until when.
    pub to: Time,
    /// What it is: `Ready`, `Running, not ready`, `Bound`.
    pub what: String,
    /// The node of a pod; empty: none, or no pod.
    pub node: String,
}

impl History {
    /// A fact about an object in one of its states, by its title; empty if there is none.
    pub fn fact(&self, object: &Object, state: usize, title: &str) -> &str {
        let titles = self.titles.get(&object.kind);
        let Some(at) = titles.and_then(|titles| titles.iter().position(|known| *known == title)) else {
            return "";
        };
        let until = object.states.get(..=state).unwrap_or_default();
        let of = |(position, text): &(u32, u32)| (*position as usize == at).then_some(*text);
        let text = until.iter().rev().find_map(|state| state.facts.iter().find_map(of));
        text.map_or("", |text| self.texts.text(text))
    }

    /// The stretches of an object's life, in order, without gaps.
    pub fn stretches(&self, object: &Object) -> Vec<Stretch> {
        let end = object.gone.unwrap_or(self.end);
        let mut stretches: Vec<Stretch> = Vec::new();
        for (n, state) in object.states.iter().enumerate() {
            let (what, node) = (self.word(object, n), self.node_of(object, n));
            match stretches.last_mut() {
                Some(last) if last.what == what && last.node == node => {}
                last => {
                    if let Some(last) = last {
                        last.to = state.time;
                    }
                    stretches.push(Stretch { from: state.time, to: end, what, node });
                }
            }
        }
        stretches.retain(|stretch| stretch.from < stretch.to || stretch.to == end);
        stretches
    }

    fn node_of(&self, object: &Object, state: usize) -> String {
        let node = if object.kind == "Pod" { self.fact(object, state, "Node") } else { "" };
        if node == "<none>" { String::new() } else { node.to_owned() }
    }

    fn word(&self, object: &Object, state: usize) -> String {
        let status = self.fact(object, state, "Status");
        if object.kind == "VolumeAttachment" {
            let attached = self.fact(object, state, "Attached") == "true";
            return if attached { "Attached" } else { "Attaching" }.to_owned();
        }
        if object.kind != "Pod" || status != "Running" {
            return status.to_owned();
        }
        let ready = self.fact(object, state, "ready") == "1";
        if ready { "Ready" } else { "Running, not ready" }.to_owned()
    }

    /// The objects of a kind, those of one name together, names in order with ordinals as numbers.
    pub fn identities(&self, kind: &str) -> Vec<(&str, &str, Vec<(u32, &Object)>)> {
        let mut named: Vec<(&str, &str, Vec<(u32, &Object)>)> = Vec::new();
        for (n, object) in (0..).zip(&self.objects).filter(|(_, object)| object.kind == kind) {
            let known =
                named.iter_mut().find(|(ns, name, _)| *ns == object.namespace && *name == object.name);
            match known {
                Some((_, _, lives)) => lives.push((n, object)),
                None => named.push((&object.namespace, &object.name, vec![(n, object)])),
            }
        }
        named.sort_by_key(|(namespace, name, _)| (*namespace, numbered(name)));
        named
    }
}

/// A name in parts that sort as people count: `web-2` before `web-10`.
fn numbered(name: &str) -> (&str, u64, &str) {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    (stem, name.get(stem.len()..).and_then(|digits| digits.parse().ok()).unwrap_or(0), name)
}
