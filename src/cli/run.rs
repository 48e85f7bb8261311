//! `stsim run`: the timeline as it happens, then tables, then verdicts.
use crate::api::kind::Kind;
use crate::api::names::Sym;
use crate::api::text::escape;
use crate::cli::args::{Format, Play as PlayOptions, Run};
use crate::cli::{Done, Exit, Refusal, files, matrix, report, verdict};
use crate::cluster::Cluster;
use crate::invariants::registry::Invariant;
use crate::kernel::Time;
use crate::kubectl::resource::ResourceKind;
use crate::kubectl::run::{self as kubectl, Output};
use crate::report::timeline::{self, Filter, clock};
use crate::report::{cast, databases, dns};
use crate::run::{Failure, Outcome, Play, Watch};
use crate::scenario::{Scenario, Step, yaml};
use crate::trace::record::Recorder;
use std::io::{self, Write};

/// Plays a scenario and prints it.
pub(super) fn run(options: &Run, out: &mut dyn Write) -> Done {
    let mut opened = files::opened(&options.play.file, &options.play.set)?;
    if let Some(cells) = opened.cells() {
        return matrix::run(&mut opened, &cells, options, out);
    }
    let mut scenario = opened.defaults()?;
    for text in &options.fault {
        if let Err(wrong) = crate::scenario::typed::add(text, &mut scenario) {
            let source = scenario.sources.last().map_or("", |source| source.text.as_str());
            return Err(Refusal::invalid(wrong.render(source)).into());
        }
    }
    if options.object.is_some() && options.output != Format::Mermaid {
        return Err(Refusal::invalid("error: --object is an option of `-o mermaid`").into());
    }
    if options.output.is_picture() {
        return report::print(&scenario, options, out);
    }
    let mut play = start(&scenario, &options.play)?;
    let reel = (options.output == Format::Cast).then(Vec::new);
    let mut printer = Printer {
        out,
        reel,
        format: options.output,
        quiet: options.quiet,
        filter: Filter { kinds: kinds(&options.watch)? },
        seen: 0,
        trouble: None,
    };
    printer.heading(&scenario)?;
    let outcome = play.play(&mut printer);
    printer.rest(&play.cluster);
    if let Some(error) = printer.trouble.take() {
        return Err(error.into());
    }
    if let Some(mut lines) = printer.reel.take() {
        let now = play.cluster.world.now();
        lines.extend(
            verdict::told(&scenario, &play.cluster, &outcome)?.lines().map(|line| (now, line.to_owned())),
        );
        write!(out, "{}", cast::recording(&scenario.name, &lines))?;
    }
    if options.output == Format::Timeline && !options.quiet {
        tables(&mut play.cluster, out)?;
    }
    if options.output == Format::Jsonl && !options.quiet {
        for line in databases::json_lines(&play.cluster.databases, &play.cluster.world) {
            writeln!(out, "{line}")?;
        }
    }
    verdict::verdict(&scenario, &play.cluster, &outcome, options, out)
}

/// Builds the cluster of a scenario as the options ask for it.
pub(super) fn start<'s>(scenario: &'s Scenario, options: &PlayOptions) -> Result<Play<'s>, Refusal> {
    check(scenario)?;
    let seed = options.seed.unwrap_or(scenario.seed);
    let mut play =
        Play::new(scenario, seed, Recorder::on()).map_err(|failure| explain(scenario, &failure))?;
    play.cluster.check(options.checks.into());
    if let Some(until) = &options.until {
        play.set_until(files::time_option("--until", until)?);
    }
    Ok(play)
}

/// Command lines are read before anything runs, so that a typo in the last step costs nothing.
pub(super) fn check(scenario: &Scenario) -> Result<(), Refusal> {
    for step in scenario.all_steps() {
        if let crate::scenario::Action::Kubectl { words, .. } = &step.action
            && let Err(message) = kubectl::check(words)
        {
            let (message, help) =
                message.split_once('\n').map_or((message.as_str(), None), |(m, h)| (m, Some(h)));
            return Err(at_step(scenario, step, message, help));
        }
    }
    Ok(())
}

fn at_step(scenario: &Scenario, step: &Step, message: &str, help: Option<&str>) -> Refusal {
    let source = &scenario.sources[step.place.source];
    let mut diagnostic = crate::scenario::diagnostic::Diagnostic::new(&source.path, step.place.span, message);
    if let Some(help) = help {
        diagnostic = diagnostic.with_help(help);
    }
    Refusal::invalid(diagnostic.render(&source.text))
}

pub(super) fn explain(scenario: &Scenario, failure: &Failure) -> Refusal {
    match failure.step.and_then(|n| scenario.all_steps().nth(n)) {
        Some(step) => at_step(scenario, step, &failure.message, None),
        None => Refusal::invalid(failure.message.clone()),
    }
}

fn kinds(words: &[String]) -> Result<Vec<Kind>, Refusal> {
    words
        .iter()
        .map(|word| {
            ResourceKind::parse(word).and_then(|resource| Kind::parse(resource.kind())).ok_or_else(|| {
                Refusal::invalid(format!("error: --watch: there is no kind `{}`", escape(word)))
            })
        })
        .collect()
}

/// Prints a run as it goes on.
struct Printer<'o> {
    out: &'o mut dyn Write,
    /// Lines with their times, if they are recorded rather than printed.
    reel: Option<Vec<(Time, String)>>,
    format: Format,
    quiet: bool,
    filter: Filter,
    seen: usize,
    trouble: Option<io::Error>,
}

impl Printer<'_> {
    fn heading(&mut self, scenario: &Scenario) -> io::Result<()> {
        if self.format.is_timeline() && !self.quiet && !scenario.about.is_empty() {
            let line = format!("# {}", escape(&scenario.about));
            match &mut self.reel {
                Some(reel) => reel.push((Time::ZERO, line)),
                None => writeln!(self.out, "{line}")?,
            }
        }
        Ok(())
    }

    fn print(&mut self, lines: &[String], now: Time) {
        if let Some(reel) = &mut self.reel {
            reel.extend(lines.iter().map(|line| (now, line.clone())));
            return;
        }
        for line in lines {
            if self.trouble.is_none()
                && let Err(error) = writeln!(self.out, "{line}")
            {
                self.trouble = Some(error);
            }
        }
    }

    fn rest(&mut self, cluster: &Cluster) {
        if self.quiet {
            return;
        }
        let mut lines = Vec::new();
        self.seen = match self.format {
            Format::Timeline | Format::Cast => {
                timeline::lines(&cluster.world, &self.filter, self.seen, &mut lines)
            }
            Format::Jsonl => timeline::json_lines(&cluster.world, self.seen, &mut lines),
            Format::Json | Format::Junit | Format::Html | Format::Perfetto | Format::Mermaid => return,
        };
        self.print(&lines, cluster.world.now());
    }
}

impl Watch for Printer<'_> {
    fn happened(&mut self, cluster: &Cluster) {
        self.rest(cluster);
    }

    fn step(&mut self, cluster: &Cluster, step: Option<&Step>) {
        if step.is_none() && self.format.is_timeline() {
            // What every cluster has before anything is applied is no news.
            self.seen = cluster.world.recorder.records().len();
        }
        self.rest(cluster);
        if self.quiet || !self.format.is_timeline() {
            return;
        }
        let title =
            step.map_or("kubectl apply -f <the manifests of this scenario>", |step| step.title.as_str());
        let prompt = match title.split(' ').next() {
            Some("kubectl") => "$ ",
            Some("lookup") => "? ",
            _ => "! ",
        };
        let line = format!("\n{:>12}  {prompt}{}", clock(cluster.world.now()), escape(title));
        self.print(&[line], cluster.world.now());
    }

    fn output(&mut self, cluster: &Cluster, _: Option<&Step>, output: &Output) {
        self.rest(cluster);
        if self.quiet || !self.format.is_timeline() {
            return;
        }
        let text = format!("{}{}", output.stdout, output.stderr);
        let mut lines: Vec<_> = text.lines().map(|line| format!("{:14}{}", "", escape(line))).collect();
        if output.exit != 0 {
            lines.push(format!("{:14}[exit {}]", "", output.exit));
        }
        self.print(&lines, cluster.world.now());
    }
}

/// The tables at the end: what kubectl would show now.
fn tables(cluster: &mut Cluster, out: &mut dyn Write) -> io::Result<()> {
    let everything: [(&str, &[&str]); 6] = [
        ("pods", &["-o", "wide"]),
        ("statefulsets", &[]),
        ("deployments", &[]),
        ("pvc", &[]),
        ("pv", &[]),
        ("endpointslices", &[]),
    ];
    for (kind, rest) in everything {
        let words: Vec<String> = ["get", kind].iter().chain(rest).map(|w| (*w).to_owned()).collect();
        let output = kubectl::start(&words, None, yaml::documents, cluster).output;
        if output.exit == 0 && !output.stdout.is_empty() {
            writeln!(out, "\n$ kubectl {}\n{}", words.join(" "), output.stdout.trim_end())?;
        }
    }
    let records = dns::dns_records(&cluster.world, Sym::DEFAULT);
    if !records.is_empty() {
        writeln!(out, "\nDNS records\n{}", records.trim_end())?;
    }
    let databases = databases::text(&cluster.databases, &cluster.world);
    if !databases.is_empty() {
        writeln!(out, "\n{}", databases.trim_end())?;
    }
    Ok(())
}

/// Why a play says nothing about the cluster: the scenario is wrong, or we are.
pub(super) fn unplayable(scenario: &Scenario, outcome: &Outcome, options: &PlayOptions) -> Option<Refusal> {
    if let Some(failure) = outcome.failures.iter().find(|failure| failure.invalid) {
        return Some(explain(scenario, failure));
    }
    broken(scenario, outcome, options)
}

/// Why a play says nothing at all: we are wrong.
pub(super) fn broken(scenario: &Scenario, outcome: &Outcome, options: &PlayOptions) -> Option<Refusal> {
    let finding = outcome.findings.first()?;
    let when = clock(finding.time);
    let text = format!(
        "bug: INV-{}{} is broken at {when} (seed {}): {}\nPlease report it with the scenario file.",
        finding.invariant,
        Invariant::of(finding.invariant).map_or(String::new(), |known| format!(" ({})", known.name)),
        options.seed.unwrap_or(scenario.seed),
        escape(&finding.message)
    );
    Some(Refusal { text, exit: Exit::Bug })
}
