//! `describe` (`pkg/cmd/describe/describe.go`, `pkg/describe/describe.go` of kubectl 1.32).
//!
//! A describer writes lines whose columns are separated by tabs ([`Doc`]); [`aligned`] makes them line up. Kinds without
//! a describer of their own show all their fields.
mod cluster;
mod fields;
mod pod;
mod storage;
mod tabs;
mod template;
mod workload;

use super::command::Objects;
use super::failure::Failure;
use super::get::interval;
use super::resource::ResourceKind;
use super::server;
use super::session::{Info, Session};
use super::tables::occurrences;
use crate::api::text::{escape, parse_timestamp, timestamp_rfc1123};
use crate::api::wire::fields::{flag, list, pairs, text, text_at};
use crate::kernel::Time;
use crate::world::World;
use serde_json::Value;

pub(super) use tabs::aligned;

/// The longest annotation that is shown on one line.
const MAX_ANNOTATION: usize = 140;

/// Lines being written, columns separated by tabs.
#[derive(Default)]
struct Doc {
    text: String,
}

impl Doc {
    /// A line; each level indents by two.
    fn line(&mut self, level: usize, line: impl AsRef<str>) {
        self.text.extend(std::iter::repeat_n("  ", level));
        // Tabs separate columns; anything else that could deceive a reader is escaped.
        let mut cells = line.as_ref().split('\t').map(escape);
        if let Some(first) = cells.next() {
            self.text.push_str(&first);
        }
        for cell in cells {
            self.text.push('\t');
            self.text.push_str(&cell);
        }
        self.text.push('\n');
    }

    /// `Name:` and its value.
    fn field(&mut self, level: usize, name: &str, value: impl std::fmt::Display) {
        self.line(level, format!("{name}:\t{value}"));
    }

    /// A title with a line for each entry, `<none>` if there is none (`printLabelsMultilineWithIndent`).
    fn entries(&mut self, indent: &str, title: &str, entries: &[String]) {
        match entries {
            [] => self.line(0, format!("{indent}{title}:\t<none>")),
            [first, rest @ ..] => {
                self.line(0, format!("{indent}{title}:\t{first}"));
                for entry in rest {
                    self.line(0, format!("{indent}\t{entry}"));
                }
            }
        }
    }

    /// Labels, a line each.
    fn labels(&mut self, indent: &str, title: &str, object: &Value, field: &str) {
        let entries: Vec<String> =
            pairs(object, field).map(|(key, value)| format!("{key}={value}")).collect();
        self.entries(indent, title, &entries);
    }

    /// Annotations; long ones on lines of their own, what was last applied not at all.
    fn annotations(&mut self, title: &str, metadata: &Value) {
        let shown = pairs(metadata, "annotations").filter(|(key, _)| *key != crate::api::patch::LAST_APPLIED);
        let mut lines = Vec::new();
        for (key, value) in shown {
            let value = value.strip_suffix('\n').unwrap_or(value);
            if key.len() + value.len() + 2 <= MAX_ANNOTATION && !value.contains('\n') {
                lines.push(format!("{key}: {value}"));
                continue;
            }
            lines.push(format!("{key}:"));
            lines.extend(value.split('\n').map(|line| format!("  {}", shortened(line, MAX_ANNOTATION - 2))));
        }
        self.entries("", title, &lines);
    }
}

fn shortened(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((at, _)) => format!("{}...", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// `kubectl describe`.
pub(super) fn describe(
    session: &mut Session<'_>,
    objects: &Objects,
    all_namespaces: bool,
    show_events: bool,
) -> Result<(), Failure> {
    let (infos, failures) = session.resolve(objects, all_namespaces);
    if let (Objects::Named(names), [failure]) = (objects, failures.as_slice())
        && let [name] = names.as_slice()
        && failure.is_not_found()
    {
        return describe_matching(session, name.kind, &name.name, failure, show_events);
    }
    let with_events = show_events && infos.len() == 1 && failures.is_empty();
    let texts: Vec<String> =
        infos.iter().map(|info| describe_one(session.world, info, with_events)).collect();
    session.output.stdout.push_str(&texts.join("\n\n"));
    if infos.is_empty() && failures.is_empty() {
        let text = match all_namespaces {
            true => "No resources found".to_owned(),
            false => format!("No resources found in {} namespace.", session.namespace),
        };
        session.complain(text);
    }
    Failure::all(failures)
}

/// A name that is not there is taken as a prefix.
fn describe_matching(
    session: &mut Session<'_>,
    kind: ResourceKind,
    prefix: &str,
    not_found: &Failure,
    show_events: bool,
) -> Result<(), Failure> {
    let all = server::list_all(session.world, kind.into(), session.scope(false));
    let matching: Vec<Info> = all
        .into_iter()
        .map(|object| Info::of(kind.into(), object))
        .filter(|info| info.name.starts_with(prefix))
        .collect();
    for info in &matching {
        let text = describe_one(session.world, info, show_events);
        session.say(text);
    }
    if matching.is_empty() { Err(not_found.clone()) } else { Ok(()) }
}

fn describe_one(world: &World, info: &Info, show_events: bool) -> String {
    let mut doc = Doc::default();
    let object = &info.object;
    match info.kind.known {
        Some(ResourceKind::Pod) => pod::describe(&mut doc, object, world.now()),
        Some(ResourceKind::StatefulSet) => workload::set(&mut doc, object, world),
        Some(ResourceKind::Deployment) => workload::deployment(&mut doc, object, world),
        Some(ResourceKind::ReplicaSet) => workload::replica_set(&mut doc, object, world),
        Some(ResourceKind::PodDisruptionBudget) => workload::budget(&mut doc, object),
        Some(ResourceKind::PersistentVolumeClaim) => storage::claim(&mut doc, object, world),
        Some(ResourceKind::PersistentVolume) => storage::volume(&mut doc, object, world.now()),
        Some(ResourceKind::StorageClass) => storage::class(&mut doc, object),
        Some(ResourceKind::Node) => cluster::node(&mut doc, object, world),
        Some(ResourceKind::Service) => cluster::service(&mut doc, object, world),
        Some(ResourceKind::EndpointSlice) => cluster::slice(&mut doc, object),
        Some(ResourceKind::Namespace) => cluster::namespace(&mut doc, object),
        Some(ResourceKind::PriorityClass) => cluster::priority_class(&mut doc, object),
        _ => fields::describe(&mut doc, object),
    }
    let has_events = info.kind.known != Some(ResourceKind::Namespace);
    if show_events && has_events {
        events(&mut doc, info, world);
    }
    aligned(&doc.text)
}

/// `DescribeEvents`: those about this incarnation, by last occurrence.
fn events(doc: &mut Doc, info: &Info, world: &World) {
    let uid = text_at(&info.object, &["metadata", "uid"]);
    let mut events = server::list_all(world, ResourceKind::Event.into(), None);
    events.retain(|event| {
        let of = |field| text_at(event, &["involvedObject", field]);
        of("kind") == info.kind.kind && of("name") == info.name && of("uid") == uid
    });
    if events.is_empty() {
        doc.line(0, "Events:\t<none>");
        return;
    }
    events.sort_by(|a, b| occurrences(a).1.cmp(occurrences(b).1));
    doc.line(0, "Events:");
    doc.line(1, "Type\tReason\tAge\tFrom\tMessage");
    doc.line(1, "----\t------\t----\t----\t-------");
    for event in &events {
        let source = match text_at(event, &["source", "component"]) {
            "" => text(event, "reportingComponent"),
            component => component,
        };
        let age = interval(event, world.now());
        let message = text(event, "message").trim();
        doc.line(
            1,
            format!("{}\t{}\t{age}\t{source}\t{message}", text(event, "type"), text(event, "reason")),
        );
    }
}

/// A pod template as `rollout history --revision` shows it: not aligned.
pub(super) fn template_text(template: &Value) -> String {
    let mut doc = Doc::default();
    template::describe(&mut doc, template);
    doc.text
}

/// A timestamp in RFC 1123 (`Fri, 02 Jan 2026 00:00:05 +0000`).
fn rfc1123(timestamp: &str) -> String {
    parse_timestamp(timestamp).map_or_else(|_| timestamp.to_owned(), timestamp_rfc1123)
}

/// `Terminating (lasts 5s)` of an object that is being deleted.
fn lasts(object: &Value, now: Time) -> Option<String> {
    let deleted = text_at(object, &["metadata", "deletionTimestamp"]);
    let deleted = parse_timestamp(deleted).ok().map(Time::from_nanos)?;
    // Unlike tables, a time that lies ahead is never a valid age.
    let span = if deleted > now { "<invalid>".to_owned() } else { super::get::span(deleted, now) };
    Some(format!("Terminating (lasts {span})"))
}

/// `StatefulSet/web`, if an object has a controller.
fn controller(object: &Value) -> Option<String> {
    let metadata = object.get("metadata")?;
    let owner = list(metadata, "ownerReferences").iter().find(|owner| flag(owner, "controller"))?;
    Some(format!("{}/{}", text(owner, "kind"), text(owner, "name")))
}

/// A field of an object, null if it has none.
fn part<'v>(object: &'v Value, field: &str) -> &'v Value {
    object.get(field).unwrap_or(&Value::Null)
}

/// Name and namespace, labels and annotations: how most descriptions begin.
fn head(doc: &mut Doc, object: &Value) {
    doc.field(0, "Name", text_at(object, &["metadata", "name"]));
    doc.field(0, "Namespace", text_at(object, &["metadata", "namespace"]));
}

fn labels_and_annotations(doc: &mut Doc, object: &Value) {
    doc.labels("", "Labels", part(object, "metadata"), "labels");
    doc.annotations("Annotations", part(object, "metadata"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn annotations_and_labels() {
        let long = "x".repeat(200);
        let metadata = json!({
            "labels": {"a": "1", "b": "2"},
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "note": "hi\n", "z": long},
        });
        let mut doc = Doc::default();
        doc.labels("", "Labels", &metadata, "labels");
        doc.annotations("Annotations", &metadata);
        doc.labels("  ", "Labels", &json!({}), "labels");
        let expected = format!(
            "Labels:\ta=1\n\tb=2\nAnnotations:\tnote: hi\n\tz:\n\t  {}...\n  Labels:\t<none>\n",
            "x".repeat(138)
        );
        assert_eq!(doc.text, expected);
    }

    #[test]
    fn what_is_being_deleted_lasts() {
        let object = json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:30Z"}});
        let at = |seconds| lasts(&object, Time::from_secs(seconds));
        assert_eq!(at(10).as_deref(), Some("Terminating (lasts <invalid>)"));
        assert_eq!(at(35).as_deref(), Some("Terminating (lasts 5s)"));
        assert_eq!(lasts(&json!({}), Time::ZERO), None);
    }
}
