//! How far a sweep is: a bar with running estimates on a terminal, lines of JSON for programs, or nothing. All of it goes
//! to standard error.
use crate::cli::args::Shown;
use crate::report::sweep as report;
use crate::sweep::part::Part;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Between two lines of JSON.
const EVERY: Duration = Duration::from_secs(1);

/// Shows how far a sweep is.
pub(super) enum Progress {
    Nothing,
    Bar(ProgressBar),
    Json { began: Instant, told: Instant, before: u64 },
}

fn now() -> Instant {
    Instant::now()
}

impl Progress {
    pub(super) fn new(shown: Shown, part: &Part) -> Progress {
        let all = part.share.end - part.share.start;
        match shown {
            Shown::None => Progress::Nothing,
            Shown::Auto if !io::stderr().is_terminal() => Progress::Nothing,
            Shown::Auto => {
                let bar = ProgressBar::with_draw_target(Some(all), ProgressDrawTarget::stderr_with_hz(10));
                let style = ProgressStyle::with_template(
                    "{bar:32} {human_pos}/{human_len} runs  {per_sec}  {eta} left\n{msg}",
                );
                bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
                bar.set_position(part.tally.runs);
                bar.reset_eta();
                Progress::Bar(bar)
            }
            Shown::Json => Progress::Json { began: now(), told: now(), before: part.tally.runs },
        }
    }

    pub(super) fn show(&mut self, part: &Part) -> io::Result<()> {
        match self {
            Progress::Nothing => {}
            Progress::Bar(bar) => {
                bar.set_position(part.tally.runs);
                bar.set_message(report::estimates(part));
            }
            Progress::Json { told, .. } if told.elapsed() < EVERY => {}
            Progress::Json { .. } => self.line(part)?,
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, part: &Part) -> io::Result<()> {
        match self {
            Progress::Nothing => Ok(()),
            Progress::Bar(bar) => {
                bar.finish_and_clear();
                Ok(())
            }
            Progress::Json { .. } => self.line(part),
        }
    }

    fn line(&mut self, part: &Part) -> io::Result<()> {
        let Progress::Json { began, told, before } = self else { return Ok(()) };
        *told = now();
        let (done, seconds) = (part.tally.runs - *before, began.elapsed().as_secs_f64());
        let line = json!({
            "done": part.tally.runs,
            "of": part.share.end - part.share.start,
            "failed": part.tally.failed,
            "runsPerSecond": if seconds > 0.0 { (done as f64 / seconds).round() } else { 0.0 },
        });
        writeln!(anstream::stderr(), "{line}")
    }
}
