//! A run as a trace for ui.perfetto.dev or chrome://tracing: the JSON format of Chrome ("Trace Event Format").
//!
//! Three processes, `pods`, `volumes` and `nodes`, with a thread for each name: what the API shows are slices, what
//! really runs are asynchronous ones beside them. Steps are instants, causes are flows between what happened, ready pods
//! of a set are a counter. Times are microseconds.
use crate::kernel::Time;
use crate::report::history::{Happening, History};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const PROCESSES: [(&str, &str, u32); 3] =
    [("Pod", "pods", 1), ("PersistentVolume", "volumes", 2), ("Node", "nodes", 3)];
const STEPS: u32 = 4;

/// The trace as one JSON object.
pub fn trace(history: &History) -> String {
    let mut events = Vec::new();
    // Process and thread of each object of the history.
    let mut places: BTreeMap<u32, (u32, usize)> = BTreeMap::new();
    for (kind, title, pid) in PROCESSES {
        events.push(json!({"ph": "M", "pid": pid, "name": "process_name", "args": {"name": title}}));
        for (n, (_, name, lives)) in history.identities(kind).iter().enumerate() {
            let tid = n + 1;
            events.push(named(pid, tid, name));
            for (life, (number, object)) in lives.iter().enumerate() {
                places.insert(*number, (pid, tid));
                for stretch in history.stretches(object) {
                    let length = stretch.to.elapsed_since(stretch.from).as_nanos();
                    let args = json!({"uid": object.uid, "life": life + 1, "node": stretch.node});
                    events.push(json!({
                        "ph": "X", "pid": pid, "tid": tid, "ts": micros(stretch.from), "dur": micros_of(length),
                        "name": stretch.what, "cat": "api", "args": args,
                    }));
                }
            }
        }
    }
    running(history, &places, &mut events);
    happenings(history, &places, &mut events);
    events.push(json!({"ph": "M", "pid": STEPS, "name": "process_name", "args": {"name": "steps"}}));
    for mark in &history.marks {
        events.push(json!({
            "ph": "i", "s": "g", "pid": STEPS, "tid": 1, "ts": micros(mark.time), "name": mark.title, "cat": "step",
            "args": {"comment": mark.comment},
        }));
    }
    counters(history, &mut events);
    let about = json!({"scenario": history.name, "seed": history.seed.to_string(), "about": history.about});
    json!({"displayTimeUnit": "ms", "otherData": about, "traceEvents": events}).to_string()
}

fn named(pid: u32, tid: usize, name: &str) -> Value {
    json!({"ph": "M", "pid": pid, "tid": tid, "name": "thread_name", "args": {"name": name}})
}

/// Microseconds with a fraction, exactly as far as doubles go.
fn micros(time: Time) -> Value {
    micros_of(time.as_nanos())
}

fn micros_of(nanos: u64) -> Value {
    if nanos.is_multiple_of(1000) {
        return (nanos / 1000).into();
    }
    let text = format!("{}.{:03}", nanos / 1000, nanos % 1000);
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// Containers that really run, beside what the API says of their pod.
fn running(history: &History, places: &BTreeMap<u32, (u32, usize)>, events: &mut Vec<Value>) {
    for (n, run) in history.running.iter().enumerate() {
        let Some((pid, tid)) = places.get(&run.object) else { continue };
        let name = format!("runs on {}", run.node);
        for (phase, time) in [("b", run.from), ("e", run.to.unwrap_or(history.end))] {
            events.push(json!({
                "ph": phase, "id": n + 1, "pid": pid, "tid": tid, "ts": micros(time), "name": name, "cat": "process",
            }));
        }
    }
}

/// What happened, as instants, and an arrow from each cause.
fn happenings(history: &History, places: &BTreeMap<u32, (u32, usize)>, events: &mut Vec<Value>) {
    let place = |happening: &Happening| happening.object.and_then(|object| places.get(&object)).copied();
    for (n, happening) in history.happenings.iter().enumerate().filter(|(_, happening)| happening.told) {
        let Some((pid, tid)) = place(happening) else { continue };
        events.push(json!({
            "ph": "i", "s": "t", "pid": pid, "tid": tid, "ts": micros(happening.time), "cat": "change",
            "name": format!("{} {}", happening.subject, happening.what),
            "args": {"rule": happening.rule, "actor": happening.actor},
        }));
        let cause = happening.cause.and_then(|cause| history.happenings.get(cause as usize));
        let Some((cause, (from_pid, from_tid))) = cause.and_then(|cause| Some((cause, place(cause)?))) else {
            continue;
        };
        for (phase, pid, tid, time) in
            [("s", from_pid, from_tid, cause.time), ("f", pid, tid, happening.time)]
        {
            let mut flow = json!({
                "ph": phase, "id": n + 1, "pid": pid, "tid": tid, "ts": micros(time), "name": "cause", "cat": "cause",
            });
            if phase == "f" {
                flow["bp"] = "e".into();
            }
            events.push(flow);
        }
    }
}

/// How many pods of a set are ready, as its status says.
fn counters(history: &History, events: &mut Vec<Value>) {
    for (_, name, lives) in history.identities("StatefulSet") {
        let states = lives.iter().flat_map(|(_, object)| {
            object.states.iter().enumerate().map(move |(n, state)| (*object, n, state))
        });
        let mut last = None;
        for (object, n, state) in states {
            let ready =
                history.fact(object, n, "Ready").split('/').next().and_then(|n| n.parse::<u32>().ok());
            if ready != last
                && let Some(ready) = ready
            {
                events.push(json!({
                    "ph": "C", "pid": 1, "ts": micros(state.time), "name": format!("ready of {name}"),
                    "args": {"ready": ready},
                }));
            }
            last = ready;
        }
    }
}
