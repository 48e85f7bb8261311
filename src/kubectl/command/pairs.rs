//! `key=value`, `key-`, `container=image`, `key=value:effect`: the changes after the objects
//! (`k8s.io/kubectl/pkg/cmd/{label,annotate,set,taint}`, `cmd/util.GetResourcesAndPairs`).
use super::flags::Line;
use super::{CommandError, Taint, TaintEffect};
use crate::api::text::{label_key_errors, label_value_errors};

/// Splits operands into objects and changes; `what` is `label`, `annotation`, `image` or `taint`.
pub(super) fn split<'l>(
    line: &'l Line<'_>,
    what: &str,
) -> Result<(&'l [String], &'l [String]), CommandError> {
    let is_change = |word: &String| {
        let pair = word.contains('=') && !word.starts_with('=');
        let removal = word.ends_with('-') && word.len() > 1;
        pair || removal || (what == "taint" && word.contains(':'))
    };
    let first = line.operands.iter().position(is_change).unwrap_or(line.operands.len());
    let (objects, changes) = line.operands.split_at(first);
    if let Some(late) = changes.iter().find(|word| !is_change(word)) {
        let text = format!("all resources must be specified before {what} changes: {late}");
        return Err(CommandError::refused(text).at(line.words, late));
    }
    Ok((objects, changes))
}

/// Sets and removals.
type Edits = (Vec<(String, String)>, Vec<String>);

/// Labels to set and to remove.
pub(super) fn labels(line: &Line<'_>, changes: &[String]) -> Result<Edits, CommandError> {
    let (mut set, mut remove) = (Vec::new(), Vec::new());
    for change in changes {
        let refused = |text: String| CommandError::refused(text).at(line.words, change);
        match change.split_once('=') {
            Some((_, value)) if value.contains('=') => {
                return Err(refused(format!("invalid label spec: {change}")));
            }
            Some((key, value)) => {
                let errors = label_value_errors(value);
                if !errors.is_empty() {
                    return Err(refused(format!("invalid label value: {change:?}: {}", errors.join(";"))));
                }
                set.push((key.to_owned(), value.to_owned()));
            }
            None => remove.extend(change.strip_suffix('-').map(str::to_owned)),
        }
    }
    if remove.iter().any(|key| set.iter().any(|(other, _)| other == key)) {
        return Err(CommandError::refused("can not both modify and remove a label in the same command"));
    }
    Ok((set, remove))
}

/// Annotations to set and to remove; values may hold anything.
pub(super) fn annotations(changes: &[String]) -> Result<Edits, CommandError> {
    let (mut set, mut remove) = (Vec::new(), Vec::new());
    for change in changes {
        match change.split_once('=') {
            Some((key, value)) => set.push((key.to_owned(), value.to_owned())),
            None => remove.extend(change.strip_suffix('-').map(str::to_owned)),
        }
    }
    let both: Vec<&str> =
        remove.iter().filter(|key| set.iter().any(|(other, _)| other == *key)).map(String::as_str).collect();
    if !both.is_empty() {
        let text = "can not both modify and remove the following annotation(s) in the same command";
        return Err(CommandError::refused(format!("{text}: {}", both.join(","))));
    }
    Ok((set, remove))
}

/// Containers and their new images.
pub(super) fn images(line: &Line<'_>, changes: &[String]) -> Result<Vec<(String, String)>, CommandError> {
    let pair = |change: &String| match change.split_once('=') {
        Some((container, image)) => Ok((container.to_owned(), image.to_owned())),
        None => Err(CommandError::refused(format!("invalid image format: {change}")).at(line.words, change)),
    };
    changes.iter().map(pair).collect()
}

/// Taints to add and to remove.
pub(super) fn taints(line: &Line<'_>, changes: &[String]) -> Result<(Vec<Taint>, Vec<Taint>), CommandError> {
    let (mut add, mut remove): (Vec<Taint>, Vec<Taint>) = (Vec::new(), Vec::new());
    for change in changes {
        let refused = |text: String| usage(text).at(line.words, change);
        match change.strip_suffix('-') {
            Some(spec) => {
                let taint = taint(spec).map_err(refused)?;
                remove.push(Taint { value: String::new(), ..taint });
            }
            None => {
                let taint = taint(change).map_err(refused)?;
                if taint.effect.is_none() {
                    return Err(refused(format!("invalid taint spec: {change}")));
                }
                if add.iter().any(|other| (&other.key, other.effect) == (&taint.key, taint.effect)) {
                    return Err(refused(format!("duplicated taints with the same key and effect: {change}")));
                }
                add.push(taint);
            }
        }
    }
    let both = add.iter().find(|taint| {
        remove
            .iter()
            .any(|other| other.key == taint.key && (other.effect.is_none() || other.effect == taint.effect))
    });
    if let Some(taint) = both {
        let text = "can not both modify and remove the following taint(s) in the same command";
        return Err(CommandError::refused(format!("{text}: {}={}", taint.key, taint.value)));
    }
    Ok((add, remove))
}

fn usage(text: String) -> CommandError {
    let stderr = format!("error: {text}\nSee 'kubectl taint -h' for help and examples");
    CommandError::refused(text).with_stderr(stderr)
}

fn taint(spec: &str) -> Result<Taint, String> {
    let (pair, effect) = match spec.split_once(':') {
        Some((_, rest)) if rest.contains(':') => return Err(format!("invalid taint spec: {spec}")),
        Some((pair, effect)) => {
            let effect = match effect {
                "NoSchedule" => TaintEffect::NoSchedule,
                "PreferNoSchedule" => TaintEffect::PreferNoSchedule,
                "NoExecute" => TaintEffect::NoExecute,
                _ => return Err(format!("invalid taint effect: {effect}, unsupported taint effect")),
            };
            (pair, Some(effect))
        }
        None => (spec, None),
    };
    // A value needs an effect behind it: `key=value` alone is taken as a key and refused as one.
    let (key, value) = match (pair.split_once('='), effect) {
        (Some((_, value)), Some(_)) if value.contains('=') => {
            return Err(format!("invalid taint spec: {spec}"));
        }
        (Some((key, value)), Some(_)) => (key, value),
        _ => (pair, ""),
    };
    let mut errors = label_value_errors(value);
    if errors.is_empty() {
        errors = label_key_errors(key);
    }
    if errors.is_empty() {
        Ok(Taint { key: key.to_owned(), value: value.to_owned(), effect })
    } else {
        Err(format!("invalid taint spec: {spec}, {}", errors.join("; ")))
    }
}
