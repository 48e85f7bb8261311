//! The command lines of lessons: `stsim ...`, and what of it is shown, `| grep -E 'pattern'`, `| head -n 5`, `| tail -n 5`.
//!
//! They are what one would type, so that they can be pasted into a shell. Only these filters are known.
use regex_lite::Regex;

/// What is shown of what a command prints.
#[derive(Clone, Debug)]
enum Filter {
    /// Lines that match, or that do not.
    Grep(Regex, bool),
    /// The first so many.
    Head(usize),
    /// The last so many.
    Tail(usize),
}

/// A command line.
#[derive(Clone, Debug)]
pub struct Line {
    /// `stsim` and its arguments.
    pub words: Vec<String>,
    filters: Vec<Filter>,
}

impl Line {
    /// Reads a command line; None if it is none of ours.
    pub fn parse(text: &str) -> Option<Line> {
        let words = shlex::split(text)?;
        let mut stages = words.split(|word| word == "|");
        let command = stages.next()?.to_vec();
        let filters: Option<Vec<Filter>> = stages.map(filter).collect();
        (command.first()? == "stsim").then_some(Line { words: command, filters: filters? })
    }

    /// What is left of what the command has printed.
    pub fn shown(&self, output: &str) -> Vec<String> {
        let mut lines: Vec<&str> = output.lines().map(str::trim_end).collect();
        for filter in &self.filters {
            match filter {
                Filter::Grep(pattern, wanted) => lines.retain(|line| pattern.is_match(line) == *wanted),
                Filter::Head(count) => lines.truncate(*count),
                Filter::Tail(count) => lines = lines.split_off(lines.len().saturating_sub(*count)),
            }
        }
        lines.into_iter().map(str::to_owned).collect()
    }
}

fn filter(words: &[String]) -> Option<Filter> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["grep", "-E", pattern] => Some(Filter::Grep(Regex::new(pattern).ok()?, true)),
        ["grep", "-vE", pattern] => Some(Filter::Grep(Regex::new(pattern).ok()?, false)),
        ["head", "-n", count] => count.parse().ok().map(Filter::Head),
        ["tail", "-n", count] => count.parse().ok().map(Filter::Tail),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_filtered() {
        let cases = [
            ("stsim run x", vec!["a1", "b2", "a3"]),
            ("stsim run x | grep -E '^a'", vec!["a1", "a3"]),
            ("stsim run x | grep -vE 'a|2'", vec![]),
            ("stsim run x | head -n 2 | tail -n 1", vec!["b2"]),
            ("stsim run x | tail -n 9", vec!["a1", "b2", "a3"]),
        ];
        for (text, expected) in cases {
            let line = Line::parse(text).expect(text);
            assert_eq!(line.words, ["stsim", "run", "x"]);
            assert_eq!(line.shown("a1\nb2  \na3\n"), expected, "{text}");
        }
        for text in
            ["", "ls", "stsim run x | wc -l", "stsim run x | grep a", "stsim 'run", "stsim | grep -E '('"]
        {
            assert!(Line::parse(text).is_none(), "{text}");
        }
    }
}
