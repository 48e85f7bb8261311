//! GitHub's workflow commands: a line that puts a message beside a line of a file in a pull request.
//!
//! The format is that of actions/toolkit (packages/core/src/command.ts): in the message `%`, CR and LF are escaped, in a
//! property `:` and `,` too.
use crate::scenario::diagnostic::Span;

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// It fails the run.
    Error,
    /// It does not.
    Warning,
}

/// One annotation, without line break.
pub fn line(level: Level, file: &str, span: Span, title: &str, message: &str) -> String {
    let level = match level {
        Level::Error => "error",
        Level::Warning => "warning",
    };
    format!(
        "::{level} file={},line={},col={},title={}::{}",
        property(file),
        span.line,
        span.column,
        property(title),
        data(message)
    )
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_command_ends_with_is_escaped() {
        let span = Span { line: 3, column: 7, byte: 0, length: 0 };
        let cases = [
            (Level::Error, "a.yaml", "t", "m", "::error file=a.yaml,line=3,col=7,title=t::m"),
            (
                Level::Warning,
                "a,b:c%.yaml",
                "order: a, b",
                "50% of a::b, c\r\n::error::x",
                "::warning file=a%2Cb%3Ac%25.yaml,line=3,col=7,title=order%3A a%2C b::\
                 50%25 of a::b, c%0D%0A::error::x",
            ),
        ];
        for (level, file, title, message, expected) in cases {
            let line = line(level, file, span, title, message);
            assert_eq!(line, expected);
            assert_eq!(line.lines().count(), 1);
        }
    }
}
