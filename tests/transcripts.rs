//! What the real kubectl printed, command by command, and whether ours prints the same.
//!
//! Every scenario of `tests/transcripts` is played and each command's output compared with the transcript beside it,
//! with what varies from run to run blanked on both sides (`tests/transcripts/README.md`). `TRANSCRIPT=name` plays one
//! and shows both texts of each command that differs.
#![expect(clippy::print_stdout, reason = "a test reports on stdout")]
#![expect(clippy::disallowed_methods, reason = "one file is chosen by the environment")]
use std::path::{Path, PathBuf};
use stsim::cluster::Cluster;
use stsim::conform::{WINDOW, recorded_config};
use stsim::kubectl::run::Output;
use stsim::run::{Play, Watch};
use stsim::scenario::Step;
use stsim::scenario::read::{NoFiles, read};
use stsim::trace::record::Recorder;

#[path = "transcripts/mask.rs"]
mod mask;

/// Transcripts that do not agree yet, each with its reason. The list may only shrink.
const OPEN: &[(&str, &str)] = &[];

/// Keeps what commands printed.
#[derive(Default)]
struct Listener {
    outputs: Vec<String>,
}

impl Watch for Listener {
    fn output(&mut self, _: &Cluster, _: Option<&Step>, output: &Output) {
        let mut text = output.stdout.clone();
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&output.stderr);
        if output.exit != 0 {
            text.push_str(&format!("[exit {}]\n", output.exit));
        }
        self.outputs.push(text);
    }
}

/// The commands of a transcript with what they printed.
fn recorded(text: &str) -> Vec<(String, String)> {
    let mut commands: Vec<(String, String)> = Vec::new();
    let mut heredoc = false;
    for line in text.lines() {
        if heredoc {
            heredoc = line.trim() != "EOF";
        } else if let Some(command) = line.strip_prefix("$ ") {
            heredoc = command.ends_with("<<EOF");
            commands.push((command.to_owned(), String::new()));
        } else if let Some((_, output)) = commands.last_mut().filter(|_| !line.starts_with("# ")) {
            output.push_str(line);
            output.push('\n');
        }
    }
    commands
}

fn play(path: &Path) -> Result<Vec<String>, String> {
    let bytes = std::fs::read(path).expect("the scenario can be read");
    let mut scenario =
        read(&path.to_string_lossy(), &bytes, &mut NoFiles).map_err(|unreadable| unreadable.render())?;
    scenario.settle_window = Some(WINDOW);
    let config = recorded_config(&scenario, 0);
    let mut listener = Listener::default();
    let mut play =
        Play::with_config(&scenario, 0, config, Recorder::on()).map_err(|failure| failure.message)?;
    play.play(&mut listener);
    Ok(listener.outputs)
}

/// What is wrong with a transcript; empty if nothing is.
fn compare(path: &Path, show: bool) -> Vec<String> {
    let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
    let text = std::fs::read_to_string(path.with_extension("txt")).expect("the transcript can be read");
    let expected = recorded(&text);
    let outputs = match play(path) {
        Ok(outputs) => outputs,
        Err(why) => return vec![why],
    };
    let mut wrong = Vec::new();
    if outputs.len() != expected.len() {
        wrong.push(format!("{} commands, recorded {}", outputs.len(), expected.len()));
    }
    for ((command, recorded), ours) in expected.iter().zip(&outputs) {
        let (a, b) = (mask::masked(&name, command, recorded), mask::masked(&name, command, ours));
        if a == b {
            continue;
        }
        let differing = a.iter().zip(&b).find(|(a, b)| a != b);
        let first = match differing {
            Some((a, b)) => format!("recorded: {a}\n      ours: {b}"),
            None => format!("recorded {} lines, ours {}", a.len(), b.len()),
        };
        wrong.push(format!("{command}\n  {first}"));
        if show {
            println!("$ {command}\n--- recorded\n{recorded}--- ours\n{ours}");
        }
    }
    wrong
}

#[test]
fn kubectl_prints_what_the_real_one_did() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let only = std::env::var("TRANSCRIPT").ok();
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&root)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .filter(|path| only.as_ref().is_none_or(|only| path.file_stem().is_some_and(|stem| stem == &**only)))
        .collect();
    paths.sort();
    assert!(only.is_some() || paths.len() >= 12, "only {} transcripts", paths.len());
    let mut wrong = Vec::new();
    for path in &paths {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let found = compare(path, only.is_some());
        let open = OPEN.iter().find(|(known, _)| *known == name);
        match (found.as_slice(), open) {
            ([], None) => println!("agrees  {name}"),
            ([], Some(_)) => wrong.push(format!("{name} agrees: take it off the list")),
            (_, Some((_, reason))) => println!("open    {name}: {reason}"),
            (all, None) => {
                wrong.push(format!("{name}: {} commands differ\n{}", all.len(), all.join("\n")));
            }
        }
    }
    assert!(wrong.is_empty(), "{} transcripts:\n{}", wrong.len(), wrong.join("\n"));
}
