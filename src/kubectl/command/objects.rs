//! From operands to objects: `TYPE NAME...`, `TYPE[,TYPE] [-l SELECTOR]`, `TYPE/NAME...`, `-f FILE`
//! (`k8s.io/cli-runtime/pkg/resource/builder.go`).
use super::flags::Line;
use super::{CommandError, ObjectName, Objects, Reason, Source};
use crate::api::manifest::nearest;
use crate::api::selector::Selector;
use crate::kubectl::resource::{ALL, FieldSelector, ResourceKind};

const NOTHING_GIVEN: &str = "You must provide one or more resources by argument or filename.\n\
    Example resource specifications include:\n   '-f rsrc.yaml'\n   '--filename=rsrc.json'\n   '<resource> <name>'\n   \
    '<resource>'";
const TYPE_AND_SLASH: &str = "there is no need to specify a resource type as a separate argument when passing \
    arguments in resource/name form (e.g. 'kubectl get resource/<resource_name>' instead of 'kubectl get resource \
    resource/<resource_name>'";
const NO_NAME: &str = "resource(s) were provided, but no name was specified";
const NAME_AND_SELECTOR: &str = "name cannot be provided when a selector is specified";

/// What a verb makes of a type without names and selectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bare {
    /// All objects of the type.
    All,
    /// An error: names, a selector or `--all` are required.
    Refused,
}

/// kubectl's answer to a type that nobody knows.
pub(super) fn parse_kind(line: &Line<'_>, word: &str) -> Result<ResourceKind, CommandError> {
    ResourceKind::parse(word).ok_or_else(|| {
        let verb = line.verb.name;
        let hint = nearest(word, ResourceKind::names()).map(|name| format!("; did you mean `{name}`?"));
        let kinds: Vec<&str> = ResourceKind::EVERY.iter().map(|kind| kind.plural()).collect();
        let message = format!("kubectl {verb}: unknown resource type `{word}`{}", hint.unwrap_or_default());
        CommandError::new(Reason::Unknown, message)
            .with_help(format!("known types: all, {}", kinds.join(", ")))
            .with_stderr(format!("error: the server doesn't have a resource type {word:?}"))
            .at(line.words, word)
    })
}

/// `pvc,pv`, `all`, `all,pvc`; without repetitions.
fn parse_kinds(line: &Line<'_>, word: &str) -> Result<Vec<ResourceKind>, CommandError> {
    let mut kinds = Vec::new();
    for name in word.split(',') {
        let named = if name == "all" { ALL.to_vec() } else { vec![parse_kind(line, name)?] };
        for kind in named {
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
    }
    Ok(kinds)
}

/// `statefulset/web`.
pub(super) fn parse_type_slash_name(line: &Line<'_>, word: &str) -> Result<ObjectName, CommandError> {
    let refused = |text: &str| CommandError::refused(text).at(line.words, word);
    let mut parts = word.split('/');
    match (parts.next(), parts.next(), parts.next()) {
        (_, _, Some(_)) => Err(refused("arguments in resource/name form may not have more than one slash")),
        (Some(kind), Some(name), None) if !kind.is_empty() && !name.is_empty() && !kind.contains(',') => {
            Ok(ObjectName { kind: parse_kind(line, kind)?, name: name.to_owned() })
        }
        _ => Err(refused("arguments in resource/name form must have a single resource and name")),
    }
}

/// `-f`, repeated or with commas.
pub(super) fn files(line: &Line<'_>) -> Vec<Source> {
    let names = line.values("filename").flat_map(|list| list.split(','));
    let source = |name: &str| if name == "-" { Source::Stdin } else { Source::File(name.to_owned()) };
    names.filter(|name| !name.is_empty()).map(source).collect()
}

/// `-l`, `--pod-selector`.
pub(super) fn selector(line: &Line<'_>, flag: &str) -> Result<Selector, CommandError> {
    let text = line.value(flag).unwrap_or_default();
    text.parse().map_err(|error| line.at_flag(CommandError::refused(format!("{error}")), flag))
}

/// The objects that `operands` and the flags name.
pub(super) fn objects(line: &Line<'_>, operands: &[String], bare: Bare) -> Result<Objects, CommandError> {
    let labels = selector(line, "selector")?;
    let fields = FieldSelector::parse(line.value("field-selector").unwrap_or_default())
        .map_err(|error| line.at_flag(CommandError::refused(error), "field-selector"))?;
    let selects = !labels.is_empty() || !fields.is_empty();
    let all = line.switch("all")?;
    let files = files(line);
    if !files.is_empty() {
        if !operands.is_empty() {
            let text = "when paths, URLs, or stdin is provided as input, you may not specify resource arguments as well";
            return Err(CommandError::refused(text));
        }
        return Ok(Objects::Files(files));
    }
    if all && selects {
        let text = "setting 'all' parameter but found a non empty selector. ";
        return Err(line.at_flag(CommandError::refused(text), "all"));
    }
    let Some((first, names)) = operands.split_first() else {
        return Err(CommandError::refused(NOTHING_GIVEN));
    };
    let named = if operands.iter().any(|operand| operand.contains('/')) {
        if let Some(plain) = operands.iter().find(|operand| !operand.contains('/')) {
            return Err(CommandError::refused(TYPE_AND_SLASH).at(line.words, plain));
        }
        let names: Result<Vec<_>, _> =
            operands.iter().map(|operand| parse_type_slash_name(line, operand)).collect();
        names?
    } else {
        let kinds = parse_kinds(line, first)?;
        if names.is_empty() {
            if bare == Bare::Refused && !selects && !all {
                return Err(CommandError::refused(NO_NAME).at(line.words, first));
            }
            return selected(line, kinds, labels, fields);
        }
        let of_kind =
            |kind: ResourceKind| names.iter().map(move |name| ObjectName { kind, name: name.clone() });
        kinds.into_iter().flat_map(of_kind).collect()
    };
    if selects || all {
        let culprit = operands.last().map_or("", String::as_str);
        return Err(CommandError::refused(NAME_AND_SELECTOR).at(line.words, culprit));
    }
    Ok(Objects::Named(named))
}

fn selected(
    line: &Line<'_>,
    kinds: Vec<ResourceKind>,
    labels: Selector,
    fields: FieldSelector,
) -> Result<Objects, CommandError> {
    let refusal = kinds.iter().find_map(|kind| fields.unknown_field(*kind, &labels.to_string()));
    if let Some(text) = refusal {
        let error =
            CommandError::refused(&text).with_stderr(format!("Error from server (BadRequest): {text}"));
        return Err(line.at_flag(error, "field-selector"));
    }
    Ok(Objects::Selected { kinds, labels, fields })
}
