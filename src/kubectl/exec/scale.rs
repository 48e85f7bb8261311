//! `scale` (`pkg/cmd/scale/scale.go`, `pkg/scale/scale.go`): a merge patch of the scale subresource, or, with a
//! precondition, a read and a write (STS-11).
use crate::api::wire::fields::{at, text_at};
use crate::kernel::{Duration, Time};
use crate::kubectl::command::Scale;
use crate::kubectl::exec::Task;
use crate::kubectl::failure::Failure;
use crate::kubectl::run::{Output, Progress};
use crate::kubectl::server;
use crate::kubectl::session::{Info, Session};
use crate::world::World;
use serde_json::Value;

/// How often `--timeout` looks.
const INTERVAL: Duration = Duration::from_secs(1);

/// Scales; with `--timeout`, what is left is to wait for each.
pub(super) fn scale(session: &mut Session<'_>, command: &Scale) -> Result<Option<Task>, Failure> {
    let (infos, failures) = session.resolve(&command.objects, false);
    if command.resource_version.is_some() && infos.len() > 1 {
        return Err(Failure::client("cannot use --resource-version with multiple resources"));
    }
    let missing = Failure::all(failures);
    if infos.is_empty() {
        let why = missing.err().map(|failure| format!(" {}", failure.plain())).unwrap_or_default();
        return Err(Failure::client(format!("no objects passed to scale{why}")));
    }
    let mut scaling =
        Scaling { left: infos, command: command.clone(), since: None, missing: missing.err(), looked: None };
    scaling.left.reverse();
    Ok(Some(Task::Scale(scaling)))
}

/// Objects still to be scaled, the next one last.
#[derive(Clone, Debug)]
pub(crate) struct Scaling {
    left: Vec<Info>,
    command: Scale,
    /// The next one has been scaled and is waited for, since when.
    since: Option<Time>,
    looked: Option<Time>,
    missing: Option<Failure>,
}

impl Scaling {
    pub(super) fn poll(&mut self, world: &mut World, output: &mut Output) -> Result<Progress, Failure> {
        while let Some(info) = self.left.last() {
            let since = match self.since {
                Some(since) => since,
                None => {
                    scale_one(world, info, &self.command)?;
                    *self.since.insert(world.now())
                }
            };
            if let Some(timeout) = self.command.timeout {
                let next = self.looked.map_or(since, |looked| looked + INTERVAL);
                if world.now() < next {
                    return Ok(Progress::Waiting(Some(next.min(since + timeout))));
                }
                self.looked = Some(world.now());
                if !has_size(world, info, self.command.replicas)? {
                    if world.now() >= since + timeout {
                        let text = format!("timed out waiting for {:?} to be synced", info.name);
                        return Err(Failure::client(text));
                    }
                    return Ok(Progress::Waiting(Some((world.now() + INTERVAL).min(since + timeout))));
                }
            }
            output.stdout.push_str(&format!("{} scaled\n", info.title()));
            (self.since, self.looked) = (None, None);
            self.left.pop();
        }
        self.missing.take().map_or(Ok(Progress::Done), Err)
    }
}

fn scale_one(world: &mut World, info: &Info, command: &Scale) -> Result<(), Failure> {
    let object = server::writable(world, info.kind, &info.namespace, &info.name)?;
    let scale = world.rest_get_scale(object)?;
    let wanted = at(&scale, &["spec", "replicas"]).and_then(Value::as_i64).unwrap_or(0);
    let differs = |what: &str, expected: &str, actual: &str| {
        Err(Failure::client(format!("Expected {what} to be {expected}, was {actual}")))
    };
    if let Some(current) = command.current_replicas.filter(|current| i64::from(*current) != wanted) {
        return differs("replicas", &current.to_string(), &wanted.to_string());
    }
    let version = text_at(&scale, &["metadata", "resourceVersion"]);
    if let Some(expected) = command.resource_version.as_deref().filter(|expected| *expected != version) {
        return differs("resource version", expected, version);
    }
    world.rest_scale(object, command.replicas, None, None)?;
    Ok(())
}

/// The number of replicas there are is the number wanted, or somebody else wants another one by now.
fn has_size(world: &World, info: &Info, replicas: i32) -> Result<bool, Failure> {
    let object = server::writable(world, info.kind, &info.namespace, &info.name)?;
    let scale = world.rest_get_scale(object)?;
    let number = |part| at(&scale, &[part, "replicas"]).and_then(Value::as_i64);
    Ok(number("spec") != Some(i64::from(replicas)) || number("status") == Some(i64::from(replicas)))
}
