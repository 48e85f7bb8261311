//! `delete` (`pkg/cmd/delete/delete.go`): deletes what it finds one by one, then waits until all of it is gone.
use crate::api::rest::ObjectRef;
use crate::kernel::{Duration, Time};
use crate::kubectl::command::{Cascade, Delete, Objects};
use crate::kubectl::exec::Task;
use crate::kubectl::failure::Failure;
use crate::kubectl::run::{Output, Progress};
use crate::kubectl::server::{self, Type};
use crate::kubectl::session::{Info, Session};
use crate::world::{DeleteOptions, Propagation, World};
use std::collections::VecDeque;

/// How long kubectl waits if it is to wait without end: a week.
const FOREVER: Duration = Duration::from_secs(7 * 24 * 3600);
const FORCE_WARNING: &str = "Warning: Immediate deletion does not wait for confirmation that the running resource \
    has been terminated. The resource may continue to run on the cluster indefinitely.";

/// What is deleted, and how.
pub(super) fn delete(session: &mut Session<'_>, command: &Delete) -> Result<Task, Failure> {
    if command.force && command.grace_period == Some(0) {
        session.complain(FORCE_WARNING);
    }
    let (infos, failures) = session.resolve_names(&command.objects, command.all_namespaces);
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
    Ok(Task::Delete(Deleting {
        found: infos.len(),
        objects: infos.into(),
        failures,
        next: session.world.now(),
        how: if command.force { "force deleted" } else { "deleted" },
        options,
        ignore_not_found: command.ignore_not_found,
        from_files: matches!(command.objects, Objects::Files(_)),
        wait: command.wait.then_some(command.timeout.unwrap_or(FOREVER)),
        deleted: Vec::new(),
        deadline: None,
    }))
}

/// Deletes objects one by one, then waits until they are gone, one after the other; a successor of the same name does
/// not count.
#[derive(Clone, Debug)]
pub(crate) struct Deleting {
    objects: VecDeque<Info>,
    found: usize,
    failures: Vec<Failure>,
    /// When the next one is deleted: after the answer to the one before it.
    next: Time,
    how: &'static str,
    options: DeleteOptions,
    ignore_not_found: bool,
    from_files: bool,
    /// How long to wait for the end; None: not at all.
    wait: Option<Duration>,
    deleted: Vec<Gone>,
    /// Set when everything has been deleted and the wait begins.
    deadline: Option<Time>,
}

#[derive(Clone, Debug)]
struct Gone {
    object: ObjectRef,
    kind: Type,
    name: String,
}

impl Deleting {
    pub(super) fn poll(&mut self, world: &mut World, output: &mut Output) -> Result<Progress, Failure> {
        while self.deadline.is_none() {
            if self.next > world.now() {
                return Ok(Progress::Waiting(Some(self.next)));
            }
            match self.objects.pop_front() {
                Some(info) => self.delete(info, world, output),
                None => match self.all_deleted(world, output)? {
                    Some(deadline) => self.deadline = Some(deadline),
                    None => return Ok(Progress::Done),
                },
            }
        }
        self.wait(world)
    }

    fn delete(&mut self, info: Info, world: &mut World, output: &mut Output) {
        let object = server::writable(world, info.kind, &info.namespace, &info.name)
            .and_then(|object| world.rest_delete(object, self.options).map(|_| object));
        match object {
            Ok(object) => {
                let line = format!("{} \"{}\" {}\n", info.kind.singular(), info.name, self.how);
                output.stdout.push_str(&line);
                self.deleted.push(Gone { object, kind: info.kind, name: info.name });
            }
            Err(status) if status.is_not_found() && self.ignore_not_found => {}
            Err(status) => self.failures.push(status.into()),
        }
        if !self.objects.is_empty() {
            self.next = world.now() + world.kubectl_delay();
        }
    }

    /// Until when to wait for the end of what was deleted; None: there is nothing to wait for.
    fn all_deleted(&mut self, world: &World, output: &mut Output) -> Result<Option<Time>, Failure> {
        Failure::all(std::mem::take(&mut self.failures))?;
        if self.found == 0 {
            if self.from_files && !self.ignore_not_found {
                return Err(Failure::client("no objects passed to delete"));
            }
            output.stdout.push_str("No resources found\n");
            return Ok(None);
        }
        Ok(self.wait.map(|wait| world.now() + wait))
    }

    fn wait(&self, world: &World) -> Result<Progress, Failure> {
        let remaining = self.deleted.iter().find(|gone| world.rest_get(gone.object).is_ok());
        match remaining {
            None => Ok(Progress::Done),
            Some(gone) if self.deadline.is_some_and(|deadline| world.now() >= deadline) => {
                let (kind, name) = (gone.kind.plural, &gone.name);
                Err(Failure::client(format!("timed out waiting for the condition on {kind}/{name}")))
            }
            Some(_) => Ok(Progress::Waiting(self.deadline)),
        }
    }
}
