//! Part of an object, as `expect: - object:` has it: what the API server shows must agree with every field given.
//!
//! Mappings are compared field by field, fields that are not given may be anything. Lists must have the same length and
//! agree item by item. A field that is missing counts as `0`, `false`, empty text, `[]` and `{}`, as Go's `omitempty`
//! leaves those out; `null` means that the field is not there.
use crate::api::kind::Kind;
use crate::api::manifest::{self, KINDS, nearest};
use crate::api::rest::Resource;
use crate::world::World;
use serde_json::Value;

/// Part of an object.
#[derive(Clone, PartialEq, Debug)]
pub struct Pattern {
    resource: Resource,
    namespace: String,
    name: String,
    fields: Value,
}

/// Why a mapping is no part of an object: at which field, one sentence, and what to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NoPattern {
    /// The field that is wrong or missing, as a path.
    pub field: &'static [&'static str],
    /// One sentence.
    pub message: String,
    /// What to do about it; may be empty.
    pub help: String,
}

impl Pattern {
    /// Reads `{kind, metadata: {name}, ...}`; `apiVersion` and `metadata.namespace` may be given.
    ///
    /// # Errors
    /// The kind is unknown, or there is no name.
    pub fn read(value: &Value) -> Result<Pattern, NoPattern> {
        let wrong = |field, message: String, help: String| Err(NoPattern { field, message, help });
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let kind = text("/kind");
        if kind.is_empty() {
            return wrong(&[], "`object` needs a kind".into(), "such as `{kind: StatefulSet, ...}`".into());
        }
        let of_version = |known: &&manifest::Kind| {
            value.get("apiVersion").is_none_or(|version| version.as_str() == Some(known.api_version))
        };
        let Some(found) = KINDS.iter().filter(|known| known.kind == kind).find(of_version) else {
            let of = if value.get("apiVersion").is_some() { " of this apiVersion" } else { "" };
            let message = format!("`object`: there is no kind `{kind}`{of}");
            let meant = nearest(kind, KINDS.iter().map(|known| known.kind));
            let help = meant.map(|kind| format!("did you mean `{kind}`?")).unwrap_or_default();
            return wrong(&["kind"], message, help);
        };
        let name = text("/metadata/name");
        if name.is_empty() {
            return wrong(&[], "`object` needs metadata.name".into(), String::new());
        }
        let namespace = Some(text("/metadata/namespace")).filter(|namespace| !namespace.is_empty());
        let mut fields = value.clone();
        if let Some(metadata) = fields.pointer_mut("/metadata").and_then(Value::as_object_mut) {
            metadata.retain(|field, _| field != "name" && field != "namespace");
        }
        if let Some(all) = fields.as_object_mut() {
            all.retain(|field, _| field != "kind" && field != "apiVersion");
        }
        Ok(Pattern {
            resource: found.into(),
            namespace: namespace.unwrap_or("default").to_owned(),
            name: name.to_owned(),
            fields,
        })
    }

    /// The kind of its object.
    pub fn kind(&self) -> Kind {
        self.resource.kind
    }

    /// Kind and name: `StatefulSet web`.
    pub fn subject(&self) -> String {
        let kind = self.resource.manifest.map_or(self.resource.kind.as_str(), |kind| kind.kind);
        format!("{kind} {}", self.name)
    }

    /// The first field in which the object differs; None: it agrees.
    pub fn difference(&self, world: &World) -> Option<String> {
        let found = world.rest_find(self.resource, &self.namespace, &self.name);
        let object = found.and_then(|found| world.rest_get(found).ok());
        match object {
            None => Some("there is no such object".to_owned()),
            Some(object) => {
                let mut path = String::new();
                differs(&self.fields, Some(&object), &mut path)
            }
        }
    }

    /// True if the object is there and agrees.
    pub fn holds(&self, world: &World) -> bool {
        self.difference(world).is_none()
    }
}

/// The first place where `found` does not agree with `wanted`, as a sentence.
fn differs(wanted: &Value, found: Option<&Value>, path: &mut String) -> Option<String> {
    let step = |path: &mut String, segment: &str, wanted: &Value, found: Option<&Value>| {
        let length = path.len();
        path.push_str(segment);
        let difference = differs(wanted, found, path);
        path.truncate(length);
        difference
    };
    match (wanted, found) {
        (Value::Object(fields), None | Some(Value::Object(_))) => fields.iter().find_map(|(name, wanted)| {
            let found = found.and_then(|found| found.get(name));
            step(path, &format!(".{name}"), wanted, found)
        }),
        (Value::Array(wanted), Some(Value::Array(items))) if wanted.len() == items.len() => {
            let mut pairs = wanted.iter().zip(items).enumerate();
            pairs.find_map(|(n, (wanted, found))| step(path, &format!("[{n}]"), wanted, Some(found)))
        }
        (Value::Array(wanted), Some(Value::Array(items))) => {
            Some(format!("{path} has {} items, not {}", items.len(), wanted.len()))
        }
        (wanted, None) if is_zero(wanted) => None,
        (wanted, Some(found)) if same(wanted, found) => None,
        (wanted, None) => Some(format!("{path} is not there, not {wanted}")),
        (wanted, Some(found)) => Some(format!("{path} is {found}, not {wanted}")),
    }
}

/// What Go's `omitempty` leaves out.
fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

fn same(wanted: &Value, found: &Value) -> bool {
    match (wanted.as_f64(), found.as_f64()) {
        (Some(wanted), Some(found)) => wanted == found,
        _ => wanted == found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use serde_json::json;

    #[test]
    fn parts_of_objects_agree_or_say_where_not() {
        let mut world = World::new(0, Config::recorded());
        world.bootstrap().expect("an empty world");
        let map = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "labels": {"a": "b"}},
            "data": {"mode": "fast", "level": "3"},
        });
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
            "spec": {"clusterIP": "None", "selector": {"app": "web"}, "ports": [{"port": 80, "name": "a"}, {"port": 81, "name": "b"}]},
        });
        for object in [map, service] {
            let name = object["kind"].to_string();
            world.rest_create(object).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        for (fields, difference) in [
            (json!({"data": {"mode": "fast"}}), None),
            (json!({"data": {"mode": "slow"}}), Some(".data.mode is \"fast\", not \"slow\"")),
            (json!({"data": {"other": "x"}}), Some(".data.other is not there, not \"x\"")),
            (json!({"data": {"mode": null}}), Some(".data.mode is \"fast\", not null")),
            (json!({"data": {"other": null}, "immutable": false}), None),
            (json!({"metadata": {"labels": {"a": "b"}, "annotations": {}}}), None),
            (json!({"metadata": {"labels": {"a": "c"}}}), Some(".metadata.labels.a is \"b\", not \"c\"")),
        ] {
            let mut wanted = fields;
            wanted["kind"] = json!("ConfigMap");
            wanted["metadata"]["name"] = json!("settings");
            let pattern = Pattern::read(&wanted).expect("a pattern");
            assert_eq!(pattern.difference(&world).as_deref(), difference, "{wanted}");
        }
        for (spec, difference) in [
            (json!({"clusterIP": "None"}), None),
            (json!({"ports": [{"port": 80}, {"port": 81}]}), None),
            (json!({"ports": [{"port": 80}]}), Some(".spec.ports has 2 items, not 1")),
            (json!({"ports": [{}, {"port": 82}]}), Some(".spec.ports[1].port is 81, not 82")),
            (json!({"selector": ["app"]}), Some(".spec.selector is {\"app\":\"web\"}, not [\"app\"]")),
        ] {
            let wanted = json!({"kind": "Service", "metadata": {"name": "web"}, "spec": spec});
            let found = Pattern::read(&wanted).expect("a pattern").difference(&world);
            assert_eq!(found.as_deref().unwrap_or_default(), difference.unwrap_or_default(), "{wanted}");
        }
        let nobody =
            Pattern::read(&json!({"kind": "Pod", "metadata": {"name": "web-0"}})).expect("a pattern");
        assert_eq!(nobody.difference(&world).as_deref(), Some("there is no such object"));
        assert_eq!(nobody.subject(), "Pod web-0");
    }

    #[test]
    fn patterns_are_read_strictly() {
        for (value, message, help) in [
            (json!({"metadata": {"name": "web"}}), "needs a kind", "StatefulSet"),
            (
                json!({"kind": "StatefullSet", "metadata": {"name": "web"}}),
                "no kind",
                "did you mean `StatefulSet`?",
            ),
            (
                json!({"kind": "Pod", "apiVersion": "apps/v1", "metadata": {"name": "a"}}),
                "of this apiVersion",
                "",
            ),
            (json!({"kind": "Pod"}), "needs metadata.name", ""),
        ] {
            let wrong = Pattern::read(&value).expect_err("no pattern");
            assert!(wrong.message.contains(message) && wrong.help.contains(help), "{value}: {wrong:?}");
        }
    }
}
