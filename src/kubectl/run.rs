//! Carrying out kubectl commands: what they print, how they end, and how long they block.
//!
//! A command is asked of the API server at one moment of virtual time. One that waits (`delete`, `wait`, `rollout
//! status`, `drain`, `scale --timeout`) goes on as a [`Running`]: whoever plays the cluster polls it after every event
//! and at the moment it asked for. Left out: the duration of requests, and the lag of the client's watches.
use super::command::{self, Command, CommandError, Invocation, Objects, Reason, Source};
use super::exec::{self, Task};
use super::failure::Failure;
use super::session::{Input, Session, unreadable};
use crate::api::objects::Revision;
use crate::cluster::Cluster;
use crate::kernel::Time;
use crate::world::{Actor, World};

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

/// Reads the documents of a YAML or JSON text; the error is what kubectl says after `error converting YAML to JSON: `.
pub type Read = fn(&str) -> Result<Vec<serde_json::Value>, String>;

/// A command under way.
#[derive(Clone, Debug, Default)]
pub struct Running {
    /// What it has printed so far.
    pub output: Output,
    task: Option<Task>,
    /// The store as it was when the task was looked at last, and when it has to be looked at though nothing changed.
    seen: Option<(Revision, Option<Time>)>,
}

/// Whether a command line can be carried out at all: its verb, flags and kinds are known, and it reads no files. What
/// kubectl itself refuses is no error here: that is what the command prints.
///
/// # Errors
/// One sentence; on a second line, if there is one, what would have been valid.
pub fn check(words: &[String]) -> Result<(), String> {
    match command::parse(words) {
        Ok(invocation) => match sources(&invocation.command).and_then(unreadable) {
            Some(path) => Err(format!(
                "kubectl: cannot read the file `{path}`\nmanifests come from standard input: -f - with `stdin:`"
            )),
            None => Ok(()),
        },
        Err(CommandError { reason: Reason::Refused, .. }) => Ok(()),
        Err(error) => Err(match error.help {
            Some(help) => format!("{}\n{help}", error.message),
            None => error.message,
        }),
    }
}

/// Where a command reads manifests from.
fn sources(command: &Command) -> Option<&[Source]> {
    let objects = match command {
        Command::Apply { files } | Command::Create { files, .. } | Command::Replace { files } => {
            return Some(files);
        }
        Command::Evict { body, .. } => return Some(std::slice::from_ref(body)),
        Command::Delete(delete) => &delete.objects,
        Command::Scale(scale) => &scale.objects,
        Command::Get(get) => &get.objects,
        Command::Wait(wait) => &wait.objects,
        Command::Label(edit) | Command::Annotate(edit) => &edit.objects,
        Command::Patch { objects, .. }
        | Command::SetImage { objects, .. }
        | Command::Rollout(objects, _)
        | Command::Describe { objects, .. } => objects,
        _ => return None,
    };
    match objects {
        Objects::Files(files) => Some(files),
        _ => None,
    }
}

/// Starts a command. What does not block has ended when this returns. `read` makes manifests of what stands on
/// standard input.
pub fn start(words: &[String], stdin: Option<&str>, read: Read, cluster: &mut Cluster) -> Running {
    let mut running = Running::default();
    let Invocation { namespace, command } = match command::parse(words) {
        Ok(invocation) => invocation,
        Err(error) => {
            running.output.exit = 1;
            let text = error.stderr.unwrap_or_else(|| format!("error: {}", error.message));
            running.output.stderr = text + "\n";
            return running;
        }
    };
    if let Some(path) = sources(&command).and_then(unreadable) {
        let text = format!("the path \"{path}\" does not exist");
        running.end(Err(Failure::client(text)));
        return running;
    }
    let world = &mut cluster.world;
    act_as_user(world);
    let input = Input::Stdin(stdin, read);
    let mut session = Session::new(world, &mut running.output, namespace, input);
    match exec::execute(&mut session, &command) {
        Ok(Some(task)) => {
            running.task = Some(task);
            running.poll(cluster);
        }
        Ok(None) => {}
        Err(failure) => running.end(Err(failure)),
    }
    running
}

/// `kubectl apply -f -` of manifests that have been read already.
pub fn apply_all(manifests: &[serde_json::Value], cluster: &mut Cluster) -> Running {
    let mut running = Running::default();
    let input = Input::Manifests(manifests);
    let mut session = Session::new(&mut cluster.world, &mut running.output, None, input);
    match exec::apply(&mut session) {
        Ok(task) => {
            running.task = Some(task);
            running.poll(cluster);
        }
        Err(failure) => running.end(Err(failure)),
    }
    running
}

fn act_as_user(world: &mut World) {
    world.actor = Actor::User;
    world.cause = world.step;
}

impl Running {
    fn end(&mut self, ended: Result<(), Failure>) {
        self.task = None;
        if let Err(failure) = ended {
            self.output.stderr.push_str(&failure.printed());
            self.output.exit = 1;
        }
    }

    /// Looks whether the command can go on or has ended.
    pub fn poll(&mut self, cluster: &mut Cluster) -> Progress {
        let Some(task) = &mut self.task else { return Progress::Done };
        let world = &mut cluster.world;
        if let Some((revision, wake)) = self.seen
            && revision == world.store.revision()
            && wake.is_none_or(|wake| world.now() < wake)
        {
            return Progress::Waiting(wake);
        }
        act_as_user(world);
        match task.poll(world, &mut self.output) {
            Ok(Progress::Waiting(wake)) => {
                self.seen = Some((world.store.revision(), wake));
                Progress::Waiting(wake)
            }
            Ok(Progress::Done) => {
                self.end(Ok(()));
                Progress::Done
            }
            Err(failure) => {
                self.end(Err(failure));
                Progress::Done
            }
        }
    }
}

#[cfg(test)]
mod tests;
