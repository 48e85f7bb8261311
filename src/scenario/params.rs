//! `params:` and `matrix:`: one scenario file, several plays. The parameters of a scenario have defaults, whose type is
//! theirs; `--set name=value` gives another value, and a matrix gives several.
//!
//! `${{ params.name }}` stands for the value wherever a whole scalar can stand: in the Scenario document and in the
//! manifests of the same file, which are rewritten as trees before anything is read out of them. So a number stays a
//! number, a complaint points to where the value is used, and no text is ever pasted into text. A list that stands for
//! an item of a list puts all its items there.
//!
//! Conditions ask for a value by `params.name` ([`crate::expect`]).
//!
//! Left out: parts of longer texts (an error), keys, files named in `manifests:` (kubectl must be able to read those).
use crate::expect::Constant;
use crate::limits;
use crate::scenario::diagnostic::{Diagnostic, Span};
use crate::scenario::parts::{Read, Reader};
use crate::scenario::yaml::{self, MAX_NODES};
use crate::scenario::{Node, Value, language};
use std::collections::BTreeMap;

/// How a reference begins.
const OPEN: &str = "${{";
/// How it ends.
const CLOSE: &str = "}}";

/// A parameter.
#[derive(Clone, Debug)]
struct Param {
    name: String,
    /// Where it is declared.
    span: Span,
    /// Its value unless something else is asked for; its type is the parameter's.
    default: Node,
    choices: Choices,
}

/// Which values a parameter can have.
#[derive(Clone, Debug)]
enum Choices {
    /// All of its type.
    Any,
    /// One of these.
    OneOf(Vec<Node>),
    /// One of these names, each of which stands for something.
    Named(Vec<(String, Node)>),
}

/// The parameters of a scenario, and which of them vary.
#[derive(Clone, Debug, Default)]
pub struct Params {
    declared: Vec<Param>,
    axes: Vec<(String, Vec<Node>)>,
}

/// A value for every parameter: one play of a scenario.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    /// The parameters that vary, with the values they have here, as a table shows them.
    pub varied: Vec<(String, serde_json::Value)>,
    values: BTreeMap<String, Node>,
    /// The same as they were chosen: the name, of what is chosen by name.
    chosen: BTreeMap<String, Node>,
}

impl Params {
    /// Reads `params` and `matrix` of the spec of a scenario.
    ///
    /// # Errors
    /// A parameter without a usable default, values of other types, an axis that is no parameter.
    pub fn read(reader: &Reader<'_>, spec: &Node) -> Read<Params> {
        let mut params = Params::default();
        if let Some(node) = spec.get("params") {
            for (key, value) in mapping(reader, node, "Scenario.spec.params")? {
                params.declared.push(declared(reader, key, value)?);
            }
        }
        if let Some(node) = spec.get("matrix") {
            for (key, value) in mapping(reader, node, "Scenario.spec.matrix")? {
                let axis = params.axis(reader, key, value)?;
                params.axes.push(axis);
            }
            params.count_cells(reader, node)?;
        }
        Ok(params)
    }

    /// Gives a parameter another value, `name=value`, in place of its default and of its axis in the matrix.
    ///
    /// # Errors
    /// No such parameter, or a value it cannot have.
    pub fn set(&mut self, file: &str, text: &str) -> Read<()> {
        let Some((name, value)) = text.split_once('=') else {
            return Err(Diagnostic::whole_file(file, format!("--set {text}: expected name=value")));
        };
        let known: Vec<String> = self.names().map(str::to_owned).collect();
        let Some(param) = self.declared.iter_mut().find(|param| param.name == name) else {
            let complaint = Diagnostic::whole_file(file, format!("--set {text}: there is no param `{name}`"));
            return Err(match known.is_empty() {
                true => complaint.with_help("this scenario has no params"),
                false => suggest(complaint, name, &known),
            });
        };
        let wrong = |why: String| Diagnostic::new(file, param.span, format!("--set {text}: {why}"));
        let node = match param.choices {
            Choices::Named(_) => Node { value: Value::String(value.to_owned()), span: param.span },
            _ => typed(value, &param.default, param.span).map_err(wrong)?,
        };
        param.allows(&node).map_err(wrong)?;
        param.default = node;
        self.axes.retain(|(axis, _)| axis != name);
        Ok(())
    }

    /// True if at least one parameter varies: the scenario is a table of plays.
    pub fn vary(&self) -> bool {
        !self.axes.is_empty()
    }

    /// The defaults: the play of someone who asks for one only.
    pub fn defaults(&self) -> Cell {
        let values = self.declared.iter().map(|param| (param.name.clone(), param.meaning(&param.default)));
        let chosen = self.declared.iter().map(|param| (param.name.clone(), param.default.clone()));
        Cell { varied: Vec::new(), values: values.collect(), chosen: chosen.collect() }
    }

    /// Every combination of the values of the matrix, the last axis fastest; without a matrix the defaults.
    pub fn cells(&self) -> Vec<Cell> {
        let mut cells = vec![self.defaults()];
        for (name, values) in &self.axes {
            let Some(param) = self.declared.iter().find(|param| param.name == *name) else { continue };
            let with = |cell: &Cell, value: &Node| {
                let mut cell = cell.clone();
                cell.varied.push((name.clone(), value.to_json()));
                cell.values.insert(name.clone(), param.meaning(value));
                cell.chosen.insert(name.clone(), value.clone());
                cell
            };
            cells = cells.iter().flat_map(|cell| values.iter().map(|value| with(cell, value))).collect();
        }
        cells
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.declared.iter().map(|param| param.name.as_str())
    }

    fn axis(&self, reader: &Reader<'_>, key: &Node, value: &Node) -> Read<(String, Vec<Node>)> {
        let name = key.key_text();
        let Some(param) = self.declared.iter().find(|param| param.name == name) else {
            return Err(reader
                .error(key, format!("the matrix varies `{name}`, which is no param"))
                .with_nearest(&name, self.names()));
        };
        let at = format!("Scenario.spec.matrix.{name}");
        let values = reader.items(value, &at)?;
        if values.is_empty() {
            return Err(reader.error(value, format!("{at}: an axis needs at least one value")));
        }
        for (n, item) in values.iter().enumerate() {
            param.allows(item).map_err(|why| reader.error(item, format!("{at}: {why}")))?;
            if values.iter().take(n).any(|other| other.value == item.value) {
                return Err(reader.error(item, format!("{at}: the same value twice")));
            }
        }
        Ok((name, values.to_vec()))
    }

    fn count_cells(&self, reader: &Reader<'_>, node: &Node) -> Read<()> {
        let count = self.axes.iter().try_fold(1_usize, |n, (_, values)| n.checked_mul(values.len()));
        if count.is_some_and(|count| count <= limits::MAX_CELLS) {
            return Ok(());
        }
        let message = format!("limit exceeded: a matrix of more than {} cells", limits::MAX_CELLS);
        Err(reader.error(node, message).as_limit())
    }
}

impl Cell {
    /// The values as conditions ask for them (`params.name`), sorted by name. What is chosen by name is that name.
    pub fn constants(&self) -> Vec<(String, Constant)> {
        self.chosen.iter().map(|(name, value)| (name.clone(), constant(value))).collect()
    }
}

impl Param {
    /// Whether a value is one of this parameter's.
    fn allows(&self, node: &Node) -> Result<(), String> {
        let name = &self.name;
        let listed = |known: Vec<String>| format!("{name} is one of {}", known.join(", "));
        match &self.choices {
            Choices::Named(choices) => {
                let found = node.as_str().is_some_and(|text| choices.iter().any(|(known, _)| known == text));
                let known = || choices.iter().map(|(known, _)| known.clone()).collect();
                if found { Ok(()) } else { Err(listed(known())) }
            }
            _ if !same_type(node, &self.default) => {
                Err(format!("{name} is {}, found {}", node_type(&self.default), node_type(node)))
            }
            Choices::OneOf(choices) if !choices.iter().any(|choice| choice.value == node.value) => {
                Err(listed(choices.iter().map(|choice| choice.to_json().to_string()).collect()))
            }
            _ => Ok(()),
        }
    }

    /// What a value stands for.
    fn meaning(&self, value: &Node) -> Node {
        let Choices::Named(choices) = &self.choices else { return value.clone() };
        let found = choices.iter().find(|(name, _)| Some(name.as_str()) == value.as_str());
        found.map_or_else(|| value.clone(), |(_, meaning)| meaning.clone())
    }
}

/// One entry of `params`: a default, or what there is to say about the parameter.
fn declared(reader: &Reader<'_>, key: &Node, value: &Node) -> Read<Param> {
    let name = key.key_text();
    let at = format!("Scenario.spec.params.{name}");
    if !is_name(&name) {
        let help = "letters, digits, `_` and `-`, beginning with a letter";
        return Err(reader.error(key, format!("`{name}` is no name of a param")).with_help(help));
    }
    no_references(reader, value)?;
    let mut param = Param { name, span: key.span, default: value.clone(), choices: Choices::Any };
    if value.as_mapping().is_some() {
        let mut default = None;
        for (field, _, value) in reader.fields(value, &at, &language::PARAM)? {
            match field.as_str() {
                "default" => default = Some(value.clone()),
                "about" => drop(reader.text(value, &at)?),
                _ => param.choices = choices(reader, value, &at)?,
            }
        }
        param.default =
            default.ok_or_else(|| reader.error(value, format!("{at}: a param needs a default")))?;
    }
    if param.default.is_null() {
        return Err(reader.error(&param.default, format!("{at}: a param needs a default")));
    }
    param.allows(&param.default).map_err(|why| reader.error(&param.default, format!("{at}: {why}")))?;
    Ok(param)
}

fn choices(reader: &Reader<'_>, node: &Node, at: &str) -> Read<Choices> {
    Ok(match node.as_mapping() {
        Some(entries) => {
            Choices::Named(entries.iter().map(|(key, value)| (key.key_text(), value.clone())).collect())
        }
        None => Choices::OneOf(reader.items(node, at)?.to_vec()),
    })
}

fn mapping<'n>(reader: &Reader<'_>, node: &'n Node, at: &str) -> Read<&'n [(Node, Node)]> {
    node.as_mapping()
        .ok_or_else(|| reader.error(node, format!("{at}: expected a mapping, found {}", node.kind())))
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

fn suggest(complaint: Diagnostic, word: &str, known: &[String]) -> Diagnostic {
    let near = complaint.with_nearest(word, known.iter().map(String::as_str));
    if near.help.is_some() { near } else { near.with_help(format!("params are {}", known.join(", "))) }
}

/// A value as expressions have it.
fn constant(node: &Node) -> Constant {
    match &node.value {
        Value::Bool(value) => Constant::Bool(*value),
        Value::Integer(number) => {
            i64::try_from(*number).map_or(Constant::Other("too large a number"), Constant::Int)
        }
        Value::Float(number) => Constant::Double(*number),
        Value::String(text) => Constant::Text(text.clone()),
        Value::Sequence(items) => Constant::List(items.iter().map(constant).collect()),
        Value::Mapping(_) => Constant::Other("a mapping"),
        Value::Null => Constant::Other("nothing"),
    }
}

/// A value given as text, read as the type that is asked for.
fn typed(text: &str, like: &Node, span: Span) -> Result<Node, String> {
    if like.as_str().is_some() {
        return Ok(Node { value: Value::String(text.to_owned()), span });
    }
    let mut documents = yaml::parse("--set", text).map_err(|complaint| complaint.message)?;
    let node = documents.pop().filter(|_| documents.is_empty());
    node.map(|node| placed(node, span)).ok_or_else(|| "expected one value".to_owned())
}

/// A tree all of which is said to stand at one place.
fn placed(node: Node, span: Span) -> Node {
    let value = match node.value {
        Value::Sequence(items) => Value::Sequence(items.into_iter().map(|item| placed(item, span)).collect()),
        Value::Mapping(entries) => Value::Mapping(
            entries.into_iter().map(|(key, value)| (placed(key, span), placed(value, span))).collect(),
        ),
        scalar => scalar,
    };
    Node { value, span }
}

fn same_type(a: &Node, b: &Node) -> bool {
    let whole = matches!((&a.value, &b.value), (Value::Integer(_), Value::Float(_)));
    whole || std::mem::discriminant(&a.value) == std::mem::discriminant(&b.value)
}

fn node_type(node: &Node) -> &'static str {
    match node.value {
        Value::Integer(_) => "a whole number",
        Value::String(_) => "text",
        _ => node.kind(),
    }
}

/// The parameter that a text refers to, if it refers to one.
fn reference<'t>(reader: &Reader<'_>, node: &Node, text: &'t str) -> Read<Option<&'t str>> {
    if !text.contains(OPEN) {
        return Ok(None);
    }
    let inner = text.trim().strip_prefix(OPEN).and_then(|rest| rest.strip_suffix(CLOSE));
    let Some(inner) = inner.filter(|inner| !inner.contains(OPEN) && !inner.contains(CLOSE)) else {
        return Err(reader
            .error(node, "`${{ params.NAME }}` must be the whole value and cannot be part of a longer text")
            .with_help("write a command line as a list of words: [scale, sts/web, --replicas, \"${{ params.NAME }}\"]"));
    };
    match inner.trim().strip_prefix("params.") {
        Some(name) if is_name(name) => Ok(Some(name)),
        _ => Err(reader
            .error(node, format!("`{}` is no param", inner.trim()))
            .with_help("write ${{ params.NAME }}")),
    }
}

/// A parameter's own values refer to no parameter.
fn no_references(reader: &Reader<'_>, node: &Node) -> Read<()> {
    match &node.value {
        Value::String(text) if text.contains(OPEN) => {
            Err(reader.error(node, "the value of a param cannot refer to a param"))
        }
        Value::Sequence(items) => items.iter().try_for_each(|item| no_references(reader, item)),
        Value::Mapping(entries) => entries.iter().try_for_each(|(key, value)| {
            no_references(reader, key).and_then(|()| no_references(reader, value))
        }),
        _ => Ok(()),
    }
}

/// Puts values in place of references, within a bound on what comes out.
#[derive(Debug)]
pub struct Substitution<'c> {
    cell: &'c Cell,
    /// How many nodes may still be added.
    left: usize,
}

impl<'c> Substitution<'c> {
    /// With the values of a cell.
    pub fn new(cell: &'c Cell) -> Self {
        Substitution { cell, left: MAX_NODES }
    }

    /// The tree with values in place of references. `params` and `matrix` of the spec must be out of it already.
    ///
    /// # Errors
    /// A reference within a longer text or in a key, an unknown parameter, too much of it.
    pub fn of(&mut self, reader: &Reader<'_>, node: Node) -> Read<Node> {
        let span = node.span;
        let value = match node.value {
            Value::String(text) => {
                let whole = Node { value: Value::String(text), span };
                return match self.value(reader, &whole)? {
                    Some(value) => Ok(value),
                    None => Ok(whole),
                };
            }
            Value::Sequence(items) => {
                let mut out = Vec::with_capacity(items.len());
                for item in items {
                    let is_reference = item.as_str().is_some_and(|text| text.contains(OPEN));
                    match self.of(reader, item)? {
                        Node { value: Value::Sequence(items), .. } if is_reference => out.extend(items),
                        item => out.push(item),
                    }
                }
                Value::Sequence(out)
            }
            Value::Mapping(entries) => {
                let mut out = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    if key.as_str().is_some_and(|text| text.contains(OPEN)) {
                        return Err(reader.error(&key, "a param can be a value and cannot be a key"));
                    }
                    out.push((key, self.of(reader, value)?));
                }
                Value::Mapping(out)
            }
            scalar => scalar,
        };
        Ok(Node { value, span })
    }

    /// The value a text refers to, standing where the text stands.
    fn value(&mut self, reader: &Reader<'_>, node: &Node) -> Read<Option<Node>> {
        let text = node.as_str().unwrap_or_default();
        let Some(name) = reference(reader, node, text)? else { return Ok(None) };
        let Some(value) = self.cell.values.get(name) else {
            let known: Vec<String> = self.cell.values.keys().cloned().collect();
            let complaint = reader.error(node, format!("there is no param `{name}`"));
            return Err(match known.is_empty() {
                true => complaint.with_help("params are declared in `params:` of the Scenario's spec"),
                false => suggest(complaint, name, &known),
            });
        };
        self.left = self.left.checked_sub(size(value)).ok_or_else(|| {
            reader.error(node, format!("more than {MAX_NODES} values, params in their place")).as_limit()
        })?;
        // What is inside a list or mapping keeps the place where it is written.
        Ok(Some(Node { value: value.value.clone(), span: node.span }))
    }
}

/// How many nodes a tree has.
fn size(node: &Node) -> usize {
    1 + match &node.value {
        Value::Sequence(items) => items.iter().map(size).sum(),
        Value::Mapping(entries) => entries.iter().map(|(_, value)| 1 + size(value)).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::read::{Document, NoFiles};
    use crate::scenario::{Action, Scenario};

    const HEAD: &str = "apiVersion: stsim/v1alpha1\nkind: Scenario\nmetadata: {name: x}\nspec:\n";

    fn document(rest: &str) -> Result<Document, String> {
        Document::parse("s.yaml", format!("{HEAD}{rest}").as_bytes()).map_err(|e| e.render())
    }

    fn played(rest: &str, sets: &[&str]) -> Result<Scenario, String> {
        let mut document = document(rest)?;
        for set in sets {
            document.set(set).map_err(|e| e.render())?;
        }
        document.scenario(&document.params.defaults(), &mut NoFiles).map_err(|e| e.render())
    }

    fn words(scenario: &Scenario) -> Vec<String> {
        match scenario.steps.first().map(|step| &step.action) {
            Some(Action::Kubectl { words, .. }) => words.clone(),
            other => panic!("{other:?}"),
        }
    }

    const SCALE: &str = "  params:\n    replicas: 3\n    grow: {default: false}\n    name: web\n    more: {default: [--timeout, 5m]}\n  \
                         steps:\n  - kubectl: [scale, \"${{params.name}}\", --replicas, \"${{ params.replicas }}\", \"${{ params.more }}\"]\n";

    #[test]
    fn a_reference_is_the_value_with_its_type() {
        let cases: [(&[&str], &[&str]); 4] = [
            (&[], &["scale", "web", "--replicas", "3", "--timeout", "5m"]),
            (&["replicas=0x10", "name=5"], &["scale", "5", "--replicas", "16", "--timeout", "5m"]),
            (&["more=[]"], &["scale", "web", "--replicas", "3"]),
            (
                &["replicas=1", "replicas=2", "name=a=b"],
                &["scale", "a=b", "--replicas", "2", "--timeout", "5m"],
            ),
        ];
        for (sets, expected) in cases {
            assert_eq!(words(&played(SCALE, sets).unwrap()), expected, "{sets:?}");
        }
    }

    #[test]
    fn values_of_another_type_and_unknown_names_are_refused() {
        for (set, expected) in [
            ("replcas=3", "did you mean `replicas`?"),
            ("something=3", "params are replicas, grow, name, more"),
            ("replicas", "expected name=value"),
            ("replicas=three", "replicas is a whole number, found text"),
            ("replicas=1.5", "replicas is a whole number, found a number"),
            ("replicas=", "expected one value"),
            ("replicas=[", "--set replicas=["),
            ("grow=1", "grow is a boolean, found a whole number"),
            ("more=x", "more is a list, found text"),
        ] {
            let error = played(SCALE, &[set]).unwrap_err();
            assert!(error.contains(expected), "{set}: {error}");
        }
        assert!(played("  seed: 1\n", &["a=1"]).unwrap_err().contains("this scenario has no params"));
    }

    #[test]
    fn a_name_can_stand_for_a_step() {
        let text = "  params:\n    repair:\n      default: none\n      oneOf:\n        none: []\n        taint:\n        \
                    - kubectl: taint node a x=y:NoExecute\n        - sleep: 5s\n  matrix:\n    repair: [none, taint]\n  \
                    steps:\n  - crash: node/a\n  - ${{ params.repair }}\n  - sleep: 1s\n";
        let document = document(text).unwrap();
        let lengths: Vec<_> = document
            .params
            .cells()
            .iter()
            .map(|cell| document.scenario(cell, &mut NoFiles).unwrap().steps.len())
            .collect();
        assert_eq!(lengths, [2, 4]);
        assert_eq!(played(text, &["repair=taint"]).unwrap().steps.len(), 4);
        let error = played(text, &["repair=tainted"]).unwrap_err();
        assert!(error.contains("repair is one of none, taint"), "{error}");
    }

    /// The last step's condition, in each cell of a matrix.
    #[test]
    fn conditions_know_the_values_of_their_cell() {
        let text = "  params:\n    replicas: 1\n    wait: 5m\n    repair: {default: none, oneOf: {none: [], late: [{sleep: 1s}]}}\n  \
                    matrix: {replicas: [1, 2], repair: [none, late]}\n  \
                    behavior: [{pod: a, readyWhen: 'params.replicas > peers.total'}]\n  \
                    expect:\n  - finally: 'params.replicas == 2 && params.repair == \"late\" && now < duration(params.wait)'\n";
        let document = document(text).unwrap();
        use crate::expect::monitor::Truth;
        let cluster = crate::cluster::Cluster::new(0, crate::config::Config::recorded());
        let held = document.params.cells().into_iter().map(|cell| {
            let scenario = document.scenario(&cell, &mut NoFiles).unwrap();
            match &scenario.expect[0].form {
                crate::expect::form::Form::Finally(statement) => statement.truth(&cluster),
                other => panic!("{other:?}"),
            }
        });
        assert_eq!(held.collect::<Vec<_>>(), [Truth::False, Truth::False, Truth::False, Truth::True]);
        let set = played(text, &["replicas=2", "repair=late", "wait=0s"]).unwrap();
        assert_eq!(set.params[1], ("replicas".to_owned(), Constant::Int(2)));
        let wrong = played(&text.replace("params.wait", "params.wiat"), &[]).unwrap_err();
        assert!(wrong.contains("did you mean `wait`?") && wrong.contains("s.yaml:12:88"), "{wrong}");
    }

    #[test]
    fn a_matrix_has_every_combination_and_loses_what_is_set() {
        let text = "  params: {a: 1, b: p, c: true}\n  matrix: {a: [1, 2], b: [p, q]}\n";
        let mut document = document(text).unwrap();
        let shown = |document: &Document| -> Vec<String> {
            let line =
                |cell: &Cell| cell.varied.iter().map(|(_, value)| value.to_string()).collect::<String>();
            document.params.cells().iter().map(line).collect()
        };
        assert_eq!(shown(&document), ["1\"p\"", "1\"q\"", "2\"p\"", "2\"q\""]);
        document.set("a=7").unwrap();
        assert_eq!(shown(&document), ["\"p\"", "\"q\""]);
        document.set("b=q").unwrap();
        assert!(!document.params.vary());
    }

    #[test]
    fn complaints_point_to_the_use() {
        for (rest, expected) in [
            ("  params: {r: 1}\n  until: ${{ params.r }}\n", "s.yaml:6:10"),
            ("  seed: ${{ params.r }}\n", "there is no param `r`"),
            ("  params: {r: 1}\n  seed: ${{ r }}\n", "write ${{ params.NAME }}"),
            ("  params: {r: 1}\n  seed: ${{ params.r }} \n", ""),
            ("  params: {r: 1}\n  seed: 1${{ params.r }}\n", "must be the whole value"),
            ("  params: {r: 1}\n  seed: ${{ params.r }}${{ params.r }}\n", "must be the whole value"),
            ("  params: {r: 1}\n  cluster: {timers: {\"${{ params.r }}\": 1s}}\n", "cannot be a key"),
            ("  params: {r: 1, s: \"${{ params.r }}\"}\n", "cannot refer to a param"),
            ("  params: {1r: 1}\n", "`1r` is no name of a param"),
            ("  params: {r: {default: 1, abuot: x}}\n", "did you mean `about`?"),
            ("  params: {r: }\n", "a param needs a default"),
            ("  params: [r]\n", "expected a mapping, found a list"),
            ("  params: {r: 1}\n  matrix: {r: [1, 1]}\n", "the same value twice"),
            ("  params: {r: 1}\n  matrix: {r: []}\n", "at least one value"),
        ] {
            match played(rest, &[]) {
                Ok(_) => assert_eq!(expected, "", "{rest}"),
                Err(error) => assert!(!expected.is_empty() && error.contains(expected), "{rest}: {error}"),
            }
        }
    }

    #[test]
    fn what_comes_out_is_bounded() {
        let large = "x, ".repeat(2_000);
        let many = "- ${{ params.r }}\n".repeat(600);
        let text = format!("{HEAD}  params: {{r: {{default: [{large}]}}}}\n---\n{many}");
        let document = Document::parse("s.yaml", text.as_bytes()).unwrap();
        let error = document.scenario(&document.params.defaults(), &mut NoFiles).unwrap_err();
        assert!(error.is_limit());
    }
}
