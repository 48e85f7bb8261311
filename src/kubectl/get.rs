//! `get` and `events` (`pkg/cmd/get/get.go`, `pkg/cmd/events/events.go`).
use super::command::{Get, ObjectName, Objects, Output as Format};
use super::failure::Failure;
use super::human::human_duration;
use super::resource::ResourceKind;
use super::server::{self, Type};
use super::session::{Info, Session};
use super::table::{Table, render_columns};
use super::tables::{self, Printer, occurrences, or_none};
use super::yaml;
use crate::api::wire::fields::{pairs, text, text_at};
use crate::kernel::Time;
use serde_json::{Value, json};

/// Objects of one kind that are printed together.
struct Group {
    kind: Type,
    objects: Vec<Value>,
}

/// `kubectl get`.
pub(super) fn get(session: &mut Session<'_>, command: &Get) -> Result<(), Failure> {
    let (mut groups, mut failures) = found(session, command);
    if let Some(subresource) = &command.subresource {
        show_subresource(session, subresource, &mut groups, &mut failures);
    }
    if command.ignore_not_found {
        failures.retain(|failure| !failure.is_not_found());
    }
    for group in &mut groups {
        if let Some(path) = &command.sort_by {
            path.sort(&mut group.objects).map_err(|error| Failure::client(error.to_string()))?;
        }
    }
    match &command.output {
        Format::Table => table(session, command, &groups, failures.is_empty(), false),
        Format::Wide => table(session, command, &groups, failures.is_empty(), true),
        Format::Name => {
            for group in &groups {
                for object in &group.objects {
                    session.say(server::object_name(group.kind, object));
                }
            }
        }
        other => {
            let text = structured(command, other, &groups, failures.is_empty())?;
            session.output.stdout.push_str(&text);
        }
    }
    Failure::all(failures)
}

fn found(session: &Session<'_>, command: &Get) -> (Vec<Group>, Vec<Failure>) {
    if let Objects::Selected { kinds, labels, fields } = &command.objects {
        let groups = kinds.iter().map(|kind| Group {
            kind: (*kind).into(),
            objects: session.select(*kind, labels, fields, command.all_namespaces),
        });
        return (groups.collect(), Vec::new());
    }
    let (infos, failures) = session.resolve(&command.objects, command.all_namespaces);
    let mut groups: Vec<Group> = Vec::new();
    for Info { kind, object, .. } in infos {
        match groups.last_mut() {
            Some(group) if group.kind == kind => group.objects.push(object),
            _ => groups.push(Group { kind, objects: vec![object] }),
        }
    }
    (groups, failures)
}

/// `--subresource=scale` shows the Scale of each object; the status is part of the object anyway.
fn show_subresource(
    session: &Session<'_>,
    subresource: &str,
    groups: &mut [Group],
    failures: &mut Vec<Failure>,
) {
    if subresource != "scale" {
        return;
    }
    for group in groups {
        let objects = std::mem::take(&mut group.objects);
        for object in objects {
            let info = Info::of(group.kind, object);
            let scale = server::writable(session.world, info.kind, &info.namespace, &info.name)
                .and_then(|object| session.world.rest_get_scale(object));
            match scale {
                Ok(scale) => group.objects.push(scale),
                Err(status) => failures.push(status.into()),
            }
        }
    }
}

/// Tables: one for each kind, an empty line between them.
fn table(session: &mut Session<'_>, command: &Get, groups: &[Group], complete: bool, wide: bool) {
    let now = session.world.now();
    let with_kind = command.show_kind || command.objects.of_several_kinds();
    let mut blocks = Vec::new();
    for Group { kind, objects } in groups.iter().filter(|group| !group.objects.is_empty()) {
        let Printer { columns, row } = tables::printer(kind.known);
        let mut table = Table::of_columns(columns, wide);
        let name_at = columns.iter().position(|column| column.name == "Name");
        for object in objects {
            let mut cells = row(object, now);
            if let Some(name) = name_at.and_then(|at| cells.get_mut(at)).filter(|_| with_kind) {
                *name = format!("{}/{name}", kind.singular());
            }
            table.row_of(columns, wide, cells);
        }
        if command.all_namespaces && kind.namespaced {
            let namespace = |object: &Value| text_at(object, &["metadata", "namespace"]).to_owned();
            table.prepend("Namespace", objects.iter().map(namespace));
        }
        if command.show_labels {
            table.append("Labels", objects.iter().map(labels));
        }
        blocks.push(table.render(command.headers));
    }
    if blocks.is_empty() {
        let namespaced = groups.iter().all(|group| group.kind.namespaced);
        if complete && !command.ignore_not_found {
            let namespace = session.namespace.clone();
            match namespaced && !command.all_namespaces {
                true => session.complain(format!("No resources found in {namespace} namespace.")),
                false => session.complain("No resources found"),
            }
        }
        return;
    }
    session.output.stdout.push_str(&blocks.join(if command.headers { "\n" } else { "" }));
}

fn labels(object: &Value) -> String {
    let labels = object.get("metadata").into_iter().flat_map(|metadata| pairs(metadata, "labels"));
    or_none(&labels.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(","))
}

/// YAML, JSON, templates and custom columns: of the one object asked for by name, or of a list.
fn structured(command: &Get, format: &Format, groups: &[Group], complete: bool) -> Result<String, Failure> {
    let objects: Vec<&Value> = groups.iter().flat_map(|group| &group.objects).collect();
    let single = matches!(&command.objects, Objects::Named(names) if names.len() == 1);
    if objects.is_empty() && (single || !complete) {
        return Ok(String::new());
    }
    let jsonpath = |error: super::jsonpath::JsonPathError| Failure::client(error.to_string());
    if let Format::CustomColumns(columns) = format {
        let mut lines: Vec<Vec<String>> = Vec::new();
        if command.headers {
            lines.push(columns.iter().map(|(header, _)| header.clone()).collect());
        }
        for object in &objects {
            let cells: Result<Vec<String>, _> = columns.iter().map(|(_, path)| path.cell(object)).collect();
            lines.push(cells.map_err(jsonpath)?);
        }
        return Ok(render_columns(&lines.iter().collect::<Vec<_>>(), 6, 3));
    }
    let value = match objects.as_slice() {
        [one] if single => (*one).clone(),
        many => {
            json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": many})
        }
    };
    match format {
        Format::Yaml => Ok(yaml::write(&value)),
        Format::JsonPath(template) => template.render(&value).map_err(jsonpath),
        _ => Ok(yaml::json(&value)),
    }
}

/// `kubectl events`: the last occurrence of each, oldest first.
pub(super) fn events(
    session: &mut Session<'_>,
    about: Option<&ObjectName>,
    types: &[String],
    all_namespaces: bool,
    headers: bool,
) {
    let kind = ResourceKind::Event.into();
    let mut events = server::list_all(session.world, kind, session.scope(all_namespaces));
    events.retain(|event| {
        let is_about = about.is_none_or(|about| {
            let of = |field| text_at(event, &["involvedObject", field]);
            of("kind") == about.kind.kind() && of("name") == about.name
        });
        is_about && (types.is_empty() || types.iter().any(|t| t.eq_ignore_ascii_case(text(event, "type"))))
    });
    if events.is_empty() {
        let text = match all_namespaces {
            true => "No events found.".to_owned(),
            false => format!("No events found in {} namespace.", session.namespace),
        };
        session.complain(text);
        return;
    }
    events.sort_by(|a, b| occurrences(a).1.cmp(occurrences(b).1));
    let now = session.world.now();
    let mut table = Table::new(["Last Seen", "Type", "Reason", "Object", "Message"]);
    for event in &events {
        let object = format!(
            "{}/{}",
            text_at(event, &["involvedObject", "kind"]),
            text_at(event, &["involvedObject", "name"])
        );
        table.row([
            interval(event, now),
            text(event, "type").to_owned(),
            text(event, "reason").to_owned(),
            object,
            text(event, "message").trim().to_owned(),
        ]);
    }
    if all_namespaces {
        let namespace = |event: &Value| text_at(event, &["metadata", "namespace"]).to_owned();
        table.prepend("Namespace", events.iter().map(namespace));
    }
    session.output.stdout.push_str(&table.render(headers));
}

/// `5s`, or `5s (x2 over 13s)`.
pub(super) fn interval(event: &Value, now: Time) -> String {
    let (first, last, count) = occurrences(event);
    if count > 1 {
        format!("{} (x{count} over {})", tables::since(last, now), tables::since(first, now))
    } else {
        tables::since(first, now)
    }
}

/// How long something has been so, for texts that are not tables.
pub(super) fn span(from: Time, to: Time) -> String {
    human_duration(to.elapsed_since(from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubectl::command::{self, Command};

    fn command(line: &str) -> Get {
        match command::parse_line(line).expect("a command").command {
            Command::Get(get) => get,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_object_stands_alone_and_several_make_a_list() {
        let pod = |name: &str| json!({"kind": "Pod", "metadata": {"name": name}});
        let group = |names: &[&str]| {
            vec![Group {
                kind: ResourceKind::Pod.into(),
                objects: names.iter().map(|name| pod(name)).collect(),
            }]
        };
        let print = |line: &str, names: &[&str]| {
            let command = command(line);
            structured(&command, &command.output, &group(names), true).expect("printed")
        };
        assert_eq!(print("get pod a -o yaml", &["a"]), "kind: Pod\nmetadata:\n  name: a\n");
        assert_eq!(
            print("get pods -o yaml", &["a"]),
            "\
apiVersion: v1
items:
- kind: Pod
  metadata:
    name: a
kind: List
metadata:
  resourceVersion: \"\"
"
        );
        assert_eq!(print("get pod a -o jsonpath={.metadata.name}", &["a"]), "a");
        assert_eq!(print("get pod a b -o jsonpath={.items[*].metadata.name}", &["a", "b"]), "a b");
        assert_eq!(
            print("get pods -o custom-columns=Name:.metadata.name,NODE:.spec.nodeName", &["a"]),
            "Name   NODE\na      <none>\n"
        );
    }

    #[test]
    fn intervals() {
        let event = |count: i64| {
            json!({
                "firstTimestamp": "2026-01-01T00:00:01Z", "lastTimestamp": "2026-01-01T00:00:08Z", "count": count,
            })
        };
        assert_eq!(interval(&event(2), Time::from_secs(10)), "2s (x2 over 9s)");
        assert_eq!(interval(&event(1), Time::from_secs(10)), "9s");
    }
}
