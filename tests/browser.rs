//! The report in a real browser: `cargo test --test browser -- --ignored`, with Debian's `chromium` installed.
//!
//! One browser is started for each test; what is asserted is what a reader can see or do, and that the page is alone.
#![allow(
    clippy::disallowed_methods,
    reason = "outside the simulator: a harness writes files and reads its environment"
)]
#[path = "browser/chrome.rs"]
mod chrome;
mod common;

use chrome::Chrome;
use common::stsim;
use std::path::PathBuf;

const POSTGRES: &str = "scenarios/postgres.yaml";

fn stdout(arguments: &[&str]) -> String {
    let output = stsim(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// Writes the report of a scenario; where it is.
fn report(scenario: &str, name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.html"));
    let path_text = path.to_str().expect("a path that is text");
    stdout(&["report", scenario, "-o", path_text]);
    path
}

/// A scenario file made for a test.
fn scenario(name: &str, text: &str) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.yaml"));
    std::fs::write(&path, text).expect("a file is written");
    path.to_str().expect("a path that is text").to_owned()
}

#[test]
#[ignore = "needs chromium"]
fn a_page_is_alone_and_without_errors() {
    let mut chrome = Chrome::start();
    let scenarios = [
        POSTGRES,
        "scenarios/incidents/03-node-dies.yaml",
        "scenarios/database/split-brain.yaml",
        "scenarios/faults/zone-trap.yaml",
        "scenarios/deployment/rolling-update.yaml",
        "scenarios/storage/static-volumes.yaml",
    ];
    for name in scenarios {
        chrome.open(&report(name, "alone"), "");
        for key in ["Home", "ArrowRight", "PageDown", "End", "+", "c", "-", "?"] {
            chrome.press(key, false);
        }
        assert_eq!(chrome.complaints(), [""; 0], "{name}");
        assert!(chrome.count(".card") > 3, "{name} shows nothing");
    }
}

#[test]
#[ignore = "needs chromium"]
fn the_policy_lets_nothing_out() {
    let mut chrome = Chrome::start();
    chrome.open(&report(POSTGRES, "policy"), "");
    let attempts = [
        "fetch('http://127.0.0.1:9/').then(() => 'out', () => 'refused')",
        "new Promise((done) => { const i = new Image(); i.onload = () => done('out'); i.onerror = () => done('refused');
           i.src = 'data:image/gif;base64,R0lGODlhAQABAAAAACw='; })",
        "new Promise((done) => { const s = document.createElement('script'); s.textContent = 'window.ran = 1';
           document.body.append(s); done(window.ran ? 'out' : 'refused'); })",
    ];
    for attempt in attempts {
        assert_eq!(chrome.text(attempt), "refused", "{attempt}");
    }
}

#[test]
#[ignore = "needs chromium"]
fn scrubbing_shows_each_moment() {
    let mut chrome = Chrome::start();
    chrome.open(&report(POSTGRES, "scrub"), "#t=0s");
    let status = ".card.pod[data-key=\"pod/postgres-1\"] .badge";
    let end = chrome
        .value("performance.now() && JSON.parse(document.getElementById('data').textContent).worlds[0].end");
    let end = end.as_f64().expect("a number");
    let mut seen = Vec::new();
    for seconds in [10.0, 30.0, 45.0, 60.0, 81.5, 84.0, 96.8] {
        let value = seconds * 1e9 / end * 1e6;
        chrome.value(&format!(
            "(() => {{ const s = document.getElementById('scrubber'); s.value = {value};
               s.dispatchEvent(new Event('input', {{bubbles: true}})); }})()"
        ));
        seen.push(chrome.text_of(status).trim_start_matches(|c: char| !c.is_alphabetic()).to_owned());
    }
    let shown: Vec<&str> = seen
        .iter()
        .map(|text| text.trim_start_matches("C ").trim_start_matches("R ").trim_start_matches("T "))
        .collect();
    assert_eq!(
        shown,
        ["", "ContainerCreating", "Running", "Running", "Terminating", "ContainerCreating", "Running"]
    );
    assert!(chrome.text_of(".card.pod[data-key=\"pod/postgres-1\"] .life").contains("life 2"));
    // Ready or not is told apart, though both are called Running.
    chrome.value("location.hash = '#t=45s'");
    assert_eq!(chrome.count(".pod.running[data-key=\"pod/postgres-1\"]"), 1);
    chrome.value("location.hash = '#t=60s'");
    assert_eq!(chrome.count(".pod.ready[data-key=\"pod/postgres-1\"]"), 1);
    assert_eq!(chrome.complaints(), [""; 0]);
}

#[test]
#[ignore = "needs chromium"]
fn a_click_shows_the_yaml_of_that_moment() {
    let mut chrome = Chrome::start();
    let page = report(POSTGRES, "click");
    let cases = [
        ("40s", "pod/postgres-1", &["pod", "postgres-1"]),
        ("81s", "pod/postgres-1", &["pod", "postgres-1"]),
        ("95s", "pvc/data-postgres-1", &["pvc", "data-postgres-1"]),
        ("60s", "sts/postgres", &["sts", "postgres"]),
        ("7s", "node/node-a", &["node", "node-a"]),
        ("60s", "service/postgres", &["service", "postgres"]),
    ];
    for (at, key, names) in cases {
        chrome.open(&page, &format!("#t={at}"));
        chrome.click(&format!(".card[data-key=\"{key}\"]"));
        let mut words = vec!["get", POSTGRES];
        words.extend(names);
        words.extend(["-o", "yaml", "--at", at]);
        assert_eq!(chrome.text_of("#yaml"), stdout(&words), "{key} at {at}");
        assert!(chrome.text("location.hash").contains(&format!("o={key}")), "{key}");
        assert!(chrome.count(".causes li") > 0 || key.starts_with("node"), "{key} has no causes");
    }
    // A lane's name chooses as well, and a cause leads to its moment.
    chrome.open(&page, "#t=90s");
    chrome.click(".lane-label button[title=\"pod/postgres-2\"]");
    assert_eq!(chrome.text_of("#inspector h2"), "pod/postgres-2");
    let before = chrome.text_of("#clock");
    chrome.click(".causes li:nth-child(2) button.when");
    assert_ne!(chrome.text_of("#clock"), before, "a cause is earlier");
    assert_eq!(chrome.complaints(), [""; 0]);
}

#[test]
#[ignore = "needs chromium"]
fn links_are_followed_and_made() {
    let mut chrome = Chrome::start();
    let page = report(POSTGRES, "link");
    chrome.open(&page, "#t=1m23.1s&o=pod/postgres-1");
    assert_eq!(chrome.text_of("#clock"), "1m23.100s");
    assert_eq!(chrome.text_of("#inspector h2"), "pod/postgres-1");
    assert!(chrome.text_of(".absent").contains("gone"), "between two lives");
    chrome.open(&report("scenarios/faults/zone-trap.yaml", "trap"), "#t=15m&o=pod/db-1");
    let waits = chrome.text_of(".waiting");
    assert!(waits.contains("default-scheduler waits for a node") && waits.contains("STUCK-6"), "{waits}");
    chrome.open(&page, "#t=1m23.1s&o=pod/postgres-1");
    chrome.value("location.hash = '#t=30s&o=pvc/data-postgres-0'");
    assert_eq!(chrome.text_of("#inspector h2"), "pvc/data-postgres-0");
    chrome.press("End", false);
    let link = chrome.text("location.hash");
    let (time, object) = (chrome.text_of("#clock"), chrome.text_of("#inspector h2"));
    chrome.open(&page, &link);
    assert_eq!((chrome.text_of("#clock"), chrome.text_of("#inspector h2")), (time, object));
    for wrong in ["#t=x", "#o=pod/nobody", "#t=9999h&o=%", "#t=-1s", "#&&=&"] {
        chrome.open(&page, wrong);
        assert_eq!(chrome.complaints(), [""; 0], "{wrong}");
        assert!(!chrome.text_of("#clock").is_empty());
    }
}

#[test]
#[ignore = "needs chromium"]
fn keys_move_through_the_run() {
    let mut chrome = Chrome::start();
    chrome.open(&report(POSTGRES, "keys"), "#t=0s");
    let mut clock = |key: &str, shift| {
        chrome.press(key, shift);
        chrome.text_of("#clock")
    };
    let second = clock("ArrowRight", false);
    assert_ne!(second, "0.000s");
    let third = clock("ArrowRight", false);
    assert_ne!(third, second);
    assert_eq!(clock("ArrowLeft", false), second);
    assert_eq!(clock("Home", false), "0.000s");
    assert_eq!(clock("ArrowRight", true), "1m20.873s", "the next step");
    assert_eq!(clock("End", false), "1m36.855s");
    chrome.press("?", false);
    assert_eq!(chrome.text("document.getElementById('help').open"), "true");
    chrome.press("Escape", false);
    chrome.wait_for("!document.getElementById('help').open");
    chrome.press("Home", false);
    chrome.press(" ", false);
    chrome.wait_for("document.getElementById('play').textContent === 'Pause'");
    chrome.wait_for("document.getElementById('clock').textContent !== '0.000s'");
    chrome.press(" ", false);
    chrome.wait_for("document.getElementById('play').textContent === 'Play'");
    // Whatever can be clicked can be reached and is named.
    let unnamed = chrome.value(
        "[...document.querySelectorAll('button, input, [role=region]')]
           .filter((e) => !(e.getAttribute('aria-label') || e.textContent.trim() || e.title)).length",
    );
    assert_eq!(unnamed, 0);
}

#[test]
#[ignore = "needs chromium"]
fn dark_paper_and_calm() {
    let mut chrome = Chrome::start();
    let page = report(POSTGRES, "media");
    let paper = "getComputedStyle(document.documentElement).backgroundColor";
    chrome.media("", &[("prefers-color-scheme", "light")]);
    chrome.open(&page, "#t=60s");
    let light = chrome.text(paper);
    chrome.media("", &[("prefers-color-scheme", "dark")]);
    let dark = chrome.text(paper);
    assert_ne!(light, dark);
    chrome.click("#theme");
    assert_eq!(chrome.text(paper), light, "the reader's choice counts more");
    chrome.open(&page, "#t=60s");
    chrome.value("window.dispatchEvent(new Event('beforeprint'))");
    chrome.media("print", &[("prefers-color-scheme", "dark")]);
    assert_eq!(chrome.text(paper), "rgb(255, 255, 255)", "paper is white");
    assert_eq!(chrome.text("getComputedStyle(document.getElementById('scrubber')).display"), "none");
    let pdf = chrome.call("Page.printToPDF", serde_json::json!({"printBackground": true}));
    assert!(pdf["data"].as_str().is_some_and(|data| data.len() > 20_000), "it prints");
    chrome.media("", &[("prefers-reduced-motion", "reduce")]);
    chrome.open(&page, "#t=0s");
    let moving = "[...document.querySelectorAll('*')].filter((e) => getComputedStyle(e).transitionDuration !== '0s').length";
    assert_eq!(chrome.value(moving), 0);
    chrome.click("#play");
    chrome.value("new Promise((done) => setTimeout(done, 500)).then(() => 0)");
    assert_eq!(chrome.text_of("#clock"), "0.000s", "it goes from moment to moment, not smoothly");
    assert_eq!(chrome.complaints(), [""; 0]);
}

#[test]
#[ignore = "needs chromium"]
fn hostile_texts_stay_texts() {
    let mut chrome = Chrome::start();
    let payloads = [
        "</script><script>window.pwned = 1</script>",
        "<img src=x onerror='window.pwned = 1'>",
        "\"'><svg onload=window.pwned=1>${window.pwned=1}",
        "\u{202e}desrever\u{2066}\u{200b}a\u{2028}b",
    ];
    for (n, payload) in payloads.iter().enumerate() {
        let quoted = serde_json::to_string(payload).expect("JSON");
        let text = format!(
            "# {comment}
apiVersion: stsim/v1alpha1
kind: Scenario
metadata:
  name: hostile
  annotations: {{about: {quoted}}}
spec:
  cluster: {{nodes: [{{name: a}}]}}
  steps:
  # {comment}
  - sleep: 1s
  expect:
  - {{name: {quoted}, finally: 'size(pods()) == 1'}}
---
apiVersion: v1
kind: Pod
metadata:
  name: p
  annotations: {{note: {quoted}}}
spec:
  containers:
  - {{name: c, image: {quoted}, args: [{quoted}]}}
",
            comment = payload.replace('\u{2028}', " ")
        );
        let file = scenario(&format!("hostile-{n}"), &text);
        chrome.open(&report(&file, "hostile"), "#t=1s&o=pod/p");
        assert_eq!(chrome.text("typeof window.pwned"), "undefined", "{payload}");
        assert_eq!(chrome.count("img, svg, iframe, object, embed, link, base"), 0, "{payload}");
        assert_eq!(chrome.count("script"), 2, "{payload}");
        assert_eq!(chrome.text_of("#about"), *payload);
        let yaml = stdout(&["get", &file, "pod", "p", "-o", "yaml", "--at", "1s"]);
        assert_eq!(chrome.text_of("#yaml"), yaml);
        assert!(chrome.text_of(".steps .comment").contains(&payload.replace('\u{2028}', " ")), "{payload}");
        assert_eq!(chrome.complaints(), [""; 0], "{payload}");
    }
    assert!(chrome.count(".hidden-character") > 2, "what nobody sees is shown");
}

#[test]
#[ignore = "needs chromium"]
fn a_thousand_pods_are_few_nodes() {
    let nodes: String =
        (0..20).map(|n| format!("    - {{name: n{n}, zone: z{}, pods: 100}}\n", n % 3)).collect();
    let text = format!(
        "apiVersion: stsim/v1alpha1
kind: Scenario
metadata: {{name: thousand}}
spec:
  cluster:
    nodes:
{nodes}  steps:
  - kubectl: delete pod web-500
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: web}}
spec:
  serviceName: web
  replicas: 1000
  podManagementPolicy: Parallel
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{containers: [{{name: web, image: web}}]}}
"
    );
    let mut chrome = Chrome::start();
    chrome.open(&report(&scenario("thousand", &text), "thousand"), "#t=0s");
    let mut shown = Vec::new();
    for moment in ["2s", "4s", "8s", "1h"] {
        chrome.value(&format!("location.hash = '#t={moment}&o=pod/web-500'"));
        let elements = chrome.count("*");
        assert!(elements < 1200, "{elements} elements at {moment}");
        shown.push(chrome.text_of(".summary"));
    }
    shown.dedup();
    assert!(shown.len() > 2, "the picture follows the scrubber: {shown:?}");
    assert!(shown.last().is_some_and(|text| text.starts_with("1000 pods: ")), "{shown:?}");
    let first = chrome.text_of(".lane-label button");
    chrome.value("document.getElementById('lanes').scrollTop = 12000");
    chrome.value("new Promise((done) => setTimeout(done, 100)).then(() => 0)");
    assert_ne!(chrome.text_of(".lane-label button"), first, "lanes scroll");
    assert!(chrome.count(".lane-label") < 60, "only lanes in sight have nodes");
    assert_eq!(chrome.complaints(), [""; 0]);
}

#[test]
#[ignore = "needs chromium"]
fn plays_stand_side_by_side() {
    let mut chrome = Chrome::start();
    chrome.open(&report("scenarios/database/split-brain.yaml", "side"), "#t=5m");
    assert_eq!(chrome.count("#worlds button"), 4);
    assert_eq!(chrome.count("#picture .world"), 2);
    assert!(
        chrome.text_of("#picture .world .alarm").contains("2 primaries"),
        "the first play splits its brain"
    );
    chrome.click("#worlds button:nth-child(2)");
    assert_eq!(chrome.count("#picture .world"), 1);
    chrome.click("#worlds button:nth-child(4)");
    chrome.click("#picture .world:nth-child(2) .card.pod");
    assert!(chrome.text("location.hash").contains("o=4:pod/"));
    assert_eq!(chrome.complaints(), [""; 0]);
}
