//! The moments an `order:` is made of: `web-0 ready`, `pvc/data-web-0 bound`, `node/node-a unready`.
//!
//! The words are kubectl's and the timeline's. A moment is one noteworthy change ([`Note`]); it is taken from the change
//! log, so it needs no recorder.
use crate::api::kind::Kind;
use crate::api::manifest::nearest;
use crate::api::names::{Name, Sym};
use crate::api::objects::*;
use crate::api::store::{Change, Store};
use crate::trace::notes::Noted;
use crate::trace::record::Note;

/// What can happen to an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum What {
    Created,
    Scheduled,
    Unschedulable,
    Running,
    Ready,
    Unready,
    Restarted,
    CrashLoop,
    Failed,
    Succeeded,
    Terminating,
    Gone,
    Bound,
    Lost,
    Cordoned,
    Uncordoned,
}

const ALWAYS: &[(&str, What)] = &[
    ("created", What::Created),
    ("terminating", What::Terminating),
    ("deleting", What::Terminating),
    ("deleted", What::Terminating),
    ("gone", What::Gone),
];
const OF_PODS: &[(&str, What)] = &[
    ("scheduled", What::Scheduled),
    ("unschedulable", What::Unschedulable),
    ("running", What::Running),
    ("ready", What::Ready),
    ("unready", What::Unready),
    ("not ready", What::Unready),
    ("restarted", What::Restarted),
    ("crashloop", What::CrashLoop),
    ("failed", What::Failed),
    ("succeeded", What::Succeeded),
];
const OF_CLAIMS: &[(&str, What)] = &[("bound", What::Bound), ("lost", What::Lost)];
const OF_NODES: &[(&str, What)] = &[
    ("ready", What::Ready),
    ("unready", What::Unready),
    ("not ready", What::Unready),
    ("cordoned", What::Cordoned),
    ("uncordoned", What::Uncordoned),
];

/// Which objects there can be moments of: the prefix before the name, the kind, and its words.
const SUBJECTS: [(&str, Kind, &[(&str, What)]); 3] =
    [("pod", Kind::Pod, OF_PODS), ("pvc", Kind::Claim, OF_CLAIMS), ("node", Kind::Node, OF_NODES)];

/// A moment to come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Moment {
    /// As it was written.
    pub text: String,
    kind: Kind,
    name: String,
    what: What,
}

/// Why a text is no moment: one sentence, and what was meant, maybe.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NoMoment {
    /// One sentence.
    pub message: String,
    /// What to write.
    pub help: String,
}

impl Moment {
    /// Reads `POD WHAT` or `KIND/NAME WHAT`; objects of namespace `default`.
    ///
    /// # Errors
    /// Which word is wrong, and the nearest right one.
    pub fn read(text: &str) -> Result<Moment, NoMoment> {
        let wrong = |message: String, help: String| Err(NoMoment { message, help });
        let mut words = text.split_whitespace();
        let (subject, what) = (words.next().unwrap_or_default(), words.collect::<Vec<_>>().join(" "));
        if what.is_empty() {
            let message = format!("`{text}` is no moment: it needs a pod and what happens to it");
            return wrong(message, "such as `web-0 ready`".into());
        }
        let (kind, name) = subject.split_once('/').unwrap_or(("pod", subject));
        let Some((_, kind, own)) = SUBJECTS.iter().find(|(word, ..)| *word == kind) else {
            let message = format!("`{text}`: there are no moments of `{kind}`");
            let words = SUBJECTS.iter().map(|(word, ..)| *word);
            return wrong(message, meant(kind, words));
        };
        let known = ALWAYS.iter().chain(*own);
        let Some((_, what)) = known.clone().find(|(word, _)| *word == what) else {
            let message = format!("`{text}`: `{what}` is nothing that happens to a {}", kind.as_str());
            return wrong(message, meant(&what, known.map(|(word, _)| *word)));
        };
        if name.is_empty() {
            return wrong(format!("`{text}`: the name is missing"), "such as `pod/web-0 ready`".into());
        }
        Ok(Moment { text: text.to_owned(), kind: *kind, name: name.to_owned(), what: *what })
    }

    /// True if this is what happened.
    pub fn is(&self, happened: &Happened, store: &Store) -> bool {
        self.kind == happened.kind
            && is_note(self.what, &happened.note)
            && store.known_name(&self.name) == Some(happened.name)
            && (!self.kind.is_namespaced() || happened.namespace == Sym::DEFAULT)
    }
}

/// The nearest of the words, or all of them.
fn meant<'a>(word: &str, words: impl Iterator<Item = &'a str> + Clone) -> String {
    match nearest(word, words.clone()) {
        Some(found) => format!("did you mean `{found}`?"),
        None => format!("one of {}", words.collect::<Vec<_>>().join(", ")),
    }
}

fn is_note(what: What, note: &Note) -> bool {
    match what {
        What::Created => matches!(note, Note::Created(_) | Note::CreatedWith(_)),
        What::Scheduled => matches!(note, Note::Scheduled(_)),
        What::Unschedulable => *note == Note::Unschedulable,
        What::Running => matches!(note, Note::Running(_)),
        What::Ready => matches!(note, Note::Ready | Note::NodeReady(NodeReady::True)),
        What::Unready => {
            matches!(note, Note::Unready | Note::NodeReady(NodeReady::False | NodeReady::Unknown))
        }
        What::Restarted => matches!(note, Note::Restarted(_)),
        What::CrashLoop => *note == Note::CrashLoop,
        What::Failed => matches!(note, Note::Failed(_)),
        What::Succeeded => *note == Note::Succeeded,
        What::Terminating => *note == Note::Deleting,
        What::Gone => *note == Note::Deleted,
        What::Bound => *note == Note::Bound,
        What::Lost => *note == Note::Lost,
        What::Cordoned => *note == Note::Cordoned,
        What::Uncordoned => *note == Note::Uncordoned,
    }
}

/// One thing that happened to an object.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Happened {
    kind: Kind,
    name: Name,
    namespace: Sym,
    note: Note,
}

/// What a change was, in order; nothing for kinds no moment is about.
pub fn happened(change: &Change, store: &Store) -> Vec<Happened> {
    match change.kind {
        Kind::Pod => of::<Pod>(change, store),
        Kind::Claim => of::<Claim>(change, store),
        Kind::Node => of::<Node>(change, store),
        _ => Vec::new(),
    }
}

fn of<T: Noted>(change: &Change, store: &Store) -> Vec<Happened> {
    let (old, new) = store.before_and_after::<T>(change);
    let Some(meta) = new.or(old).map(|object| *object.meta()) else { return Vec::new() };
    let mut notes = Vec::new();
    T::notes(store, old, new, &mut notes);
    let about = |note| Happened { kind: T::KIND, name: meta.name, namespace: meta.namespace, note };
    notes.into_iter().map(about).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_strictly() {
        for (text, kind, name, what) in [
            ("web-0 ready", Kind::Pod, "web-0", What::Ready),
            ("  web-0   not  ready ", Kind::Pod, "web-0", What::Unready),
            ("pod/web-0 gone", Kind::Pod, "web-0", What::Gone),
            ("pvc/data-web-0 bound", Kind::Claim, "data-web-0", What::Bound),
            ("node/node-a not ready", Kind::Node, "node-a", What::Unready),
            ("web-0 deleted", Kind::Pod, "web-0", What::Terminating),
        ] {
            let moment = Moment::read(text).unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"));
            assert_eq!((moment.kind, moment.name.as_str(), moment.what), (kind, name, what), "{text}");
        }
        for (text, message, help) in [
            ("web-0", "needs a pod and what happens", "such as `web-0 ready`"),
            ("", "needs a pod and what happens", "such as"),
            ("web-0 redy", "`redy` is nothing that happens to a Pod", "did you mean `ready`?"),
            ("web-0 bound", "nothing that happens to a Pod", "one of created"),
            ("pcv/data-web-0 bound", "there are no moments of `pcv`", "did you mean `pvc`?"),
            ("pod/ ready", "the name is missing", "such as"),
            ("node/node-a scheduled", "nothing that happens to a Node", "one of"),
        ] {
            let wrong = Moment::read(text).expect_err(text);
            assert!(wrong.message.contains(message) && wrong.help.contains(help), "{text}: {wrong:?}");
        }
    }
}
