//! Runs in the formats of other tools: each is read back by the rules of its format.
mod common;

use common::stsim;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const SCENARIOS: [&str; 4] = [
    "scenarios/postgres.yaml",
    "scenarios/incidents/03-node-dies.yaml",
    "scenarios/database/node-crash.yaml",
    "scenarios/faults/zone-trap.yaml",
];

fn exported(scenario: &str, arguments: &[&str]) -> String {
    let mut words = vec!["run", scenario, "-o"];
    words.extend(arguments);
    let output = stsim(&words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn a_trace_of_chrome() {
    for scenario in SCENARIOS {
        let trace: Value = serde_json::from_str(&exported(scenario, &["perfetto"])).expect("JSON");
        let events = trace["traceEvents"].as_array().expect("events");
        let text = |event: &Value, field: &str| event[field].as_str().unwrap_or_default().to_owned();
        let number = |event: &Value, field: &str| event[field].as_f64().expect("a number");
        let mut slices: BTreeMap<(u64, u64), Vec<(f64, f64)>> = BTreeMap::new();
        let (mut open, mut flows) = (BTreeMap::new(), BTreeMap::new());
        let mut kinds = BTreeSet::new();
        for event in events {
            let phase = text(event, "ph");
            assert!(!text(event, "name").is_empty() && event["pid"].is_u64(), "{event}");
            let thread = (event["pid"].as_u64().unwrap_or(0), event["tid"].as_u64().unwrap_or(0));
            match phase.as_str() {
                "M" => {}
                "X" => slices.entry(thread).or_default().push((number(event, "ts"), number(event, "dur"))),
                "b" => assert_eq!(open.insert(event["id"].to_string(), number(event, "ts")), None, "{event}"),
                "e" => {
                    let begun = open.remove(&event["id"].to_string()).expect("it has begun");
                    assert!(number(event, "ts") >= begun, "{event}");
                }
                "s" => {
                    assert_eq!(flows.insert(event["id"].to_string(), number(event, "ts")), None, "{event}")
                }
                "f" => {
                    let begun = flows.remove(&event["id"].to_string()).expect("it has begun");
                    assert!(number(event, "ts") >= begun && event["bp"] == "e", "{event}");
                }
                "i" => assert!(["g", "t"].contains(&event["s"].as_str().unwrap_or_default()), "{event}"),
                "C" => assert!(event["args"]["ready"].is_u64(), "{event}"),
                other => panic!("{scenario}: unknown phase {other}"),
            }
            kinds.insert(phase);
        }
        assert!(open.is_empty() && flows.is_empty(), "{scenario}: something has no end");
        assert!(
            ["M", "X", "b", "e", "i", "s", "f", "C"].iter().all(|kind| kinds.contains(*kind)),
            "{kinds:?}"
        );
        for ((pid, tid), all) in &mut slices {
            all.sort_by(|a, b| a.0.total_cmp(&b.0));
            let mut end = 0.0;
            for (from, duration) in all {
                // Microseconds with three digits, in doubles.
                assert!(*from >= end - 0.001, "{scenario}: slices of {pid}/{tid} overlap at {from}");
                end = *from + *duration;
            }
        }
    }
}

/// Marks that would mean something to Mermaid in a text.
fn is_plain(text: &str) -> bool {
    !text.trim().is_empty() && !text.contains([';', '#', '"', '`', '{', '}', '%', '\\', '<', '>'])
}

#[test]
fn a_gantt_chart_of_mermaid() {
    for scenario in SCENARIOS {
        let text = exported(scenario, &["mermaid"]);
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("gantt"));
        let (mut sections, mut bars) = (0, 0);
        let mut end = 0;
        for line in lines {
            let line = line.strip_prefix("    ").expect("an indented line");
            let is_head =
                ["title ", "dateFormat x", "axisFormat %H:%M:%S"].iter().any(|head| line.starts_with(head));
            if line.starts_with("section ") {
                assert!(is_plain(line) && !line.contains(':'), "{line}");
                (sections, end) = (sections + 1, 0);
            } else if !is_head && !line.starts_with("%% ") {
                let (task, rest) = line.split_once(" :").expect("a task");
                assert!(is_plain(task) && !task.contains(':'), "{line}");
                let parts: Vec<&str> = rest.split(", ").collect();
                assert!(parts.len() == 3 && ["done", "active", "crit"].contains(&parts[0]), "{line}");
                let times: Vec<u64> =
                    parts[1..].iter().map(|part| part.parse().expect("milliseconds")).collect();
                assert!(times[0] >= end && times[1] > times[0], "{line}");
                (bars, end) = (bars + 1, times[0]);
            }
        }
        assert!(sections >= 2 && bars > sections, "{text}");
    }
}

#[test]
fn a_sequence_diagram_of_mermaid() {
    let text = exported("scenarios/postgres.yaml", &["mermaid", "--object", "pod/postgres-2"]);
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("sequenceDiagram"));
    let mut participants = BTreeSet::new();
    let mut messages = 0;
    for line in lines {
        let line = line.trim_start();
        if let Some(rest) = line.strip_prefix("participant ") {
            let (id, name) = rest.split_once(" as ").expect("a name");
            assert!(participants.insert(id.to_owned()) && is_plain(name), "{line}");
        } else if !line.starts_with("Note over api: ") {
            let (arrow, message) = line.split_once(": ").expect("a message");
            let (from, to) = arrow.split_once("-->>").or_else(|| arrow.split_once("->>")).expect("an arrow");
            assert!(participants.contains(from) && participants.contains(to), "{line}");
            assert!(is_plain(message), "{line}");
            messages += 1;
        }
    }
    assert!(messages >= 5, "{text}");
    assert!(text.contains("pod/postgres-2 ready"), "{text}");
    let nobody = stsim(&["run", "scenarios/postgres.yaml", "-o", "mermaid", "--object", "pod/nobody"]);
    assert_eq!(nobody.status.code(), Some(2));
    let elsewhere = stsim(&["run", "scenarios/postgres.yaml", "--object", "pod/postgres-0"]);
    assert_eq!(elsewhere.status.code(), Some(2));
}

#[test]
fn a_recording_for_asciinema() {
    for scenario in SCENARIOS {
        let text = exported(scenario, &["cast"]);
        let mut lines = text.lines();
        let header: Value = serde_json::from_str(lines.next().expect("a header")).expect("JSON");
        assert_eq!(header["version"], 2);
        assert!(header["width"].is_u64() && header["height"].is_u64());
        let (mut last, mut shown) = (0.0, String::new());
        for line in lines {
            let event: Value = serde_json::from_str(line).expect("JSON");
            let time = event[0].as_f64().expect("a time");
            assert!(time >= last && time - last <= 1.0001, "{line}");
            assert_eq!(event[1], "o");
            shown += event[2].as_str().expect("a text");
            last = time;
        }
        // All lines of the timeline, in its order; the tables at its end are no part of it.
        let printed = exported(scenario, &["timeline"]);
        let timeline = printed.split("\n\n$ kubectl get").next().expect("a timeline");
        assert!(shown.replace("\r\n", "\n").starts_with(timeline), "{scenario}");
    }
}

#[test]
fn a_matrix_is_no_single_picture() {
    for format in ["perfetto", "mermaid", "cast"] {
        let output = stsim(&["run", "scenarios/database/split-brain.yaml", "-o", format]);
        assert_eq!(output.status.code(), Some(2), "{format}");
        let chosen = ["run", "scenarios/database/split-brain.yaml", "-o", format, "--set", "policy=lease"];
        assert!(stsim(&chosen).status.success(), "{format}");
    }
}
