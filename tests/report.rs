//! The report of a run: what it keeps is what kubectl would have shown at that moment, its bytes are the same every
//! time, and no text gets out of its data.
#![allow(clippy::disallowed_methods, reason = "outside the simulator: a harness reads files")]
mod common;

use common::{root, stsim};
use std::path::PathBuf;
use stsim::api::kind::Kind;
use stsim::kernel::Time;
use stsim::kubectl::yaml_of;
use stsim::report::history::{Collector, History};
use stsim::report::html;
use stsim::run::{Blind, Play};
use stsim::scenario::Scenario;
use stsim::scenario::read::{NoFiles, read};
use stsim::trace::record::Recorder;

/// All scenarios that stand alone, without those that are meant to be wrong.
fn scenarios() -> Vec<(String, Scenario)> {
    let mut found: Vec<PathBuf> = Vec::new();
    let mut pending = vec![root().join("scenarios")];
    while let Some(place) = pending.pop() {
        for entry in std::fs::read_dir(place).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() && !path.ends_with("invalid") {
                pending.push(path);
            } else if path.extension().is_some_and(|e| e == "yaml") {
                found.push(path);
            }
        }
    }
    found.sort();
    let named = found.into_iter().filter_map(|path| {
        let bytes = std::fs::read(&path).expect("a file");
        let name = path.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned();
        Some((name.clone(), read(&name, &bytes, &mut NoFiles).ok()?))
    });
    named.collect()
}

fn history(scenario: &Scenario) -> History {
    let mut play = Play::new(scenario, scenario.seed, Recorder::on()).expect("a cluster");
    let mut collector = Collector::new(scenario, scenario.seed);
    let outcome = play.play(&mut collector);
    collector.finish(&play.cluster, &outcome)
}

/// Compares all objects of a moment with those of a run up to it; how many there were.
fn compare(name: &str, scenario: &Scenario, history: &History, moment: Time) -> usize {
    let mut play = Play::new(scenario, scenario.seed, Recorder::on()).expect("a cluster");
    play.play_until(moment, &mut Blind);
    let world = &play.cluster.world;
    let mut count = 0;
    for kind in Kind::ALL {
        for object in world.rest_list(kind, None) {
            let json = world.rest_get(object).expect("an object that was listed");
            let text = |pointer: &str| json.pointer(pointer).and_then(|v| v.as_str()).unwrap_or_default();
            let (kind, namespace, called) =
                (text("/kind"), text("/metadata/namespace"), text("/metadata/name"));
            let place = format!("{name}: {kind} {namespace}/{called} at {moment}");
            let found = history.find(kind, namespace, called, moment);
            let (known, state) = found.unwrap_or_else(|| panic!("{place} is missing"));
            assert_eq!(history.yaml(known, state), yaml_of(&json), "{place}");
            count += 1;
        }
    }
    let there = history.objects.iter().filter(|object| {
        object.born <= moment && object.gone.is_none_or(|gone| gone > moment) && !object.states.is_empty()
    });
    assert_eq!(there.count(), count, "{name}: objects that are not there at {moment}");
    count
}

#[test]
fn states_are_what_kubectl_prints() {
    let (mut compared, mut played) = (0, 0);
    for (n, (name, scenario)) in scenarios().iter().enumerate() {
        let history = history(scenario);
        if history.objects.len() > 400 {
            continue;
        }
        // Another moment in each scenario, and always one at which something happened.
        let happenings = &history.happenings;
        let at = (happenings.len() * (2 + n % 7) / 10).min(happenings.len() - 1);
        compared += compare(name, scenario, &history, happenings[at].time);
        compared += compare(name, scenario, &history, history.end);
        played += 1;
    }
    assert!(played > 60 && compared > 1500, "{compared} objects in {played} scenarios");
}

#[test]
fn the_same_run_is_the_same_bytes() {
    let pages = [(); 2].map(|()| stsim(&["report", "scenarios/postgres.yaml", "-o", "-"]).stdout);
    assert!(pages[0].len() > 50_000);
    assert!(pages[0] == pages[1], "two reports of one run differ");
    let run = stsim(&["run", "scenarios/postgres.yaml", "-o", "html"]);
    assert!(run.status.success());
    assert!(run.stdout == pages[0], "`run -o html` prints what `report` writes");
}

/// The data of a page.
fn data(page: &str) -> serde_json::Value {
    let from = page.find("id=\"data\">").expect("data") + "id=\"data\">".len();
    let to = page[from..].find("</script>").expect("the end of the data") + from;
    serde_json::from_str(&page[from..to]).expect("JSON")
}

/// Everything of a page but the data and the title.
fn skeleton(page: &str) -> String {
    let (before, rest) = page.split_once("id=\"data\">").expect("data");
    let (_, after) = rest.split_once("</script>").expect("the end of the data");
    let (head, rest) = before.split_once("<title>").expect("a title");
    let (_, tail) = rest.split_once("</title>").expect("the end of the title");
    format!("{head}|{tail}|{after}")
}

const HOSTILE: &[&str] = &[
    "</script><script>window.pwned=1</script>",
    "<!--<script>",
    "]]><img src=x onerror=window.pwned=1>",
    "\"';alert(1)//`${1}",
    "{{script}}{{data}}{{style}}",
    "</title></style><svg onload=window.pwned=1>",
    "a\u{2028}b\u{2029}c",
    "\u{202e}gnp.exe\u{2066}\u{200b}",
    "&lt;b&gt;&amp;",
    "\\u003cscript\\u003e",
    "javascript:window.pwned=1",
];

/// Each of them, and each two of them in all the ways one may follow another.
fn payloads() -> Vec<String> {
    let mut all: Vec<String> = HOSTILE.iter().map(|text| (*text).to_owned()).collect();
    for between in ["", " ", "\"", ">", "\\"] {
        for first in HOSTILE {
            all.extend(HOSTILE.iter().map(|second| format!("{first}{between}{second}")));
        }
    }
    all
}

#[test]
fn no_text_gets_out_of_the_data() {
    let harmless = html::page(&[history(&hostile("harmless"))]);
    for text in payloads() {
        let page = html::page(&[history(&hostile(&text))]);
        assert!(skeleton(&page) == skeleton(&harmless), "{text:?} changes the page");
        let world = &data(&page)["worlds"][0];
        assert_eq!(world["about"], text);
        assert!(world["marks"][0]["title"].is_string());
        let texts = world["texts"].as_array().expect("texts");
        let holds = |part: &str| texts.iter().any(|t| t.as_str().is_some_and(|t| t.contains(part)));
        assert!(holds("team:") && holds("note:"), "label and annotation are there");
        for forbidden in ["<", ">", "&", "\u{2028}", "\u{2029}"] {
            let from = page.find("id=\"data\">").expect("data") + "id=\"data\">".len();
            let to = page[from..].find("</script>").expect("the end") + from;
            assert!(!page[from..to].contains(forbidden), "{forbidden:?} in the data");
        }
    }
}

/// A scenario with a text wherever a text may be.
fn hostile(text: &str) -> Scenario {
    let quoted = serde_json::to_string(text).expect("JSON");
    let comment = text.replace(['\n', '\r', '\u{2028}', '\u{2029}'], " ");
    let file = format!(
        "# {comment}
apiVersion: stsim/v1alpha1
kind: Scenario
metadata:
  name: hostile
  annotations:
    about: {quoted}
spec:
  cluster:
    nodes: [{{name: a}}]
  steps:
  # {comment}
  - sleep: 1s
  expect:
  - name: {quoted}
    finally: 'size(pods()) == 1'
---
apiVersion: v1
kind: Pod
metadata:
  name: p
  labels: {{team: red}}
  annotations:
    note: {quoted}
spec:
  containers:
  - name: c
    image: {quoted}
    args: [{quoted}]
"
    );
    read("hostile.yaml", file.as_bytes(), &mut NoFiles).unwrap_or_else(|wrong| panic!("{}", wrong.render()))
}

#[test]
fn nothing_of_this_machine_is_in_a_report() {
    let page =
        String::from_utf8(stsim(&["report", "scenarios/postgres.yaml", "-o", "-"]).stdout).expect("text");
    let home = root().to_string_lossy().into_owned();
    assert!(!page.contains(&home), "a path of this machine");
    for word in [
        "http://",
        "https://",
        "src=",
        "href=",
        "url(",
        "@import",
        "fetch(",
        "XMLHttp",
        "WebSocket",
        "innerHTML",
    ] {
        let places: Vec<_> =
            page.match_indices(word).map(|(at, _)| &page[at.saturating_sub(40)..at + 40]).collect();
        assert!(places.is_empty(), "{word}: {places:?}");
    }
}

#[test]
fn a_thousand_pods_are_no_thousand_times_as_much() {
    let set = |replicas: u32| {
        let text = include_str!("../scenarios/postgres.yaml")
            .replace("replicas: 3", &format!("replicas: {replicas}"));
        let text = text.split("  expect:\n").next().map(|head| head.to_owned()).expect("a head")
            + text.split_once("---").map(|(_, rest)| format!("---{rest}")).expect("manifests").as_str();
        let scenario = read("s.yaml", text.as_bytes(), &mut NoFiles)
            .unwrap_or_else(|wrong| panic!("{}", wrong.render()));
        html::page(&[history(&scenario)]).len()
    };
    let (few, more) = (set(3), set(12));
    assert!(few < 170_000, "{few} bytes for three pods");
    assert!((more - few) / 9 < 12_000, "{} bytes for one more pod", (more - few) / 9);
}
