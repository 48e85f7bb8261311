//! Carrying out kubectl commands: what they print, how they end, and how long they block.
use crate::cluster::Cluster;
use crate::kernel::Time;

/// What a command printed, and its exit status.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Output {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Exit status.
    pub exit: i32,
}

/// How far a command is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// It has ended.
    Done,
    /// It waits: look again after the next change, and at this time at the latest.
    Waiting(Option<Time>),
}

/// A command under way.
#[derive(Clone, Debug, Default)]
pub struct Running {
    /// What it has printed so far.
    pub output: Output,
}

/// Whether a command line can be carried out at all: its verb, flags and kinds are known.
///
/// # Errors
/// One sentence: what is not known, what is nearest, what there is.
pub fn check(_words: &[String]) -> Result<(), String> {
    Ok(())
}

/// Starts a command. What does not block has ended when this returns.
pub fn start(_words: &[String], _stdin: Option<&str>, _cluster: &mut Cluster) -> Running {
    Running::default()
}

/// `kubectl apply -f -` of manifests that have been read already.
pub fn apply_all(_manifests: &[serde_json::Value], _cluster: &mut Cluster) -> Output {
    Output::default()
}

impl Running {
    /// Looks whether the command can go on or has ended.
    pub fn poll(&mut self, _cluster: &mut Cluster) -> Progress {
        Progress::Done
    }
}
