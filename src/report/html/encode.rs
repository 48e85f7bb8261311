//! Histories as the JSON that `assets/data.js` reads. Lists instead of objects where there are many, times as
//! nanoseconds, texts by number.
use crate::report::history::texts::Texts;
use crate::report::history::{Deed, Happening, History, Mark, Object, Waiting};
use crate::trace::coverage;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// JSON that can stand in a script element, whatever texts are in it.
pub(super) fn data(histories: &[History]) -> String {
    let cited =
        histories.iter().flat_map(|history| &history.happenings).map(|happening| happening.rule.as_str());
    let waits = histories.iter().flat_map(|history| &history.waiting).flat_map(|waiting| &waiting.waits);
    let cited: BTreeSet<&str> = cited.chain(waits.map(|wait| wait.rule.as_str())).collect();
    let rules: BTreeMap<String, String> = coverage::definitions()
        .into_iter()
        .map(|definition| (definition.rule.to_string(), definition.title))
        .filter(|(id, _)| cited.contains(id.as_str()))
        .collect();
    let worlds: Vec<Value> = histories.iter().map(world).collect();
    let value = json!({"version": env!("CARGO_PKG_VERSION"), "rules": rules, "worlds": worlds});
    escaped(&value.to_string())
}

/// The characters that could end the element, or a line, written as escapes.
fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            c => out.push(c),
        }
    }
    out
}

fn world(history: &History) -> Value {
    // Texts that come again and again are told by their numbers.
    let mut texts = history.texts.clone();
    let happenings: Vec<Value> =
        history.happenings.iter().map(|happening| self::happening(happening, &mut texts)).collect();
    let notes: Vec<Value> = history
        .notes
        .iter()
        .map(|note| json!([note.time.as_nanos(), note.object, u8::from(note.warning), texts.of(&note.text)]))
        .collect();
    let waiting: Vec<Value> =
        history.waiting.iter().map(|waiting| self::waiting(waiting, &mut texts)).collect();
    json!({
        "name": history.name,
        "about": history.about,
        "head": history.head,
        "seed": history.seed.to_string(),
        "end": history.end.as_nanos(),
        "ended": history.ended,
        "titles": history.titles,
        "texts": texts.all(),
        "objects": history.objects.iter().map(object).collect::<Vec<_>>(),
        "happenings": happenings,
        "marks": history.marks.iter().map(mark).collect::<Vec<_>>(),
        "running": history.running.iter().map(|run| {
            json!([run.object, run.node, run.from.as_nanos(), run.to.map(|to| to.as_nanos())])
        }).collect::<Vec<_>>(),
        "roles": history.roles.iter().map(|role| {
            json!([role.time.as_nanos(), role.object, role.role])
        }).collect::<Vec<_>>(),
        "dns": history.dns.iter().map(|change| {
            json!([change.time.as_nanos(), change.new, change.gone])
        }).collect::<Vec<_>>(),
        "notes": notes,
        "waiting": waiting,
        "machines": history.machines.iter().map(|machine| {
            json!([machine.time.as_nanos(), machine.object, machine.state])
        }).collect::<Vec<_>>(),
        "verdicts": history.verdicts.iter().map(|item| {
            json!([item.word, item.what, item.why, item.time.map(|time| time.as_nanos()), item.about])
        }).collect::<Vec<_>>(),
    })
}

/// `[kind, namespace, name, uid, born, gone, like, states]`; a state is `[time since the last, revision, facts, edits]`.
fn object(object: &Object) -> Value {
    let mut last = object.born;
    let mut states = Vec::with_capacity(object.states.len());
    for state in &object.states {
        let facts: Vec<u32> = state.facts.iter().flat_map(|(position, text)| [*position, *text]).collect();
        let since = state.time.elapsed_since(last).as_nanos();
        states.push(json!([since, state.revision, facts, state.edits]));
        last = state.time;
    }
    let gone = object.gone.map(|gone| gone.as_nanos());
    json!([
        object.kind,
        object.namespace,
        object.name,
        object.uid,
        object.born.as_nanos(),
        gone,
        object.like,
        states
    ])
}

/// `[time, object, subject, what, cause, rule, actor, told]`.
fn happening(happening: &Happening, texts: &mut Texts) -> Value {
    json!([
        happening.time.as_nanos(),
        happening.object,
        texts.of(&happening.subject),
        texts.of(&happening.what),
        happening.cause,
        texts.of(&happening.rule),
        texts.of(happening.actor),
        u8::from(happening.told)
    ])
}

/// `[time, object, [depth, text, end, rule, ...], [state, ...]]`.
fn waiting(waiting: &Waiting, texts: &mut Texts) -> Value {
    let mut waits = Vec::with_capacity(4 * waiting.waits.len());
    for wait in &waiting.waits {
        waits.extend([wait.depth, texts.of(&wait.text), texts.of(&wait.end), texts.of(&wait.rule)]);
    }
    let stuck: Vec<u32> = waiting.stuck.iter().map(|text| texts.of(text)).collect();
    json!([waiting.time.as_nanos(), waiting.object, waits, stuck])
}

fn mark(mark: &Mark) -> Value {
    let deed = match mark.deed {
        Deed::Apply => "apply",
        Deed::Command => "command",
        Deed::Fault => "fault",
        Deed::Other => "other",
    };
    json!({
        "time": mark.time.as_nanos(),
        "until": mark.until.map(|until| until.as_nanos()),
        "deed": deed,
        "title": mark.title,
        "comment": mark.comment,
        "output": mark.output,
    })
}
