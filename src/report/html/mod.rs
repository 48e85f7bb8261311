//! The report: one HTML file with everything in it, that asks nobody for anything.
//!
//! The shell names three things by their hashes or keeps them out of reach of scripts: the style and the script, which
//! are part of this program, and the data, which are not trusted and stand in a block that is never executed. The
//! content policy allows these two and no request. The page makes its nodes from texts only, never from markup.
mod encode;

use crate::api::text::escape;
use crate::report::history::History;
use sha2::{Digest, Sha256};

const SHELL: &str = include_str!("assets/shell.html");
const STYLE: &str = include_str!("assets/app.css");
/// The parts of the script, in order: they share one scope.
const SCRIPTS: &[&str] = &[
    include_str!("assets/text.js"),
    include_str!("assets/data.js"),
    include_str!("assets/scale.js"),
    include_str!("assets/lanes.js"),
    include_str!("assets/topology.js"),
    include_str!("assets/inspector.js"),
    include_str!("assets/story.js"),
    include_str!("assets/app.js"),
];

/// The report of one run, or of several side by side.
pub fn page(histories: &[History]) -> String {
    let script = format!("\"use strict\";\n(() => {{\n{}}})();\n", SCRIPTS.concat());
    let title = histories.iter().map(|history| history.name.as_str()).collect::<Vec<_>>().join(" | ");
    // The data come last: what stands in them cannot be taken for a place of the shell.
    let filled = SHELL
        .replace("{{script-hash}}", &hash(&script))
        .replace("{{style-hash}}", &hash(STYLE))
        .replace("{{style}}", STYLE)
        .replace("{{script}}", &script);
    let (before, after) = filled.split_once("{{data}}").unwrap_or((&filled, ""));
    let (head, tail) = before.split_once("{{title}}").unwrap_or((before, ""));
    format!("{head}{}{tail}{}{after}", text(&title), encode::data(histories))
}

/// A text as HTML. Only the title needs it: everything else is written by the script.
fn text(text: &str) -> String {
    let mut out = String::new();
    for character in escape(text).chars() {
        match character {
            '<' | '>' | '&' | '"' | '\'' => out.push_str(&format!("&#{};", u32::from(character))),
            c => out.push(c),
        }
    }
    out
}

/// `sha256-...` of a content policy.
fn hash(text: &str) -> String {
    format!("sha256-{}", base64(&Sha256::digest(text.as_bytes())))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let three = (0..3).fold(0_u32, |sum, n| sum << 8 | u32::from(chunk.get(n).copied().unwrap_or(0)));
        for n in 0..4 {
            let digit = DIGITS[(three >> (18 - 6 * n) & 63) as usize];
            out.push(if n <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_as_rfc_4648_has_it() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn a_title_is_a_text() {
        assert_eq!(text("a<b>&\"'\n\u{202e}"), "a&#60;b&#62;&#38;&#34;&#39;\\n\\u{202e}");
    }

    #[test]
    fn a_page_without_a_run_has_all_its_parts() {
        let page = page(&[]);
        assert!(!page.contains("{{"), "a place of the shell is left");
        assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    }
}
