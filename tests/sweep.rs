//! Sweeps through the real binary: the same bytes whatever the threads, shares and interruptions.
mod common;

use common::{root, stsim};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A pod that is deleted and comes back, with latencies that the seed draws.
const SCENARIO: &str = "scenarios/postgres.yaml";

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stsim"));
    command.args(arguments).current_dir(root());
    command
}

fn printed(arguments: &[&str]) -> String {
    let output = stsim(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// A directory of this test's own.
fn directory(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).expect("a directory");
    path
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[test]
fn threads_and_shares_do_not_matter() {
    let base = ["sweep", SCENARIO, "--runs", "100", "--seed", "5", "-o", "json"];
    let whole = printed(&base);
    for threads in ["1", "2", "8"] {
        assert_eq!(printed(&[&base[..], &["--threads", threads]].concat()), whole, "{threads} threads");
    }
    let directory = directory("shares");
    let parts: Vec<String> = (0..3).map(|n| text(&directory.join(format!("part-{n}.json")))).collect();
    for (n, part) in parts.iter().enumerate() {
        let share = format!("{n}/3");
        printed(&[&base[..], &["--shard", &share, "--part", part]].concat());
    }
    let merged = printed(&["merge", "-o", "json", &parts[2], &parts[0], &parts[1]]);
    assert_eq!(merged, whole);
    let value: Value = serde_json::from_str(&whole).expect("JSON");
    assert_eq!(value["runs"], 100);
    assert_eq!(value["held"], 100);
    let spread = &value["measures"][0];
    assert!(spread["min"].as_i64() < spread["max"].as_i64(), "seeds make a difference: {spread}");

    // What a job says is a share as well.
    let of_job = command(&[&base[..], &["--part", &text(&directory.join("job.json"))]].concat())
        .env("JOB_COMPLETION_INDEX", "1")
        .env("STSIM_SHARDS", "3")
        .output()
        .expect("the binary runs");
    assert!(of_job.status.success());
    let same = |path: &str| std::fs::read_to_string(path).expect("a part");
    assert_eq!(same(&text(&directory.join("job.json"))), same(&parts[1]));
    let slurm = text(&directory.join("slurm.json"));
    let of_array = command(&[&base[..], &["--part", &slurm]].concat())
        .env("SLURM_ARRAY_TASK_ID", "2")
        .env("SLURM_ARRAY_TASK_MIN", "1")
        .env("SLURM_ARRAY_TASK_COUNT", "3")
        .output()
        .expect("the binary runs");
    assert!(of_array.status.success());
    assert_eq!(same(&slurm), same(&parts[1]));

    // What does not fit together is refused, and says why.
    let refused = |arguments: &[&str], told: &str| {
        let output = stsim(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(told) && output.stdout.is_empty(), "{told} is not in {said}");
    };
    refused(&["merge", &parts[0], &parts[2]], "runs 33 to 65 are in no part");
    refused(&["merge", &parts[0], &parts[0], &parts[1], &parts[2]], "run 0 is in two parts");
    let foreign = text(&directory.join("foreign.json"));
    printed(&["sweep", SCENARIO, "--runs", "100", "--seed", "6", "--range", "0..2", "--part", &foreign]);
    refused(&["merge", &parts[0], &foreign], "its seed is 6, and not 5");
    std::fs::write(&foreign, "{").expect("written");
    refused(&["merge", &foreign], "is no part of a sweep");
    assert!(printed(&["merge", "--partial", &parts[0], &parts[2]]).contains("67 runs, seed 5 (of 100)"));
}

#[test]
fn what_is_named_is_what_happens() {
    let whole = printed(&["sweep", SCENARIO, "--runs", "40", "-o", "json", "--measure", "end=now"]);
    let value: Value = serde_json::from_str(&whole).expect("JSON");
    let end = value["measures"].as_array().expect("a list").iter().find(|m| m["name"] == "end").expect("end");
    let worst = &end["worst"][0];
    let seed = worst["seed"].as_str().expect("a seed");
    let command = worst["command"].as_str().expect("a command");
    assert_eq!(command, format!("stsim run {SCENARIO} --seed {seed}"));
    let again = printed(&["run", SCENARIO, "--seed", seed, "-o", "json"]);
    let again: Value = serde_json::from_str(&again).expect("JSON");
    assert_eq!(again["time"], worst["value"]);
}

#[test]
fn an_interrupted_sweep_goes_on() {
    let part = text(&directory("interrupted").join("part.json"));
    let base = ["sweep", SCENARIO, "--runs", "800", "-o", "json", "--part", &part];
    let slowly = ["--threads", "1", "--progress", "json"];
    let mut child = command(&[&base[..], &slowly].concat());
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    // The first line comes after a second.
    let mut said = BufReader::new(child.stderr.take().expect("standard error"));
    said.read_line(&mut String::new()).expect("a line");
    let killed = Command::new("kill").arg(child.id().to_string()).status().expect("kill runs");
    assert!(killed.success());
    let mut told = String::new();
    said.read_to_string(&mut told).expect("text");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(75), "{told}");
    assert!(told.contains("interrupted after") && told.contains("--resume plays the others"), "{told}");
    let done = |path: &str| -> Value {
        let text = std::fs::read_to_string(path).expect("a part");
        let value: Value = serde_json::from_str(&text).expect("JSON");
        value["tally"]["runs"].clone()
    };
    let before = done(&part).as_u64().expect("a number");
    assert!(0 < before && before < 800, "{before}");
    let foreign = stsim(&[&base[..], &["--resume", "--seed", "1"]].concat());
    assert_eq!(foreign.status.code(), Some(2), "a part of another sweep is not gone on with");
    let output = stsim(&[&base[..], &["--resume"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let resumed: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(resumed["runs"], 800);
    assert_eq!(output.stdout, stsim(&base[..6]).stdout, "as if nothing had happened");
}

#[test]
fn thresholds_decide_how_it_exits() {
    let base = ["sweep", SCENARIO, "--runs", "20"];
    let with = |require: &str| stsim(&[&base[..], &["--require", require]].concat());
    assert_eq!(with("longestNotWhole p99 <= 1h").status.code(), Some(0));
    let failed = with("longestNotWhole max <= 1ms");
    assert_eq!(failed.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&failed.stdout).contains("FAIL  longestNotWhole max <= 1ms"));
    for (arguments, told) in [
        (["--require", "longestNotWhol <= 1s"], "did you mean `longestNotWhole`?"),
        (["--measure", "x=pods("], "error: --measure x: column"),
        (["--measure", "x='text'"], "is of type string, and no number"),
        (["--measure", "notWhole=1"], "there is a measure of that name"),
        (["--measure", "1 + 1"], "has no name"),
        (["--shard", "3/3"], "`3/3` is no share"),
        (["--range", "5..30"], "`5..30` is no range"),
        (["--set", "x=1"], "x"),
    ] {
        let output = stsim(&[&base[..], &arguments].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(told), "{told} is not in {said}");
    }
    let matrix = stsim(&["sweep", "scenarios/params/ordered-or-parallel.yaml", "--runs", "2"]);
    assert_eq!(matrix.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&matrix.stderr).contains("choose one with --set"));
}

#[test]
fn progress_is_json_where_a_program_asks_for_it() {
    let output = stsim(&["sweep", SCENARIO, "--runs", "20", "--progress", "json"]);
    let said = String::from_utf8(output.stderr).expect("text");
    let last: Value = serde_json::from_str(said.lines().last().expect("a line")).expect("JSON");
    assert_eq!((&last["done"], &last["of"]), (&Value::from(20), &Value::from(20)));
    let page = printed(&["sweep", SCENARIO, "--runs", "20", "-o", "html"]);
    assert!(page.contains("<svg") && !page.contains("<script"));
}
