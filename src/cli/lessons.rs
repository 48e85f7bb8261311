//! `stsim lessons`: the course in a terminal. Its commands are really run, each where the lesson has it.
use crate::cli::args::{Arguments, Lessons};
use crate::cli::{Done, Exit, Refusal, Trouble, files, perform};
use crate::lessons::{LESSONS, Lesson, Part, parts, scenario, shell, wrapped};
use clap::Parser;
use std::io::{BufRead, IsTerminal, Write};

/// Columns that prose takes.
const WIDTH: usize = 92;

/// Lists the lessons, or gives one.
pub(super) fn lessons(options: &Lessons, out: &mut dyn Write) -> Done {
    let Some(number) = options.number else {
        writeln!(out, "{} lessons; `stsim lessons 1` begins the first.\n", LESSONS.len())?;
        for (n, lesson) in LESSONS.iter().enumerate() {
            writeln!(out, "{:>3}  {}", n + 1, lesson.title())?;
        }
        return Ok(Exit::Held);
    };
    let lesson = number.checked_sub(1).and_then(|n| LESSONS.get(n)).ok_or_else(|| {
        let text = format!("error: there is no lesson {number}\n  = help: lessons 1 to {}", LESSONS.len());
        Refusal::invalid(text)
    })?;
    give(lesson, out)?;
    if let Some(next) = LESSONS.get(number) {
        writeln!(out, "Next: `stsim lessons {}`, {}", number + 1, next.title())?;
    }
    Ok(Exit::Held)
}

fn give(lesson: &Lesson, out: &mut dyn Write) -> Result<(), Trouble> {
    for part in parts(lesson.text) {
        match part {
            Part::Heading(deep, title) => {
                let rule = if deep == 1 { "=" } else { "-" };
                writeln!(out, "{title}\n{}\n", rule.repeat(title.chars().count()))?;
            }
            Part::Prose(text) => say(&wrapped(&text, WIDTH, "", ""), out)?,
            Part::Item(text) => say(&wrapped(&text, WIDTH, "- ", "  "), out)?,
            Part::Code(lines) => {
                for line in lines {
                    writeln!(out, "    {line}")?;
                }
                writeln!(out)?;
            }
            Part::Console(command, _) => play(command, out)?,
            Part::Pause => wait(out)?,
        }
    }
    Ok(())
}

fn say(lines: &[String], out: &mut dyn Write) -> Result<(), Trouble> {
    for line in lines {
        writeln!(out, "{line}")?;
    }
    Ok(writeln!(out)?)
}

/// Whoever sits at a terminal thinks first, and then presses Enter.
fn wait(out: &mut dyn Write) -> Result<(), Trouble> {
    if !(std::io::stdin().is_terminal() && std::io::stdout().is_terminal()) {
        return Ok(());
    }
    write!(out, "(Say it first, then press Enter.) ")?;
    out.flush()?;
    std::io::stdin().lock().read_line(&mut String::new())?;
    Ok(writeln!(out)?)
}

/// Runs a command of a lesson, with the scenario that is compiled in, and shows what it prints.
fn play(text: &str, out: &mut dyn Write) -> Result<(), Trouble> {
    writeln!(out, "    $ {text}")?;
    out.flush()?;
    let line = shell::Line::parse(text)
        .ok_or_else(|| Refusal::invalid(format!("error: `{text}` is no command of a lesson")))?;
    let shipped = |word: &String| match scenario(word) {
        Some(_) => format!("{}{word}", files::SHIPPED),
        None => word.clone(),
    };
    let arguments = Arguments::try_parse_from(line.words.iter().map(shipped))
        .map_err(|error| Refusal::invalid(error.to_string()))?;
    let mut printed = Vec::new();
    match perform(&arguments.command, &mut printed) {
        Ok(_) => {}
        Err(Trouble::Refused(refusal)) => printed.extend_from_slice(refusal.text.as_bytes()),
        Err(trouble @ Trouble::Io(_)) => return Err(trouble),
    }
    for shown in line.shown(&String::from_utf8_lossy(&printed)) {
        writeln!(out, "    {shown}")?;
    }
    Ok(writeln!(out)?)
}
