//! What README and documents show was printed by the tool: every `console` block with a `$ stsim` command is run.
//!
//! In a block, `...` on a line of its own stands for any number of lines. `BLESS=1` is not offered here: documents are
//! written by people.
mod common;

use common::{root, stsim};

struct Block {
    file: String,
    line: usize,
    command: String,
    expected: Vec<String>,
}

fn blocks(file: &str) -> Vec<Block> {
    let text = std::fs::read_to_string(root().join(file)).expect("the document is there");
    let mut blocks: Vec<Block> = Vec::new();
    let mut inside = false;
    for (n, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if inside && let Some(command) = line.strip_prefix("$ ") {
            let command = command.to_owned();
            blocks.push(Block { file: file.to_owned(), line: n + 1, command, expected: Vec::new() });
        } else if inside && let Some(block) = blocks.last_mut() {
            block.expected.push(line.trim_end().to_owned());
        }
    }
    blocks
}

/// True if the lines match, where `...` stands for any number of lines.
fn matches(expected: &[String], found: &[&str]) -> bool {
    match expected.split_first() {
        None => found.is_empty(),
        Some((first, rest)) if first.trim() == "..." => (0..=found.len()).any(|n| matches(rest, &found[n..])),
        Some((first, rest)) => {
            found.first().is_some_and(|line| line.trim_end() == first) && matches(rest, &found[1..])
        }
    }
}

#[test]
fn documents_show_what_the_tool_prints() {
    let mut run = 0;
    for block in blocks("README.md") {
        let words: Vec<_> = block.command.split_whitespace().collect();
        let arguments = match words.as_slice() {
            ["stsim", rest @ ..] => rest,
            ["cargo", "run", "--release", "--", rest @ ..] => rest,
            _ => continue,
        };
        let output = stsim(arguments);
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let found: Vec<_> = text.lines().collect();
        let place = format!("{}:{}", block.file, block.line);
        assert!(matches(&block.expected, &found), "{place}: `{}` prints\n{text}", block.command);
        run += 1;
    }
    assert!(run >= 1, "README shows no output");
}
