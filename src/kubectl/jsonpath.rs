//! JSONPath templates: `-o jsonpath=`, `-o custom-columns=`, `--sort-by`, `wait --for=jsonpath=`.
//!
//! Follows `k8s.io/client-go/util/jsonpath` (`jsonpath.go`; its grammar in `parser.go`), as
//! kubectl uses it: missing keys are nothing, not an error. Differences on purpose: objects are walked in key order
//! (Go's is random), and an error does not dump the object. The dialect has no `&&`, as kubectl's has none.
mod parse;

use std::cmp::Ordering;

use serde_json::Value;
use thiserror::Error;

use crate::api::quantity::Quantity;
use crate::api::text::{go_format, go_json};

/// The longest template, in bytes. Longer ones are refused as a syntax error.
pub const MAX_TEMPLATE: usize = 16 * 1024;

/// Why a template cannot be read or evaluated; printed as kubectl prints it after `error: `.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JsonPathError {
    /// The template is malformed.
    #[error("error parsing jsonpath {template}, {reason}")]
    Syntax {
        /// The whole template.
        template: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The template does not fit the object.
    #[error("error executing jsonpath {template:?}: Error executing template: {reason}")]
    Execute {
        /// The whole template.
        template: String,
        /// What does not fit.
        reason: String,
    },
    /// Not a path of `--sort-by`, `custom-columns` or `wait`.
    #[error(
        "unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{{name1.name2}}' or \
         '{{.name1.name2}}'"
    )]
    Relaxed,
}

/// One step from values to values.
#[derive(Debug, Clone, PartialEq)]
enum Step {
    /// A quoted text, a number or a truth value in place of what came before.
    Literal(Value),
    /// A bare word; no words but `range` and `end` mean anything.
    Word(String),
    Field(String),
    /// `*` and `.*`: all values of an object or list.
    Wildcard,
    /// `..`: the value itself and everything below it.
    Recursive,
    /// `[from:to:step]`; an index is a slice of one.
    Slice(Slice),
    Union(Vec<Vec<Step>>),
    /// `[?(left op right)]`; without operator: there is such a thing.
    Filter(Vec<Step>, Option<String>, Vec<Step>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Slice {
    from: Option<i64>,
    to: Option<i64>,
    /// `to` was derived from an index: for `[-1]` it is 0 and means the end.
    index: bool,
    step: Option<i64>,
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq)]
enum Item {
    Text(String),
    Action(Vec<Step>),
    Range(Vec<Step>, Vec<Item>),
}

/// A parsed template such as `{.metadata.name}{"\n"}`.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    text: String,
    items: Vec<Item>,
}

impl Template {
    /// Reads a template.
    pub fn parse(text: &str) -> Result<Self, JsonPathError> {
        let items = parse::template(text)?;
        Ok(Self { text: text.to_owned(), items })
    }

    /// Evaluates it on an object or list.
    pub fn render(&self, value: &Value) -> Result<String, JsonPathError> {
        let mut text = String::new();
        render_items(&self.items, value, &mut text)
            .map_err(|reason| JsonPathError::Execute { template: self.text.clone(), reason })?;
        Ok(text)
    }
}

fn render_items(items: &[Item], value: &Value, text: &mut String) -> Result<(), String> {
    for item in items {
        match item {
            Item::Text(literal) => text.push_str(literal),
            Item::Action(steps) => {
                let values = evaluate(steps, vec![value])?;
                let values: Vec<String> = values.into_iter().map(to_text).collect();
                text.push_str(&values.join(" "));
            }
            Item::Range(steps, body) => {
                for value in evaluate(steps, vec![value])? {
                    render_items(body, value, text)?;
                }
            }
        }
    }
    Ok(())
}

/// A value as a template prints it: texts bare, objects and lists as JSON.
fn to_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(_) | Value::Array(_) => go_json(value),
        other => other.to_string(),
    }
}

/// A path to values, without text around it.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    text: String,
    steps: Vec<Step>,
}

impl Path {
    /// Reads a path in any of kubectl's relaxed spellings: `x.y`, `.x.y`, `{x.y}`, `{.x.y}`.
    pub fn parse_relaxed(text: &str) -> Result<Self, JsonPathError> {
        let inner = text.strip_prefix('{').map_or(Some(text), |rest| rest.strip_suffix('}'));
        let inner = inner.filter(|inner| !inner.is_empty() && !inner.contains(['{', '}']));
        let inner = inner.ok_or(JsonPathError::Relaxed)?;
        let dot = if inner.starts_with(['.', '[', '$', '@']) { "" } else { "." };
        let template = format!("{{{dot}{inner}}}");
        match parse::template(&template)?.pop() {
            Some(Item::Action(steps)) => Ok(Self { text: template, steps }),
            _ => Err(JsonPathError::Relaxed),
        }
    }

    /// The path in its full spelling, `{.x.y}`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// All values it leads to.
    pub fn find<'a>(&'a self, value: &'a Value) -> Result<Vec<&'a Value>, JsonPathError> {
        evaluate(&self.steps, vec![value])
            .map_err(|reason| JsonPathError::Execute { template: self.text.clone(), reason })
    }

    /// A cell of `custom-columns`: the values separated by commas, `<none>` if there are none.
    pub fn cell(&self, value: &Value) -> Result<String, JsonPathError> {
        let values: Vec<String> = self.find(value)?.into_iter().map(go_format).collect();
        Ok(if values.is_empty() { "<none>".to_owned() } else { values.join(",") })
    }

    /// Sorts objects as `--sort-by` does: quantities by amount, other texts with their numbers as numbers (`web-2`
    /// before `web-10`), objects without the field first. `None` if no object has the field.
    pub fn sort(&self, objects: &mut [Value]) -> Result<Option<()>, JsonPathError> {
        let mut keys = Vec::with_capacity(objects.len());
        for object in objects.iter() {
            keys.push(self.find(object)?.first().map(|value| (*value).clone()));
        }
        if !keys.is_empty() && keys.iter().all(Option::is_none) {
            return Ok(None);
        }
        let mut sorted: Vec<(Option<Value>, Value)> =
            keys.into_iter().zip(objects.iter_mut().map(Value::take)).collect();
        sorted.sort_by(|(a, _), (b, _)| match (a, b) {
            (Some(a), Some(b)) => compare_for_sort(a, b),
            _ => a.is_some().cmp(&b.is_some()),
        });
        for (place, (_, object)) in objects.iter_mut().zip(sorted) {
            *place = object;
        }
        Ok(Some(()))
    }
}

fn compare_for_sort(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::String(a), Value::String(b)) => match (a.parse::<Quantity>(), b.parse::<Quantity>()) {
            (Ok(a), Ok(b)) => a.cmp(&b),
            _ => natural_order(a, b),
        },
        (Value::Number(a), Value::Number(b)) => compare_numbers(a, b),
        _ => go_format(a).cmp(&go_format(b)),
    }
}

fn compare_numbers(a: &serde_json::Number, b: &serde_json::Number) -> Ordering {
    match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => a.as_f64().partial_cmp(&b.as_f64()).unwrap_or(Ordering::Equal),
    }
}

/// Runs of digits compare as numbers, the rest as bytes.
fn natural_order(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        match (a, b) {
            ([], _) | (_, []) => return a.len().cmp(&b.len()),
            ([x, ..], [y, ..]) if x.is_ascii_digit() && y.is_ascii_digit() => {
                let (number_a, rest_a) = split_number(a);
                let (number_b, rest_b) = split_number(b);
                let order = number_a.len().cmp(&number_b.len()).then_with(|| number_a.cmp(number_b));
                if order.is_ne() {
                    return order;
                }
                (a, b) = (rest_a, rest_b);
            }
            ([x, rest_a @ ..], [y, rest_b @ ..]) => {
                if x != y {
                    return x.cmp(y);
                }
                (a, b) = (rest_a, rest_b);
            }
        }
    }
}

/// A number's digits without leading zeros, and what follows it.
fn split_number(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    let start = number.iter().position(|byte| *byte != b'0').unwrap_or(number.len());
    (number.get(start..).unwrap_or_default(), rest)
}

fn evaluate<'a>(steps: &'a [Step], mut values: Vec<&'a Value>) -> Result<Vec<&'a Value>, String> {
    for step in steps {
        values = match step {
            Step::Literal(literal) => values.iter().map(|_| literal).collect(),
            Step::Word(word) => return Err(format!("unrecognized identifier {word}")),
            Step::Field(name) => {
                values.into_iter().filter_map(|value| value.as_object()?.get(name)).collect()
            }
            Step::Wildcard => values.into_iter().flat_map(children).collect(),
            Step::Recursive => {
                let mut found = Vec::new();
                values.into_iter().for_each(|value| descend(value, &mut found));
                found
            }
            Step::Slice(slice) => {
                let mut found = Vec::new();
                for value in values {
                    cut(slice, value, &mut found)?;
                }
                found
            }
            Step::Union(paths) => {
                let mut found = Vec::new();
                for path in paths {
                    found.extend(evaluate(path, values.clone())?);
                }
                found
            }
            Step::Filter(left, operator, right) => {
                let mut found = Vec::new();
                for value in values {
                    let Value::Array(list) = value else {
                        let text = go_format(value);
                        return Err(format!("{text} is not array or slice and cannot be filtered"));
                    };
                    for element in list {
                        if passes(left, operator.as_deref(), right, element)? {
                            found.push(element);
                        }
                    }
                }
                found
            }
        };
    }
    Ok(values)
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Object(object) => object.values().collect(),
        Value::Array(list) => list.iter().collect(),
        _ => Vec::new(),
    }
}

fn descend<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    found.push(value);
    children(value).into_iter().for_each(|child| descend(child, found));
}

/// `evalArray`: bounds are checked unless the slice is empty.
fn cut<'a>(slice: &Slice, value: &'a Value, found: &mut Vec<&'a Value>) -> Result<(), String> {
    let list = match value {
        Value::Array(list) => list,
        Value::Null => return Ok(()),
        Value::Object(_) => return Err("map[string]interface {} is not array or slice".to_owned()),
        Value::String(_) => return Err("string is not array or slice".to_owned()),
        Value::Bool(_) => return Err("bool is not array or slice".to_owned()),
        Value::Number(number) => {
            let name = if number.is_f64() { "float64" } else { "int64" };
            return Err(format!("{name} is not array or slice"));
        }
    };
    let length = i64::try_from(list.len()).unwrap_or(i64::MAX);
    let from = slice.from.unwrap_or(0);
    let from = if from < 0 { from.saturating_add(length) } else { from };
    let to = slice.to.unwrap_or(length);
    let to = if to < 0 || (to == 0 && slice.index) { to.saturating_add(length) } else { to };
    if from == to {
        return Ok(());
    }
    for (bound, limit) in [(from, length - 1), (to.saturating_sub(1), length - 1)] {
        if bound > limit || bound < -1 || (bound < 0 && bound == from) {
            return Err(format!("array index out of bounds: index {bound}, length {length}"));
        }
    }
    if from > to {
        return Err(format!("starting index {from} is greater than ending index {to}"));
    }
    let step = slice.step.unwrap_or(1);
    if step <= 0 {
        return Err("step must be > 0".to_owned());
    }
    let index = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
    let range = list.get(index(from)..index(to)).unwrap_or_default();
    found.extend(range.iter().step_by(index(step)));
    Ok(())
}

fn passes(left: &[Step], operator: Option<&str>, right: &[Step], element: &Value) -> Result<bool, String> {
    let one = |values: Vec<&Value>| match values.as_slice() {
        [] => Ok(None),
        [value] => Ok(Some((*value).clone())),
        _ => Err("can only compare one element at a time".to_owned()),
    };
    let Some(operator) = operator else {
        return Ok(!evaluate(left, vec![element])?.is_empty());
    };
    let Some(left) = one(evaluate(left, vec![element])?)? else { return Ok(false) };
    let Some(right) = one(evaluate(right, vec![element])?)? else { return Ok(false) };
    let order = match (&left, &right) {
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Number(a), Value::Number(b)) if a.is_f64() == b.is_f64() => compare_numbers(a, b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        _ => return Err("incompatible types for comparison".to_owned()),
    };
    match operator {
        "==" => Ok(order.is_eq()),
        "!=" => Ok(order.is_ne()),
        "<" => Ok(order.is_lt()),
        "<=" => Ok(order.is_le()),
        ">" => Ok(order.is_gt()),
        ">=" => Ok(order.is_ge()),
        _ => Err(format!("unrecognized filter operator {operator}")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// The object of `vectors.json`, whose outputs are those of kubectl 1.32.
    fn pod() -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "p", "labels": {"a": "b", "x.y/z": "w"}, "annotations": {"k": "5"}},
            "spec": {
                "f": 1.5,
                "big": 100_000_000,
                "t": true,
                "nul": null,
                "containers": [
                    {"name": "a", "image": "a:1", "m": 1, "ports": [{"containerPort": 80}, {"containerPort": 81}]},
                    {"name": "b", "image": "b:1", "m": 3},
                ],
            },
            "status": {"conditions": [
                {"type": "Ready", "status": "True"},
                {"type": "X", "status": "False"},
            ]},
        })
    }

    #[test]
    fn templates_as_kubectl() {
        let vectors: Vec<(String, String, bool)> =
            serde_json::from_str(include_str!("jsonpath/vectors.json")).unwrap();
        let pod = pod();
        for (template, printed, is_error) in vectors {
            let result = Template::parse(&template).and_then(|template| template.render(&pod));
            match result {
                Ok(text) => assert_eq!((text, false), (printed, is_error), "{template}"),
                Err(error) => {
                    assert_eq!((format!("error: {error}"), true), (printed, is_error), "{template}")
                }
            }
        }
    }

    #[test]
    fn relaxed_paths() {
        let pod = pod();
        let cases = [
            ("metadata.name", "p"),
            (".metadata.name", "p"),
            ("{metadata.name}", "p"),
            ("{.metadata.name}", "p"),
            (".spec.containers[*].name", "a,b"),
            (".nosuch", "<none>"),
            (".metadata.labels", "map[a:b x.y/z:w]"),
            (".status.conditions[?(@.type==\"Ready\")].status", "True"),
            (".spec.nul", "<nil>"),
        ];
        for (path, cell) in cases {
            assert_eq!(Path::parse_relaxed(path).unwrap().cell(&pod).as_deref(), Ok(cell), "{path}");
        }
        for path in ["", "{}", "{.a", "{.a}{.b}", "a{b}"] {
            assert_eq!(Path::parse_relaxed(path), Err(JsonPathError::Relaxed), "{path}");
        }
        assert_eq!(Path::parse_relaxed("a.b").unwrap().as_str(), "{.a.b}");
    }

    #[test]
    fn sorting() {
        let sort = |path: &str, values: Value| {
            let mut objects = values.as_array().unwrap().clone();
            let found = Path::parse_relaxed(path).unwrap().sort(&mut objects).unwrap();
            found.map(|()| objects.iter().map(|object| go_format(&object["v"])).collect::<Vec<_>>().join(" "))
        };
        let cases = [
            (json!([{"v": "web-10"}, {"v": "web-2"}, {"v": "web-1"}]), "web-1 web-2 web-10"),
            (json!([{"v": "1Gi"}, {"v": "1G"}, {"v": "100m"}]), "100m 1G 1Gi"),
            (json!([{"v": 10}, {"v": 9}, {"v": -1}]), "-1 9 10"),
            (json!([{"v": "b"}, {"x": 1}, {"v": "a"}]), "<nil> a b"),
            (json!([{"v": "web"}, {"v": "we"}, {"v": "web-0"}]), "we web web-0"),
        ];
        for (values, expected) in cases {
            assert_eq!(sort(".v", values).as_deref(), Some(expected));
        }
        assert_eq!(sort(".nosuch", json!([{"v": 1}])), None);
    }

    proptest! {
        #[test]
        fn no_template_panics(template in "[{}\\[\\].?@$*'\"\\\\(),:=<>a-c0-9 \\-]{0,40}") {
            let _ = Template::parse(&template).and_then(|template| template.render(&pod()));
        }

        #[test]
        fn nested_templates_end(count in 0_usize..2000) {
            let template = format!("{{{}{}}}", ".a[?(@".repeat(count), ")]".repeat(count));
            let _ = Template::parse(&template);
        }
    }
}
