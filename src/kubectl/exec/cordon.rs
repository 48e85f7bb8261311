//! `cordon` and `uncordon` (`pkg/cmd/drain/drain.go` RunCordonOrUncordon, `pkg/drain/cordon.go`).
use crate::api::patch::PatchType;
use crate::api::wire::fields::at;
use crate::kubectl::command::{DryRun, Nodes, Objects};
use crate::kubectl::failure::Failure;
use crate::kubectl::server;
use crate::kubectl::session::{Info, Session};
use serde_json::{Value, json};

/// What kubectl adds to what it says it did.
pub(super) fn dry_run_suffix(dry_run: DryRun) -> &'static str {
    match dry_run {
        DryRun::None => "",
        DryRun::Client => " (dry run)",
        DryRun::Server => " (server dry run)",
    }
}

/// Lets no new pods onto nodes, or lets them again; the nodes found. One that is not there stops the command.
pub(super) fn cordon(session: &mut Session<'_>, nodes: &Nodes, desired: bool) -> Result<Vec<Info>, Failure> {
    let (infos, failures) = session.resolve(&nodes.objects, false);
    if let Some(first) = failures.into_iter().next() {
        return Err(first);
    }
    if infos.is_empty() && matches!(nodes.objects, Objects::Selected { .. }) {
        session.complain("No resources found");
    }
    let verb = if desired { "cordon" } else { "uncordon" };
    let suffix = dry_run_suffix(nodes.dry_run);
    for info in &infos {
        let is = at(&info.object, &["spec", "unschedulable"]) == Some(&Value::Bool(true));
        if is == desired {
            session.say(format!("{} already {verb}ed{suffix}", info.title()));
            continue;
        }
        if nodes.dry_run == DryRun::None {
            let value = if desired { Value::Bool(true) } else { Value::Null };
            let patch = json!({"spec": {"unschedulable": value}});
            let patched = server::writable(session.world, info.kind, "", &info.name)
                .and_then(|object| session.world.rest_patch(object, PatchType::Strategic, &patch, ""));
            if let Err(status) = patched {
                session.complain(format!("error: unable to {verb} node {:?}: {}", info.name, status.message));
                continue;
            }
        }
        session.say(format!("{} {verb}ed{suffix}", info.title()));
    }
    Ok(infos)
}
