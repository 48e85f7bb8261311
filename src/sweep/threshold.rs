//! Thresholds: what a sweep has to keep to, such as `longestNotWhole p99 <= 90s` or `failed <= 0.1%`.
use super::measure::Unit;
use super::part::Part;
use super::tally::Tally;
use crate::api::manifest::nearest;
use crate::kernel::Duration;

/// What is looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Figure {
    /// Runs in which something failed, or nothing came to an answer, in millionths of all.
    Share(Ending),
    /// A quantile of a measure, in thousandths.
    Quantile(String, u32),
    /// The mean of a measure.
    Mean(String),
    /// Its smallest value.
    Min(String),
    /// Its largest value.
    Max(String),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ending {
    Held,
    Failed,
    Undecided,
}

/// How it is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Comparison {
    AtMost,
    LessThan,
    AtLeast,
    MoreThan,
}

const COMPARISONS: [(&str, Comparison); 4] = [
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("<", Comparison::LessThan),
    (">", Comparison::MoreThan),
];

/// A threshold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Threshold {
    /// As it was written.
    pub text: String,
    figure: Figure,
    comparison: Comparison,
    limit: i64,
}

/// Shares are compared in millionths.
const WHOLE: i64 = 1_000_000;

impl Threshold {
    /// Reads `MEASURE [mean|min|max|p50|p99|p99.9] <= LIMIT` or `held|failed|undecided >= 99%`.
    ///
    /// # Errors
    /// One sentence, and after a line break what may help.
    pub fn read(text: &str, measures: &[(String, Unit)]) -> Result<Threshold, String> {
        let found = COMPARISONS.iter().find_map(|(sign, comparison)| {
            text.split_once(sign).map(|(figure, limit)| (figure, *comparison, limit))
        });
        let (figure, comparison, limit) = found.ok_or_else(|| {
            format!("`{text}` compares nothing\nwrite it as `longestNotWhole p99 <= 90s` or `failed <= 0.1%`")
        })?;
        let words: Vec<&str> = figure.split_whitespace().collect();
        let (name, statistic) = match words.as_slice() {
            [name] => (*name, "max"),
            [name, statistic] => (*name, *statistic),
            _ => return Err(format!("`{}` is not the name of a measure and a statistic", figure.trim())),
        };
        let ending = match name {
            "held" => Some(Ending::Held),
            "failed" => Some(Ending::Failed),
            "undecided" => Some(Ending::Undecided),
            _ => None,
        };
        let limit = limit.trim();
        if let Some(ending) = ending {
            let limit = share(limit)
                .ok_or_else(|| format!("`{limit}` is no share\nwrite a percentage such as 0.1%"))?;
            return Ok(Threshold { text: text.to_owned(), figure: Figure::Share(ending), comparison, limit });
        }
        let unit = measures.iter().find(|(known, _)| known == name).map(|(_, unit)| *unit);
        let unit = unit.ok_or_else(|| {
            let near = nearest(name, measures.iter().map(|(known, _)| known.as_str()));
            let names: Vec<&str> = measures.iter().map(|(known, _)| known.as_str()).collect();
            let help = near.map_or_else(
                || format!("there is {}", names.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            format!("there is no measure `{name}`\n{help}")
        })?;
        let name = name.to_owned();
        let figure = match statistic {
            "mean" => Figure::Mean(name),
            "min" => Figure::Min(name),
            "max" => Figure::Max(name),
            quantile => Figure::Quantile(name, thousandths(quantile).ok_or_else(|| {
                format!("`{quantile}` is no statistic\nthere is mean, min, max, and p50, p99, p99.9 or the like")
            })?),
        };
        let limit = value(limit, unit).ok_or_else(|| {
            let kind = if unit == Unit::Time { "a span of time such as 90s" } else { "a number" };
            format!("`{limit}` is no limit for this measure\nwrite {kind}")
        })?;
        Ok(Threshold { text: text.to_owned(), figure, comparison, limit })
    }

    /// What the figure is; None: there was nothing to measure.
    pub fn figure(&self, tally: &Tally) -> Option<i64> {
        let share = |runs: u64| {
            let millionths =
                u128::from(runs) * u128::from(WHOLE.unsigned_abs()) / u128::from(tally.runs.max(1));
            i64::try_from(millionths).ok()
        };
        let values = |name: &str| tally.measured(name).map(|measured| &measured.values);
        match &self.figure {
            Figure::Share(Ending::Held) => share(tally.held),
            Figure::Share(Ending::Failed) => share(tally.failed),
            Figure::Share(Ending::Undecided) => share(tally.undecided),
            Figure::Quantile(name, thousandths) => values(name)?.quantile(*thousandths),
            Figure::Mean(name) => values(name)?.mean(),
            Figure::Min(name) => values(name)?.min(),
            Figure::Max(name) => values(name)?.max(),
        }
    }

    /// The figure as a reader writes it.
    pub fn shown(&self, part: &Part) -> String {
        let Some(figure) = self.figure(&part.tally) else { return "nothing was measured".to_owned() };
        match &self.figure {
            Figure::Share(_) => format!("{}%", decimals(figure, 4)),
            Figure::Quantile(name, _) | Figure::Mean(name) | Figure::Min(name) | Figure::Max(name) => {
                let unit = part.header.measures.iter().find(|(known, _)| known == name);
                unit.map_or(Unit::Count, |(_, unit)| *unit).text(figure)
            }
        }
    }

    /// True if a sweep keeps to it. Where nothing was measured nothing is exceeded.
    pub fn holds(&self, tally: &Tally) -> bool {
        self.figure(tally).is_none_or(|figure| match self.comparison {
            Comparison::AtMost => figure <= self.limit,
            Comparison::LessThan => figure < self.limit,
            Comparison::AtLeast => figure >= self.limit,
            Comparison::MoreThan => figure > self.limit,
        })
    }
}

impl Unit {
    /// A value of this unit as a reader writes it.
    pub fn text(self, value: i64) -> String {
        match self {
            Unit::Count => value.to_string(),
            Unit::Millionths => decimals(value, 6),
            Unit::Time => {
                let sign = if value < 0 { "-" } else { "" };
                // Nobody reads nanoseconds of minutes.
                let millis = value.unsigned_abs() / 1_000_000;
                format!("{sign}{}", Duration::from_millis(millis))
            }
        }
    }
}

/// A whole number as one with so many decimals, without zeros at its end.
fn decimals(value: i64, digits: u32) -> String {
    let one = 10_u64.pow(digits);
    let (whole, rest) = (value.unsigned_abs() / one, value.unsigned_abs() % one);
    let sign = if value < 0 { "-" } else { "" };
    let text = format!("{sign}{whole}.{rest:0digits$}", digits = digits as usize);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A number with decimals as so many times a whole one.
fn scaled(text: &str, digits: u32) -> Option<i64> {
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |text| (-1, text));
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(rest) || rest.len() > digits as usize {
        return None;
    }
    let all: i64 = format!("{whole}{rest:0<digits$}", digits = digits as usize).parse().ok()?;
    Some(sign * all)
}

/// `0.1%` in millionths.
fn share(text: &str) -> Option<i64> {
    let share = scaled(text.strip_suffix('%')?.trim(), 4)?;
    (0..=WHOLE).contains(&share).then_some(share)
}

/// `p99.9` in thousandths.
fn thousandths(text: &str) -> Option<u32> {
    let thousandths = scaled(text.strip_prefix('p')?, 1)?;
    u32::try_from(thousandths).ok().filter(|thousandths| (0..=1000).contains(thousandths))
}

fn value(text: &str, unit: Unit) -> Option<i64> {
    match unit {
        Unit::Count => text.parse().ok(),
        Unit::Millionths => scaled(text, 6),
        Unit::Time => i64::try_from(Duration::parse(text).ok()?.as_nanos()).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::{self, Sample};

    fn measures() -> Vec<(String, Unit)> {
        vec![("down".into(), Unit::Time), ("lost".into(), Unit::Count), ("ratio".into(), Unit::Millionths)]
    }

    /// A hundred runs: run n is down for n seconds, loses n writes, has the ratio n/2; the last two failed.
    fn tally() -> Tally {
        let mut tally = Tally::new(Vec::new(), measures().into_iter().map(|(name, _)| name).collect());
        for run in 0..100_i64 {
            let ending = if run < 98 { sweep::Ending::Held } else { sweep::Ending::Failed };
            let values = vec![Some(run * 1_000_000_000), Some(run), Some(run * 500_000)];
            tally.add(
                run.unsigned_abs(),
                &Sample { ending, events: 1, failures: Vec::new(), shown: Vec::new(), values },
            );
        }
        tally
    }

    #[test]
    fn thresholds_hold_or_not() {
        let tally = tally();
        for (text, holds) in [
            ("failed <= 2%", true),
            ("failed < 2%", false),
            ("held >= 98%", true),
            ("held > 98.0001%", false),
            ("undecided <= 0%", true),
            ("down p99 <= 98s", true),
            ("down p99 < 1m38s", false),
            ("down <= 99s", true),
            ("down max < 99s", false),
            ("lost p50 <= 49", true),
            ("lost mean <= 49", false),
            ("lost min >= 0", true),
            ("ratio p99.9 <= 49.5", true),
            ("ratio p100 <= 49.499999", false),
        ] {
            let threshold = Threshold::read(text, &measures()).expect(text);
            assert_eq!(threshold.holds(&tally), holds, "{text}");
        }
        let none = Tally::new(Vec::new(), vec!["down".into()]);
        let threshold = Threshold::read("down p99 <= 1s", &measures()).expect("a threshold");
        assert!(threshold.holds(&none) && threshold.figure(&none).is_none());
    }

    #[test]
    fn what_is_no_threshold_is_told() {
        for (text, told) in [
            ("", "`` compares nothing"),
            ("down p99", "`down p99` compares nothing"),
            ("dwon p99 <= 1s", "there is no measure `dwon`\ndid you mean `down`?"),
            ("down p101 <= 1s", "`p101` is no statistic"),
            ("down p99 <= 5", "`5` is no limit for this measure"),
            ("down p99 <= -1s", "`-1s` is no limit for this measure"),
            ("failed <= 101%", "`101%` is no share"),
            ("failed <= 1", "`1` is no share"),
            ("a b c <= 1", "`a b c` is not the name of a measure and a statistic"),
            ("lost <= 99999999999999999999", "`99999999999999999999` is no limit"),
        ] {
            let why = Threshold::read(text, &measures()).expect_err(text);
            assert!(why.starts_with(told), "{text}: {why}");
        }
    }

    #[test]
    fn values_as_a_reader_writes_them() {
        for (unit, value, text) in [
            (Unit::Count, -3, "-3"),
            (Unit::Millionths, 1_500_000, "1.5"),
            (Unit::Millionths, -1, "-0.000001"),
            (Unit::Time, 90_123_456_789, "1m30.123s"),
            (Unit::Time, -1_000_000_000, "-1s"),
        ] {
            assert_eq!(unit.text(value), text);
        }
    }
}
