//! One command being carried out: what it acts on, and what it has printed.
//!
//! [`Session::resolve`] follows `k8s.io/cli-runtime/pkg/resource/builder.go` and `visitor.go`: objects named on the
//! line, selected by labels and fields, or given by manifests, with the errors of those that are not there.
use super::command::{ObjectName, Objects, Source};
use super::failure::Failure;
use super::resource::{FieldSelector, ResourceKind};
use super::run::{Output, Read};
use super::server::{self, Type};
use crate::api::manifest;
use crate::api::selector::Selector;
use crate::api::wire::fields::{at, ensure, list, text, text_at};
use crate::world::World;
use serde_json::Value;
use std::borrow::Cow;

/// The namespace of a command that names none.
const DEFAULT_NAMESPACE: &str = "default";
/// How kubectl calls its standard input.
pub(super) const STDIN: &str = "STDIN";

/// Manifests that go with a command.
#[derive(Clone, Debug)]
pub(super) enum Input<'i> {
    /// What stands on standard input, if anything, and how text becomes manifests.
    Stdin(Option<&'i str>, Read),
    /// Read already.
    Manifests(&'i [Value]),
}

/// An object that a command is about.
#[derive(Clone, Debug)]
pub(super) struct Info {
    /// Its type.
    pub(super) kind: Type,
    /// Its namespace; empty for types without.
    pub(super) namespace: String,
    /// Its name.
    pub(super) name: String,
    /// The object: as the server has it, or as the manifest says.
    pub(super) object: Value,
}

impl Info {
    /// An object as the server returned it.
    pub(super) fn of(kind: Type, object: Value) -> Info {
        Info {
            kind,
            namespace: text_at(&object, &["metadata", "namespace"]).to_owned(),
            name: text_at(&object, &["metadata", "name"]).to_owned(),
            object,
        }
    }

    /// `statefulset.apps/web`.
    pub(super) fn title(&self) -> String {
        format!("{}/{}", self.kind.singular(), self.name)
    }

    /// How error texts describe what was looked for (`resource.Info.String`).
    pub(super) fn describe(&self) -> String {
        let api_version = self.kind.api_version();
        format!(
            "Resource: \"{api_version}, Resource={}\", GroupVersionKind: \"{api_version}, Kind={}\"\nName: \"{}\", \
             Namespace: \"{}\"",
            self.kind.plural, self.kind.kind, self.name, self.namespace
        )
        .replace("\"v1, ", "\"/v1, ")
    }
}

/// What was found, and what was not.
pub(super) type Found = (Vec<Info>, Vec<Failure>);

/// See the module documentation.
#[derive(Debug)]
pub(super) struct Session<'s> {
    /// The cluster.
    pub(super) world: &'s mut World,
    /// What has been printed.
    pub(super) output: &'s mut Output,
    /// The namespace of the command.
    pub(super) namespace: String,
    /// It was given with `-n`.
    pub(super) enforce_namespace: bool,
    /// Manifests.
    pub(super) input: Input<'s>,
}

impl<'s> Session<'s> {
    /// A session in a namespace, or the default one.
    pub(super) fn new(
        world: &'s mut World,
        output: &'s mut Output,
        namespace: Option<String>,
        input: Input<'s>,
    ) -> Session<'s> {
        let enforce_namespace = namespace.is_some();
        let namespace = namespace.unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned());
        Session { world, output, namespace, enforce_namespace, input }
    }

    /// Prints a line.
    pub(super) fn say(&mut self, line: impl AsRef<str>) {
        self.output.stdout.push_str(line.as_ref());
        self.output.stdout.push('\n');
    }

    /// Prints a line to stderr.
    pub(super) fn complain(&mut self, line: impl AsRef<str>) {
        self.output.stderr.push_str(line.as_ref());
        self.output.stderr.push('\n');
    }

    /// Where objects are looked for: in the namespace of the command, or everywhere.
    pub(super) fn scope(&self, all_namespaces: bool) -> Option<&str> {
        (!all_namespaces).then_some(self.namespace.as_str())
    }

    /// The objects a command is about, as the server has them.
    pub(super) fn resolve(&self, objects: &Objects, all_namespaces: bool) -> Found {
        match objects {
            Objects::Named(names) => self.named(names),
            Objects::Selected { kinds, labels, fields } => {
                let kinds =
                    kinds.iter().map(|kind| (*kind, self.select(*kind, labels, fields, all_namespaces)));
                let found = kinds.flat_map(|(kind, objects)| {
                    objects.into_iter().map(move |object| Info::of(kind.into(), object))
                });
                (found.collect(), Vec::new())
            }
            Objects::Files(_) => {
                let (infos, mut failures) = self.manifests();
                let mut live = Vec::new();
                for info in infos {
                    match server::get(self.world, info.kind, &info.namespace, &info.name) {
                        Ok(object) => live.push(Info::of(info.kind, object)),
                        Err(status) => failures.push(status.into()),
                    }
                }
                (live, failures)
            }
        }
    }

    /// The same, but nothing is asked of the server for objects that are named (`RequireObject(false)`).
    pub(super) fn resolve_names(&self, objects: &Objects, all_namespaces: bool) -> Found {
        match objects {
            Objects::Named(names) => {
                let infos = names.iter().map(|name| {
                    let kind = Type::from(name.kind);
                    let namespace = if kind.namespaced { self.namespace.clone() } else { String::new() };
                    Info { kind, namespace, name: name.name.clone(), object: Value::Null }
                });
                (infos.collect(), Vec::new())
            }
            Objects::Selected { .. } => self.resolve(objects, all_namespaces),
            Objects::Files(_) => self.manifests(),
        }
    }

    fn named(&self, names: &[ObjectName]) -> Found {
        let (mut infos, mut failures) = (Vec::new(), Vec::new());
        for name in names {
            let kind = Type::from(name.kind);
            match server::get(self.world, kind, &self.namespace, &name.name) {
                Ok(object) => infos.push(Info::of(kind, object)),
                Err(status) => failures.push(status.into()),
            }
        }
        (infos, failures)
    }

    /// The objects of a kind that selectors let through.
    pub(super) fn select(
        &self,
        kind: ResourceKind,
        labels: &Selector,
        fields: &FieldSelector,
        all_namespaces: bool,
    ) -> Vec<Value> {
        let mut objects = server::list_all(self.world, kind.into(), self.scope(all_namespaces));
        objects
            .retain(|object| has_labels(object, labels) && fields.matches(|field| field_text(object, field)));
        objects
    }

    /// The objects that the manifests of the command describe.
    pub(super) fn manifests(&self) -> Found {
        let read;
        let documents = match &self.input {
            Input::Manifests(manifests) => *manifests,
            Input::Stdin(text, reader) => match reader(text.unwrap_or_default()) {
                Ok(documents) => {
                    read = documents;
                    &read
                }
                Err(why) => {
                    let text = format!("error parsing {STDIN}: error converting YAML to JSON: {why}");
                    return (Vec::new(), vec![Failure::client(text)]);
                }
            },
        };
        let (mut infos, mut failures) = (Vec::new(), Vec::new());
        for document in documents.iter().flat_map(flatten) {
            match self.of_manifest(&document) {
                Ok(info) => infos.push(info),
                Err(Unusable::Skip(failure)) => failures.push(failure),
                // Without apiVersion and kind nothing can be made of the stream: what follows is not read.
                Err(Unusable::Stop(failure)) => {
                    failures.push(failure);
                    break;
                }
            }
        }
        (infos, failures)
    }

    fn of_manifest(&self, document: &Value) -> Result<Info, Unusable> {
        let kind = match (document.get("apiVersion"), document.get("kind")) {
            (Some(Value::String(version)), Some(Value::String(kind))) => manifest::find_kind(version, kind),
            _ => None,
        };
        let Some(kind) = kind else {
            let printed = manifest::kubectl_strict_error(STDIN, document).unwrap_or_default();
            let text = printed.strip_prefix("error: ").unwrap_or(&printed).to_owned();
            let is_typed = document.get("apiVersion").is_some_and(Value::is_string)
                && document.get("kind").is_some_and(Value::is_string);
            let failure = Failure::client(text);
            return Err(if is_typed { Unusable::Skip(failure) } else { Unusable::Stop(failure) });
        };
        let mut info = Info::of(kind.into(), document.clone());
        self.place(&mut info).map_err(Unusable::Skip)?;
        Ok(info)
    }

    /// Puts a namespaced object without namespace into that of the command (`SetNamespace`, `RequireNamespace`).
    fn place(&self, info: &mut Info) -> Result<(), Failure> {
        if !info.kind.namespaced {
            info.namespace = String::new();
            return Ok(());
        }
        if info.namespace.is_empty() {
            info.namespace.clone_from(&self.namespace);
            if let Some(metadata) = ensure(&mut info.object, "metadata") {
                metadata.insert("namespace".into(), self.namespace.as_str().into());
            }
        } else if self.enforce_namespace && info.namespace != self.namespace {
            return Err(Failure::client(format!(
                "the namespace from the provided object \"{0}\" does not match the namespace \"{1}\". You must pass \
                 '--namespace={0}' to perform this operation.",
                info.namespace, self.namespace
            )));
        }
        Ok(())
    }
}

enum Unusable {
    Skip(Failure),
    Stop(Failure),
}

/// The items of a list, or the object itself.
fn flatten(document: &Value) -> Vec<Value> {
    let is_list = text(document, "kind") == "List" && text(document, "apiVersion") == "v1";
    if is_list { list(document, "items").iter().flat_map(flatten).collect() } else { vec![document.clone()] }
}

/// The sources of a command that the simulator has not got: files.
pub(super) fn unreadable(sources: &[Source]) -> Option<&str> {
    sources.iter().find_map(|source| match source {
        Source::Stdin => None,
        Source::File(path) => Some(path.as_str()),
    })
}

/// Whether the labels of an object match.
pub(super) fn has_labels(object: &Value, selector: &Selector) -> bool {
    let labels = at(object, &["metadata", "labels"]);
    selector.matches(|key| labels?.get(key)?.as_str().map(Cow::Borrowed))
}

/// The value that a field selector compares: absent numbers are empty, absent switches false.
fn field_text(object: &Value, field: &str) -> String {
    let path: Vec<&str> = match field {
        "source" => vec!["source", "component"],
        "involvedObject.fieldPath" => vec!["involvedObject", "fieldPath"],
        field => field.split('.').collect(),
    };
    match at(object, &path) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None if matches!(field, "spec.unschedulable" | "spec.hostNetwork") => "false".to_owned(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_as_selectors_see_them() {
        let node = json!({"spec": {}, "metadata": {"name": "a"}});
        assert_eq!(field_text(&node, "spec.unschedulable"), "false");
        assert_eq!(field_text(&node, "metadata.name"), "a");
        assert_eq!(field_text(&node, "status.phase"), "");
        let event = json!({"source": {"component": "kubelet"}, "type": "Normal"});
        assert_eq!(field_text(&event, "source"), "kubelet");
    }

    #[test]
    fn objects_described_for_errors() {
        let manifest = json!({"metadata": {"namespace": "default"}});
        let info = Info::of(ResourceKind::StatefulSet.into(), manifest.clone());
        assert_eq!(
            info.describe(),
            "Resource: \"apps/v1, Resource=statefulsets\", GroupVersionKind: \"apps/v1, Kind=StatefulSet\"\nName: \
             \"\", Namespace: \"default\""
        );
        let info = Info::of(ResourceKind::Pod.into(), manifest);
        assert!(
            info.describe()
                .starts_with("Resource: \"/v1, Resource=pods\", GroupVersionKind: \"/v1, Kind=Pod\"")
        );
    }

    #[test]
    fn lists_are_flattened() {
        let pod = json!({"apiVersion": "v1", "kind": "Pod"});
        let list =
            json!({"apiVersion": "v1", "kind": "List", "items": [pod, {"kind": "List", "apiVersion": "v1"}]});
        assert_eq!(flatten(&list), [pod]);
    }
}
