//! The course: lessons that are read in a book (`docs/lessons`), or in a terminal with `stsim lessons`.
//!
//! A lesson is a Markdown file that is compiled in, with the scenarios its commands play. Its prose is prose; a `console` block
//! is a command that is really run, and what it prints is held against the block by `tests/lessons.rs`. A question stands
//! before a `<details>` block that has the answer, so that one may predict first. Left out: tables and nested lists.
pub mod shell;
mod shipped;

pub use shipped::scenario;

/// One lesson.
#[derive(Clone, Copy, Debug)]
pub struct Lesson {
    /// Its file below `docs/lessons`.
    pub file: &'static str,
    /// The whole of it.
    pub text: &'static str,
}

/// Puts the files of the course together, in order.
macro_rules! course {
    ($($file:literal),+ $(,)?) => {
        &[$(Lesson { file: $file, text: include_str!(concat!("../docs/lessons/", $file)) }),+]
    };
}

/// The course, in order.
pub const LESSONS: &[Lesson] = course![
    "01-the-same-pod-again.md",
    "02-in-order.md",
    "03-a-disk-of-its-own.md",
    "04-a-name-of-its-own.md",
    "05-rolling-updates.md",
    "06-stuck.md",
    "07-who-restarts-what.md",
    "08-the-node-is-gone.md",
    "09-six-minutes.md",
    "10-budgets-and-drains.md",
    "11-cold-starts.md",
    "12-split-brain-and-fencing.md",
];

impl Lesson {
    /// What it is called: its first heading.
    pub fn title(&self) -> &'static str {
        self.text.lines().next().unwrap_or_default().trim_start_matches("# ")
    }
}

/// A piece of a lesson, in the order of reading.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Part<'a> {
    /// A heading, and how deep it is.
    Heading(usize, &'a str),
    /// A paragraph, its lines joined.
    Prose(String),
    /// An item of a list, its lines joined.
    Item(String),
    /// Something to be shown as it is.
    Code(Vec<&'a str>),
    /// A command, and the lines it prints.
    Console(&'a str, Vec<&'a str>),
    /// Here the reader has an answer of their own before they read on.
    Pause,
}

/// Takes a Markdown text apart.
pub fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(fence) = line.strip_prefix("```") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| !line.starts_with("```")).collect();
            match block.split_first() {
                Some((first, rest)) if fence == "console" && first.starts_with("$ ") => {
                    parts.push(Part::Console(first.trim_start_matches("$ "), rest.to_vec()));
                }
                _ => parts.push(Part::Code(block)),
            }
        } else if line.starts_with('#') {
            let deep = line.bytes().take_while(|byte| *byte == b'#').count();
            parts.push(Part::Heading(deep, line.trim_start_matches('#').trim()));
        } else if line.starts_with("<details>") {
            parts.push(Part::Pause);
        } else if line.trim().is_empty() || line.starts_with("</details>") {
            parts.push(Part::Prose(String::new()));
        } else {
            prose(line, &mut parts);
        }
    }
    parts.retain(|part| *part != Part::Prose(String::new()));
    parts
}

/// A line of a paragraph or of an item: it goes on, or begins.
fn prose(line: &str, parts: &mut Vec<Part<'_>>) {
    if let Some(item) = line.strip_prefix("- ") {
        parts.push(Part::Item(plain(item)));
        return;
    }
    let words = plain(line.trim());
    match parts.last_mut() {
        Some(Part::Prose(text) | Part::Item(text)) if !text.is_empty() => {
            text.push(' ');
            text.push_str(&words);
        }
        _ => parts.push(Part::Prose(words)),
    }
}

/// A line without the marks of emphasis and without the targets of links.
fn plain(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("](") {
        let Some((_, tail)) = after.split_once(')') else { break };
        match before.rsplit_once('[') {
            Some((head, name)) => {
                text.push_str(head);
                text.push_str(name);
            }
            None => text.push_str(before),
        }
        rest = tail;
    }
    text.push_str(rest);
    text.replace("**", "").replace('*', "")
}

/// A text in lines of at most so many characters, each with this before it; the first with `first`.
pub fn wrapped(text: &str, width: usize, first: &str, others: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = first.to_owned();
    let mut empty = true;
    for word in text.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(std::mem::replace(&mut line, others.to_owned()));
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    if !empty {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lesson_is_taken_apart() {
        let text = "# One\n\nTwo\n[three](four.md) **five**.\n\n- six\n  seven\n- eight\n\n```console\n$ stsim run x\nout\n```\n\n<details><summary>Answer</summary>\n\nnine\n\n</details>\n";
        let found = parts(text);
        let prose = |text: &str| Part::Prose(text.to_owned());
        let item = |text: &str| Part::Item(text.to_owned());
        assert_eq!(
            found,
            [
                Part::Heading(1, "One"),
                prose("Two three five."),
                item("six seven"),
                item("eight"),
                Part::Console("stsim run x", vec!["out"]),
                Part::Pause,
                prose("nine"),
            ]
        );
    }

    #[test]
    fn lines_are_wrapped() {
        assert_eq!(wrapped("one two three", 9, "- ", "  "), ["- one two", "  three"]);
        assert_eq!(wrapped("longer-than-that", 4, "", ""), ["longer-than-that"]);
        assert!(wrapped(" ", 9, "", "").is_empty());
    }

    #[test]
    fn every_lesson_has_a_title_a_question_and_a_command() {
        for lesson in LESSONS {
            assert!(lesson.text.starts_with("# "), "{}", lesson.file);
            let parts = parts(lesson.text);
            assert!(parts.contains(&Part::Pause), "{} asks nothing", lesson.file);
            assert!(parts.iter().any(|part| matches!(part, Part::Console(..))), "{}", lesson.file);
        }
    }
}
