//! `rollout restart`, `pause` and `resume` (`pkg/polymorphichelpers/object{restarter,pauser,resumer}.go`), and the way
//! to the other subcommands.
use super::status::{Options, Watching};
use super::undo;
use crate::api::objects::Seconds;
use crate::api::patch::PatchType;
use crate::api::text::timestamp;
use crate::api::wire::fields::{at, text_at};
use crate::kubectl::command::{Objects, Rollout};
use crate::kubectl::exec::Task;
use crate::kubectl::failure::Failure;
use crate::kubectl::server;
use crate::kubectl::session::{Info, Session};
use serde_json::{Value, json};

const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

/// Does it, for each object.
pub(super) fn rollout(
    session: &mut Session<'_>,
    objects: &Objects,
    action: &Rollout,
) -> Result<Option<Task>, Failure> {
    let (infos, mut failures) = session.resolve(objects, false);
    if infos.is_empty() && failures.is_empty() {
        let text = format!("No resources found in {} namespace.", session.namespace);
        session.complain(text);
        return Ok(None);
    }
    if let Rollout::Status { timeout, watch, revision } = *action {
        let options = Options { timeout, watch, revision };
        return Ok(Some(Task::Status(Watching::new(infos, failures, options))));
    }
    for info in infos {
        match act(session, &info, action) {
            Ok(what) => session.say(format!("{} {what}", info.title())),
            Err(failure) => failures.push(failure),
        }
    }
    Failure::all(failures)?;
    Ok(None)
}

fn act(session: &mut Session<'_>, info: &Info, action: &Rollout) -> Result<String, Failure> {
    match action {
        Rollout::History { revision } => undo::history(session, info, *revision),
        Rollout::Undo { to_revision } => undo::undo(session, info, *to_revision),
        Rollout::Restart => restart(session, info),
        Rollout::Pause => pause(session, info, true),
        Rollout::Resume | Rollout::Status { .. } => pause(session, info, false),
    }
}

/// What kubectl says of an object whose kind or state does not allow it.
fn refused(info: &Info, why: &str) -> Failure {
    Failure::client(format!("error: {} {:?} {why}", info.kind.qualified(), info.name))
}

fn write(session: &mut Session<'_>, info: &Info, patch: &Value) -> Result<(), Failure> {
    let object = server::writable(session.world, info.kind, &info.namespace, &info.name)?;
    let patched = session.world.rest_patch(object, PatchType::Strategic, patch, "");
    patched.map(drop).map_err(|status| Failure::client(format!("failed to patch: {}", status.message)))
}

/// Writes the time into the template, which makes it another one.
fn restart(session: &mut Session<'_>, info: &Info) -> Result<String, Failure> {
    match info.kind.kind {
        "StatefulSet" => {}
        "Deployment" if is_paused(info) => {
            return Err(refused(info, "can't restart paused deployment (run rollout resume first)"));
        }
        "Deployment" => {}
        _ => return Err(refused(info, "restarting is not supported")),
    }
    let now = timestamp(Seconds::of(session.world.now()).start().as_nanos());
    if text_at(&info.object, &["spec", "template", "metadata", "annotations", RESTARTED_AT]) == now {
        return Err(Failure::client(format!(
            "failed to create patch for {}: if restart has already been triggered within the past second, please wait \
             before attempting to trigger another",
            info.name
        )));
    }
    let patch = json!({"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: now}}}}});
    write(session, info, &patch)?;
    Ok("restarted".to_owned())
}

fn is_paused(info: &Info) -> bool {
    at(&info.object, &["spec", "paused"]) == Some(&Value::Bool(true))
}

fn pause(session: &mut Session<'_>, info: &Info, pause: bool) -> Result<String, Failure> {
    let (doing, done) = if pause { ("pausing", "paused") } else { ("resuming", "resumed") };
    if info.kind.kind != "Deployment" {
        return Err(refused(info, &format!("{doing} is not supported")));
    }
    if is_paused(info) == pause {
        return Err(refused(info, if pause { "is already paused" } else { "is not paused" }));
    }
    let value = if pause { Value::Bool(true) } else { Value::Null };
    write(session, info, &json!({"spec": {"paused": value}}))?;
    Ok(done.to_owned())
}
