//! `delete` (`pkg/cmd/delete/delete.go`): deletes what it finds one by one, then waits until all of it is gone.
use crate::api::rest::ObjectRef;
use crate::kernel::{Duration, Time};
use crate::kubectl::command::{Cascade, Delete, Objects};
use crate::kubectl::exec::Task;
use crate::kubectl::failure::Failure;
use crate::kubectl::run::Progress;
use crate::kubectl::server::{self, Type};
use crate::kubectl::session::Session;
use crate::world::{DeleteOptions, Propagation, World};

/// How long kubectl waits if it is to wait without end: a week.
const FOREVER: Duration = Duration::from_secs(7 * 24 * 3600);
const FORCE_WARNING: &str = "Warning: Immediate deletion does not wait for confirmation that the running resource \
    has been terminated. The resource may continue to run on the cluster indefinitely.";

/// Deletes; what is left is to wait.
pub(super) fn delete(session: &mut Session<'_>, command: &Delete) -> Result<Option<Task>, Failure> {
    if command.force && command.grace_period == Some(0) {
        session.complain(FORCE_WARNING);
    }
    let (infos, mut failures) = session.resolve_names(&command.objects, command.all_namespaces);
    let options = DeleteOptions {
        uid: None,
        revision: None,
        grace: command.grace_period.map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX)),
        propagation: match command.cascade {
            Cascade::Background => Propagation::Background,
            Cascade::Foreground => Propagation::Foreground,
            Cascade::Orphan => Propagation::Orphan,
        },
    };
    let found = infos.len();
    let mut deleted = Vec::new();
    for info in infos {
        let object = server::writable(session.world, info.kind, &info.namespace, &info.name)
            .and_then(|object| session.world.rest_delete(object, options).map(|_| object));
        match object {
            Ok(object) => {
                let how = if command.force { "force deleted" } else { "deleted" };
                session.say(format!("{} \"{}\" {how}", info.kind.singular(), info.name));
                deleted.push(Gone { object, kind: info.kind, name: info.name });
            }
            Err(status) if status.is_not_found() && command.ignore_not_found => {}
            Err(status) => failures.push(status.into()),
        }
    }
    Failure::all(failures)?;
    if found == 0 {
        if matches!(command.objects, Objects::Files(_)) && !command.ignore_not_found {
            return Err(Failure::client("no objects passed to delete"));
        }
        session.say("No resources found");
        return Ok(None);
    }
    let deadline = session.world.now() + command.timeout.unwrap_or(FOREVER);
    Ok(command.wait.then_some(Task::Delete(Deleting { deleted, deadline })))
}

/// Waits until objects are gone, one after the other; a successor of the same name does not count.
#[derive(Clone, Debug)]
pub(crate) struct Deleting {
    deleted: Vec<Gone>,
    deadline: Time,
}

#[derive(Clone, Debug)]
struct Gone {
    object: ObjectRef,
    kind: Type,
    name: String,
}

impl Deleting {
    pub(super) fn poll(&mut self, world: &World) -> Result<Progress, Failure> {
        let remaining = self.deleted.iter().find(|gone| world.rest_get(gone.object).is_ok());
        match remaining {
            None => Ok(Progress::Done),
            Some(gone) if world.now() >= self.deadline => {
                let (kind, name) = (gone.kind.plural, &gone.name);
                Err(Failure::client(format!("timed out waiting for the condition on {kind}/{name}")))
            }
            Some(_) => Ok(Progress::Waiting(Some(self.deadline))),
        }
    }
}
