//! `rollout status` (`pkg/cmd/rollout/rollout_status.go`, `pkg/polymorphichelpers/rollout_status.go`; STS-12): one line
//! for every change of the object until the rollout is done.
use crate::api::objects::{Deployment, Revision, StatefulSet};
use crate::api::rest::ObjectRef;
use crate::api::store::{Change, Store, Verb};
use crate::api::text::parse_timestamp;
use crate::api::wire::Wire;
use crate::api::wire::fields::{at, int, list, text, text_at};
use crate::kernel::{Duration, Time};
use crate::kubectl::failure::Failure;
use crate::kubectl::run::{Output, Progress};
use crate::kubectl::server;
use crate::kubectl::session::Info;
use crate::rule::mark;
use crate::world::World;
use serde_json::Value;

/// How a rollout is watched.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    /// Give up after this long, for each object.
    pub(super) timeout: Option<Duration>,
    /// Go on watching; else look once.
    pub(super) watch: bool,
    /// The revision it has to be; 0: any.
    pub(super) revision: i64,
}

/// Rollouts that are watched one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Watching {
    /// The next one last.
    left: Vec<Info>,
    options: Options,
    current: Option<Watched>,
    failures: Vec<Failure>,
}

/// The rollout that is being watched.
#[derive(Clone, Copy, Debug)]
struct Watched {
    object: ObjectRef,
    /// Position of the next entry of the change log to look at.
    position: u64,
    deadline: Option<Time>,
}

impl Watching {
    /// Watches these; `failures` are those of objects that were not found.
    pub(super) fn new(mut infos: Vec<Info>, failures: Vec<Failure>, options: Options) -> Watching {
        infos.reverse();
        Watching { left: infos, options, current: None, failures }
    }

    pub(super) fn poll(&mut self, world: &World, output: &mut Output) -> Result<Progress, Failure> {
        while let Some(info) = self.left.last() {
            let looked = match &mut self.current {
                Some(watched) => watched.look(world, self.options, output),
                None => begin(world, info, self.options, output).map(|begun| match begun {
                    Some(watched) => Some(*self.current.insert(watched)),
                    None => None,
                }),
            };
            match looked {
                Ok(Some(watched)) => return Ok(Progress::Waiting(watched.deadline)),
                Ok(None) => {}
                Err(failure) => self.failures.push(failure),
            }
            self.current = None;
            self.left.pop();
        }
        Failure::all(std::mem::take(&mut self.failures)).map(|()| Progress::Done)
    }
}

/// Looks at an object for the first time. None: its rollout is done.
fn begin(
    world: &World,
    info: &Info,
    options: Options,
    output: &mut Output,
) -> Result<Option<Watched>, Failure> {
    if !matches!(info.kind.kind, "StatefulSet" | "Deployment") {
        let text = format!("no status viewer has been implemented for {}", info.kind.kind);
        return Err(Failure::client(text));
    }
    let object = server::writable(world, info.kind, &info.namespace, &info.name)?;
    if tell(&info.object, options, output)? {
        return Ok(None);
    }
    let deadline = options.timeout.map(|timeout| world.now() + timeout);
    Ok(Some(Watched { object, position: world.store.log_end(), deadline }))
}

impl Watched {
    /// Tells of every change since the last look. None: done.
    fn look(
        &mut self,
        world: &World,
        options: Options,
        output: &mut Output,
    ) -> Result<Option<Watched>, Failure> {
        let end = world.store.log_end();
        while self.position < end {
            let change = world.store.log_entry(self.position).copied();
            self.position += 1;
            let Some(change) = change.filter(|change| self.is_about(change)) else { continue };
            if change.verb == Verb::Removed || change.uid != self.object.uid {
                return Err(Failure::client("object has been deleted"));
            }
            let shown = as_of(&world.store, self.object, change.revision);
            if let Some(shown) = shown
                && tell(&shown, options, output)?
            {
                return Ok(None);
            }
        }
        if self.deadline.is_some_and(|deadline| world.now() >= deadline) {
            return Err(Failure::client("timed out waiting for the condition"));
        }
        Ok(Some(*self))
    }

    fn is_about(&self, change: &Change) -> bool {
        (change.kind, change.index) == (self.object.kind, self.object.index)
    }
}

/// The object after the change with this revision.
fn as_of(store: &Store, object: ObjectRef, revision: Revision) -> Option<Value> {
    match object.kind {
        crate::api::kind::Kind::StatefulSet => {
            store.stateful_sets.at(object.id::<StatefulSet>(), revision).map(|set| set.to_json(store))
        }
        _ => store.deployments.at(object.id::<Deployment>(), revision).map(|found| found.to_json(store)),
    }
}

/// Prints how far the rollout is. True: no more needs to be seen.
fn tell(object: &Value, options: Options, output: &mut Output) -> Result<bool, Failure> {
    let (line, done) = match text(object, "kind") {
        "StatefulSet" => set_status(object),
        _ => deployment_status(object, options.revision),
    }
    .map_err(Failure::Client)?;
    output.stdout.push_str(&line);
    output.stdout.push('\n');
    Ok(done || !options.watch)
}

fn number(object: &Value, path: &[&str]) -> i64 {
    at(object, path).and_then(Value::as_i64).unwrap_or(0)
}

/// `StatefulSetStatusViewer.Status`.
fn set_status(set: &Value) -> Result<(String, bool), String> {
    mark!("STS-12");
    let strategy = at(set, &["spec", "updateStrategy"]);
    if strategy.map_or("", |strategy| text(strategy, "type")) != "RollingUpdate" {
        return Err("rollout status is only available for RollingUpdate strategy type".to_owned());
    }
    let status = |field| number(set, &["status", field]);
    let observed = status("observedGeneration");
    if observed == 0 || number(set, &["metadata", "generation"]) > observed {
        return Ok(("Waiting for statefulset spec update to be observed...".to_owned(), false));
    }
    let replicas = number(set, &["spec", "replicas"]);
    let unready = replicas - status("readyReplicas");
    if unready > 0 {
        return Ok((format!("Waiting for {unready} pods to be ready..."), false));
    }
    let updated = status("updatedReplicas");
    let revision = |field| text_at(set, &["status", field]);
    if let Some(rolling) = strategy.and_then(|strategy| at(strategy, &["rollingUpdate"])) {
        let wanted = replicas - int(rolling, "partition").unwrap_or(0);
        if rolling.get("partition").is_some() && updated < wanted {
            let line = format!(
                "Waiting for partitioned roll out to finish: {updated} out of {wanted} new pods have been updated..."
            );
            return Ok((line, false));
        }
        return Ok((format!("partitioned roll out complete: {updated} new pods have been updated..."), true));
    }
    let (update, current) = (revision("updateRevision"), revision("currentRevision"));
    if update != current {
        let line = format!(
            "waiting for statefulset rolling update to complete {updated} pods at revision {update}..."
        );
        return Ok((line, false));
    }
    let line = format!(
        "statefulset rolling update complete {} pods at revision {current}...",
        status("currentReplicas")
    );
    Ok((line, true))
}

/// The revision that the deployment controller wrote down.
pub(super) fn revision_of(object: &Value) -> Option<i64> {
    text_at(object, &["metadata", "annotations", "deployment.kubernetes.io/revision"]).parse().ok()
}

/// `DeploymentStatusViewer.Status`.
fn deployment_status(deployment: &Value, revision: i64) -> Result<(String, bool), String> {
    let running = revision_of(deployment).unwrap_or(0);
    if revision > 0 && running != revision {
        return Err(format!(
            "desired revision ({revision}) is different from the running revision ({running})"
        ));
    }
    let status = |field| number(deployment, &["status", field]);
    if number(deployment, &["metadata", "generation"]) > status("observedGeneration") {
        return Ok(("Waiting for deployment spec update to be observed...".to_owned(), false));
    }
    let name = text_at(deployment, &["metadata", "name"]);
    let empty = Value::Null;
    let conditions = list(deployment.get("status").unwrap_or(&empty), "conditions");
    let progressing = conditions.iter().find(|condition| text(condition, "type") == "Progressing");
    if progressing.is_some_and(|condition| text(condition, "reason") == "ProgressDeadlineExceeded") {
        return Err(format!("deployment {name:?} exceeded its progress deadline"));
    }
    let replicas = number(deployment, &["spec", "replicas"]);
    let (all, updated, available) =
        (status("replicas"), status("updatedReplicas"), status("availableReplicas"));
    let waiting =
        |what: String| Ok((format!("Waiting for deployment {name:?} rollout to finish: {what}..."), false));
    if updated < replicas {
        return waiting(format!("{updated} out of {replicas} new replicas have been updated"));
    }
    if all > updated {
        return waiting(format!("{} old replicas are pending termination", all - updated));
    }
    if available < updated {
        return waiting(format!("{available} of {updated} updated replicas are available"));
    }
    Ok((format!("deployment {name:?} successfully rolled out"), true))
}

/// The instant of a timestamp in a field of metadata.
pub(in crate::kubectl) fn instant(text: &str) -> Option<Time> {
    parse_timestamp(text).ok().map(Time::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sets_are_watched_for_readiness_not_availability() {
        let set = |partition: Value, status: [i64; 3]| {
            let [observed, ready, updated] = status;
            json!({
                "metadata": {"generation": 2},
                "spec": {"replicas": 3, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": partition}},
                "status": {
                    "observedGeneration": observed, "readyReplicas": ready, "updatedReplicas": updated,
                    "availableReplicas": 0, "currentReplicas": 2, "currentRevision": "web-a", "updateRevision": "web-b",
                },
            })
        };
        let partition = |n: i64| json!({"partition": n});
        let cases = [
            (set(partition(0), [1, 3, 0]), "Waiting for statefulset spec update to be observed...", false),
            (set(partition(0), [2, 2, 0]), "Waiting for 1 pods to be ready...", false),
            (
                set(partition(0), [2, 3, 1]),
                "Waiting for partitioned roll out to finish: 1 out of 3 new pods have been updated...",
                false,
            ),
            (
                set(partition(2), [2, 3, 1]),
                "partitioned roll out complete: 1 new pods have been updated...",
                true,
            ),
            (
                set(Value::Null, [2, 3, 1]),
                "waiting for statefulset rolling update to complete 1 pods at revision web-b...",
                false,
            ),
        ];
        for (set, line, done) in cases {
            assert_eq!(set_status(&set), Ok((line.to_owned(), done)));
        }
        let on_delete = json!({"spec": {"updateStrategy": {"type": "OnDelete"}}});
        assert_eq!(
            set_status(&on_delete),
            Err("rollout status is only available for RollingUpdate strategy type".to_owned())
        );
    }

    #[test]
    fn deployments() {
        let deployment = |status: [i64; 4], reason: &str| {
            let [observed, all, updated, available] = status;
            json!({
                "metadata": {
                    "name": "front", "generation": 2, "annotations": {"deployment.kubernetes.io/revision": "4"},
                },
                "spec": {"replicas": 2},
                "status": {
                    "observedGeneration": observed, "replicas": all, "updatedReplicas": updated,
                    "availableReplicas": available, "conditions": [{"type": "Progressing", "reason": reason}],
                },
            })
        };
        let waiting = "Waiting for deployment \"front\" rollout to finish: ";
        let cases = [
            ([1, 2, 2, 2], "Waiting for deployment spec update to be observed...".to_owned(), false),
            ([2, 3, 1, 3], format!("{waiting}1 out of 2 new replicas have been updated..."), false),
            ([2, 3, 2, 3], format!("{waiting}1 old replicas are pending termination..."), false),
            ([2, 2, 2, 1], format!("{waiting}1 of 2 updated replicas are available..."), false),
            ([2, 2, 2, 2], "deployment \"front\" successfully rolled out".to_owned(), true),
        ];
        for (status, line, done) in cases {
            assert_eq!(deployment_status(&deployment(status, ""), 0), Ok((line, done)));
        }
        assert_eq!(
            deployment_status(&deployment([2, 2, 2, 2], "ProgressDeadlineExceeded"), 0),
            Err("deployment \"front\" exceeded its progress deadline".to_owned())
        );
        assert_eq!(
            deployment_status(&deployment([2, 2, 2, 2], ""), 3),
            Err("desired revision (3) is different from the running revision (4)".to_owned())
        );
    }
}
