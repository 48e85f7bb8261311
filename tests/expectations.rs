//! Expectations on real runs: every form with every verdict it can have, and what each says when it fails.
mod common;

use common::stsim;
use std::io::Write;
use std::process::{Command, Stdio};
use stsim::cluster::Cluster;
use stsim::expect::verdict::Verdict;
use stsim::run::{Blind, Outcome, Play};
use stsim::scenario::Scenario;
use stsim::scenario::read::{self, NoFiles};
use stsim::trace::record::Recorder;

/// Two ordered pods, ready two seconds after they start, on one node; then web-0 is deleted at 1 minute.
const WEB: &str = "
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {clusterIP: None, selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web}
spec:
  serviceName: web
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web}]}
";

const HEAD: &str = "
apiVersion: stsim/v1alpha1
kind: Scenario
metadata: {name: web}
spec:
  behavior: [{pod: web-*, start: 1s, ready: 2s, stop: 500ms}]
";

fn text(spec: &str) -> String {
    format!("{HEAD}{spec}{WEB}")
}

fn scenario(spec: &str) -> Scenario {
    let text = text(spec);
    read::read("s.yaml", text.as_bytes(), &mut NoFiles).unwrap_or_else(|wrong| panic!("{}", wrong.render()))
}

fn play(spec: &str, until: Option<u64>) -> (Outcome, Cluster) {
    let scenario = scenario(spec);
    let mut play = Play::new(&scenario, 0, Recorder::on()).expect("a cluster");
    if let Some(seconds) = until {
        play.set_until(stsim::kernel::Time::from_secs(seconds));
    }
    let outcome = play.play(&mut Blind);
    (outcome, play.cluster)
}

fn verdict(spec: &str, until: Option<u64>) -> Verdict {
    let (mut outcome, _) = play(spec, until);
    assert_eq!(outcome.verdicts.len(), 1, "{spec}");
    outcome.verdicts.remove(0).verdict
}

const DELETE: &str = "  steps:\n  - {at: 1m, kubectl: delete pod web-0}\n";

#[test]
fn every_form_has_its_verdicts() {
    for (expectation, word, why) in [
        ("always: 'size(processes(\"web-0\")) <= 1'", "pass", ""),
        ("always: 'pod(\"web-0\").ready || now < duration(\"1m\")'", "fail", "now == 1m"),
        ("always: 'pod(\"web-1\").phase != \"Failed\"'", "pass", ""),
        ("always: 'pod(\"web-7\").ready'", "vacuous", "there is no such pod"),
        ("never: 'pod(\"web-1\").terminating'", "pass", ""),
        ("never: 'size(pods(\"app=web\")) == 0 && now > duration(\"1m\")'", "pass", ""),
        ("never: 'pod(\"web-0\").exists && pod(\"web-0\").terminating'", "fail", "terminating == true"),
        ("always: 'pod(\"web-0\").node != \"node-x\"'", "fail", "there is no such pod"),
        ("finally: 'sts(\"web\").status.readyReplicas == 2'", "pass", ""),
        ("finally: 'sts(\"web\").status.readyReplicas == 3'", "fail", "readyReplicas == 2"),
        ("finally: 'pod(\"web-7\").ready'", "fail", "no such pod"),
        ("that: 'pod(\"web-0\").ready', within: 25s", "pass", ""),
        ("that: 'pod(\"web-1\").ready', within: 1s", "fail", "there is no such pod"),
        ("that: 'now > duration(\"30s\")', by: 31s", "pass", ""),
        ("that: 'now > duration(\"30s\")', by: 29s", "fail", "now == "),
        ("that: 'size(pods(\"app=web\")) == 3', within: 5m", "fail", "size(pods(\"app=web\")) == 2"),
        ("whenever: '!pod(\"web-0\").ready', then: 'pod(\"web-0\").ready', within: 20s", "pass", ""),
        ("whenever: '!pod(\"web-0\").exists', then: 'pod(\"web-0\").ready', within: 20s", "pass", ""),
        (
            "whenever: 'pod(\"web-0\").exists && !pod(\"web-0\").ready', then: 'pod(\"web-0\").ready', within: 1s",
            "fail",
            "ready == false",
        ),
        ("whenever: 'pod(\"web-7\").exists', then: 'false', within: 1s", "vacuous", "never met"),
        ("whenever: 'pod(\"web-0\").terminating', then: 'pod(\"web-0\").ready'", "pass", ""),
        (
            "whenever: 'pod(\"web-0\").terminating', then: 'size(pods(\"app=web\")) == 5'",
            "fail",
            "owed since",
        ),
        ("sometimes: '!pod(\"web-0\").exists && now > duration(\"30s\")'", "pass", ""),
        ("sometimes: 'size(pods(\"app=web\")) == 3'", "vacuous", "not in this run"),
        ("order: [web-0 ready, web-1 created, web-1 ready, web-0 gone]", "pass", ""),
        ("order: [web-1 ready, web-0 ready]", "fail", "`web-0 ready` came before `web-1 ready`"),
        ("order: [web-0 ready, web-1 ready, web-1 gone]", "fail", "`web-1 gone` did not come"),
        ("object: {kind: StatefulSet, metadata: {name: web}, status: {readyReplicas: 2}}", "pass", ""),
        (
            "object: {kind: StatefulSet, metadata: {name: web}, status: {replicas: 9}}, finally: true",
            "fail",
            "StatefulSet web: .status.replicas is 2, not 9",
        ),
        ("object: {kind: Pod, metadata: {name: web-1}, status: {phase: Running}}, within: 30s", "pass", ""),
        (
            "object: {kind: Pod, metadata: {name: web-7}}, by: 90s",
            "fail",
            "Pod web-7: there is no such object",
        ),
        ("violates: at-most-one", "fail", "nothing violated at-most-one (INV-2)"),
    ] {
        let found = verdict(&format!("{DELETE}  expect:\n  - {{{expectation}}}\n"), None);
        assert_eq!(found.word(), word, "{expectation}: {found:?}");
        assert!(found.why().contains(why), "{expectation}: {found:?}");
    }
}

/// Cut off before the last step, nothing that is still open has an answer; what has failed by then has.
#[test]
fn what_is_cut_off_is_undecided() {
    for (expectation, word) in [
        ("always: 'size(processes(\"web-0\")) <= 1'", "undecided"),
        ("never: 'pod(\"web-0\").ready'", "fail"),
        ("finally: 'sts(\"web\").status.readyReplicas == 2'", "undecided"),
        ("that: 'pod(\"web-0\").ready', within: 25s", "pass"),
        ("that: 'pod(\"web-7\").ready', within: 10m", "undecided"),
        ("that: 'pod(\"web-7\").exists', by: 10s", "fail"),
        ("whenever: 'pod(\"web-0\").ready', then: 'false', within: 10m", "undecided"),
        ("sometimes: 'pod(\"web-0\").terminating'", "undecided"),
        ("order: [web-0 ready, web-0 gone]", "undecided"),
        ("violates: at-most-one", "undecided"),
    ] {
        let found = verdict(&format!("{DELETE}  expect:\n  - {{{expectation}}}\n"), Some(30));
        assert_eq!(found.word(), word, "{expectation}: {found:?}");
    }
}

/// The author's own `until` is the end, settled or not; a deadline after it stays open.
#[test]
fn until_of_the_scenario_is_its_end() {
    for (expectation, word) in [
        ("finally: 'sts(\"web\").status.readyReplicas == 2'", "pass"),
        ("always: 'size(processes(\"web-0\")) <= 1'", "pass"),
        ("that: 'pod(\"web-7\").exists', by: 10m", "undecided"),
        ("that: 'pod(\"web-7\").exists', by: 2m", "fail"),
    ] {
        let spec = format!("  until: 3m\n{DELETE}  expect:\n  - {{{expectation}}}\n");
        let found = verdict(&spec, None);
        assert_eq!(found.word(), word, "{expectation}: {found:?}");
    }
}

#[test]
fn a_step_expects_from_its_start_until_the_next_one() {
    for (expectation, word) in [
        ("never: 'pod(\"web-0\").exists && now < duration(\"1m\")'", "pass"),
        ("always: 'pod(\"web-1\").ready'", "pass"),
        ("finally: 'pod(\"web-0\").ready'", "pass"),
        ("that: 'pod(\"web-0\").ready && pod(\"web-0\").uid != \"\"', within: 0s", "pass"),
        ("order: [web-0 terminating, web-0 gone, web-0 created, web-0 ready]", "pass"),
        // web-1 goes in the step after it.
        ("sometimes: '!pod(\"web-1\").ready'", "vacuous"),
        ("that: 'size(pods(\"app=web\").filter(p, p.terminating)) == 2', within: 10s", "fail"),
        // What is to come within a time is waited for, whatever the steps do.
        ("that: '!pod(\"web-1\").exists', within: 10m", "pass"),
    ] {
        let spec = format!(
            "  steps:\n  - {{at: 1m, kubectl: delete pod web-0, expect: [{{{expectation}}}]}}\n  \
             - kubectl: delete pod web-1\n"
        );
        let found = verdict(&spec, None);
        assert_eq!(found.word(), word, "{expectation}: {found:?}");
    }
}

#[test]
fn a_step_that_does_not_begin_leaves_its_expectations_undecided() {
    let spec = "  steps:\n  - {at: 1m, kubectl: delete pod web-0, expect: [{finally: 'true'}]}\n";
    assert_eq!(verdict(spec, Some(30)), Verdict::Undecided("its step did not begin".into()));
    let waits = "  steps:\n  - {kubectl: get pods, expect: [{never: 'now > duration(\"10m\")'}]}\n  \
                 - {when: 'pod(\"web-7\").exists', timeout: 5m, kubectl: get pods, expect: [{finally: 'true'}]}\n  \
                 - {at: 20m, kubectl: get pods, expect: [{finally: 'true'}]}\n";
    let (outcome, _) = play(waits, None);
    let words: Vec<_> = outcome.verdicts.iter().map(|judged| (judged.step, judged.verdict.word())).collect();
    // The step in between never began, so the first one went on until 20m.
    assert_eq!(words, [(Some(0), "fail"), (Some(2), "pass"), (Some(1), "undecided")]);
}

/// A failure names its first moment and the write that made it so.
#[test]
fn a_failure_has_a_moment_and_a_cause() {
    let spec =
        format!("{DELETE}  expect:\n  - never: 'pod(\"web-0\").exists && pod(\"web-0\").terminating'\n");
    let (outcome, cluster) = play(&spec, None);
    let Verdict::Fail(failed) = &outcome.verdicts[0].verdict else { panic!("{:?}", outcome.verdicts) };
    assert_eq!(failed.time, stsim::kernel::Time::from_secs(60));
    let chain = stsim::report::causes::chain(failed.cause.expect("a cause"), &cluster.world);
    assert!(chain[0].contains("pod/web-0") && chain[0].contains("deleting"), "{chain:?}");
}

/// Expectations look and never touch: a run with many of them is the run without.
#[test]
fn expectations_do_not_change_a_run() {
    let log = |spec: &str| {
        let (_, cluster) = play(spec, Some(100));
        let mut lines = Vec::new();
        stsim::report::timeline::json_lines(&cluster.world, 0, &mut lines);
        lines
    };
    let expect = "  expect:\n  - {always: 'size(processes(\"web-0\")) <= 1'}\n  - {never: 'now == duration(\"7s\")'}\n  \
                  - {that: 'pod(\"web-1\").ready', within: 10s}\n  - {finally: 'true'}\n";
    assert_eq!(log(DELETE), log(&format!("{DELETE}{expect}")));
}

/// Runs the tool on a scenario on its standard input: exit status, standard output, standard error.
fn run(arguments: &[&str], spec: &str) -> (Option<i32>, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_stsim"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("stsim starts");
    child.stdin.take().expect("piped").write_all(text(spec).as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

const MIXED: &str = "  expect:
  - {name: both are ready, finally: 'sts(\"web\").status.readyReplicas == 2'}
  - {name: \"a, b: 100% <sure>\", about: not so, finally: 'sts(\"web\").status.readyReplicas == 3'}
  - {whenever: 'pod(\"web-7\").exists', then: 'false'}
";

#[test]
fn exit_statuses() {
    let hold = "  expect: [{finally: 'sts(\"web\").status.readyReplicas == 2'}]\n";
    let empty = "  expect: [{sometimes: 'pod(\"web-7\").exists'}]\n";
    let cases: [(&[&str], &str, i32); 6] = [
        (&["run", "-"], hold, 0),
        (&["run", "-"], MIXED, 1),
        (&["run", "-", "--until", "1s"], hold, 3),
        (&["run", "-"], empty, 0),
        (&["run", "-", "--strict"], empty, 1),
        (&["run", "-"], "  expect: [{finaly: 'true'}]\n", 2),
    ];
    for (arguments, spec, status) in cases {
        let (code, out, err) = run(arguments, spec);
        assert_eq!(code, Some(status), "{arguments:?} {spec}: {out}{err}");
    }
}

#[test]
fn verdicts_in_every_format() {
    let (_, out, _) = run(&["run", "-"], MIXED);
    let end: Vec<_> = out.lines().skip_while(|line| !line.starts_with("all steps held")).collect();
    assert_eq!(end[1], "pass both are ready");
    assert!(end[2].starts_with("FAIL a, b: 100% <sure> at "), "{end:?}");
    assert!(end[2].ends_with(": sts(\"web\").status.readyReplicas == 2"), "{end:?}");
    assert_eq!(end[3], "     not so");
    assert!(end.last().expect("lines").starts_with("vacuous whenever: "), "{end:?}");

    let (_, out, _) = run(&["run", "-", "-q"], MIXED);
    assert!(!out.contains("pass") && out.starts_with("FAIL a, b"), "{out}");

    let (_, out, _) = run(&["run", "-", "-o", "json"], MIXED);
    let value: serde_json::Value = serde_json::from_str(&out).expect("one JSON object");
    assert_eq!((&value["result"], &value["ended"]), (&"failed".into(), &"settled".into()));
    let words: Vec<_> = value["verdicts"].as_array().expect("a list").iter().map(|v| &v["verdict"]).collect();
    assert_eq!(words, ["pass", "fail", "vacuous"]);
    assert_eq!(value["verdicts"][1]["line"], 9);

    let (_, out, _) = run(&["run", "-", "-o", "jsonl"], MIXED);
    let last: serde_json::Value = serde_json::from_str(out.lines().last().expect("lines")).expect("JSON");
    assert_eq!(last["verdict"], "vacuous");

    let (_, out, _) = run(&["run", "-", "-o", "junit"], MIXED);
    assert!(out.contains("tests=\"4\" failures=\"1\" errors=\"0\" skipped=\"1\""), "{out}");
    assert!(out.contains("name=\"a, b: 100% &lt;sure&gt;\""), "{out}");

    let (_, _, err) = run(&["run", "-", "-q", "--annotations"], MIXED);
    let lines: Vec<_> = err.lines().collect();
    assert!(lines[0].starts_with("::error file=<stdin>,line=9,col="), "{err}");
    assert!(lines[0].contains("title=fail%3A a%2C b%3A 100%25 <sure>::at "), "{err}");
    assert!(lines[1].starts_with("::warning file=<stdin>,line=10,"), "{err}");
}

/// A settled cluster is not a healthy one, and the last lines say so.
#[test]
fn what_still_waits_is_said() {
    let spec = "  behavior: [{pod: web-1, ready: never}]\n";
    let text = text("").replace("  behavior: [{pod: web-*, start: 1s, ready: 2s, stop: 500ms}]\n", spec);
    let file = std::env::temp_dir().join("stsim-still-waiting.yaml");
    std::fs::write(&file, text).expect("written");
    let output = stsim(&["run", &file.to_string_lossy()]);
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0));
    assert!(out.contains("\nstill waiting: pod/web-1 (running on node-"), "{out}");
    std::fs::remove_file(file).expect("removed");
}
