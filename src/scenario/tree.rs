//! Parser events to trees: anchors, aliases, merge keys, duplicate keys, and the limits on all of them.
//!
//! Follows goyaml.v2 (decode.go): a merge key never overrides a written key, of several merged mappings the first wins.
//! An alias is a copy of the tree it names and is charged like a written one, before it is made.

use std::collections::{BTreeMap, BTreeSet};

use serde_saphyr::granit_parser::{self, ErrorKind, Event, Parser, ScalarStyle, Span as ParserSpan, Tag};

use super::diagnostic::{Diagnostic, Span};
use super::node::{Node, Value};
use super::scalar::{self, Scalar, TagName};
use super::yaml::{MAX_DEPTH, MAX_DOCUMENTS, MAX_NODES, saturate};

/// Most bytes of scalar text, that made by aliases and merge keys included.
const MAX_SCALAR_BYTES: usize = 64 << 20;
/// Longest key, in characters; YAML has 1024.
const MAX_KEY: usize = 4096;

/// A collection that is still open.
struct Frame {
    span: Span,
    anchor: usize,
    nodes_before: usize,
    bytes_before: usize,
    content: Content,
}

enum Content {
    Sequence(Vec<Node>),
    Mapping { entries: Vec<(Node, Node)>, seen: BTreeSet<String>, key: Option<Key>, merges: Vec<Node> },
}

enum Key {
    Ordinary(Node),
    Merge,
}

/// An anchored node and what expanding it costs.
struct Anchored {
    node: Node,
    nodes: usize,
    bytes: usize,
}

/// Builds the trees of one input out of parser events, without recursion.
pub(super) struct Builder<'a> {
    file: &'a str,
    /// Where the text to be read next begins.
    pub(super) origin: Span,
    /// The complete documents.
    pub(super) documents: Vec<Node>,
    stack: Vec<Frame>,
    anchors: BTreeMap<usize, Anchored>,
    nodes: usize,
    bytes: usize,
}

impl<'a> Builder<'a> {
    pub(super) fn new(file: &'a str) -> Self {
        Builder {
            file,
            origin: Span { line: 1, column: 1, byte: 0, length: 0 },
            documents: Vec::new(),
            stack: Vec::new(),
            anchors: BTreeMap::new(),
            nodes: 0,
            bytes: 0,
        }
    }

    /// Reads a part of the input that is a stream of its own.
    pub(super) fn read(&mut self, text: &str) -> Result<(), Diagnostic> {
        let options = granit_parser::options! {
            simple_key_max_lookahead: MAX_KEY,
            flow_nesting_limit: MAX_DEPTH + 1,
            block_nesting_limit: MAX_DEPTH + 1,
        };
        for event in Parser::new_from_str_with_options(text, options) {
            let (event, span) = event.map_err(|error| {
                let marker = error.marker();
                let at = self.span(&ParserSpan::new(*marker, *marker));
                match error.kind() {
                    ErrorKind::RecursionLimitExceeded => self.too_deep(at),
                    _ => Diagnostic::new(self.file, at, error.info()),
                }
            })?;
            self.event(event, &span)?;
        }
        Ok(())
    }

    fn event(&mut self, event: Event<'_>, span: &ParserSpan) -> Result<(), Diagnostic> {
        let at = self.span(span);
        match event {
            Event::DocumentStart(..) => {
                self.anchors.clear();
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.charge(at, 1, text.len())?;
                self.scalar(at, &text, style, anchor, tag.as_deref())
            }
            Event::SequenceStart(_, anchor, _) => self.open(at, anchor, Content::Sequence(Vec::new())),
            Event::MappingStart(_, anchor, _) => {
                let content = Content::Mapping {
                    entries: Vec::new(),
                    seen: BTreeSet::new(),
                    key: None,
                    merges: Vec::new(),
                };
                self.open(at, anchor, content)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => self.alias(at, anchor),
            _ => Ok(()),
        }
    }

    fn scalar(
        &mut self,
        at: Span,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
    ) -> Result<(), Diagnostic> {
        let name = tag.and_then(|tag| tag.suffix_in_namespace("tag:yaml.org,2002:"));
        let tag = match (tag, &name) {
            (None, _) => TagName::None,
            (Some(_), Some(name)) => TagName::Yaml(name),
            (Some(_), None) => TagName::Other,
        };
        let resolved = scalar::resolve(text, style == ScalarStyle::Plain, tag);
        let value = match resolved {
            Ok(Scalar::Null) => Value::Null,
            Ok(Scalar::Bool(value)) => Value::Bool(value),
            Ok(Scalar::Integer(value)) => Value::Integer(value),
            Ok(Scalar::Float(value)) => Value::Float(value),
            Ok(Scalar::String) => Value::String(text.to_owned()),
            Ok(Scalar::Merge) => {
                if let Some(Frame { content: Content::Mapping { key: key @ None, .. }, .. }) =
                    self.stack.last_mut()
                {
                    *key = Some(Key::Merge);
                    return Ok(());
                }
                Value::String(text.to_owned())
            }
            Err(message) => return Err(Diagnostic::new(self.file, at, message)),
        };
        self.finish(Node { value, span: at }, anchor, 1, text.len())
    }

    fn open(&mut self, at: Span, anchor: usize, content: Content) -> Result<(), Diagnostic> {
        self.charge(at, 1, 0)?;
        if self.stack.len() >= MAX_DEPTH {
            return Err(self.too_deep(at));
        }
        let (nodes_before, bytes_before) = (self.nodes, self.bytes);
        self.stack.push(Frame { span: at, anchor, nodes_before, bytes_before, content });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Diagnostic> {
        let Some(frame) = self.stack.pop() else { return Ok(()) };
        let value = match frame.content {
            Content::Sequence(items) => Value::Sequence(items),
            Content::Mapping { mut entries, mut seen, merges, .. } => {
                for merged in merges {
                    self.merge(merged, &mut entries, &mut seen)?;
                }
                Value::Mapping(entries)
            }
        };
        let nodes = 1 + (self.nodes - frame.nodes_before);
        let bytes = self.bytes - frame.bytes_before;
        self.finish(Node { value, span: frame.span }, frame.anchor, nodes, bytes)
    }

    /// Adds the entries of `<<: *base` (or of a list of mappings) that the mapping does not have itself.
    fn merge(
        &mut self,
        merged: Node,
        entries: &mut Vec<(Node, Node)>,
        seen: &mut BTreeSet<String>,
    ) -> Result<(), Diagnostic> {
        let wrong = |node: &Node| {
            Diagnostic::new(self.file, node.span, "map merge requires map or sequence of maps as the value")
        };
        let sources = match merged.value {
            Value::Sequence(items) => items,
            _ => vec![merged],
        };
        for source in sources {
            let Value::Mapping(found) = source.value else { return Err(wrong(&source)) };
            for (key, value) in found {
                if seen.insert(key.key_text()) {
                    entries.push((key, value));
                }
            }
        }
        Ok(())
    }

    fn alias(&mut self, at: Span, anchor: usize) -> Result<(), Diagnostic> {
        let Some(anchored) = self.anchors.get(&anchor) else {
            return Err(Diagnostic::new(self.file, at, "the anchored value contains itself"));
        };
        let (nodes, bytes) = (anchored.nodes, anchored.bytes);
        let depth = self.stack.len();
        self.charge(at, nodes, bytes)?;
        let Some(node) = self.anchors.get(&anchor).map(|anchored| anchored.node.clone()) else {
            return Ok(());
        };
        if depth + height(&node) > MAX_DEPTH {
            return Err(self.too_deep(at));
        }
        self.finish(node, 0, nodes, bytes)
    }

    /// Hands a complete node to its collection or makes it a document.
    fn finish(&mut self, node: Node, anchor: usize, nodes: usize, bytes: usize) -> Result<(), Diagnostic> {
        if anchor != 0 {
            // The copy costs memory like any other node.
            self.charge(node.span, nodes, bytes)?;
            self.anchors.insert(anchor, Anchored { node: node.clone(), nodes, bytes });
        }
        let file = self.file;
        match self.stack.last_mut().map(|frame| &mut frame.content) {
            None if node.is_null() => {}
            None if self.documents.len() >= MAX_DOCUMENTS => {
                return Err(self.limit(node.span, format!("more than {MAX_DOCUMENTS} documents")));
            }
            None => self.documents.push(node),
            Some(Content::Sequence(items)) => items.push(node),
            Some(Content::Mapping { entries, seen, key, merges }) => match key.take() {
                Some(Key::Merge) => merges.push(node),
                Some(Key::Ordinary(name)) => entries.push((name, node)),
                None => {
                    check_key(file, &node, entries, seen)?;
                    *key = Some(Key::Ordinary(node));
                }
            },
        }
        Ok(())
    }

    fn charge(&mut self, at: Span, nodes: usize, bytes: usize) -> Result<(), Diagnostic> {
        self.nodes += nodes;
        self.bytes += bytes;
        if self.nodes > MAX_NODES {
            return Err(self.limit(at, format!("more than {MAX_NODES} values, aliases expanded")));
        }
        if self.bytes > MAX_SCALAR_BYTES {
            return Err(self.limit(at, format!("more than {} MiB, aliases expanded", MAX_SCALAR_BYTES >> 20)));
        }
        Ok(())
    }

    fn too_deep(&self, at: Span) -> Diagnostic {
        self.limit(at, format!("nested deeper than {MAX_DEPTH} levels"))
    }

    fn limit(&self, at: Span, message: String) -> Diagnostic {
        Diagnostic::new(self.file, at, message).as_limit()
    }

    /// A place in the part being read as a place in the whole text.
    fn span(&self, span: &ParserSpan) -> Span {
        let (start, bytes) = (span.start, span.byte_range().unwrap_or_default());
        let first_line = start.line() <= 1;
        Span {
            line: saturate(start.line()).saturating_add(self.origin.line.saturating_sub(1)),
            column: saturate(start.col() + 1).saturating_add(if first_line {
                self.origin.column.saturating_sub(1)
            } else {
                0
            }),
            byte: bytes.start + self.origin.byte,
            length: bytes.len(),
        }
    }
}

/// Whether a node can be the next key of a mapping.
fn check_key(
    file: &str,
    node: &Node,
    entries: &[(Node, Node)],
    seen: &mut BTreeSet<String>,
) -> Result<(), Diagnostic> {
    if matches!(node.value, Value::Null | Value::Sequence(_) | Value::Mapping(_)) {
        let message = format!("{} cannot be a key", node.kind());
        return Err(
            Diagnostic::new(file, node.span, message).with_help("write the key as a string in quotes")
        );
    }
    let text = node.key_text();
    if !seen.contains(&text) {
        seen.insert(text);
        return Ok(());
    }
    let diagnostic = Diagnostic::new(file, node.span, format!("duplicate key `{text}`"));
    Err(match entries.iter().find(|(first, _)| first.key_text() == text) {
        Some((first, _)) => diagnostic.with_help(format!("it is set in line {} already", first.span.line)),
        None => diagnostic,
    })
}

/// How many levels of collections a node has, itself included; bounded by [`MAX_DEPTH`].
fn height(node: &Node) -> usize {
    match &node.value {
        Value::Sequence(items) => 1 + items.iter().map(height).max().unwrap_or(0),
        Value::Mapping(entries) => 1 + entries.iter().map(|(_, value)| height(value)).max().unwrap_or(0),
        _ => 0,
    }
}
