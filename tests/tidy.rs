//! The house rules as a test: who may import whom, how long a file may be, what may not be left lying about, and
//! whether rule ids, links and scenario headers are what they claim to be.
//!
//! The layer table is the one of `ARCHITECTURE.md`; Rust cannot enforce it inside one crate, so this reads the source.
//! It sees paths as they are written (`use` trees expanded, comments, literals and unit tests blanked), which is
//! enough against accidents; a renamed import or a macro that hides a path would get past it.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Component, Path, PathBuf};

use source::{Named, blank_text, paths, tokens, without_tests};

#[path = "tidy/source.rs"]
mod source;

/// The layer of every module: it may name modules of lower layers only.
const LAYERS: &[(u32, &[&str])] = &[
    (0, &["kernel", "lessons", "limits", "rule"]),
    (
        GROUND,
        &[
            "api",
            "behavior",
            "config",
            "decision",
            "event",
            "trace::happening",
            "trace::notes",
            "trace::record",
            "world",
        ],
    ),
    (2, &["controllers", "scheduler", "kubelet", "storage", "network"]),
    (3, &["workload", "invariants", "cluster"]),
    (4, &["expect", "fault", "kubectl", "scenario"]),
    (5, &["run", "trace", "why"]),
    (6, &["compare", "conform", "report", "sweep"]),
    (7, &["cli", "main"]),
];

/// The layer whose modules may name each other: together they are the ground on which the processes stand.
const GROUND: u32 = 1;

/// What a module may name besides lower layers, and why.
const ALSO: &[(&str, &str)] = &[
    ("cluster", "invariants"),  // it runs the checks on each change
    ("cluster", "workload"),    // databases look at each step
    ("invariants", "workload"), // they judge what databases say
    ("fault", "scenario"),      // a fault is a step
    ("scenario", "expect"),     // it has conditions in it
    ("scenario", "kubectl"),    // a step is a command line
    ("scenario", "expect"),     // it reads what is expected
    ("why", "run"),             // it looks at runs, and forks them
    ("why", "trace"),           // it tells what happened
    ("conform", "report"),      // it prints causal chains
    ("report", "compare"),      // it prints what was compared
    ("report", "sweep"),        // it prints what a sweep came to
    ("main", "cli"),            // it is one line
];

/// Modules that may touch the world outside the process.
const MAY_TOUCH_THE_WORLD: &[&str] = &["cli", "main"];

/// Paths of the standard library that reach outside the process.
const WORLD: &[&[&str]] = &[
    &["std", "env"],
    &["std", "fs"],
    &["std", "process"],
    &["std", "thread"],
    &["std", "time"],
    &["std", "net", "TcpListener"],
    &["std", "net", "TcpStream"],
    &["std", "net", "UdpSocket"],
    &["std", "io", "stdin"],
    &["std", "io", "stdout"],
    &["std", "io", "stderr"],
    &["io", "stdin"],
    &["io", "stdout"],
    &["io", "stderr"],
];

/// Macros that write to the terminal.
const PRINTING: &[&str] = &["print", "println", "eprint", "eprintln"];

/// Crates the kernel may use: it knows nothing of Kubernetes and stays reusable.
const KERNEL_CRATES: &[&str] = &["rand", "rand_chacha", "libm", "rustc_hash"];

/// The wall; the aim is 500.
const MAX_LINES: usize = 800;

/// Words that mark unfinished work, wherever they stand.
const LEFTOVER_WORDS: &[&str] = &["FIXME", "XXX"];

/// Macros that mark unfinished work, in code.
const LEFTOVER_MACROS: &[&str] = &["todo", "unimplemented", "dbg"];

/// A place outside the project that nothing in it may lean on.
const OUTSIDE: &str = concat!("../", "shared");

/// Prefixes of the rule ids of `docs/semantics`.
const RULES: &[&str] =
    &["STS", "POD", "DEP", "RS", "PDB", "NODE", "SCHED", "VOL", "SVC", "DNS", "DEF", "LAT", "INV", "STUCK"];

/// One broken rule, printed as `file:line: message`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    file: String,
    line: usize,
    message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)
    }
}

/// Fails with one line per finding.
fn demand_none(mut findings: Vec<Finding>) {
    findings.sort();
    let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
    assert!(lines.is_empty(), "{} finding(s)\n{}", lines.len(), lines.join("\n"));
}

// ---------------------------------------------------------------------------------------------------------------
// The tree
// ---------------------------------------------------------------------------------------------------------------

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below `folder` (relative to the root) with one of the extensions, as (relative path, text), sorted.
fn files(folder: &str, extensions: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut pending = vec![root().join(folder)];
    while let Some(place) = pending.pop() {
        let Ok(entries) = fs::read_dir(&place) else { continue };
        for entry in entries {
            let path = entry.expect("a readable directory").path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|e| extensions.iter().any(|x| e == *x)) {
                found.push((relative(&path), fs::read_to_string(&path).expect("a readable text file")));
            }
        }
    }
    found.sort();
    found
}

/// The path below the root, with forward slashes.
fn relative(path: &Path) -> String {
    let below = path.strip_prefix(root()).expect("a path below the root");
    below.components().map(|c| c.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// The Markdown files of the project itself, at the top level and below `docs`.
fn documents() -> Vec<(String, String)> {
    let mut found = files("docs", &["md"]);
    for entry in fs::read_dir(root()).expect("a readable root") {
        let path = entry.expect("a readable directory").path();
        if path.extension().is_some_and(|e| e == "md") {
            found.push((relative(&path), fs::read_to_string(&path).expect("a readable text file")));
        }
    }
    found
}

// ---------------------------------------------------------------------------------------------------------------
// Layers
// ---------------------------------------------------------------------------------------------------------------

/// The module path of a source file: `src/api/store.rs` is `api`, `store`.
fn module_path(file: &str) -> Vec<String> {
    let inside = file.strip_prefix("src/").unwrap_or(file);
    let mut parts: Vec<String> = inside.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if parts.len() > 1 && parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts
}

/// The name under which a module stands in the layer table.
fn room(segments: &[String]) -> String {
    match segments {
        [first, second, ..]
            if first == "trace" && ["happening", "notes", "record"].contains(&second.as_str()) =>
        {
            format!("trace::{second}")
        }
        [first, ..] => first.clone(),
        [] => String::new(),
    }
}

fn layer(room: &str) -> Option<u32> {
    LAYERS.iter().find(|(_, rooms)| rooms.contains(&room)).map(|(layer, _)| *layer)
}

/// The path from the crate's root that `named` means, if it is written as one of ours.
fn from_root<'a>(named: &'a Named, place: &[String]) -> Option<&'a [String]> {
    let first = named.segments.first()?;
    if first == "crate" || first == "stsim" {
        return Some(&named.segments[1..]);
    }
    let climbs = named.segments.iter().take_while(|s| *s == "super").count();
    (climbs > 0 && climbs == place.len()).then(|| &named.segments[climbs..])
}

// ---------------------------------------------------------------------------------------------------------------
// The checks
// ---------------------------------------------------------------------------------------------------------------

/// Who may import whom, and who may touch the world.
fn check_layers(file: &str, source: &str, dependencies: &BTreeSet<String>) -> Vec<Finding> {
    let place = module_path(file);
    let here = room(&place);
    if here == "lib" {
        return Vec::new();
    }
    let Some(mine) = layer(&here) else {
        let message =
            format!("module `{here}` has no layer: give it one in tests/tidy.rs and ARCHITECTURE.md");
        return vec![Finding { file: file.to_owned(), line: 1, message }];
    };
    let mut messages = BTreeSet::new();
    for named in paths(&without_tests(&tokens(&blank_text(source)))) {
        if let Some(target) = from_root(&named, &place) {
            messages.extend(judge_import(&here, mine, target, &named).map(|m| (named.line, m)));
        }
        if !MAY_TOUCH_THE_WORLD.contains(&here.as_str()) {
            messages.extend(judge_world(&here, &named).map(|m| (named.line, m)));
        }
        if here == "kernel" {
            messages.extend(judge_crate(&named, dependencies).map(|m| (named.line, m)));
        }
    }
    messages.into_iter().map(|(line, message)| Finding { file: file.to_owned(), line, message }).collect()
}

fn judge_import(here: &str, mine: u32, target: &[String], named: &Named) -> Option<String> {
    let there = room(target);
    if target.is_empty() || there == here || (named.is_macro && target.len() == 1) {
        return None;
    }
    let Some(theirs) = layer(&there) else {
        return Some(format!("`{there}` is no module with a layer: name the module itself"));
    };
    let together = mine == GROUND && theirs == GROUND;
    if theirs < mine || together || ALSO.contains(&(here, there.as_str())) {
        return None;
    }
    Some(format!("`{here}` (layer {mine}) may not import `{there}` (layer {theirs})"))
}

fn judge_world(here: &str, named: &Named) -> Option<String> {
    let path = named.segments.join("::");
    if named.is_macro && named.segments.last().is_some_and(|last| PRINTING.contains(&last.as_str())) {
        return Some(format!("`{path}!` in `{here}`: only cli and main print"));
    }
    let reaches = WORLD
        .iter()
        .any(|w| named.segments.len() >= w.len() && named.segments.iter().zip(*w).all(|(s, w)| s == w));
    reaches.then(|| format!("`{path}` in `{here}`: only cli and main touch the world outside"))
}

fn judge_crate(named: &Named, dependencies: &BTreeSet<String>) -> Option<String> {
    let first = named.segments.first()?;
    (dependencies.contains(first) && !KERNEL_CRATES.contains(&first.as_str()))
        .then(|| format!("`{first}` in `kernel`: of the crates it may use {} only", KERNEL_CRATES.join(", ")))
}

/// The names of our dependencies, as paths spell them.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let section =
        manifest.lines().skip_while(|l| *l != "[dependencies]").skip(1).take_while(|l| !l.starts_with('['));
    section.filter_map(|line| line.split_once(" = ")).map(|(name, _)| name.replace('-', "_")).collect()
}

/// The wall against long files.
fn check_length(file: &str, text: &str) -> Option<Finding> {
    let lines = text.lines().count();
    (lines > MAX_LINES).then(|| Finding {
        file: file.to_owned(),
        line: lines,
        message: format!("{lines} lines, at most {MAX_LINES}: divide it by what it models"),
    })
}

/// Unfinished work, and pointers to places outside the project.
fn check_leftovers(file: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add =
        |line: usize, message: String| findings.push(Finding { file: file.to_owned(), line, message });
    for (index, line) in text.lines().enumerate() {
        for word in LEFTOVER_WORDS.iter().filter(|w| has_word(line, w)) {
            add(index + 1, format!("`{word}` is left over"));
        }
        if line.contains(OUTSIDE) {
            add(index + 1, format!("`{OUTSIDE}` is no part of the project"));
        }
    }
    if file.ends_with(".rs") {
        for named in paths(&tokens(&blank_text(text))) {
            let last = named.segments.last().map_or("", String::as_str);
            if named.is_macro && LEFTOVER_MACROS.contains(&last) {
                add(named.line, format!("`{last}!` is left over"));
            }
        }
    }
    findings
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        ![before, after].into_iter().flatten().any(|c| c.is_alphanumeric() || c == '_')
    })
}

/// The rule ids of a line, with what stands before each.
fn rule_ids(line: &str) -> Vec<(&str, String)> {
    let mut found = Vec::new();
    for (dash, _) in line.match_indices('-') {
        let before = &line[..dash];
        let start =
            before.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-').map_or(0, |n| n + 1);
        let start = start.max(before.rfind('`').map_or(0, |n| n + 1));
        let digits: String = line[dash + 1..].chars().take_while(char::is_ascii_digit).collect();
        let after = line[dash + 1 + digits.len()..].chars().next();
        let ends = !after.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
        let numbered = (1..=3).contains(&digits.len()); // DNS-1035 is a kind of name, not a rule
        if RULES.contains(&&line[start..dash]) && numbered && ends {
            found.push((&line[..start], format!("{}-{digits}", &line[start..dash])));
        }
    }
    found
}

/// The ids a page of the reference defines: in bold, or in the first cell of a row.
fn defined_ids(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in text.lines() {
        for (before, id) in rule_ids(line) {
            if before.ends_with("**") || before.trim() == "|" {
                found.insert(id);
            }
        }
    }
    found
}

/// Cited ids that no page defines.
fn check_citations(file: &str, text: &str, defined: &BTreeSet<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for (_, id) in rule_ids(line).into_iter().filter(|(_, id)| !defined.contains(id)) {
            let message = format!("{id} is defined nowhere in docs/semantics");
            findings.push(Finding { file: file.to_owned(), line: index + 1, message });
        }
    }
    findings
}

/// A scenario file opens with its story, is named after its file, and says in one line what it is about.
fn check_scenario(file: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |line: usize, message: &str| {
        findings.push(Finding { file: file.to_owned(), line, message: message.to_owned() });
    };
    if !text.starts_with("# ") {
        add(1, "it must open with a comment that tells the story");
    }
    let stem = file.rsplit('/').next().unwrap_or(file).trim_end_matches(".yaml");
    if !text.lines().any(|line| line == format!("  name: {stem}")) {
        add(1, &format!("the Scenario must have the line `  name: {stem}`, the name of its file"));
    }
    let abouts: Vec<(usize, &str)> =
        text.lines().enumerate().filter_map(|(n, l)| Some((n, l.strip_prefix("    about: ")?))).collect();
    match abouts.as_slice() {
        [(line, about)] => {
            let block = ["|", ">", ""].iter().any(|b| about.trim_end_matches(['-', '+']).trim() == *b);
            let deeper = text.lines().nth(line + 1).is_some_and(|next| next.starts_with("     "));
            if block || deeper || about.starts_with('"') || about.starts_with('\'') {
                add(line + 1, "`about` must be one plain line");
            }
        }
        [] => add(1, "it must have one annotation `    about: ...`, in one line"),
        [_, (line, _), ..] => add(line + 1, "a second `about`"),
    }
    findings
}

/// Relative links of a page that lead nowhere.
fn check_links(file: &str, text: &str, exists: impl Fn(&Path) -> bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut in_code = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        for target in link_targets(line) {
            let place = target.split('#').next().unwrap_or_default();
            if place.is_empty() || place.contains("://") || place.starts_with("mailto:") {
                continue;
            }
            let folder = Path::new(file).parent().unwrap_or(Path::new(""));
            if !normal(&folder.join(place)).is_some_and(|path| exists(&path)) {
                let message = format!("the link `{target}` leads nowhere");
                findings.push(Finding { file: file.to_owned(), line: index + 1, message });
            }
        }
    }
    findings
}

/// What stands between `](` and `)`, outside inline code.
fn link_targets(line: &str) -> Vec<&str> {
    let prose = line.split('`').enumerate().filter(|(n, _)| n % 2 == 0).map(|(_, part)| part);
    let links = prose.flat_map(|part| part.match_indices("](").map(move |(at, _)| &part[at + 2..]));
    links.filter_map(|rest| rest.split(')').next()).collect()
}

/// The path without `.` and `..`, or nothing if it leaves the project.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => parts.push(part),
            Component::ParentDir => {
                parts.pop()?;
            }
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts.iter().collect())
}

// ---------------------------------------------------------------------------------------------------------------
// The tests: the project as it is
// ---------------------------------------------------------------------------------------------------------------

fn manifest() -> String {
    fs::read_to_string(root().join("Cargo.toml")).expect("a readable Cargo.toml")
}

/// Everything written by hand: code, pages, scenarios, tests.
fn everything() -> Vec<(String, String)> {
    let mut found = documents();
    for folder in ["src", "tests", "benches", "scenarios"] {
        found.extend(files(folder, &["rs", "md", "yaml"]));
    }
    found.retain(|(file, _)| file != "tests/tidy.rs");
    found
}

fn reference() -> BTreeSet<String> {
    files("docs/semantics", &["md"]).iter().flat_map(|(_, text)| defined_ids(text)).collect()
}

/// The scenarios that must run, not those that must be refused.
fn scenarios() -> Vec<(String, String)> {
    let mut found = files("scenarios", &["yaml"]);
    found.retain(|(file, _)| !file.starts_with("scenarios/invalid/"));
    found
}

#[test]
fn modules_import_from_below_and_only_cli_touches_the_world() {
    let dependencies = dependencies(&manifest());
    let sources = files("src", &["rs"]);
    assert!(sources.len() > 1, "no source was read");
    // A module's tests in a file of their own may look at the whole.
    let own_tests = |file: &str| file.ends_with("/tests.rs");
    let sources = sources.iter().filter(|(file, _)| !own_tests(file));
    demand_none(sources.flat_map(|(file, text)| check_layers(file, text, &dependencies)).collect());
}

#[test]
fn no_file_is_too_long() {
    let sources = ["src", "tests", "benches"].into_iter().flat_map(|folder| files(folder, &["rs"]));
    demand_none(sources.filter_map(|(file, text)| check_length(&file, &text)).collect());
}

#[test]
fn nothing_is_left_over() {
    demand_none(everything().iter().flat_map(|(file, text)| check_leftovers(file, text)).collect());
}

#[test]
fn cited_rules_exist() {
    let defined = reference();
    assert!(defined.len() > 400, "only {} rules were found in docs/semantics", defined.len());
    demand_none(everything().iter().flat_map(|(file, text)| check_citations(file, text, &defined)).collect());
}

#[test]
fn scenarios_say_what_they_are_about() {
    let found = scenarios();
    assert!(!found.is_empty(), "no scenario was read");
    demand_none(found.iter().flat_map(|(file, text)| check_scenario(file, text)).collect());
}

#[test]
fn invalid_scenarios_and_expectations_come_in_pairs() {
    let stems = |extension: &str| -> BTreeSet<String> {
        let found = files("scenarios/invalid", &[extension]);
        found.iter().map(|(file, _)| file.trim_end_matches(extension).to_owned()).collect()
    };
    assert_eq!(stems("yaml"), stems("expected"));
    let no_status = files("scenarios/invalid", &["expected"]).into_iter().filter_map(|(file, text)| {
        let good = text.lines().next().is_some_and(|line| line == "exit 2" || line == "exit 3");
        let message = "the first line must be `exit 2` or `exit 3`".to_owned();
        (!good).then_some(Finding { file, line: 1, message })
    });
    demand_none(no_status.collect());
}

#[test]
fn links_lead_somewhere() {
    let exists = |path: &Path| root().join(path).exists();
    demand_none(documents().iter().flat_map(|(file, text)| check_links(file, text, exists)).collect());
}

// ---------------------------------------------------------------------------------------------------------------
// The tests of the checks: each finds what it is there to find
// ---------------------------------------------------------------------------------------------------------------

/// The findings of a snippet as `line: message`.
fn told(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|f| format!("{}: {}", f.line, f.message)).collect()
}

#[test]
fn an_import_from_the_side_or_from_above_is_found() {
    let cases: &[(&str, &str, &[&str])] = &[
        ("src/controllers/a.rs", "use crate::api::Store;\nuse crate::kernel::Time;", &[]),
        ("src/controllers/a.rs", "use super::plan::Plan;\nuse super::workqueue;", &[]),
        (
            "src/controllers/a.rs",
            "\nuse crate::scheduler::Queue;",
            &["2: `controllers` (layer 2) may not import `scheduler` (layer 2)"],
        ),
        (
            "src/controllers/b/c.rs",
            "use super::super::super::kubelet;",
            &["1: `controllers` (layer 2) may not import `kubelet` (layer 2)"],
        ),
        (
            "src/kernel/time.rs",
            "use crate::{\n  kernel::bits,\n  api::{Pod, Node},\n};",
            &["3: `kernel` (layer 0) may not import `api` (layer 1)"],
        ),
        ("src/kubelet/mod.rs", "fn f(r: &mut crate::trace::record::Recorder) {}", &[]),
        (
            "src/api/store.rs",
            "fn f() { crate::trace::why::ask() }",
            &["1: `api` (layer 1) may not import `trace` (layer 5)"],
        ),
        ("src/trace/record.rs", "use crate::api::Store;", &[]),
        (
            "src/event.rs",
            "use crate::trace::record::Note;\nuse crate::kubelet::Pods;",
            &["2: `event` (layer 1) may not import `kubelet` (layer 2)"],
        ),
        ("src/trace/mod.rs", "use crate::cluster::Cluster;", &[]),
        ("src/cluster.rs", "use crate::invariants::check;", &[]),
        (
            "src/invariants/mod.rs",
            "use crate::cluster::Cluster;",
            &["1: `invariants` (layer 3) may not import `cluster` (layer 3)"],
        ),
        ("src/cli/run.rs", "use crate::report::text;", &[]),
        ("src/main.rs", "fn main() { stsim::cli::main() }", &[]),
        ("src/api/mod.rs", "pub(crate) fn f() {}\npub(super) fn g() {}\npub(in crate::api) fn h() {}", &[]),
        (
            "src/attic.rs",
            "",
            &["1: module `attic` has no layer: give it one in tests/tidy.rs and ARCHITECTURE.md"],
        ),
        (
            "src/api/mod.rs",
            "use crate::Pod;",
            &["1: `Pod` is no module with a layer: name the module itself"],
        ),
        ("src/api/mod.rs", "fn f() { crate::rule!(A) }", &[]),
        ("src/kubelet/mod.rs", "// use crate::scheduler;\nconst A: &str = \"crate::storage::x\";", &[]),
        (
            "src/kubelet/mod.rs",
            "#[cfg(test)]\nmod tests { use crate::storage::Disk; fn f() { {} } }\nuse crate::network::Dns;",
            &["3: `kubelet` (layer 2) may not import `network` (layer 2)"],
        ),
    ];
    for (file, source, expected) in cases {
        assert_eq!(told(&check_layers(file, source, &BTreeSet::new())), *expected, "{file}: {source}");
    }
}

#[test]
fn reaching_outside_is_found_except_in_cli() {
    let cases: &[(&str, &[&str])] = &[
        (
            "use std::{collections::BTreeMap, fs};",
            &["1: `std::fs` in `api`: only cli and main touch the world outside"],
        ),
        (
            "fn f() { let t = std::time::Instant::now(); }",
            &["1: `std::time::Instant::now` in `api`: only cli and main touch the world outside"],
        ),
        (
            "use std::io::{self, Write};\nfn f() { io::stdout(); }",
            &["2: `io::stdout` in `api`: only cli and main touch the world outside"],
        ),
        ("fn f() {\n  println!(\"a\");\n}", &["2: `println!` in `api`: only cli and main print"]),
        ("fn f() { std::eprintln!(\"a\") }", &["1: `std::eprintln!` in `api`: only cli and main print"]),
        ("fn f() { writeln!(out, \"println!\"); print != 3; }", &[]),
        ("fn f<'a>(x: &'a str) -> char { 'x' } // std::env", &[]),
    ];
    for (source, expected) in cases {
        assert_eq!(told(&check_layers("src/api/a.rs", source, &BTreeSet::new())), *expected, "{source}");
        assert_eq!(told(&check_layers("src/cli/a.rs", source, &BTreeSet::new())), [""; 0], "{source}");
    }
}

#[test]
fn a_foreign_crate_in_the_kernel_is_found() {
    let known = dependencies(
        "[package]\nname = \"x\"\n[dependencies]\n# why\nserde_json = \"1\"\nrand = \"1\"\n[lints]\na = 1",
    );
    assert_eq!(known, BTreeSet::from(["serde_json".to_owned(), "rand".to_owned()]));
    let source = "use rand::RngCore;\nuse serde_json::Value;";
    let expected =
        ["2: `serde_json` in `kernel`: of the crates it may use rand, rand_chacha, libm, rustc_hash only"];
    assert_eq!(told(&check_layers("src/kernel/a.rs", source, &known)), expected);
    assert_eq!(told(&check_layers("src/api/a.rs", source, &known)), [""; 0]);
}

#[test]
fn a_long_file_is_found() {
    assert_eq!(check_length("a.rs", &"x\n".repeat(MAX_LINES)), None);
    let found = check_length("a.rs", &"x\n".repeat(MAX_LINES + 1)).expect("a finding");
    assert_eq!(found.to_string(), "a.rs:801: 801 lines, at most 800: divide it by what it models");
}

#[test]
fn leftovers_are_found() {
    let cases: &[(&str, &str, &[&str])] = &[
        ("a.rs", "fn f() { todo!() }", &["1: `todo!` is left over"]),
        ("a.rs", "// todo! is only named here\nfn f() { std::dbg!(1); }", &["2: `dbg!` is left over"]),
        ("a.rs", "// FIXME later", &["1: `FIXME` is left over"]),
        ("a.md", "a\nXXX", &["2: `XXX` is left over"]),
        ("a.md", "XXXL todo!", &[]),
    ];
    for (file, text, expected) in cases {
        assert_eq!(told(&check_leftovers(file, text)), *expected, "{text}");
    }
    let pointing = check_leftovers("a.md", &format!("see {OUTSIDE}/a.md"));
    assert_eq!(told(&pointing), [format!("1: `{OUTSIDE}` is no part of the project")]);
}

#[test]
fn a_rule_cited_but_not_defined_is_found() {
    let page = "**STS-1 Title.** text STS-7\n| DEF-2 | x | DEF-9 |\n- **INV-3 name** [A]; **INV-4** x\n| **STS-92** | y |";
    let defined = defined_ids(page);
    let names: Vec<&str> = defined.iter().map(String::as_str).collect();
    assert_eq!(names, ["DEF-2", "INV-3", "INV-4", "STS-1", "STS-92"]);
    let cited = "// STS-1, (STS-92), STS-60/61\n// MY-STS-5 STS-x DEF-C1 STS-1a DNS-1035 `INV-8`: VOL-1..";
    let expected = [
        "1: STS-60 is defined nowhere in docs/semantics",
        "2: INV-8 is defined nowhere in docs/semantics",
        "2: VOL-1 is defined nowhere in docs/semantics",
    ];
    assert_eq!(told(&check_citations("a.rs", cited, &defined)), expected);
}

#[test]
fn a_scenario_without_its_header_is_found() {
    let good =
        "# A story.\nkind: Scenario\nmetadata:\n  name: a\n  annotations:\n    about: one line\nspec: {}\n";
    assert_eq!(told(&check_scenario("scenarios/x/a.yaml", good)), [""; 0]);
    let cases = [
        (good.replace("# A story.\n", ""), "1: it must open with a comment that tells the story"),
        (
            good.replace("name: a\n", "name: b\n"),
            "1: the Scenario must have the line `  name: a`, the name of its file",
        ),
        (
            good.replace("    about: one line\n", ""),
            "1: it must have one annotation `    about: ...`, in one line",
        ),
        (good.replace("one line", "|\n      two\n      lines"), "6: `about` must be one plain line"),
        (good.replace("one line", "one\n      two"), "6: `about` must be one plain line"),
        (good.replace("one line", "one\n    about: two"), "7: a second `about`"),
    ];
    for (text, expected) in cases {
        assert_eq!(told(&check_scenario("scenarios/x/a.yaml", &text)), [expected], "{text}");
    }
}

#[test]
fn a_broken_link_is_found() {
    let exists = |path: &Path| path == Path::new("docs/a.md");
    let good =
        "[a](a.md) [b](../docs/a.md#part) [c](#here) [d](https://e.org/x) `[e](f.md)`\n```\n[g](h.md)\n```";
    assert_eq!(told(&check_links("docs/b.md", good, exists)), [""; 0]);
    let bad = "x\n[a](b.md) and [`code`](../../a.md)";
    let expected = ["2: the link `b.md` leads nowhere", "2: the link `../../a.md` leads nowhere"];
    assert_eq!(told(&check_links("docs/b.md", bad, exists)), expected);
}
