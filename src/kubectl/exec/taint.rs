//! `taint` (`pkg/cmd/taint/{taint,utils}.go`).
use crate::api::patch::PatchType;
use crate::api::wire::fields::{at, text};
use crate::kubectl::command::{Objects, Taint};
use crate::kubectl::failure::Failure;
use crate::kubectl::server;
use crate::kubectl::session::{Info, Session};
use serde_json::{Value, json};

/// Adds and removes taints of nodes.
pub(super) fn taint(
    session: &mut Session<'_>,
    nodes: &Objects,
    add: &[Taint],
    remove: &[Taint],
    overwrite: bool,
) -> Result<(), Failure> {
    let (infos, mut failures) = session.resolve(nodes, false);
    for info in infos {
        let patched = reorganize(&info, add, remove, overwrite).and_then(|(what, taints)| {
            let taints = if taints.is_empty() { Value::Null } else { taints.into() };
            let object = server::writable(session.world, info.kind, &info.namespace, &info.name)?;
            session.world.rest_patch(object, PatchType::Merge, &json!({"spec": {"taints": taints}}), "")?;
            Ok(what)
        });
        match patched {
            Ok(what) => session.say(format!("{} {what}", info.title())),
            Err(failure) => failures.push(failure),
        }
    }
    Failure::all(failures)
}

fn to_json(taint: &Taint) -> Value {
    let mut json = json!({"key": taint.key});
    if !taint.value.is_empty() {
        json["value"] = taint.value.as_str().into();
    }
    if let Some(effect) = taint.effect {
        json["effect"] = effect.to_string().into();
    }
    json
}

/// The taint is one of this key and, if given, this effect (`MatchTaint`).
fn matches(taint: &Value, wanted: &Taint) -> bool {
    let effect = wanted.effect.is_none_or(|effect| effect.to_string() == text(taint, "effect"));
    text(taint, "key") == wanted.key && effect
}

/// `reorganizeTaints`: what is done, and all taints the node will have: new ones first.
fn reorganize(
    info: &Info,
    add: &[Taint],
    remove: &[Taint],
    overwrite: bool,
) -> Result<(&'static str, Vec<Value>), Failure> {
    let old = at(&info.object, &["spec", "taints"]).and_then(Value::as_array).cloned().unwrap_or_default();
    let exists: Vec<&str> = add
        .iter()
        .filter(|taint| old.iter().any(|known| matches(known, taint)))
        .map(|taint| taint.key.as_str())
        .collect();
    if !overwrite && !exists.is_empty() {
        return Err(Failure::client(format!(
            "node {} already has {} taint(s) with same effect(s) and --overwrite is false",
            info.name,
            exists.join(",")
        )));
    }
    let mut taints: Vec<Value> = add.iter().map(to_json).collect();
    taints.extend(old.iter().filter(|known| !add.iter().any(|taint| matches(known, taint))).cloned());
    let added = old.len() != taints.len();
    let mut deleted = false;
    let mut failures = Vec::new();
    for unwanted in remove {
        let before = taints.len();
        taints.retain(|known| !matches(known, unwanted));
        deleted = taints.len() != before;
        if !deleted {
            let effect = unwanted.effect.map(|effect| format!(":{effect}")).unwrap_or_default();
            failures.push(Failure::client(format!("taint \"{}{effect}\" not found", unwanted.key)));
        }
    }
    Failure::all(failures)?;
    let what = match (added, deleted) {
        _ if overwrite => "modified",
        (true, true) => "modified",
        (true, false) => "tainted",
        (false, _) => "untainted",
    };
    Ok((what, taints))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubectl::command::TaintEffect;
    use crate::kubectl::resource::ResourceKind;

    #[test]
    fn taints_are_reorganized() {
        let taint = |key: &str, effect: Option<TaintEffect>| Taint {
            key: key.to_owned(),
            value: String::new(),
            effect,
        };
        let known = json!({"key": "a", "value": "b", "effect": "NoSchedule"});
        let node = |taints: Value| {
            Info::of(
                ResourceKind::Node.into(),
                json!({"metadata": {"name": "n"}, "spec": {"taints": taints}}),
            )
        };
        let (tainted, clean) = (node(json!([known])), node(json!(null)));
        let run = |info: &Info, add: &[Taint], remove: &[Taint], overwrite: bool| {
            let result = reorganize(info, add, remove, overwrite);
            result.map(|(what, taints)| (what, taints.len())).map_err(|failure| failure.plain())
        };
        let no_schedule = Some(TaintEffect::NoSchedule);
        let (a, b) = (taint("a", no_schedule), taint("b", no_schedule));
        assert_eq!(run(&clean, std::slice::from_ref(&a), &[], false), Ok(("tainted", 1)));
        assert_eq!(
            run(&tainted, std::slice::from_ref(&a), &[], false),
            Err("node n already has a taint(s) with same effect(s) and --overwrite is false".to_owned())
        );
        assert_eq!(run(&tainted, std::slice::from_ref(&a), &[], true), Ok(("modified", 1)));
        assert_eq!(run(&tainted, &[], &[taint("a", None)], false), Ok(("untainted", 0)));
        assert_eq!(
            run(&tainted, &[], &[taint("a", Some(TaintEffect::NoExecute))], false),
            Err("taint \"a:NoExecute\" not found".to_owned())
        );
        assert_eq!(run(&clean, &[], &[taint("a", None)], false), Err("taint \"a\" not found".to_owned()));
        assert_eq!(run(&tainted, &[b], &[], false), Ok(("tainted", 2)));
    }
}
