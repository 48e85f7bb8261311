//! The verbs, each as its `Run` in `k8s.io/kubectl/pkg/cmd`: what they ask of the server and what they print.
mod apply;
mod cordon;
mod delete;
mod drain;
mod edit;
mod patch;
mod rollout;
mod scale;
mod status;
mod taint;
mod undo;
mod wait;

use super::command::Command;
use super::failure::Failure;
use super::run::{Output, Progress};
use super::session::Session;
use super::{describe, get};
use crate::world::World;

pub(super) use apply::apply;

/// A command that waits.
#[derive(Clone, Debug)]
pub(super) enum Task {
    /// For the answer to each object before it sends the next.
    Send(apply::Sending),
    /// For objects to be gone.
    Delete(delete::Deleting),
    /// For a number of replicas.
    Scale(scale::Scaling),
    /// For a rollout.
    Status(status::Watching),
    /// For a condition.
    Wait(Box<wait::Waiting>),
    /// For pods to leave nodes.
    Drain(Box<drain::Draining>),
}

impl Task {
    /// Goes on as far as it can.
    pub(super) fn poll(&mut self, world: &mut World, output: &mut Output) -> Result<Progress, Failure> {
        match self {
            Task::Send(task) => task.poll(world, output),
            Task::Delete(task) => task.poll(world, output),
            Task::Scale(task) => task.poll(world, output),
            Task::Status(task) => task.poll(world, output),
            Task::Wait(task) => task.poll(world, output),
            Task::Drain(task) => task.poll(world, output),
        }
    }
}

/// Does what can be done at once; what is left is a task.
pub(super) fn execute(session: &mut Session<'_>, command: &Command) -> Result<Option<Task>, Failure> {
    match command {
        Command::Apply { .. } => return apply::apply(session).map(Some),
        Command::Create { save_config, .. } => return apply::create_all(session, *save_config).map(Some),
        Command::Evict { namespace, pod, .. } => apply::evict(session, namespace, pod)?,
        Command::Replace { .. } => return apply::replace_all(session).map(Some),
        Command::Delete(command) => return delete::delete(session, command).map(Some),
        Command::Scale(command) => return scale::scale(session, command),
        Command::Patch { objects, patch, patch_type, subresource } => {
            patch::patch(session, objects, patch, *patch_type, subresource.as_deref())?;
        }
        Command::SetImage { objects, images } => patch::set_image(session, objects, images)?,
        Command::Rollout(objects, action) => return rollout::rollout(session, objects, action),
        Command::Get(command) => get::get(session, command)?,
        Command::Describe { objects, all_namespaces, show_events } => {
            describe::describe(session, objects, *all_namespaces, *show_events)?;
        }
        Command::Events { about, types, all_namespaces, headers } => {
            get::events(session, about.as_ref(), types, *all_namespaces, *headers);
        }
        Command::Wait(command) => return wait::wait(session, command).map(Some),
        Command::Cordon(nodes) => cordon::cordon(session, nodes, true).map(drop)?,
        Command::Uncordon(nodes) => cordon::cordon(session, nodes, false).map(drop)?,
        Command::Drain(command) => return drain::drain(session, command),
        Command::Taint { nodes, add, remove, overwrite } => {
            taint::taint(session, nodes, add, remove, *overwrite)?;
        }
        Command::Label(edit) => edit::label(session, edit)?,
        Command::Annotate(edit) => edit::annotate(session, edit)?,
    }
    Ok(None)
}
