//! JUnit's XML, as continuous integration reads it: suites of cases, each passed, failed, in error or skipped.
//!
//! No times: virtual ones would be taken for real ones, and real ones differ from run to run.
use std::fmt::Write;

/// How a case ended; the text is one line, and for what went wrong there are details.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Result {
    /// It held.
    Passed,
    /// It did not hold.
    Failure(String, Vec<String>),
    /// It could not be told.
    Error(String),
    /// It said nothing.
    Skipped(String),
}

/// One case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Case {
    /// What it belongs to, as tools group cases.
    pub class: String,
    /// Its name.
    pub name: String,
    /// How it ended.
    pub result: Result,
}

/// A whole document with one suite.
pub fn document(suite: &str, cases: &[Case]) -> String {
    let count = |is: fn(&Result) -> bool| cases.iter().filter(|case| is(&case.result)).count();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    let (failures, errors) =
        (count(|r| matches!(r, Result::Failure(..))), count(|r| matches!(r, Result::Error(_))));
    let skipped = count(|r| matches!(r, Result::Skipped(_)));
    // Writing to a string cannot fail.
    let _ = writeln!(
        xml,
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\">",
        escape(suite),
        cases.len(),
    );
    for case in cases {
        let head =
            format!("    <testcase classname=\"{}\" name=\"{}\"", escape(&case.class), escape(&case.name));
        let _ = match &case.result {
            Result::Passed => writeln!(xml, "{head}/>"),
            Result::Failure(message, details) => {
                let mut text: Vec<_> = details.iter().map(|line| escape(line)).collect();
                text.insert(0, escape(message));
                let (message, text) = (escape(message), text.join("\n"));
                writeln!(
                    xml,
                    "{head}>\n      <failure message=\"{message}\">{text}</failure>\n    </testcase>"
                )
            }
            Result::Error(message) => {
                writeln!(xml, "{head}>\n      <error message=\"{}\"/>\n    </testcase>", escape(message))
            }
            Result::Skipped(message) => {
                writeln!(xml, "{head}>\n      <skipped message=\"{}\"/>\n    </testcase>", escape(message))
            }
        };
    }
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}

/// A text for an attribute or an element. What XML 1.0 cannot hold is shown as U+FFFD.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\n' => escaped.push_str("&#10;"),
            '\r' => escaped.push_str("&#13;"),
            '\t' => escaped.push_str("&#9;"),
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_document_has_counts_and_escaped_texts() {
        let case = |name: &str, result| Case { class: "a.yaml".into(), name: name.into(), result };
        let cases = [
            case("holds", Result::Passed),
            case("x < 3 && \"y\"", Result::Failure("it's 4\nnow".into(), vec!["<- b".into()])),
            case("open", Result::Error("the end".into())),
            case("empty", Result::Skipped("never\u{1b}".into())),
        ];
        let expected = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite name="a &amp; b" tests="4" failures="1" errors="1" skipped="1">
    <testcase classname="a.yaml" name="holds"/>
    <testcase classname="a.yaml" name="x &lt; 3 &amp;&amp; &quot;y&quot;">
      <failure message="it&apos;s 4&#10;now">it&apos;s 4&#10;now
&lt;- b</failure>
    </testcase>
    <testcase classname="a.yaml" name="open">
      <error message="the end"/>
    </testcase>
    <testcase classname="a.yaml" name="empty">
      <skipped message="never�"/>
    </testcase>
  </testsuite>
</testsuites>
"#;
        assert_eq!(document("a & b", &cases), expected);
    }

    proptest! {
        #[test]
        fn no_text_breaks_out(text in "(\\PC|[\u{0}-\u{1f}<>&\"'\\]]){0,40}") {
            let escaped = escape(&text);
            prop_assert!(!escaped.contains(['<', '>', '"', '\'', '\n']));
            prop_assert!(escaped.chars().all(|c| !c.is_control()));
            let entities = ["&amp;", "&lt;", "&gt;", "&quot;", "&apos;", "&#10;", "&#13;", "&#9;"];
            let rest = entities.iter().fold(escaped, |text, entity| text.replace(entity, ""));
            prop_assert!(!rest.contains('&'));
        }
    }
}
