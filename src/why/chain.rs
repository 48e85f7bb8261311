//! What led to how an object is: its last noteworthy change, what led to that, and so on back to a step or a fault.
use crate::api::kind::Kind;
use crate::api::objects::{Phase, Pod, Revision};
use crate::kernel::{Id, Time};
use crate::rule::Rule;
use crate::trace::happening::{Happened, Happening};
use crate::trace::record::{Note, Record};
use crate::trace::tell;
use crate::why::look::Look;
use crate::why::thing::Thing;

/// Links of a chain at most: what is longer is a circle of our making.
const MOST: usize = 1000;

/// One thing that happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    /// When.
    pub time: Time,
    /// What it happened to: `pod/web-1`; for a step or fault its number: `step 2`.
    pub object: String,
    /// The object, if it is one.
    pub thing: Option<Thing>,
    /// What happened.
    pub what: String,
    /// Who did it; empty: nobody, it happened.
    pub actor: String,
    /// By which rule.
    pub rule: Rule,
    /// The step or fault that it is.
    pub origin: Option<Origin>,
}

/// Where the scenario says so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin {
    /// Its number among all steps; None: the manifests.
    pub step: Option<usize>,
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// That line, trimmed.
    pub text: String,
}

/// The chain of an object, the latest first. Empty: nothing noteworthy is known of it.
pub fn of(look: &Look<'_>, thing: &Thing) -> Vec<Link> {
    let Some(record) = anchor(look, thing) else { return Vec::new() };
    from(look, record)
}

/// The step or fault that began what an object is in now.
pub fn origin(look: &Look<'_>, thing: &Thing) -> Option<Link> {
    of(look, thing).pop().filter(|link| link.origin.is_some())
}

/// The chain that ends in a record.
fn from(look: &Look<'_>, record: &Record) -> Vec<Link> {
    let recorder = &look.world().recorder;
    let mut links = vec![link(look, record)];
    let mut cause = led_by(look, record.revision);
    while links.len() < MOST {
        if let Some(happened) = recorder.happenings().of(cause) {
            let last = links.last().and_then(|link| link.thing.clone());
            let (link, ends) = happening(look, happened, last.as_ref());
            links.extend(link);
            if ends {
                break;
            }
            cause = happened.cause;
            continue;
        }
        if cause == Revision(0) {
            break;
        }
        if let Some(record) = recorder.of_write(cause) {
            links.push(self::link(look, record));
        }
        let earlier = led_by(look, cause);
        // Causes are older than what they caused; a mark is no write, and stands for one.
        if recorder.happenings().of(earlier).is_none() && earlier >= cause {
            break;
        }
        cause = earlier;
    }
    links
}

fn led_by(look: &Look<'_>, revision: Revision) -> Revision {
    look.world().recorder.write_at(revision).map_or(Revision(0), |write| write.led_by)
}

/// The change of an object that explains how it is: the last that is not mere counting.
fn anchor<'a>(look: &Look<'a>, thing: &Thing) -> Option<&'a Record> {
    let records = look.world().recorder.records();
    let (kind, found): (Kind, Vec<&Record>) = match thing {
        Thing::Object(kind, index) => {
            let uid = thing.last_meta(look.store())?.uid;
            let mine = |record: &&Record| record.kind == *kind && record.index == *index && record.uid == uid;
            (*kind, records.iter().filter(mine).collect())
        }
        Thing::Absent(namespace, name) => {
            let store = look.store();
            let (name, namespace) = (store.known_name(name)?, store.names.known(namespace)?);
            let mine = |record: &&Record| {
                record.kind == Kind::Pod && record.name == name && record.namespace == namespace
            };
            (Kind::Pod, records.iter().filter(mine).collect())
        }
        Thing::Name(..) => return None,
    };
    let counts = |note: &Note| {
        matches!(
            note,
            Note::SetStatus(_)
                | Note::DeploymentStatus
                | Note::NodeSelected(_)
                | Note::Renumbered(..)
                | Note::RevisionSet(_)
        )
    };
    let last = |fits: &dyn Fn(&Note) -> bool| found.iter().rev().find(|record| fits(&record.note)).copied();
    let gone = last(&|note| *note == Note::Deleted);
    let deleting = last(&|note| *note == Note::Deleting);
    let telling = last(&|note| !counts(note));
    if gone.is_some() || deleting.is_some() {
        return gone.or(deleting);
    }
    if kind != Kind::Pod {
        return telling;
    }
    let pod = thing.id::<Pod>().and_then(|id| look.store().pods.get(id));
    let unready = last(&|note| matches!(note, Note::Unready | Note::Failed(_) | Note::Unschedulable));
    match pod {
        Some(pod) if pod.is_ready() => last(&|note| *note == Note::Ready).or(telling),
        // What restarts on its own again and again began with what made it unready.
        Some(pod) if pod.phase == Phase::Running => {
            let crash = last(&|note| matches!(note, Note::CrashLoop | Note::ImagePull | Note::Restarted(_)));
            crash.max_by_time(unready).or(telling)
        }
        _ => telling,
    }
}

trait Later {
    fn max_by_time(self, other: Self) -> Self;
}

impl Later for Option<&Record> {
    fn max_by_time(self, other: Self) -> Self {
        match (self, other) {
            (Some(a), Some(b)) => Some(if a.revision >= b.revision { a } else { b }),
            (a, b) => a.or(b),
        }
    }
}

fn link(look: &Look<'_>, record: &Record) -> Link {
    let store = look.store();
    Link {
        time: record.time,
        object: tell::subject(record, store),
        thing: Some(Thing::Object(record.kind, record.index)),
        what: tell::predicate(record, store),
        actor: record.actor.as_str().to_owned(),
        rule: record.rule,
        origin: None,
    }
}

/// What happened in between, and whether it is where things begin.
fn happening(look: &Look<'_>, happened: &Happened, about: Option<&Thing>) -> (Option<Link>, bool) {
    let of_pod = |id: Id<Pod>| Thing::of(id).text(look);
    let plain = |object: String, what: &str, id| Link {
        time: happened.time,
        object,
        thing: Some(Thing::of(id)),
        what: what.to_owned(),
        actor: String::new(),
        rule: Rule::NONE,
        origin: None,
    };
    match happened.what {
        Happening::Manifests => (manifests(look, happened.time, about), true),
        Happening::Step(n) => (step(look, happened.time, n, ""), true),
        Happening::Undone(n) => (step(look, happened.time, n, "is over: "), true),
        Happening::ContainerEnded(pod, _, code) => {
            let what = format!("a container ends with exit code {code}");
            (Some(plain(of_pod(pod), &what, pod)), false)
        }
        Happening::ProbeFailed(pod, _) => {
            (Some(plain(of_pod(pod), "a container fails its liveness or startup probe", pod)), false)
        }
        Happening::EvictionRefused(..) => (None, false),
    }
}

fn step(look: &Look<'_>, time: Time, n: u32, before: &str) -> Option<Link> {
    let n = n as usize;
    let step = look.scenario.all_steps().nth(n)?;
    Some(Link {
        time,
        object: look.scenario.number_of(n),
        thing: None,
        what: format!("{before}{}", step.title),
        actor: String::new(),
        rule: Rule::NONE,
        origin: place(look, step.place.source, step.place.span.line, Some(n)),
    })
}

/// The manifests, and which of them: that of the object the chain has come to.
fn manifests(look: &Look<'_>, time: Time, about: Option<&Thing>) -> Option<Link> {
    let meta = about.and_then(|thing| thing.last_meta(look.store()));
    let named = meta.map(|meta| look.name(&meta));
    let kind = about.and_then(|thing| match thing {
        Thing::Object(kind, _) => Some(kind.as_str()),
        _ => None,
    });
    let is_it = |manifest: &&crate::scenario::Manifest| {
        manifest.value["kind"].as_str() == kind
            && manifest.value["metadata"]["name"].as_str() == named.as_deref()
    };
    let manifest = look.scenario.manifests.iter().find(is_it).or(look.scenario.manifests.first());
    Some(Link {
        time,
        object: "manifests".into(),
        thing: None,
        what: "kubectl apply -f <the manifests of this scenario>".into(),
        actor: String::new(),
        rule: Rule::NONE,
        origin: manifest.and_then(|manifest| {
            let origin = place(look, manifest.source, manifest.node.span.line, None)?;
            let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            let text =
                format!("{} {}", word(&manifest.value["kind"]), word(&manifest.value["metadata"]["name"]));
            Some(Origin { text, ..origin })
        }),
    })
}

fn place(look: &Look<'_>, source: usize, line: u32, step: Option<usize>) -> Option<Origin> {
    let source = look.scenario.sources.get(source)?;
    let text = source.text.lines().nth(line.saturating_sub(1) as usize).unwrap_or_default();
    let text = text.trim().trim_start_matches("- ").to_owned();
    Some(Origin { step, file: source.path.clone(), line, text })
}
