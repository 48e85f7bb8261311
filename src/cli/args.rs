//! What can be typed.
use crate::invariants;
use clap::{Args, Parser, Subcommand, ValueEnum};

/// A deterministic simulator of Kubernetes StatefulSet semantics.
#[derive(Debug, Parser)]
#[command(name = "stsim", version, about, arg_required_else_help = true)]
pub(super) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What stsim can do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Play a scenario, or plain manifests, and print what happens
    Run(Run),
    /// Write a run as one HTML file to go back and forth in; it needs no network
    Report(Report),
    /// Print what `kubectl get` would have shown at a moment of a run
    Get(Get),
    /// Print what `kubectl describe` would have shown at a moment of a run
    Describe(Describe),
    /// Explain an object at a moment: what led to it, what it waits for, what would end that
    Why(Why),
    /// Play a StatefulSet and the Deployment made of it, and print what differs
    Compare(Compare),
    /// Play a scenario many times with different seeds, on all cores: how often, how long, how bad
    Sweep(Sweep),
    /// Make one of the parts of a sweep
    Merge(Merge),
    /// Play every scenario below a directory against its golden and its expectations
    Test(Test),
    /// Judge ourselves against traces recorded from a real control plane
    Conform(Conform),
    /// List which rules of docs/semantics scenarios exercise
    Coverage(Coverage),
    /// The course: list its lessons, or take one here in the terminal
    Lessons(Lessons),
    /// Print the JSON Schema of the scenario file, for editors
    Schema,
}

/// Options that every command that plays a scenario has.
#[derive(Debug, Args)]
pub(super) struct Play {
    /// Scenario file or plain Kubernetes manifests; `-` reads standard input
    pub file: String,
    /// Seed of the run; overrides the scenario's
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Virtual end of the run, such as 30m; overrides the scenario's
    #[arg(long, value_name = "DURATION")]
    pub until: Option<String>,
    /// Another value for a parameter of the scenario; it then varies no more in its matrix
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// Which invariants are judged while the run goes on; they never change what happens
    #[arg(long, value_enum, default_value_t = Checks::All)]
    pub checks: Checks,
}

/// What of a run is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Checks {
    /// Nothing
    Off,
    /// What controllers decide
    Decision,
    /// Everything
    All,
}

impl From<Checks> for invariants::Checks {
    fn from(checks: Checks) -> Self {
        match checks {
            Checks::Off => invariants::Checks::Off,
            Checks::Decision => invariants::Checks::Decision,
            Checks::All => invariants::Checks::All,
        }
    }
}

/// How `run` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// What happens as it happens, then tables
    Timeline,
    /// The whole change log, one JSON object a line, each with its cause, then the verdicts
    Jsonl,
    /// How it ended and the verdicts, one JSON object
    Json,
    /// The verdicts as JUnit's XML
    Junit,
    /// One HTML file to go back and forth in, as `stsim report` writes it
    Html,
    /// A trace for ui.perfetto.dev or chrome://tracing
    Perfetto,
    /// A gantt chart of the lives of pods, for documents; with `--object` the causes of what happened to it last
    Mermaid,
    /// The timeline as a recording of a terminal, for asciinema
    Cast,
}

impl Format {
    /// What happens as it happens, in lines for a reader.
    pub(super) fn is_timeline(self) -> bool {
        matches!(self, Format::Timeline | Format::Cast)
    }

    /// The whole run at once.
    pub(super) fn is_picture(self) -> bool {
        matches!(self, Format::Html | Format::Perfetto | Format::Mermaid)
    }
}

/// Options of `report`.
#[derive(Debug, Args)]
pub(super) struct Report {
    /// What to play. Of a matrix every play is in the report, side by side
    #[command(flatten)]
    pub play: Play,
    /// Where to write the file; `-` is standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: String,
}

/// Options of `run`.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// What to play.
    #[command(flatten)]
    pub play: Play,
    /// What to print
    #[arg(short, long, value_enum, default_value_t = Format::Timeline)]
    pub output: Format,
    /// One more fault, in the words of the lane: 'crash node-of(pod/web-1) @5m for 10m'
    #[arg(long, value_name = "FAULT")]
    pub fault: Vec<String>,
    /// Whose causes `-o mermaid` shows, such as pod/web-1
    #[arg(long, value_name = "KIND/NAME")]
    pub object: Option<String>,
    /// Show changes of these kinds only, such as pods,pvc
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    pub watch: Vec<String>,
    /// Print no timeline and no tables, only what failed
    #[arg(short, long)]
    pub quiet: bool,
    /// An expectation that says nothing, because what it speaks of never comes, fails
    #[arg(long)]
    pub strict: bool,
    /// Print what failed as annotations of a GitHub workflow too, on standard error
    #[arg(long)]
    pub annotations: bool,
}

/// How `compare` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ComparedAs {
    /// The table, what shows it, and what each step did
    Text,
    /// The same as Markdown
    Markdown,
    /// The same as one JSON object
    Json,
    /// The scenario of the twin, which runs as it is
    Scenario,
    /// Both runs side by side as one HTML file
    Html,
}

/// What the twin has in place of claim templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum TwinStorage {
    /// One claim per template, mounted by all pods
    Shared,
    /// An emptyDir, which goes with its pod
    None,
}

/// Options of `compare`.
#[derive(Debug, Args)]
pub(super) struct Compare {
    /// What to play.
    #[command(flatten)]
    pub play: Play,
    /// The StatefulSet, if the file has several
    #[arg(long, value_name = "NAME")]
    pub workload: Option<String>,
    /// What the Deployment has in place of claim templates
    #[arg(long, value_enum, default_value_t = TwinStorage::Shared)]
    pub storage: TwinStorage,
    /// Manifests of a Deployment to compare with, in place of the one made of the StatefulSet
    #[arg(long, value_name = "FILE", conflicts_with = "storage")]
    pub with: Option<String>,
    /// What to print
    #[arg(short, long, value_enum, default_value_t = ComparedAs::Text)]
    pub output: ComparedAs,
}

/// How `sweep` and `merge` print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SweptAs {
    /// Shares, a table of distributions, the runs to look at
    Text,
    /// The same as one JSON object
    Json,
    /// The distributions, a line of JSON for each value
    Jsonl,
    /// The same as CSV
    Csv,
    /// One page with a histogram for each measure
    Html,
}

/// How far a sweep is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Shown {
    /// A bar, if standard error is a terminal
    Auto,
    /// A line of JSON every second on standard error
    Json,
    /// Nothing
    None,
}

/// Options of `sweep`.
#[derive(Debug, Args)]
pub(super) struct Sweep {
    /// What to play. `--seed` is the seed of the sweep; those of its runs follow from it
    #[command(flatten)]
    pub play: Play,
    /// How many runs
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000_000))]
    pub runs: u64,
    /// One more number to measure at the end of each run: NAME=EXPRESSION
    #[arg(long, value_name = "NAME=CEL")]
    pub measure: Vec<String>,
    /// What the sweep has to keep to, or it exits with 1: 'longestNotWhole p99 <= 2m', 'failed <= 0.1%'
    #[arg(long, value_name = "THRESHOLD")]
    pub require: Vec<String>,
    /// Threads; all cores if not given. What comes out does not depend on it
    #[arg(long, value_name = "N")]
    pub threads: Option<std::num::NonZeroU16>,
    /// Play only this share of the runs, from 0: 3/64. Jobs say it by JOB_COMPLETION_INDEX and STSIM_SHARDS, or by
    /// SLURM_ARRAY_TASK_ID and SLURM_ARRAY_TASK_COUNT
    #[arg(long, value_name = "I/N", conflicts_with = "range")]
    pub shard: Option<String>,
    /// Play only these runs: FIRST..END
    #[arg(long, value_name = "A..B")]
    pub range: Option<String>,
    /// Play all runs, whatever share the environment of a job says
    #[arg(long, conflicts_with_all = ["shard", "range"])]
    pub whole: bool,
    /// Write what was played to this file, for `stsim merge` and --resume
    #[arg(long, value_name = "FILE")]
    pub part: Option<String>,
    /// Go on with what is in the part file
    #[arg(long, requires = "part")]
    pub resume: bool,
    /// How far it is
    #[arg(long, value_enum, default_value_t = Shown::Auto)]
    pub progress: Shown,
    /// What to print
    #[arg(short, long, value_enum, default_value_t = SweptAs::Text)]
    pub output: SweptAs,
}

/// Options of `merge`.
#[derive(Debug, Args)]
pub(super) struct Merge {
    /// Files that `sweep --part` wrote
    #[arg(required = true, value_name = "FILE")]
    pub parts: Vec<String>,
    /// Runs may be missing
    #[arg(long)]
    pub partial: bool,
    /// What the sweep has to keep to, or it exits with 1
    #[arg(long, value_name = "THRESHOLD")]
    pub require: Vec<String>,
    /// What to print
    #[arg(short, long, value_enum, default_value_t = SweptAs::Text)]
    pub output: SweptAs,
}

/// How `test` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Cases {
    /// One line a scenario, and a count
    Text,
    /// JUnit's XML
    Junit,
}

/// Options of `test`.
#[derive(Debug, Args)]
pub(super) struct Test {
    /// Directory of scenarios
    pub directory: String,
    /// Write what is printed as the goldens; read the difference before you commit it
    #[arg(long)]
    pub bless: bool,
    /// An expectation that says nothing, because what it speaks of never comes, fails
    #[arg(long)]
    pub strict: bool,
    /// What to print
    #[arg(short, long, value_enum, default_value_t = Cases::Text)]
    pub output: Cases,
}

/// Options of `get`.
#[derive(Debug, Args)]
pub(super) struct Get {
    /// What to play.
    #[command(flatten)]
    pub play: Play,
    /// Kind, as kubectl takes it: pods, sts, pvc, ...
    pub kind: String,
    /// Name of one object
    pub name: Option<String>,
    /// The virtual moment, such as 7m; the end if not given
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// wide, yaml, json, name, jsonpath=..., custom-columns=...
    #[arg(short, long, value_name = "FORMAT")]
    pub output: Option<String>,
}

/// Options of `describe`.
#[derive(Debug, Args)]
pub(super) struct Describe {
    /// What to play.
    #[command(flatten)]
    pub play: Play,
    /// Kind, as kubectl takes it: pods, sts, pvc, ...
    pub kind: String,
    /// Name of one object
    pub name: Option<String>,
    /// The virtual moment, such as 7m; the end if not given
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
}

/// How `why` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Answer {
    /// Sentences
    Text,
    /// One JSON object
    Json,
}

/// Options of `why`.
#[derive(Debug, Args)]
pub(super) struct Why {
    /// What to play.
    #[command(flatten)]
    pub play: Play,
    /// What to explain: KIND/NAME, as in pod/web-1, sts/web, pvc/data-web-1, node/node-a, pdb/web, dns/web-0.web
    pub object: String,
    /// The virtual moment, such as 7m; the end if not given
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// Namespace of the object
    #[arg(short, long, default_value = "default")]
    pub namespace: String,
    /// Try no remedies
    #[arg(long)]
    pub no_trial: bool,
    /// What to print
    #[arg(short, long, value_enum, default_value_t = Answer::Text)]
    pub output: Answer,
}

/// Options of `lessons`.
#[derive(Debug, Args)]
pub(super) struct Lessons {
    /// Which lesson; without it they are listed
    pub number: Option<usize>,
}

/// How `conform` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Lines {
    /// One line a case, and a count
    Text,
    /// One JSON object a case
    Jsonl,
}

/// Options of `conform`.
#[derive(Debug, Args)]
pub(super) struct Conform {
    /// Directory of cases: NAME.yaml with NAME.trace.json beside it
    pub directory: String,
    /// Only this case; its first disagreement is printed in full
    #[arg(long, value_name = "NAME")]
    pub case: Option<String>,
    /// Timings per case: the unperturbed one and N-1 with drawn latencies
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seeds: u64,
    /// What to print
    #[arg(short, long, value_enum, default_value_t = Lines::Text)]
    pub output: Lines,
}

/// How `coverage` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Listing {
    /// Counts, the rules no scenario exercises, those not modelled
    Text,
    /// One JSON object with every rule
    Json,
    /// The page docs/semantics/coverage.md
    Markdown,
}

/// Options of `coverage`.
#[derive(Debug, Args)]
pub(super) struct Coverage {
    /// Scenarios, and directories of scenarios or recorded cases
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<String>,
    /// List the scenarios that exercise this rule, such as STS-58
    #[arg(long, value_name = "ID")]
    pub rule: Option<String>,
    /// What to print
    #[arg(short, long, value_enum, default_value_t = Listing::Text)]
    pub output: Listing,
}
