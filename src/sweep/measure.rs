//! What is measured in every run: how long workloads were not whole, the figures of databases, the scenario's numeric
//! columns and whatever expressions were asked for.
use super::whole::Wholeness;
use crate::cluster::Cluster;
use crate::expect::{Answer, Expression, Scope, Wrong};
use crate::kernel::Duration;
use crate::scenario::Scenario;
use crate::workload::Facts;
use serde::{Deserialize, Serialize};

/// What the numbers of a measure are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Unit {
    /// A span of time, nanoseconds.
    Time,
    /// Things counted.
    Count,
    /// Millionths of a number that need not be whole.
    Millionths,
}

/// Millionths in one.
const MILLION: f64 = 1e6;

/// Figures of a database, and what they are.
const FIGURES: [(&str, Unit, fn(&Facts) -> i64); 6] = [
    ("downtime", Unit::Time, |facts| nanos(facts.downtime)),
    ("recovery", Unit::Time, |facts| nanos(facts.recovery)),
    ("withoutPrimary", Unit::Time, |facts| nanos(facts.without_primary)),
    ("splitBrain", Unit::Time, |facts| nanos(facts.split_brain)),
    ("lostWrites", Unit::Count, |facts| count(facts.lost_writes)),
    ("failedWrites", Unit::Count, |facts| count(facts.failed_writes)),
];

fn nanos(span: Duration) -> i64 {
    count(span.as_nanos())
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What is looked at.
enum Source {
    /// How long not all workloads were ready, in all.
    Short,
    /// The same, at most at once.
    ShortAtOnce,
    /// A figure of the database of this number.
    Figure(usize, fn(&Facts) -> i64),
    /// The value of an expression at the end.
    Expression(Expression),
}

/// One measure.
struct Measure {
    name: String,
    unit: Unit,
    source: Source,
}

/// All measures of a sweep, in order.
pub struct Measures(Vec<Measure>);

/// The unit of the values of an expression; None: they are no numbers.
fn unit_of(expression: &Expression) -> Option<Unit> {
    match expression.type_name().as_str() {
        "int" => Some(Unit::Count),
        "double" => Some(Unit::Millionths),
        "duration" => Some(Unit::Time),
        "bool" => Some(Unit::Count),
        _ => None,
    }
}

impl Measures {
    /// What there is to measure in a scenario by itself.
    pub fn new(scenario: &Scenario) -> Measures {
        let measure = |name: &str, unit, source| Measure { name: name.to_owned(), unit, source };
        let mut all = vec![
            measure("notWhole", Unit::Time, Source::Short),
            measure("longestNotWhole", Unit::Time, Source::ShortAtOnce),
        ];
        for (number, database) in scenario.databases.iter().enumerate() {
            all.extend(FIGURES.map(|(name, unit, look)| {
                measure(&format!("{}.{name}", database.name), unit, Source::Figure(number, look))
            }));
        }
        for (title, expression) in &scenario.columns {
            if let Some(unit) = unit_of(expression) {
                all.push(measure(title, unit, Source::Expression(expression.clone())));
            }
        }
        Measures(all)
    }

    /// One more: the value of an expression at the end of a run.
    ///
    /// # Errors
    /// What is wrong with the expression, or with its name.
    pub fn add(&mut self, name: &str, text: &str, scenario: &Scenario) -> Result<(), Unfit> {
        if self.0.iter().any(|measure| measure.name == name) {
            return Err(Unfit::Taken);
        }
        let faults: Vec<String> = scenario.fault_names().map(str::to_owned).collect();
        let databases: Vec<String> =
            scenario.databases.iter().map(|database| database.name.clone()).collect();
        let scope = Scope {
            faults: Some(&faults),
            databases: Some(&databases),
            params: &scenario.params,
            container: false,
        };
        let expression = Expression::read(text, scope).map_err(Unfit::Wrong)?;
        let unit = unit_of(&expression).ok_or_else(|| Unfit::NoNumber(expression.type_name()))?;
        self.0.push(Measure { name: name.to_owned(), unit, source: Source::Expression(expression) });
        Ok(())
    }

    /// Their names.
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(|measure| measure.name.clone()).collect()
    }

    /// Names and units.
    pub fn units(&self) -> Vec<(String, Unit)> {
        self.0.iter().map(|measure| (measure.name.clone(), measure.unit)).collect()
    }

    /// Their values at the end of a run; None: there is none.
    pub(super) fn of(&self, cluster: &Cluster, whole: Wholeness) -> Vec<Option<i64>> {
        let spans = whole.finish(cluster.world.now());
        let facts: Vec<Facts> =
            cluster.databases.iter().map(|database| database.facts(&cluster.world.store)).collect();
        let value = |measure: &Measure| match &measure.source {
            Source::Short => spans.map(|(total, _)| nanos(total)),
            Source::ShortAtOnce => spans.map(|(_, longest)| nanos(longest)),
            Source::Figure(number, look) => facts.get(*number).map(look),
            Source::Expression(expression) => match expression.value(cluster) {
                Ok(Answer::Int(number) | Answer::Duration(number)) => Some(number),
                Ok(Answer::Bool(truth)) => Some(i64::from(truth)),
                // What is larger than a double's whole numbers, or none at all, is not measured.
                Ok(Answer::Double(number)) => {
                    let millionths = (number * MILLION).round();
                    (millionths.abs() < 9e15).then_some(millionths as i64)
                }
                _ => None,
            },
        };
        self.0.iter().map(value).collect()
    }
}

/// Why something cannot be measured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unfit {
    /// There is a measure of that name.
    Taken,
    /// The expression is wrong.
    Wrong(Wrong),
    /// It is of this type, and no number.
    NoNumber(String),
}
