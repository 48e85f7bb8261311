//! The command line: the only place that touches arguments, files and the terminal.
//!
//! Results go to standard output, talk to standard error. Exit status: 0 held; 1 a step, an expectation or an invariant
//! of the world failed; 2 invalid input or usage; 3 undecided, or a limit was reached; 70 our bug; 75 a sweep was
//! interrupted and can be resumed.
mod args;
mod compare;
mod conform;
mod coverage;
mod files;
mod get;
mod lessons;
mod matrix;
mod report;
mod run;
mod sweep;
mod test;
mod verdict;
mod why;

use clap::Parser;
use std::io::Write;
use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    /// Everything held.
    Held = 0,
    /// A step or expectation failed.
    Failed = 1,
    /// The input or the command line is wrong.
    Invalid = 2,
    /// A limit was reached, or the end came before an answer.
    Undecided = 3,
    /// The simulator itself is wrong.
    Bug = 70,
    /// A sweep was told to stop; what it has played is kept (EX_TEMPFAIL).
    Interrupted = 75,
}

/// A command that could not be carried out.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// What to print on standard error.
    pub text: String,
    /// How to exit.
    pub exit: Exit,
}

impl Refusal {
    fn invalid(text: impl Into<String>) -> Refusal {
        Refusal { text: text.into(), exit: Exit::Invalid }
    }
}

/// What a command returns: how it ended, a refusal, or an error of writing.
type Done = Result<Exit, Trouble>;

/// Why a command did not come to its end.
#[derive(Debug)]
enum Trouble {
    Refused(Refusal),
    Io(std::io::Error),
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Trouble::Refused(refusal)
    }
}
impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        Trouble::Io(error)
    }
}

/// Prints the JSON Schema of the scenario file.
fn schema(out: &mut dyn Write) -> Done {
    writeln!(out, "{:#}", crate::scenario::schema::schema())?;
    Ok(Exit::Held)
}

/// Does what a command says.
fn perform(command: &args::Command, out: &mut dyn Write) -> Done {
    match command {
        args::Command::Run(options) => run::run(options, out),
        args::Command::Compare(options) => compare::compare(options, out),
        args::Command::Sweep(options) => sweep::sweep(options, out),
        args::Command::Merge(options) => sweep::merge(options, out),
        args::Command::Test(options) => test::test(options, out),
        args::Command::Report(options) => report::report(options, out),
        args::Command::Get(options) => get::get(options, out),
        args::Command::Describe(options) => get::describe(options, out),
        args::Command::Why(options) => why::why(options, out),
        args::Command::Conform(options) => conform::conform(options, out),
        args::Command::Coverage(options) => coverage::coverage(options, out),
        args::Command::Schema => schema(out),
        args::Command::Lessons(options) => lessons::lessons(options, out),
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let arguments = match args::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = u8::try_from(error.exit_code()).unwrap_or(2);
            return if error.print().is_ok() { ExitCode::from(code) } else { ExitCode::from(74) };
        }
    };
    let mut out = std::io::BufWriter::new(anstream::stdout());
    let done = perform(&arguments.command, &mut out);
    let done = done.and_then(|exit| Ok(out.flush().map(|()| exit)?));
    match done {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(Trouble::Refused(refusal)) => {
            let said = writeln!(anstream::stderr(), "{}", refusal.text);
            if said.is_ok() { ExitCode::from(refusal.exit as u8) } else { ExitCode::from(74) }
        }
        // A reader that has seen enough is no error.
        Err(Trouble::Io(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(Trouble::Io(error)) => {
            let said = writeln!(anstream::stderr(), "error: {error}");
            ExitCode::from(if said.is_ok() { 74 } else { 70 })
        }
    }
}
