//! From a line taken apart to a typed command: the `Complete` and `Validate` of each of kubectl's verbs.
use super::flags::Line;
use super::objects::{Bare, files, objects, parse_kind, parse_type_slash_name, selector};
use super::{
    Cascade, Command, CommandError, Condition, Delete, Drain, DryRun, Edit, Get, Invocation, Nodes,
    ObjectName, Objects, Output, Reason, Rollout, Scale, Source, Wait, pairs,
};
use crate::api::patch::PatchType;
use crate::kernel::time::Duration;
use crate::kubectl::jsonpath::{JsonPathError, Path, Template};
use crate::kubectl::resource::ResourceKind;

type Result<T> = std::result::Result<T, CommandError>;

/// How long `kubectl wait` waits unless told otherwise.
const WAIT_TIMEOUT: Duration = Duration::from_secs(30);
const OUTPUT_FORMATS: &str = "custom-columns,custom-columns-file,go-template,go-template-file,json,jsonpath,\
    jsonpath-as-json,jsonpath-file,name,template,templatefile,wide,yaml";

/// Types the whole line.
pub(super) fn invocation(line: &Line<'_>) -> Result<Invocation> {
    let command = match line.verb.name {
        "apply" => Command::Apply { files: manifests(line)? },
        "replace" => Command::Replace { files: manifests(line)? },
        "create" => create(line)?,
        "delete" => Command::Delete(delete(line)?),
        "scale" => Command::Scale(scale(line)?),
        "patch" => patch(line)?,
        "set image" => set_image(line)?,
        "get" => Command::Get(get(line)?),
        "describe" => describe(line)?,
        "events" => events(line)?,
        "wait" => Command::Wait(wait(line)?),
        "cordon" => Command::Cordon(nodes(line)?),
        "uncordon" => Command::Uncordon(nodes(line)?),
        "drain" => Command::Drain(drain(line)?),
        "taint" => taint(line)?,
        "label" => Command::Label(edit(line, "label")?),
        "annotate" => Command::Annotate(edit(line, "annotation")?),
        _ => rollout(line)?,
    };
    Ok(Invocation { namespace: line.value("namespace").map(str::to_owned), command })
}

/// kubectl's error with a pointer to the help.
fn usage(line: &Line<'_>, text: &str) -> CommandError {
    let stderr = format!("error: {text}\nSee 'kubectl {} -h' for help and examples", line.verb.name);
    CommandError::refused(text).with_stderr(stderr)
}

fn no_operands(line: &Line<'_>) -> Result<()> {
    match line.operands.first() {
        None => Ok(()),
        Some(extra) => {
            Err(usage(line, &format!("Unexpected args: [{}]", line.operands.join(" "))).at(line.words, extra))
        }
    }
}

fn manifests(line: &Line<'_>) -> Result<Vec<Source>> {
    no_operands(line)?;
    let files = files(line);
    if files.is_empty() { Err(CommandError::refused("must specify one of -f and -k")) } else { Ok(files) }
}

fn create(line: &Line<'_>) -> Result<Command> {
    let Some(path) = line.value("raw") else {
        if let Some(kind) = line.operands.first() {
            let message = format!("kubectl create {kind} is not supported");
            let help = "supported: create -f FILE; write the object as a manifest";
            return Err(CommandError::new(Reason::Unsupported, message).with_help(help).at(line.words, kind));
        }
        return Ok(Command::Create { files: manifests(line)?, save_config: line.switch("save-config")? });
    };
    no_operands(line)?;
    let mut files = files(line);
    let body = match files.pop() {
        Some(body) if files.is_empty() => body,
        _ => return Err(usage(line, "--raw can only use a single local file or stdin")),
    };
    let segments: Vec<&str> = path.split('/').collect();
    match segments.as_slice() {
        ["", "api", "v1", "namespaces", namespace, "pods", pod, "eviction"] => {
            Ok(Command::Evict { namespace: (*namespace).to_owned(), pod: (*pod).to_owned(), body })
        }
        _ => {
            let message = format!("kubectl create: --raw {path} is not supported");
            let help = "supported: --raw /api/v1/namespaces/NAMESPACE/pods/NAME/eviction -f -";
            Err(CommandError::new(Reason::Unsupported, message).with_help(help).at(line.words, path))
        }
    }
}

/// A grace period in seconds; negative values mean the object's own.
fn grace_period(line: &Line<'_>) -> Result<Option<u64>> {
    let seconds: Option<i32> = line.number("grace-period")?;
    Ok(seconds.and_then(|seconds| u64::try_from(seconds).ok()))
}

fn delete(line: &Line<'_>) -> Result<Delete> {
    let (force, now) = (line.switch("force")?, line.switch("now")?);
    let given = grace_period(line)?;
    if now && given.is_some() {
        return Err(CommandError::refused("--now and --grace-period cannot be specified together"));
    }
    if force && given.is_some_and(|seconds| seconds > 0) {
        let text = "--force and --grace-period greater than 0 cannot be specified together";
        return Err(CommandError::refused(text));
    }
    // Zero without --force becomes one: only --force skips the confirmation of the kubelet.
    let grace_period = match given {
        _ if now => Some(1),
        Some(0) if !force => Some(1),
        None if force => Some(0),
        given => given,
    };
    let cascade = match line.value("cascade") {
        None | Some("background") => Cascade::Background,
        Some("foreground") => Cascade::Foreground,
        Some("orphan") => Cascade::Orphan,
        Some(other) => {
            let text = format!(
                "invalid cascade value ({other}). Must be \"background\", \"foreground\", or \"orphan\""
            );
            return Err(line.at_flag(CommandError::refused(text), "cascade"));
        }
    };
    let all = line.switch("all")?;
    Ok(Delete {
        objects: objects(line, &line.operands, Bare::Refused)?,
        all_namespaces: line.switch("all-namespaces")?,
        grace_period,
        force,
        cascade,
        wait: line.switch("wait")?,
        timeout: line.limit("timeout")?,
        ignore_not_found: line.switch("ignore-not-found")? || all,
    })
}

fn scale(line: &Line<'_>) -> Result<Scale> {
    let Some(replicas) = line.number::<i32>("replicas")? else {
        let message = "required flag(s) \"replicas\" not set";
        return Err(CommandError::refused(message).with_stderr(format!("\"command failed\" err={message:?}")));
    };
    if replicas < 0 {
        let text = "The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0";
        return Err(line.at_flag(CommandError::refused(text), "replicas"));
    }
    let current_replicas: Option<i32> = line.number("current-replicas")?;
    if let Some(current) = current_replicas.filter(|current| *current < -1) {
        let text = format!("The --current-replicas must specify an integer of -1 or greater, not {current}");
        return Err(line.at_flag(CommandError::refused(text), "current-replicas"));
    }
    Ok(Scale {
        objects: objects(line, &line.operands, Bare::Refused)?,
        replicas,
        current_replicas: current_replicas.filter(|current| *current >= 0),
        resource_version: line.value("resource-version").map(str::to_owned),
        timeout: line.limit("timeout")?,
    })
}

fn patch(line: &Line<'_>) -> Result<Command> {
    let Some(patch) = line.value("patch").filter(|patch| !patch.is_empty()) else {
        let text = "must specify --patch or --patch-file containing the contents of the patch";
        return Err(CommandError::refused(text));
    };
    let patch_type: PatchType = line
        .value("type")
        .unwrap_or("strategic")
        .parse()
        .map_err(|text: String| line.at_flag(CommandError::refused(text), "type"))?;
    let subresource = subresource(line, &["status", "scale"])?;
    let objects = objects(line, &line.operands, Bare::Refused)?;
    Ok(Command::Patch { objects, patch: patch.to_owned(), patch_type, subresource })
}

/// `--subresource`: one of those that are played.
fn subresource(line: &Line<'_>, played: &[&str]) -> Result<Option<String>> {
    match line.value("subresource") {
        None => Ok(None),
        Some(name) if played.contains(&name) => Ok(Some(name.to_owned())),
        Some(name) => {
            let message = format!("kubectl {}: --subresource={name} is not supported", line.verb.name);
            let help = format!("supported: {}", played.join(", "));
            Err(line.at_flag(CommandError::new(Reason::Unsupported, message).with_help(help), "subresource"))
        }
    }
}

fn set_image(line: &Line<'_>) -> Result<Command> {
    let (targets, changes) = pairs::split(line, "image")?;
    let images = pairs::images(line, changes)?;
    let objects = objects(line, targets, Bare::Refused)?;
    if images.is_empty() {
        return Err(CommandError::refused("at least one image update is required"));
    }
    Ok(Command::SetImage { objects, images })
}

/// A revision number, 0 if not given.
fn revision(line: &Line<'_>, flag: &str) -> Result<i64> {
    let revision = line.number::<i64>(flag)?.unwrap_or(0);
    if revision < 0 {
        let text = format!("revision must be a positive integer: {revision}");
        return Err(line.at_flag(CommandError::refused(text), flag));
    }
    Ok(revision)
}

fn rollout(line: &Line<'_>) -> Result<Command> {
    if line.operands.is_empty() {
        return Err(CommandError::refused("required resource not specified"));
    }
    let action = match line.verb.name {
        "rollout status" => Rollout::Status {
            timeout: line.limit("timeout")?,
            watch: line.switch("watch")?,
            revision: revision(line, "revision")?,
        },
        "rollout history" => Rollout::History { revision: revision(line, "revision")? },
        "rollout undo" => Rollout::Undo { to_revision: revision(line, "to-revision")? },
        "rollout restart" => Rollout::Restart,
        "rollout pause" => Rollout::Pause,
        _ => Rollout::Resume,
    };
    Ok(Command::Rollout(objects(line, &line.operands, Bare::All)?, action))
}

fn get(line: &Line<'_>) -> Result<Get> {
    if line.operands.is_empty() && line.value("filename").is_none() {
        let text = "Required resource not specified.";
        return Err(CommandError::refused(text).with_stderr(
            "You must specify the type of resource to get. Use \"kubectl api-resources\" for a complete list of \
             supported resources.\n\nerror: Required resource not specified.\nUse \"kubectl explain <resource>\" for a \
             detailed description of that resource (e.g. kubectl explain pods).\nSee 'kubectl get -h' for help and \
             examples",
        ));
    }
    let sort_by = match line.value("sort-by") {
        None => None,
        Some(path) => {
            Some(Path::parse_relaxed(path).map_err(|error| jsonpath_error(line, &error, "sort-by"))?)
        }
    };
    let objects = objects(line, &line.operands, Bare::All)?;
    let all_namespaces = line.switch("all-namespaces")?;
    if all_namespaces && matches!(objects, Objects::Named(_)) {
        let text = "a resource cannot be retrieved by name across all namespaces";
        return Err(line.at_flag(CommandError::refused(text), "all-namespaces"));
    }
    Ok(Get {
        objects,
        all_namespaces,
        output: output(line)?,
        headers: !line.switch("no-headers")?,
        show_labels: line.switch("show-labels")?,
        show_kind: line.switch("show-kind")?,
        sort_by,
        ignore_not_found: line.switch("ignore-not-found")?,
        subresource: subresource(line, &["status", "scale"])?,
    })
}

fn jsonpath_error(line: &Line<'_>, error: &JsonPathError, flag: &str) -> CommandError {
    line.at_flag(CommandError::refused(error.to_string()), flag)
}

fn output(line: &Line<'_>) -> Result<Output> {
    let Some(text) = line.value("output") else { return Ok(Output::Table) };
    let (format, argument) = text.split_once('=').map_or((text, None), |(format, rest)| (format, Some(rest)));
    let refused = |text: String| line.at_flag(CommandError::refused(text), "output");
    match (format, argument) {
        ("", None) => Ok(Output::Table),
        ("wide", None) => Ok(Output::Wide),
        ("yaml", None) => Ok(Output::Yaml),
        ("json", None) => Ok(Output::Json),
        ("name", None) => Ok(Output::Name),
        ("jsonpath", None | Some("")) => {
            Err(refused("template format specified but no template given".to_owned()))
        }
        ("jsonpath", Some(template)) => Template::parse(template)
            .map(Output::JsonPath)
            .map_err(|error| jsonpath_error(line, &error, "output")),
        ("custom-columns", None | Some("")) => {
            Err(refused("custom-columns format specified but no custom columns given".to_owned()))
        }
        ("custom-columns", Some(columns)) => custom_columns(line, columns).map(Output::CustomColumns),
        _ if OUTPUT_FORMATS.split(',').any(|known| known == format) => Err(unsupported_output(line, format)),
        _ => Err(refused(format!(
            "unable to match a printer suitable for the output format {format:?}, allowed formats are: {OUTPUT_FORMATS}"
        ))),
    }
}

fn unsupported_output(line: &Line<'_>, format: &str) -> CommandError {
    let message = format!("kubectl {}: output format `{format}` is not supported", line.verb.name);
    let help = "supported: wide, yaml, json, name, jsonpath=TEMPLATE, custom-columns=HEADER:PATH,...";
    line.at_flag(CommandError::new(Reason::Unsupported, message).with_help(help), "output")
}

fn custom_columns(line: &Line<'_>, columns: &str) -> Result<Vec<(String, Path)>> {
    let column = |spec: &str| {
        let Some((header, path)) = spec.split_once(':').filter(|(_, path)| !path.contains(':')) else {
            let text = format!("unexpected custom-columns spec: {spec}, expected <header>:<json-path-expr>");
            return Err(line.at_flag(CommandError::refused(text), "output"));
        };
        let path = Path::parse_relaxed(path).map_err(|error| jsonpath_error(line, &error, "output"))?;
        Ok((header.to_owned(), path))
    };
    columns.split(',').map(column).collect()
}

fn describe(line: &Line<'_>) -> Result<Command> {
    if line.operands.is_empty() && line.value("filename").is_none() {
        return Err(CommandError::refused(
            "You must specify the type of resource to describe. Use \"kubectl api-resources\" for a complete list of \
             supported resources.",
        ));
    }
    Ok(Command::Describe {
        objects: objects(line, &line.operands, Bare::All)?,
        all_namespaces: line.switch("all-namespaces")?,
        show_events: line.switch("show-events")?,
    })
}

fn events(line: &Line<'_>) -> Result<Command> {
    no_operands(line)?;
    let about = match line.value("for") {
        None => None,
        Some(word) if word.contains('/') => Some(parse_type_slash_name(line, word)?),
        Some(_) => {
            let text = "--for must be in resource/name form";
            return Err(line.at_flag(CommandError::refused(text), "for"));
        }
    };
    let types = line.value("types").into_iter().flat_map(|types| types.split(','));
    let types: Vec<String> = types.map(str::to_owned).collect();
    if types.iter().any(|name| !name.eq_ignore_ascii_case("normal") && !name.eq_ignore_ascii_case("warning"))
    {
        return Err(line.at_flag(CommandError::refused("valid --types are Normal or Warning"), "types"));
    }
    Ok(Command::Events {
        about,
        types,
        all_namespaces: line.switch("all-namespaces")?,
        headers: !line.switch("no-headers")?,
    })
}

fn wait(line: &Line<'_>) -> Result<Wait> {
    let condition = condition(line)?;
    let timeout = line.duration("timeout")?.unwrap_or(WAIT_TIMEOUT);
    Ok(Wait {
        objects: objects(line, &line.operands, Bare::Refused)?,
        all_namespaces: line.switch("all-namespaces")?,
        condition,
        timeout,
    })
}

fn condition(line: &Line<'_>) -> Result<Condition> {
    let text = line.value("for").unwrap_or_default();
    let refused = |text: &str| line.at_flag(CommandError::refused(text), "for");
    if text.eq_ignore_ascii_case("delete") {
        return Ok(Condition::Delete);
    }
    if text.eq_ignore_ascii_case("create") {
        return Ok(Condition::Create);
    }
    match text.split_once('=') {
        Some(("condition", rest)) => {
            let (name, value) = rest.split_once('=').unwrap_or((rest, "true"));
            Ok(Condition::Condition { name: name.to_owned(), value: value.to_owned() })
        }
        Some(("jsonpath", rest)) => {
            let (path, value) = split_jsonpath(rest);
            if value == Some("") {
                return Err(refused(
                    "jsonpath wait has to have a value after equal sign, like --for=jsonpath='{.status.readyReplicas}'=3",
                ));
            }
            let path = Path::parse_relaxed(path.trim_matches(['\'', '"']))
                .map_err(|error| jsonpath_error(line, &error, "for"))?;
            Ok(Condition::JsonPath {
                path,
                value: value.map(|value| value.trim_matches(['\'', '"']).to_owned()),
            })
        }
        _ => Err(refused(&format!("unrecognized condition: {text:?}"))),
    }
}

/// A path and the value after the first `=` outside of its braces and brackets.
fn split_jsonpath(text: &str) -> (&str, Option<&str>) {
    let mut depth = 0_i32;
    let at = text.find(|c: char| {
        depth += i32::from("{[(".contains(c)) - i32::from("}])".contains(c));
        c == '=' && depth == 0
    });
    at.map_or((text, None), |at| (text.get(..at).unwrap_or_default(), text.get(at + 1..)))
}

fn dry_run(line: &Line<'_>) -> Result<DryRun> {
    match line.value("dry-run") {
        None | Some("none") => Ok(DryRun::None),
        Some("client") => Ok(DryRun::Client),
        Some("server") => Ok(DryRun::Server),
        Some("unchanged") => {
            let text = "--dry-run flag without a value was specified. A value must be set: \"none\", \"server\", or \
                        \"client\".";
            Err(line.at_flag(CommandError::refused(text), "dry-run"))
        }
        Some(other) => {
            let text =
                format!("Invalid dry-run value ({other}). Must be \"none\", \"server\", or \"client\".");
            Err(line.at_flag(CommandError::refused(text), "dry-run"))
        }
    }
}

fn nodes(line: &Line<'_>) -> Result<Nodes> {
    let verb = line.verb.name;
    let labels = selector(line, "selector")?;
    let names: Vec<ObjectName> = line
        .operands
        .iter()
        .map(|name| name.strip_prefix("node/").or(name.strip_prefix("nodes/")).unwrap_or(name))
        .map(|name| ObjectName { kind: ResourceKind::Node, name: name.to_owned() })
        .collect();
    let objects = match (names.is_empty(), labels.is_empty()) {
        (true, true) => return Err(usage(line, &format!("USAGE: {verb} NODE [flags]"))),
        (false, false) => return Err(usage(line, "cannot specify both a node name and a --selector option")),
        (false, true) => Objects::Named(names),
        (true, false) => {
            Objects::Selected { kinds: vec![ResourceKind::Node], labels, fields: Default::default() }
        }
    };
    Ok(Nodes { objects, dry_run: dry_run(line)? })
}

fn drain(line: &Line<'_>) -> Result<Drain> {
    let seconds: i64 = line.number("skip-wait-for-delete-timeout")?.unwrap_or(0);
    Ok(Drain {
        nodes: nodes(line)?,
        pod_selector: selector(line, "pod-selector")?,
        ignore_daemonsets: line.switch("ignore-daemonsets")?,
        delete_emptydir_data: line.switch("delete-emptydir-data")?,
        force: line.switch("force")?,
        grace_period: grace_period(line)?,
        timeout: line.limit("timeout")?,
        disable_eviction: line.switch("disable-eviction")?,
        skip_wait_for_delete_timeout: u64::try_from(seconds).unwrap_or(0),
    })
}

fn taint(line: &Line<'_>) -> Result<Command> {
    let (targets, changes) = pairs::split(line, "taint")?;
    let Some(kind) = targets.first() else {
        return Err(CommandError::refused("one or more resources must be specified as <resource> <name>"));
    };
    if changes.is_empty() {
        return Err(CommandError::refused("at least one taint update is required"));
    }
    let (add, remove) = pairs::taints(line, changes)?;
    let kind_word = kind.split('/').next().unwrap_or_default();
    if parse_kind(line, kind_word)? != ResourceKind::Node {
        let text = format!("invalid resource type {kind_word}, only node types are supported");
        return Err(CommandError::refused(text).at(line.words, kind));
    }
    let nodes = objects(line, targets, Bare::Refused)?;
    Ok(Command::Taint { nodes, add, remove, overwrite: line.switch("overwrite")? })
}

fn edit(line: &Line<'_>, what: &str) -> Result<Edit> {
    let (targets, changes) = pairs::split(line, what)?;
    if targets.is_empty() && line.value("filename").is_none() {
        let text = "one or more resources must be specified as <resource> <name> or <resource>/<name>";
        return Err(CommandError::refused(text));
    }
    if changes.is_empty() {
        return Err(CommandError::refused(format!("at least one {what} update is required")));
    }
    let (set, remove) =
        if what == "label" { pairs::labels(line, changes)? } else { pairs::annotations(changes)? };
    Ok(Edit {
        objects: objects(line, targets, Bare::Refused)?,
        all_namespaces: line.switch("all-namespaces")?,
        set,
        remove,
        overwrite: line.switch("overwrite")?,
        resource_version: line.value("resource-version").map(str::to_owned),
    })
}
