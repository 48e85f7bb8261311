//! `wait` (`pkg/cmd/wait/{wait,condition,delete,json,create}.go`): object after object, within one span of time.
use crate::api::wire::fields::{at, int, list, text, text_at};
use crate::kernel::{Duration, Time};
use crate::kubectl::command::{Condition, Wait};
use crate::kubectl::exec::Task;
use crate::kubectl::failure::Failure;
use crate::kubectl::run::{Output, Progress};
use crate::kubectl::server;
use crate::kubectl::session::{Info, Session};
use crate::world::World;
use serde_json::Value;

/// How long kubectl waits if it is to wait without end: a week.
const FOREVER: Duration = Duration::from_secs(7 * 24 * 3600);
/// How often `--for=create` looks.
const CREATE_INTERVAL: Duration = Duration::from_millis(500);

/// Begins to wait.
pub(super) fn wait(session: &mut Session<'_>, command: &Wait) -> Result<Task, Failure> {
    let now = session.world.now();
    let timeout = if command.timeout.is_never() { FOREVER } else { command.timeout };
    let mut waiting = Waiting {
        command: command.clone(),
        namespace: session.namespace.clone(),
        left: Vec::new(),
        failures: Vec::new(),
        deadline: now + timeout,
        once: command.timeout == Duration::ZERO,
        began: now,
    };
    if command.condition != Condition::Create {
        let (infos, failures) = session.resolve(&command.objects, command.all_namespaces);
        waiting.take(infos, failures)?;
    }
    Ok(Task::Wait(Box::new(waiting)))
}

/// A wait under way.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    command: Wait,
    namespace: String,
    /// Objects still to be waited for, the next one last.
    left: Vec<Info>,
    /// Objects that are not there.
    failures: Vec<Failure>,
    deadline: Time,
    /// Look once.
    once: bool,
    began: Time,
}

impl Waiting {
    /// These are to be waited for. Who is waited for to be gone may be gone already.
    fn take(&mut self, mut infos: Vec<Info>, mut failures: Vec<Failure>) -> Result<(), Failure> {
        let for_delete = self.command.condition == Condition::Delete;
        if for_delete {
            failures.retain(|failure| !failure.is_not_found());
        }
        if infos.is_empty() && failures.is_empty() && !for_delete {
            return Err(Failure::client("no matching resources found"));
        }
        infos.reverse();
        (self.left, self.failures) = (infos, failures);
        Ok(())
    }

    pub(super) fn poll(&mut self, world: &mut World, output: &mut Output) -> Result<Progress, Failure> {
        if self.command.condition == Condition::Create {
            return self.poll_create(world, output);
        }
        while let Some(info) = self.left.last() {
            match self.is_met(world, info) {
                Ok(true) => {
                    output.stdout.push_str(&format!("{} condition met\n", info.title()));
                    self.left.pop();
                }
                Ok(false) if self.once => {
                    let text = format!("condition not met for {}/{}", info.kind.plural, info.name);
                    self.fail(Failure::client(text));
                }
                Ok(false) if world.now() >= self.deadline => {
                    let (kind, name) = (info.kind.plural, &info.name);
                    let text = format!("timed out waiting for the condition on {kind}/{name}");
                    self.fail(Failure::client(text));
                }
                Ok(false) => return Ok(Progress::Waiting(Some(self.deadline))),
                Err(failure) => self.fail(failure),
            }
        }
        Failure::all(std::mem::take(&mut self.failures)).map(|()| Progress::Done)
    }

    /// This object failed: the others are still looked at.
    fn fail(&mut self, failure: Failure) {
        self.failures.push(failure);
        self.left.pop();
    }

    /// Looks for the objects themselves until there is one.
    fn poll_create(&mut self, world: &mut World, output: &mut Output) -> Result<Progress, Failure> {
        let mut said = Output::default();
        let namespace = Some(self.namespace.clone());
        let input = crate::kubectl::session::Input::Manifests(&[]);
        let session = Session::new(world, &mut said, namespace, input);
        let (infos, failures) = session.resolve(&self.command.objects, self.command.all_namespaces);
        let now = world.now();
        if infos.is_empty() {
            if let Some(failure) = failures.into_iter().find(|failure| !failure.is_not_found()) {
                return Err(failure);
            }
            if now >= self.deadline {
                return Err(Failure::client("timed out waiting for the condition"));
            }
            let ticks = now.elapsed_since(self.began).as_nanos() / CREATE_INTERVAL.as_nanos() + 1;
            let next = self.began + CREATE_INTERVAL.times(ticks);
            return Ok(Progress::Waiting(Some(next.min(self.deadline))));
        }
        for info in infos {
            output.stdout.push_str(&format!("{} condition met\n", info.title()));
        }
        Failure::all(failures).map(|()| Progress::Done)
    }

    fn is_met(&self, world: &World, info: &Info) -> Result<bool, Failure> {
        let live = server::get(world, info.kind, &info.namespace, &info.name);
        if self.command.condition == Condition::Delete {
            // Another object of this name is another one: this one is gone.
            let uid = |object: &Value| text_at(object, &["metadata", "uid"]).to_owned();
            return Ok(live.map_or(true, |live| uid(&live) != uid(&info.object)));
        }
        let live = live?;
        match &self.command.condition {
            Condition::Condition { name, value } => Ok(has_condition(&live, name, value)),
            Condition::JsonPath { path, value } => {
                let found = path.find(&live).map_err(|error| Failure::client(error.to_string()))?;
                match found.as_slice() {
                    [] => Ok(false),
                    [one] => matches(one, value.as_deref()).map_err(Failure::client),
                    _ => Err(Failure::client("given jsonpath expression matches more than one value")),
                }
            }
            Condition::Delete | Condition::Create => Ok(true),
        }
    }
}

/// The status condition of this type has this value, and is not older than the object.
fn has_condition(object: &Value, name: &str, value: &str) -> bool {
    let empty = Value::Null;
    let conditions = list(object.get("status").unwrap_or(&empty), "conditions");
    let Some(condition) = conditions.iter().find(|c| text(c, "type").eq_ignore_ascii_case(name)) else {
        return false;
    };
    let generation = at(object, &["metadata", "generation"]).and_then(Value::as_i64);
    let observed = int(condition, "observedGeneration")
        .or_else(|| at(object, &["status", "observedGeneration"]).and_then(Value::as_i64));
    if let (Some(generation), Some(observed)) = (generation, observed)
        && observed < generation
    {
        return false;
    }
    text(condition, "status").eq_ignore_ascii_case(value)
}

fn matches(found: &Value, value: Option<&str>) -> Result<bool, &'static str> {
    let Some(value) = value else { return Ok(true) };
    match found {
        Value::Object(_) | Value::Array(_) => {
            Err("jsonpath leads to a nested object or list which is not supported")
        }
        Value::String(text) => Ok(text.trim() == value.trim()),
        Value::Null => Ok(value.trim() == "<nil>"),
        other => Ok(*other.to_string() == *value.trim()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn conditions_are_compared_without_case_and_only_if_up_to_date() {
        let object = |observed: i64| {
            json!({
                "metadata": {"generation": 2},
                "status": {"conditions": [{"type": "Ready", "status": "True", "observedGeneration": observed}]},
            })
        };
        assert!(has_condition(&object(2), "ready", "true"));
        assert!(!has_condition(&object(1), "ready", "true"));
        assert!(!has_condition(&object(2), "ready", "false"));
        assert!(!has_condition(&object(2), "Available", "true"));
    }

    #[test]
    fn values_are_compared_as_text() {
        assert_eq!(matches(&json!(2), Some("2")), Ok(true));
        assert_eq!(matches(&json!("Running"), Some(" Running ")), Ok(true));
        assert_eq!(matches(&json!(false), None), Ok(true));
        assert!(matches(&json!([1]), Some("1")).is_err());
    }
}
