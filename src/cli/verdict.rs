//! The end of a run: why it ended, what was judged, in the format asked for, and the exit status.
use crate::api::text::escape;
use crate::cli::args::{Format, Run};
use crate::cli::{Done, Exit, Refusal, run};
use crate::cluster::Cluster;
use crate::expect::verdict::Verdict;
use crate::report::timeline::clock;
use crate::report::verdicts::{self, Item};
use crate::report::{junit, unready};
use crate::run::{Ended, Outcome};
use crate::scenario::Scenario;
use crate::why::quiescence;
use crate::world::Limit;
use serde_json::json;
use std::io::{self, Write};

/// How a run that said something about the cluster exits.
pub(super) fn exit(outcome: &Outcome, strict: bool) -> Exit {
    let failed = |verdict: &Verdict| {
        matches!(verdict, Verdict::Fail(_)) || strict && matches!(verdict, Verdict::Vacuous(_))
    };
    if !outcome.failures.is_empty() || !outcome.breaches.is_empty() || outcome.any(failed) {
        Exit::Failed
    } else if matches!(outcome.ended, Ended::Limit(_)) || outcome.any(|v| matches!(v, Verdict::Undecided(_)))
    {
        Exit::Undecided
    } else {
        Exit::Held
    }
}

/// Prints what came of a run.
pub(super) fn verdict(
    scenario: &Scenario,
    cluster: &Cluster,
    outcome: &Outcome,
    options: &Run,
    out: &mut dyn Write,
) -> Done {
    if let Some(refusal) = run::unplayable(scenario, outcome, &options.play) {
        out.flush()?;
        return Err(refusal.into());
    }
    let items = verdicts::items(scenario, &cluster.world, outcome);
    match options.output {
        Format::Timeline => lines(scenario, cluster, outcome, &items, options.quiet, out)?,
        Format::Jsonl => {
            for item in &items {
                writeln!(out, "{}", item.json(scenario))?;
            }
        }
        Format::Json => {
            let value = summary(scenario, cluster, outcome, &items, options);
            writeln!(out, "{}", serde_json::to_string_pretty(&value).unwrap_or_default())?;
        }
        Format::Junit => write!(
            out,
            "{}",
            junit::document(&scenario.name, &cases(scenario, outcome, &items, options.strict))
        )?,
        // The verdicts are in them, or they have no place for any.
        Format::Html | Format::Perfetto | Format::Mermaid | Format::Cast => {}
    }
    if options.annotations {
        out.flush()?;
        let mut talk = anstream::stderr();
        for line in items.iter().filter_map(|item| item.annotation(scenario, options.strict)) {
            writeln!(talk, "{line}")?;
        }
    }
    let exit = exit(outcome, options.strict);
    let Ended::Limit(limit) = outcome.ended else { return Ok(exit) };
    out.flush()?;
    let what = match limit {
        Limit::Objects => "objects",
        Limit::Events => "events",
        Limit::EventsAtOneInstant => "events at one instant: a loop without delay",
    };
    let now = clock(cluster.world.now());
    let mut text = format!("error: limit exceeded at {now}: {what}");
    for line in quiescence::livelock(cluster, scenario) {
        text.push_str(&format!("\n  = note: at that instant {line}"));
    }
    Err(Refusal { text, exit }.into())
}

/// What the timeline ends with.
pub(super) fn told(scenario: &Scenario, cluster: &Cluster, outcome: &Outcome) -> io::Result<String> {
    let mut text = Vec::new();
    lines(scenario, cluster, outcome, &verdicts::items(scenario, &cluster.world, outcome), false, &mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn lines(
    scenario: &Scenario,
    cluster: &Cluster,
    outcome: &Outcome,
    items: &[Item],
    quiet: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    if !quiet {
        let now = clock(cluster.world.now());
        let events = cluster.world.handled();
        let end = match outcome.ended {
            Ended::Settled => format!("settled at {now}"),
            Ended::Until | Ended::Moment => format!("stopped at {now}, the virtual end"),
            Ended::Limit(_) => format!("stopped at {now} by a limit"),
        };
        writeln!(out, "\n{end}, after {events} events, {} steps", scenario.steps.len())?;
        if let Some(waiting) = unready::unready(cluster) {
            writeln!(out, "still waiting: {}", escape(&waiting))?;
        }
        for diagnosis in quiescence::diagnose(cluster, scenario) {
            writeln!(out, "stuck: {}", escape(&diagnosis.line()))?;
        }
        if outcome.failures.is_empty() && !matches!(outcome.ended, Ended::Limit(_)) {
            writeln!(out, "all steps held")?;
        }
    }
    for item in items.iter().filter(|item| !(quiet && item.is_pass())) {
        for line in item.lines() {
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

fn summary(
    scenario: &Scenario,
    cluster: &Cluster,
    outcome: &Outcome,
    items: &[Item],
    options: &Run,
) -> serde_json::Value {
    let ended = match outcome.ended {
        Ended::Settled => "settled",
        Ended::Until | Ended::Moment => "until",
        Ended::Limit(_) => "limit",
    };
    let result = match exit(outcome, options.strict) {
        Exit::Held => "held",
        Exit::Undecided => "undecided",
        _ => "failed",
    };
    json!({
        "scenario": scenario.name,
        "about": scenario.about,
        "seed": options.play.seed.unwrap_or(scenario.seed),
        "result": result,
        "ended": ended,
        "time": cluster.world.now().as_nanos(),
        "events": cluster.world.handled(),
        "steps": scenario.steps.len(),
        "waiting": unready::unready(cluster),
        "stuck": quiescence::diagnose(cluster, scenario).iter().map(|diagnosis| json!({
            "id": format!("STUCK-{}", diagnosis.stuck.id),
            "name": diagnosis.stuck.name,
            "goals": diagnosis.goals,
            "objects": diagnosis.stuck.names,
            "wayOut": diagnosis.stuck.way_out,
        })).collect::<Vec<_>>(),
        "verdicts": items.iter().map(|item| item.json(scenario)).collect::<Vec<_>>(),
    })
}

/// The cases of a JUnit suite: the steps as one if all held, and every expectation.
fn cases(scenario: &Scenario, outcome: &Outcome, items: &[Item], strict: bool) -> Vec<junit::Case> {
    let class = &scenario.name;
    let mut cases: Vec<_> = items.iter().map(|item| item.case(class, strict)).collect();
    if outcome.failures.is_empty() {
        let name = "all steps held".to_owned();
        cases.insert(0, junit::Case { class: class.clone(), name, result: junit::Result::Passed });
    }
    cases
}
