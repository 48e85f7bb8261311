//! Label selectors: `matchLabels`/`matchExpressions` of an object and the `-l` syntax of kubectl.
//!
//! Follows `k8s.io/apimachinery/pkg/labels/selector.go` (grammar, matching, printing, parse errors) and
//! `apis/meta/v1/helpers.go`, `apis/meta/v1/validation` (LabelSelector). A selector is a conjunction of requirements;
//! without any it selects everything. An *absent* LabelSelector selects nothing in most of the API; that is the
//! caller's `Option`.
use std::fmt;
use std::str::FromStr;

use serde_json::Value;
use std::borrow::Cow;
use thiserror::Error;

use super::text::{label_key_errors, label_value_errors};

/// How a requirement compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `key=value`; matchLabels.
    Equals,
    /// `key==value`, the same but printed so.
    DoubleEquals,
    /// `key!=value`; true if the key is absent.
    NotEquals,
    /// `key in (a,b)`.
    In,
    /// `key notin (a,b)`; true if the key is absent.
    NotIn,
    /// `key`.
    Exists,
    /// `!key`.
    DoesNotExist,
    /// `key>1`: both sides whole numbers.
    GreaterThan,
    /// `key<1`: both sides whole numbers.
    LessThan,
}

/// One condition on one label.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Requirement {
    /// The label's key.
    pub key: String,
    /// The comparison.
    pub operator: Operator,
    /// The values compared with, sorted, without duplicates; exactly one unless the operator takes a set or none.
    pub values: Vec<String>,
}

/// A conjunction of requirements, sorted by key. The default one selects everything.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Selector {
    requirements: Vec<Requirement>,
}

/// Why a text or an object is not a selector. The messages are those of the API machinery.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct SelectorError(String);

impl Requirement {
    fn new(key: &str, operator: Operator, mut values: Vec<String>) -> Result<Self, SelectorError> {
        let invalid = |path: String, value: &str, detail: &str| {
            Err(SelectorError(format!("{path}: Invalid value: {value:?}: {detail}")))
        };
        if let [detail, ..] = label_key_errors(key).as_slice() {
            return invalid("key".to_owned(), key, detail);
        }
        values.sort();
        values.dedup();
        let numeric = matches!(operator, Operator::GreaterThan | Operator::LessThan);
        if let Some(bad) = values.iter().find(|value| numeric && value.parse::<i64>().is_err()) {
            let detail = "for 'Gt', 'Lt' operators, the value must be an integer";
            return invalid("values[0]".to_owned(), bad, detail);
        }
        for (index, value) in values.iter().enumerate() {
            if let [detail, ..] = label_value_errors(value).as_slice() {
                return invalid(format!("values[{index}][{key}]"), value, detail);
            }
        }
        Ok(Self { key: key.to_owned(), operator, values })
    }

    /// Whether an object whose label `key` is `label` meets this requirement.
    pub fn matches(&self, label: Option<&str>) -> bool {
        let listed = |label: &str| self.values.iter().any(|value| value == label);
        let compare = |test: fn(i64, i64) -> bool| {
            let bound = self.values.first().and_then(|value| value.parse().ok());
            match (label.and_then(|label| label.parse().ok()), bound) {
                (Some(label), Some(bound)) => test(label, bound),
                _ => false,
            }
        };
        match self.operator {
            Operator::Equals | Operator::DoubleEquals | Operator::In => label.is_some_and(listed),
            Operator::NotEquals | Operator::NotIn => !label.is_some_and(listed),
            Operator::Exists => label.is_some(),
            Operator::DoesNotExist => label.is_none(),
            Operator::GreaterThan => compare(|label, bound| label > bound),
            Operator::LessThan => compare(|label, bound| label < bound),
        }
    }
}

impl Selector {
    /// The requirements, sorted by key.
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// Whether it selects everything.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// A selector that asks for exact values, as Services and ReplicationControllers have it.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let requirement = |(key, value): (&str, &str)| Requirement {
            key: key.to_owned(),
            operator: Operator::Equals,
            values: vec![value.to_owned()],
        };
        Self::sorted(pairs.into_iter().map(requirement).collect())
    }

    fn sorted(mut requirements: Vec<Requirement>) -> Self {
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Self { requirements }
    }

    /// From a LabelSelector object (`{"matchLabels": ..., "matchExpressions": ...}`). Use
    /// [`validate_label_selector`] first where the API server would list every mistake with its path.
    pub fn from_label_selector(selector: &Value) -> Result<Self, SelectorError> {
        let mut requirements = Vec::new();
        if let Some(labels) = selector.get("matchLabels").and_then(Value::as_object) {
            for (key, value) in labels {
                let value = value.as_str().unwrap_or_default().to_owned();
                requirements.push(Requirement::new(key, Operator::Equals, vec![value])?);
            }
        }
        for expression in expressions(selector) {
            let text = |field| expression.get(field).and_then(Value::as_str).unwrap_or_default();
            let operator = expression_operator(text("operator")).ok_or_else(|| {
                SelectorError(format!("{:?} is not a valid label selector operator", text("operator")))
            })?;
            let values = expression_values(expression);
            match operator {
                Operator::In | Operator::NotIn if values.is_empty() => {
                    let detail = "for 'in', 'notin' operators, values set can't be empty";
                    return Err(SelectorError(format!("values: Invalid value: []: {detail}")));
                }
                Operator::Exists | Operator::DoesNotExist if !values.is_empty() => {
                    let detail = "values set must be empty for exists and does not exist";
                    return Err(SelectorError(format!("values: Invalid value: {values:?}: {detail}")));
                }
                _ => requirements.push(Requirement::new(text("key"), operator, values)?),
            }
        }
        Ok(Self::sorted(requirements))
    }

    /// Whether an object with these labels is selected; `label` answers the value of a key.
    pub fn matches<'a>(&self, label: impl Fn(&str) -> Option<Cow<'a, str>>) -> bool {
        self.requirements.iter().all(|requirement| requirement.matches(label(&requirement.key).as_deref()))
    }

    /// As tables and `describe` print it: `<none>` if empty (metav1.FormatLabelSelector).
    pub fn describe(&self) -> String {
        if self.is_empty() { "<none>".to_owned() } else { self.to_string() }
    }
}

fn expressions(selector: &Value) -> impl Iterator<Item = &Value> {
    selector.get("matchExpressions").and_then(Value::as_array).into_iter().flatten()
}

fn expression_operator(name: &str) -> Option<Operator> {
    match name {
        "In" => Some(Operator::In),
        "NotIn" => Some(Operator::NotIn),
        "Exists" => Some(Operator::Exists),
        "DoesNotExist" => Some(Operator::DoesNotExist),
        _ => None,
    }
}

fn expression_values(expression: &Value) -> Vec<String> {
    let values = expression.get("values").and_then(Value::as_array).into_iter().flatten();
    values.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Every mistake in a LabelSelector object at `path`, in the API server's words
/// (apis/meta/v1/validation.ValidateLabelSelector); empty if there is none.
pub fn validate_label_selector(selector: &Value, path: &str) -> Vec<String> {
    let mut errors = Vec::new();
    let mut invalid = |path: String, value: &str, details: Vec<String>| {
        errors
            .extend(details.into_iter().map(|detail| format!("{path}: Invalid value: {value:?}: {detail}")));
    };
    if let Some(labels) = selector.get("matchLabels").and_then(Value::as_object) {
        for (key, value) in labels {
            let value = value.as_str().unwrap_or_default();
            invalid(format!("{path}.matchLabels"), key, label_key_errors(key));
            invalid(format!("{path}.matchLabels"), value, label_value_errors(value));
        }
    }
    for (index, expression) in expressions(selector).enumerate() {
        let path = format!("{path}.matchExpressions[{index}]");
        let text = |field| expression.get(field).and_then(Value::as_str).unwrap_or_default();
        let values = expression_values(expression);
        match expression_operator(text("operator")) {
            None => errors.push(format!(
                "{path}.operator: Invalid value: {:?}: not a valid selector operator",
                text("operator")
            )),
            Some(Operator::In | Operator::NotIn) if values.is_empty() => errors.push(format!(
                "{path}.values: Required value: must be specified when `operator` is 'In' or 'NotIn'"
            )),
            Some(Operator::Exists | Operator::DoesNotExist) if !values.is_empty() => errors.push(format!(
                "{path}.values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            )),
            Some(_) => {}
        }
        let mut invalid = |path: String, value: &str, details: Vec<String>| {
            errors.extend(
                details.into_iter().map(|detail| format!("{path}: Invalid value: {value:?}: {detail}")),
            );
        };
        invalid(format!("{path}.key"), text("key"), label_key_errors(text("key")));
        for (at, value) in values.iter().enumerate() {
            invalid(format!("{path}.values[{at}]"), value, label_value_errors(value));
        }
    }
    errors
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, values) = (&self.key, self.values.join(","));
        match self.operator {
            Operator::Equals => write!(f, "{key}={values}"),
            Operator::DoubleEquals => write!(f, "{key}=={values}"),
            Operator::NotEquals => write!(f, "{key}!={values}"),
            Operator::In => write!(f, "{key} in ({values})"),
            Operator::NotIn => write!(f, "{key} notin ({values})"),
            Operator::Exists => write!(f, "{key}"),
            Operator::DoesNotExist => write!(f, "!{key}"),
            Operator::GreaterThan => write!(f, "{key}>{values}"),
            Operator::LessThan => write!(f, "{key}<{values}"),
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, requirement) in self.requirements.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            requirement.fmt(f)?;
        }
        Ok(())
    }
}

/// The words of the `-l` syntax: operators and punctuation stand alone, everything else runs to the next of them.
fn tokens(text: &str) -> Vec<&str> {
    let special = |c: char| "=!(),<>".contains(c);
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let operator = ["==", "!="].into_iter().find(|operator| rest.starts_with(operator));
        let length = match operator {
            Some(operator) => operator.len(),
            None if special(first) => 1,
            None => rest.find(|c: char| special(c) || c.is_whitespace()).unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at(length);
        tokens.push(token);
        rest = after.trim_start();
    }
    tokens
}

/// A recursive-descent parser over [`tokens`]; `""` stands for the end of the text, as in Go.
struct Parser<'a> {
    tokens: Vec<&'a str>,
    at: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> &'a str {
        self.tokens.get(self.at).copied().unwrap_or_default()
    }

    fn take(&mut self) -> &'a str {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn is_identifier(token: &str) -> bool {
        token.starts_with(|c| !"=!(),<>".contains(c))
    }

    fn selector(mut self) -> Result<Selector, SelectorError> {
        let mut requirements = Vec::new();
        loop {
            let token = self.peek();
            if token.is_empty() {
                break;
            }
            if !(token == "!" || Self::is_identifier(token)) {
                return Err(SelectorError(format!(
                    "found '{token}', expected: !, identifier, or 'end of string'"
                )));
            }
            let requirement = self.requirement();
            requirements
                .push(requirement.map_err(|e| SelectorError(format!("unable to parse requirement: {e}")))?);
            match self.take() {
                "" => break,
                "," => {
                    let token = self.peek();
                    if !(token == "!" || Self::is_identifier(token)) {
                        return Err(SelectorError(format!(
                            "found '{token}', expected: identifier after ','"
                        )));
                    }
                }
                other => {
                    return Err(SelectorError(format!("found '{other}', expected: ',' or 'end of string'")));
                }
            }
        }
        Ok(Selector::sorted(requirements))
    }

    fn requirement(&mut self) -> Result<Requirement, SelectorError> {
        let negated = self.peek() == "!";
        if negated {
            self.take();
        }
        let key = self.take();
        if !Self::is_identifier(key) {
            return Err(SelectorError(format!("found '{key}', expected: identifier")));
        }
        if negated {
            return Requirement::new(key, Operator::DoesNotExist, Vec::new());
        }
        if matches!(self.peek(), "" | ",") {
            return Requirement::new(key, Operator::Exists, Vec::new());
        }
        let operator = match self.take() {
            "=" => Operator::Equals,
            "==" => Operator::DoubleEquals,
            "!=" => Operator::NotEquals,
            "in" => Operator::In,
            "notin" => Operator::NotIn,
            ">" => Operator::GreaterThan,
            "<" => Operator::LessThan,
            other => {
                return Err(SelectorError(format!(
                    "found '{other}', expected: in, notin, =, ==, !=, gt, lt"
                )));
            }
        };
        let values = match operator {
            Operator::In | Operator::NotIn => self.values()?,
            _ => vec![self.value()?.to_owned()],
        };
        Requirement::new(key, operator, values)
    }

    fn value(&mut self) -> Result<&'a str, SelectorError> {
        match self.peek() {
            "" | "," => Ok(""),
            token if Self::is_identifier(token) => Ok(self.take()),
            token => Err(SelectorError(format!("found '{token}', expected: identifier"))),
        }
    }

    /// `(a,b)`; an empty place between commas is the empty value.
    fn values(&mut self) -> Result<Vec<String>, SelectorError> {
        let open = self.take();
        if open != "(" {
            return Err(SelectorError(format!("found '{open}' expected: '('")));
        }
        let mut values = Vec::new();
        let mut current = None;
        loop {
            match self.take() {
                ")" => {
                    values.push(current.unwrap_or_default());
                    return Ok(values);
                }
                "," => values.push(current.take().unwrap_or_default()),
                token if Self::is_identifier(token) && current.is_none() => current = Some(token.to_owned()),
                token => {
                    return Err(SelectorError(format!("found '{token}', expected: ',', ')' or identifier")));
                }
            }
        }
    }
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        Parser { tokens: tokens(text), at: 0 }.selector()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn selects(selector: &Selector, labels: &str) -> bool {
        let labels: BTreeMap<&str, &str> =
            labels.split(',').filter_map(|pair| pair.split_once('=')).collect();
        selector.matches(|key| labels.get(key).copied().map(Cow::Borrowed))
    }

    #[test]
    fn syntax_and_matching() {
        // selector, as printed, labels selected, labels not selected
        let cases = [
            ("", "", "a=b", None),
            ("app=web", "app=web", "app=web,x=y", Some("app=db")),
            ("app==web", "app==web", "app=web", Some("x=y")),
            ("tier!=x", "tier!=x", "a=b", Some("tier=x")),
            ("env in (b,a)", "env in (a,b)", "env=b", Some("env=c")),
            ("env notin (a, b)", "env notin (a,b)", "x=y", Some("env=a")),
            ("env in ()", "env in ()", "env=", Some("env=a")),
            ("env in (a,,b)", "env in (,a,b)", "env=", Some("env=c")),
            ("foo", "foo", "foo=", Some("a=b")),
            ("!foo", "!foo", "a=b", Some("foo=1")),
            ("foo=", "foo=", "foo=", Some("foo=1")),
            ("n>1", "n>1", "n=2", Some("n=1")),
            ("n<1", "n<1", "n=0", Some("n=x")),
            ("in=a", "in=a", "in=a", Some("in=b")),
            (
                " app = web , tier!=x,env in (a,b),!foo ",
                "app=web,env in (a,b),!foo,tier!=x",
                "app=web,env=a",
                Some("app=web,env=a,foo=1"),
            ),
            (
                "apps.kubernetes.io/pod-index=1",
                "apps.kubernetes.io/pod-index=1",
                "apps.kubernetes.io/pod-index=1",
                Some("a=1"),
            ),
        ];
        for (text, printed, yes, no) in cases {
            let selector: Selector = text.parse().unwrap();
            assert_eq!(selector.to_string(), printed, "{text}");
            assert!(selects(&selector, yes), "{text} should select {yes}");
            assert!(!no.is_some_and(|no| selects(&selector, no)), "{text} should not select {no:?}");
        }
    }

    #[test]
    fn refused() {
        let cases = [
            ("a=b=c", "found '=', expected: ',' or 'end of string'"),
            ("a=b,", "found '', expected: identifier after ','"),
            ("=a", "found '=', expected: !, identifier, or 'end of string'"),
            ("a in b", "unable to parse requirement: found 'b' expected: '('"),
            ("a in (b", "unable to parse requirement: found '', expected: ',', ')' or identifier"),
            ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
            ("!foo=bar", "found '=', expected: ',' or 'end of string'"),
            ("a=(", "unable to parse requirement: found '(', expected: identifier"),
            (
                "n>x",
                "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the \
                     value must be an integer",
            ),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<Selector>().map_err(|e| e.to_string()), Err(error.to_owned()), "{text}");
        }
        assert!("-a=b".parse::<Selector>().unwrap_err().to_string().contains("name part must consist of"));
        assert!(
            "a=-b"
                .parse::<Selector>()
                .unwrap_err()
                .to_string()
                .contains("values[0][a]: Invalid value: \"-b\"")
        );
    }

    #[test]
    fn from_objects() {
        let object = json!({
            "matchLabels": {"app": "web"},
            "matchExpressions": [
                {"key": "tier", "operator": "In", "values": ["b", "a"]},
                {"key": "env", "operator": "NotIn", "values": ["x"]},
                {"key": "gone", "operator": "DoesNotExist"},
                {"key": "there", "operator": "Exists", "values": []},
            ],
        });
        let selector = Selector::from_label_selector(&object).unwrap();
        assert_eq!(selector.to_string(), "app=web,env notin (x),!gone,there,tier in (a,b)");
        assert!(selects(&selector, "app=web,tier=a,there=1"));
        assert!(!selects(&selector, "app=web,tier=a,there=1,gone=1"));
        assert!(validate_label_selector(&object, "spec.selector").is_empty());
        assert_eq!(Selector::from_label_selector(&json!({})).unwrap().describe(), "<none>");
        assert_eq!(Selector::from_pairs([("b", "1"), ("a", "2")]).to_string(), "a=2,b=1");
    }

    #[test]
    fn object_mistakes() {
        let object = json!({
            "matchLabels": {"a": "-"},
            "matchExpressions": [
                {"key": "tier", "operator": "In"},
                {"key": "tier", "operator": "Exists", "values": ["a"]},
                {"key": "tier", "operator": "Near", "values": ["a"]},
                {"key": "", "operator": "Exists"},
            ],
        });
        let errors = validate_label_selector(&object, "spec.selector");
        let starts = [
            "spec.selector.matchLabels: Invalid value: \"-\": a valid label must be",
            "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or \
             'NotIn'",
            "spec.selector.matchExpressions[1].values: Forbidden: may not be specified when `operator` is 'Exists' or \
             'DoesNotExist'",
            "spec.selector.matchExpressions[2].operator: Invalid value: \"Near\": not a valid selector operator",
            "spec.selector.matchExpressions[3].key: Invalid value: \"\": name part must be non-empty",
            "spec.selector.matchExpressions[3].key: Invalid value: \"\": name part must consist of",
        ];
        assert_eq!(errors.len(), starts.len(), "{errors:#?}");
        for (error, start) in errors.iter().zip(starts) {
            assert!(error.starts_with(start), "{error}");
        }
        assert!(Selector::from_label_selector(&object).is_err());
    }

    proptest! {
        #[test]
        fn printed_selectors_read_back(text in "(!?[a-c]{1,2}|[a-c](=|!=|==)[x-z]?|[a-c] (in|notin) \\([x-z](,[x-z]){0,3}\\))(,[d-f](=[x-z])?){0,3}") {
            let selector: Selector = text.parse().unwrap();
            prop_assert_eq!(selector.to_string().parse::<Selector>().unwrap(), selector);
        }

        #[test]
        fn no_text_panics(text in "[a-z=!(),<> \\PC]{0,30}") {
            let _ = text.parse::<Selector>();
        }
    }
}
