//! What is wrong with an input file, and where: one sentence, the offending place underlined, a hint.
//!
//! Every reader of user input (YAML, manifests, scenarios, expressions) reports through [`Diagnostic`], so that all
//! complaints look alike: the layout is the Rust compiler's, through `annotate-snippets`, without colour. The text of
//! an input file is not trusted: control characters and bidirectional overrides are shown escaped, never sent to the
//! terminal ([`escape`]).
//!
//! Left out: diagnostics with several places; none of the readers needs one.

use annotate_snippets::renderer::DecorStyle;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};

use super::inside;
pub use crate::api::manifest::nearest;
use crate::api::text::escape;

/// Longest source line that is shown, in bytes; of longer ones only the position is given.
const MAX_SHOWN_LINE: usize = 4096;

/// A place in a source text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Line, counted from 1.
    pub line: u32,
    /// Column in characters, counted from 1.
    pub column: u32,
    /// Offset of the first byte from the start of the text.
    pub byte: usize,
    /// Length in bytes; may be 0 (an empty scalar, the start of a block mapping).
    pub length: usize,
}

/// One complaint about an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Name of the file as the user gave it.
    pub file: String,
    /// Where; none if the complaint is about the file as a whole.
    pub span: Option<Span>,
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    /// What to do about it, one sentence without a full stop.
    pub help: Option<String>,
    /// A limit of the simulator was exceeded (exit status 3), the input may be valid (else exit status 2).
    pub limit: bool,
    /// The text of the scalar at `span`, and which bytes of it are meant.
    pub inside: Option<Box<(String, Range<usize>)>>,
}

impl Diagnostic {
    /// A complaint about one place.
    pub fn new(file: &str, span: Span, message: impl Into<String>) -> Self {
        Diagnostic {
            file: file.to_owned(),
            span: Some(span),
            message: message.into(),
            help: None,
            limit: false,
            inside: None,
        }
    }

    /// A complaint about the file as a whole (unreadable, empty, too large).
    pub fn whole_file(file: &str, message: impl Into<String>) -> Self {
        Diagnostic {
            file: file.to_owned(),
            span: None,
            message: message.into(),
            help: None,
            limit: false,
            inside: None,
        }
    }

    /// The same with a hint.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same with the hint "did you mean `...`?" if a candidate is near enough to the word.
    #[must_use]
    pub fn with_nearest<'a>(self, word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Self {
        match nearest(word, candidates) {
            Some(found) => {
                let help = format!("did you mean `{found}`?");
                self.with_help(help)
            }
            None => self,
        }
    }

    /// The same, marked as an exceeded limit.
    #[must_use]
    pub fn as_limit(mut self) -> Self {
        self.limit = true;
        self
    }

    /// The same about a part of the scalar it is about: these bytes of its text.
    #[must_use]
    pub fn inside(mut self, text: &str, range: Range<usize>) -> Self {
        self.inside = Some(Box::new((text.to_owned(), range)));
        self
    }

    /// Where to point in the source: inside of the scalar if that can be told.
    pub fn place(&self, source: &str) -> Option<Span> {
        let span = self.span?;
        let inside = self.inside.as_deref();
        inside.and_then(|(text, range)| inside::place(source, span, text, range)).or(Some(span))
    }

    /// The complaint as text of several lines, without colour and without a final line break. `source` is the text
    /// the span points into; a span outside of it loses the excerpt, not the position.
    pub fn render(&self, source: &str) -> String {
        let message = escape(&self.message);
        let file = escape(&self.file);
        let title = Level::ERROR.primary_title(message.as_ref());
        let mut group = match self.place(source).map(|span| (span, excerpt(source, span))) {
            Some((_, Some((line_start, line, range)))) => title.element(
                Snippet::source(line)
                    .line_start(line_start)
                    .path(file.as_ref())
                    .annotation(AnnotationKind::Primary.span(range)),
            ),
            Some((span, None)) => title.element(
                Origin::path(file.as_ref()).line(span.line as usize).char_column(span.column as usize),
            ),
            None => title.element(Origin::path(file.as_ref())),
        };
        let help = self.help.as_deref().map(escape);
        if let Some(help) = &help {
            group = group.element(Level::HELP.message(help.as_ref()));
        }
        Renderer::plain().decor_style(DecorStyle::Ascii).render(&[group])
    }
}

/// The line a span starts in, its number, and the span as a byte range within it (clipped to the line).
fn excerpt(source: &str, span: Span) -> Option<(usize, &str, std::ops::Range<usize>)> {
    let is_break = |byte: &u8| matches!(byte, b'\n' | b'\r');
    let before = source.get(..span.byte)?.as_bytes();
    // A line may be as long as the file: look no further than what would be shown.
    let line_begin = match before.iter().rev().take(MAX_SHOWN_LINE).position(is_break) {
        Some(distance) => before.len() - distance,
        None if before.len() < MAX_SHOWN_LINE => 0,
        None => return None,
    };
    let rest = source.get(line_begin..)?;
    let line_end = match rest.as_bytes().iter().take(MAX_SHOWN_LINE).position(is_break) {
        Some(end) => end,
        None if rest.len() < MAX_SHOWN_LINE => rest.len(),
        None => return None,
    };
    let line = rest.get(..line_end)?;
    let from = (span.byte - line_begin).min(line.len());
    let mut to = from.saturating_add(span.length).min(line.len());
    while !line.is_char_boundary(to) {
        to += 1;
    }
    Some((span.line as usize, line, from..to))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SOURCE: &str = "kind: StatefulSet\nspec:\n  replcas: 3\n  serviceName: web\n";

    fn at(line: u32, column: u32, byte: usize, length: usize) -> Span {
        Span { line, column, byte, length }
    }

    #[test]
    fn renders_like_the_compiler() {
        let diagnostic = Diagnostic::new("web.yaml", at(3, 3, 26, 7), "unknown field `replcas` in `spec`")
            .with_nearest("replcas", ["selector", "replicas", "template"]);
        let expected = "\
error: unknown field `replcas` in `spec`
 --> web.yaml:3:3
  |
3 |   replcas: 3
  |   ^^^^^^^
  |
  = help: did you mean `replicas`?";
        assert_eq!(diagnostic.render(SOURCE), expected);
    }

    #[test]
    fn renders_without_an_excerpt() {
        let whole = Diagnostic::whole_file("web.yaml", "no objects");
        assert_eq!(whole.render(""), "error: no objects\n--> web.yaml");
        let outside = Diagnostic::new("web.yaml", at(9, 3, 4000, 7), "gone");
        assert_eq!(outside.render(SOURCE), "error: gone\n--> web.yaml:9:3");
        let long = "x".repeat(MAX_SHOWN_LINE);
        let shown = Diagnostic::new("web.yaml", at(1, 11, 10, 1), "long").render(&long);
        assert_eq!(shown, "error: long\n--> web.yaml:1:11");
    }

    #[test]
    fn an_empty_span_and_one_past_the_end_are_shown() {
        for (span, mark) in [(at(3, 3, 26, 0), "  |   ^"), (at(3, 3, 26, 999), "  |   ^^^^^^^^^^")] {
            let text = Diagnostic::new("f", span, "m").render(SOURCE);
            assert!(text.lines().any(|line| line == mark), "{text}");
        }
    }

    #[test]
    fn hostile_text_is_escaped_everywhere() {
        let source = "a: \u{202e}evil\u{1b}[31m\n";
        let text = Diagnostic::new("f\u{1b}.yaml", at(1, 4, 3, 4), "bad \u{1b}]0;x\u{7} `\u{202e}`")
            .with_help("line\nbreak")
            .render(source);
        assert!(text.lines().all(|line| escape(line) == line), "{text:?}");
        assert!(text.starts_with("error: bad \\u{1b}]0;x\\u{7} `\\u{202e}`\n"), "{text}");
        assert!(text.ends_with("= help: line\\nbreak"), "{text}");
    }

    proptest! {
        #[test]
        fn rendering_never_panics(
            source in "\\PC{0,40}(\n\\PC{0,40}){0,3}", line: u32, column: u32,
            byte in 0usize..200, length in 0usize..200,
        ) {
            let text = Diagnostic::new("f", at(line, column, byte, length), "m").render(&source);
            prop_assert!(text.starts_with("error: m\n"));
        }
    }
}
