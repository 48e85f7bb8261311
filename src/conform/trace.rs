//! The agreed part of a recorded trace, as data.
use serde_json::Value;
use std::collections::BTreeMap;

/// What the recorded runs of a case agree on.
#[derive(Clone, Debug)]
pub struct Agreed {
    /// Segments, in order.
    pub segments: Vec<AgreedSegment>,
}

/// One segment: a chain of steps without waiting, until settled.
#[derive(Clone, Debug, Default)]
pub struct AgreedSegment {
    /// How often each event occurred at least.
    pub events: BTreeMap<String, u32>,
    /// How many more of it there were in some run.
    pub sometimes: BTreeMap<String, u32>,
    /// Pairs "a before b".
    pub order: Vec<(String, String)>,
    /// The state at the end, by kind and object.
    pub settled: Value,
    /// Fields and objects on which the runs differ.
    pub differs: Vec<String>,
    /// Commands: index of the step in the segment, what is known of their result.
    pub commands: Vec<AgreedCommand>,
    /// Event reasons seen in every run, by object.
    pub reasons: BTreeMap<String, Vec<String>>,
}

/// What is known of a command's result; fields on which the runs differ are absent.
#[derive(Clone, Debug, Default)]
pub struct AgreedCommand {
    /// Exit status.
    pub exit: Option<i64>,
    /// Standard output.
    pub stdout: Option<String>,
    /// Standard error.
    pub stderr: Option<String>,
}

impl Agreed {
    /// Reads a trace file.
    ///
    /// # Errors
    /// A sentence if it is no trace.
    pub fn parse(text: &str) -> Result<Agreed, String> {
        let value: Value = serde_json::from_str(text).map_err(|error| format!("no JSON: {error}"))?;
        let segments =
            value.get("agreed").and_then(Value::as_array).ok_or("there is no `agreed` list in it")?;
        Ok(Agreed { segments: segments.iter().map(segment).collect() })
    }
}

fn segment(value: &Value) -> AgreedSegment {
    let counts = |name: &str| -> BTreeMap<String, u32> {
        let entries = value.get(name).and_then(Value::as_object).into_iter().flatten();
        entries
            .filter_map(|(event, count)| Some((event.clone(), u32::try_from(count.as_u64()?).ok()?)))
            .collect()
    };
    let list = |name: &str| value.get(name).and_then(Value::as_array).into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    AgreedSegment {
        events: counts("events"),
        sometimes: counts("sometimes"),
        order: list("order")
            .filter_map(|pair| Some((pair.get(0)?.as_str()?.to_owned(), pair.get(1)?.as_str()?.to_owned())))
            .collect(),
        settled: value.get("settled").cloned().unwrap_or(Value::Null),
        differs: list("differs").map(text).collect(),
        commands: list("kubectl")
            .map(|command| AgreedCommand {
                exit: command.get("exit").and_then(Value::as_i64),
                stdout: command.get("stdout").and_then(Value::as_str).map(str::to_owned),
                stderr: command.get("stderr").and_then(Value::as_str).map(str::to_owned),
            })
            .collect(),
        reasons: value
            .get("reasons")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(object, reasons)| {
                (object.clone(), reasons.as_array().into_iter().flatten().map(text).collect())
            })
            .collect(),
    }
}
