//! The command line as a user meets it: exit statuses, streams, time travel, formats.
mod common;

use common::stsim;
use std::io::Write;
use std::process::{Command, Stdio};

fn stdout(arguments: &[&str]) -> String {
    let output = stsim(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn refusal(arguments: &[&str]) -> (i32, String) {
    let output = stsim(arguments);
    (output.status.code().unwrap_or(-1), String::from_utf8(output.stderr).expect("text"))
}

/// Runs the tool on what stands on its standard input: exit status and standard output.
fn played(arguments: &[&str], stdin: &str) -> (Option<i32>, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_stsim"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("stsim starts");
    child.stdin.take().expect("piped").write_all(stdin.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    (output.status.code(), String::from_utf8(output.stdout).expect("text"))
}

const POSTGRES: &str = "scenarios/postgres.yaml";

#[test]
fn the_lecture_page_is_played_to_the_letter() {
    let text = stdout(&["run", POSTGRES]);
    for line in [
        "postgres-0.postgres-headless.default.svc.cluster.local",
        "postgres-1.postgres-headless.default.svc.cluster.local",
        "postgres-2.postgres-headless.default.svc.cluster.local",
        "postgres.default.svc.cluster.local",
        "10.96.45.100",
        "data-postgres-0",
        "100Gi",
        "vol-0",
        "all steps held",
    ] {
        assert!(text.contains(line), "`{line}` is missing");
    }
}

#[test]
fn get_shows_any_moment() {
    let before = stdout(&["get", POSTGRES, "pods", "--at", "0s"]);
    let during = stdout(&["get", POSTGRES, "pods", "--at", "20s"]);
    let after = stdout(&["get", POSTGRES, "pods", "-o", "wide"]);
    assert!(!before.contains("postgres-0"), "{before}");
    assert!(during.contains("postgres-0"), "{during}");
    assert!(after.lines().filter(|line| line.contains("Running")).count() == 3, "{after}");
    let yaml = stdout(&["get", POSTGRES, "statefulset", "postgres", "-o", "yaml"]);
    assert!(yaml.contains("serviceName: postgres-headless"), "{yaml}");
}

#[test]
fn the_change_log_is_json_with_causes() {
    let text = stdout(&["run", POSTGRES, "-o", "jsonl"]);
    let mut revision = 0;
    for line in text.lines() {
        let value: serde_json::Value = serde_json::from_str(line).expect("each line is JSON");
        if value["verdict"].is_string() {
            continue;
        }
        let this = value["revision"].as_u64().expect("a revision");
        assert!(this > revision, "revisions grow");
        assert!(
            value["cause"].as_u64().expect("a cause") < this,
            "a cause is older than what it caused (INV-81)"
        );
        revision = this;
    }
    assert!(revision > 0);
}

#[test]
fn quiet_says_nothing_when_all_holds() {
    assert_eq!(stdout(&["run", POSTGRES, "-q"]), "");
}

#[test]
fn watch_shows_only_the_kinds_asked_for() {
    let text = stdout(&["run", POSTGRES, "--watch", "pvc"]);
    assert!(text.lines().any(|line| line.contains("pvc/data-postgres-0")));
    assert!(!text.lines().any(|line| line.contains("  pod/postgres-0 ")));
}

#[test]
fn until_ends_the_run() {
    let output = stsim(&["run", POSTGRES, "--until", "5s"]);
    let text = String::from_utf8(output.stdout).expect("text");
    assert_eq!(output.status.code(), Some(3), "its expectations have no answer yet");
    assert!(text.contains("stopped at") && text.contains("\nundecided "), "{text}");
}

#[test]
fn another_seed_is_another_run() {
    let log = |seed| stdout(&["run", "scenarios/statefulset/parallel.yaml", "-o", "jsonl", "--seed", seed]);
    assert_ne!(log("1"), log("2"));
}

#[test]
fn plain_manifests_run_on_a_default_cluster() {
    let manifest = "apiVersion: v1\nkind: Pod\nmetadata: {name: alone}\nspec:\n  containers: [{name: c, image: nginx}]\n";
    let (code, text) = played(&["run", "-"], manifest);
    assert_eq!(code, Some(0));
    assert!(text.contains("pod/alone created") && text.contains("Running"), "{text}");
}

#[test]
fn wrong_usage_exits_with_2() {
    for (arguments, says) in [
        (&["run", "no-such-file.yaml"][..], "cannot read no-such-file.yaml"),
        (&["run", "scenarios"][..], "not a regular file"),
        (&["run", POSTGRES, "--until", "5"][..], "--until"),
        (&["run", POSTGRES, "--watch", "pots"][..], "there is no kind `pots`"),
        (&["why", POSTGRES, "pod/postgers-0"], "did you mean `pod/postgres-0`?"),
        (
            &["why", POSTGRES, "pvc/data-postgres-7"],
            "there is no pvc/data-postgres-7 at this moment; there are",
        ),
        (&["get", POSTGRES, "pots"][..], "pots"),
        (&["fly"][..], "unrecognized subcommand"),
    ] {
        let (code, text) = refusal(arguments);
        assert_eq!(code, 2, "{arguments:?}: {text}");
        assert!(text.contains(says), "{arguments:?}: {text}");
    }
}

#[test]
fn a_failed_step_exits_with_1() {
    let scenario = "apiVersion: stsim/v1alpha1\nkind: Scenario\nmetadata: {name: x}\nspec:\n  steps:\n  - kubectl: get pod nobody\n";
    let (code, text) = played(&["run", "-", "-q"], scenario);
    assert_eq!(code, Some(1));
    assert!(text.contains("FAIL step 1") && text.contains("\"nobody\" not found"), "{text}");
}

#[test]
fn output_that_is_no_terminal_has_no_control_characters() {
    for text in [stdout(&["run", POSTGRES]), stdout(&["get", POSTGRES, "pods"])] {
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
    }
}

#[test]
fn a_directory_of_scenarios_is_tested() {
    let directory = std::env::temp_dir().join("stsim-a-directory-of-scenarios");
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(directory.join("below")).expect("made");
    let write = |name: &str, text: &str| std::fs::write(directory.join(name), text).expect("written");
    let scenario = |spec: &str| {
        format!("apiVersion: stsim/v1alpha1\nkind: Scenario\nmetadata: {{name: x}}\nspec: {spec}\n")
    };
    let path = directory.to_string_lossy().into_owned();
    let run = |arguments: &[&str]| {
        let arguments: Vec<_> = ["test", &path].iter().chain(arguments).copied().collect();
        let output = stsim(&arguments);
        let text = String::from_utf8(output.stdout).expect("text").replace(&path, "DIR");
        (output.status.code(), text)
    };
    assert_eq!(run(&[]).0, Some(2), "nothing to test is no success");
    write("holds.yaml", &scenario("{expect: [{finally: 'size(nodes()) == 3'}]}"));
    write("manifest.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\n");
    write("below/empty.yaml", &scenario("{expect: [{sometimes: 'size(nodes()) == 4'}]}"));
    let plain =
        "ok    DIR/below/empty.yaml (no golden)\nok    DIR/holds.yaml (no golden)\n2 passed, 0 failed\n";
    assert_eq!(run(&[]), (Some(0), plain.to_owned()));
    let (code, text) = run(&["--strict"]);
    assert_eq!(code, Some(1));
    assert!(
        text.starts_with("FAIL  DIR/below/empty.yaml: exit status 1\n      vacuous sometimes: "),
        "{text}"
    );

    assert_eq!(run(&["--bless"]).0, Some(0));
    assert_eq!(run(&[]).1, plain.replace(" (no golden)", ""));
    write("holds.golden", "other\n");
    write("wrong.yaml", &scenario("{expect: [{finally: 'size(nodes()) == 4'}]}"));
    write("refused.yaml", &scenario("{expcet: []}"));
    let (code, text) = run(&[]);
    assert_eq!(code, Some(1));
    for line in [
        "FAIL  DIR/holds.yaml: line 1 is not that of DIR/holds.golden",
        "FAIL  DIR/wrong.yaml: exit status 1",
        "size(nodes()) == 3 (node-a, node-b, node-c)",
        "FAIL  DIR/refused.yaml: exit status 2",
        "      error: unknown field `expcet` in Scenario.spec",
        "1 passed, 3 failed",
    ] {
        assert!(text.lines().any(|found| found.ends_with(line)), "`{line}` is missing in\n{text}");
    }
    let (code, text) = run(&["-o", "junit"]);
    assert_eq!(code, Some(1));
    assert!(text.contains("tests=\"4\" failures=\"3\""), "{text}");
    std::fs::remove_dir_all(directory).expect("removed");
}

/// Nothing happens by itself between the objects of the command: the clock has to come by all the same.
#[test]
fn a_command_in_the_background_sends_all_its_objects() {
    let map = |name: &str| format!("{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}}}}}");
    let stdin = [map("a"), map("b"), map("c")].join("\\n---\\n");
    let scenario = format!(
        "apiVersion: stsim/v1alpha1\nkind: Scenario\nmetadata: {{name: background}}\nspec:\n  steps:\n  \
         - {{kubectl: apply -f -, stdin: \"{stdin}\", background: true}}\n  - {{sleep: 2s}}\n  \
         - kubectl: get configmaps -o name\n"
    );
    let (_, text) = played(&["run", "-"], &scenario);
    for line in ["configmap/a\n", "configmap/b\n", "configmap/c\n"] {
        assert!(text.contains(&format!("              {line}")), "{text}");
    }
}

const MATRIX: &str = "scenarios/params/ordered-or-parallel.yaml";

#[test]
fn a_matrix_is_a_table_and_set_fixes_an_axis() {
    let table = stdout(&["run", MATRIX]);
    let rows = |text: &str| text.lines().filter(|line| line.contains(" held ")).count();
    assert_eq!(rows(&table), 6, "{table}");
    let fixed = stdout(&["run", MATRIX, "--set", "replicas=2"]);
    assert!(rows(&fixed) == 2 && !fixed.contains("REPLICAS"), "{fixed}");
    let one = stdout(&["run", MATRIX, "--set", "replicas=2", "--set", "policy=Parallel"]);
    assert!(one.contains("$ kubectl scale sts/web --replicas 2") && one.contains("web-1"), "{one}");
    assert!(!one.contains("web-2"), "{one}");
    let objects = stdout(&["run", MATRIX, "-o", "jsonl"]);
    let parse = |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("JSON");
    assert!(objects.lines().map(parse).all(|cell| cell["verdict"] == "held"), "{objects}");
    assert_eq!(objects.lines().count(), 6);
    let pods = stdout(&["get", MATRIX, "pods", "--set", "replicas=1", "--set", "policy=Parallel"]);
    assert!(pods.contains("web-0") && !pods.contains("web-1"), "{pods}");
}

#[test]
fn a_parameter_that_is_none_and_a_value_that_is_none_are_refused() {
    for (set, expected) in [
        ("polcy=Parallel", "did you mean `policy`?"),
        ("policy=Paralel", "policy is one of"),
        ("replicas=many", "replicas is a whole number, found text"),
        ("replicas", "expected name=value"),
    ] {
        let (status, said) = refusal(&["run", MATRIX, "--set", set]);
        assert!(status == 2 && said.contains(expected), "{set}: {said}");
    }
}

#[test]
fn the_worst_cell_decides() {
    let scenario = "apiVersion: stsim/v1alpha1\nkind: Scenario\nmetadata: {name: x}\nspec:\n  params: {name: node-a}\n  \
                    matrix: {name: [node-a, node-z, node-b]}\n  steps:\n  \
                    - kubectl: [get, node, \"${{ params.name }}\"]\n";
    let (status, text) = played(&["run", "-"], scenario);
    assert_eq!(status, Some(1), "{text}");
    assert!(text.contains("FAIL name=node-z: step 1"), "{text}");
    assert_eq!(text.lines().filter(|line| line.contains(" held ")).count(), 2, "{text}");
}
