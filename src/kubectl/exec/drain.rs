//! `drain` (`pkg/cmd/drain/drain.go`, `pkg/drain/{drain,filters}.go`; PDB-22 to PDB-27): cordon, then node after node,
//! all pods of a node at once, each in a loop of its own that holds the pod by its name.
use super::cordon::{cordon, dry_run_suffix};
use super::status::instant;
use crate::api::status::Status;
use crate::api::wire::fields::{at, flag, list, text, text_at};
use crate::kernel::{Duration, Time};
use crate::kubectl::command::{Drain, DryRun};
use crate::kubectl::exec::Task;
use crate::kubectl::failure::Failure;
use crate::kubectl::resource::ResourceKind;
use crate::kubectl::run::{Output, Progress};
use crate::kubectl::server;
use crate::kubectl::session::{Session, has_labels};
use crate::rule::mark;
use crate::world::{DeleteOptions, World};
use serde_json::Value;

/// How often it looks whether a pod is gone (DEF-51).
const INTERVAL: Duration = Duration::from_secs(1);

const DAEMON_SETS: &str = "DaemonSet-managed Pods (use --ignore-daemonsets to ignore)";
const LOCAL_STORAGE: &str = "Pods with local storage (use --delete-emptydir-data to override)";
/// Together with what is put before it kubectl says it twice.
const UNMANAGED: &str = "cannot delete Pods that declare no controller (use --force to override)";

/// Cordons; what is left is to drain.
pub(super) fn drain(session: &mut Session<'_>, command: &Drain) -> Result<Option<Task>, Failure> {
    let nodes = cordon(session, &command.nodes, true)?;
    let mut left: Vec<String> = nodes.into_iter().map(|info| info.name).collect();
    left.reverse();
    let draining = Draining { command: command.clone(), left, current: None, failed: Vec::new() };
    Ok(Some(Task::Drain(Box::new(draining))))
}

/// Nodes being drained.
#[derive(Clone, Debug)]
pub(crate) struct Draining {
    command: Drain,
    /// Nodes still to be drained, the present one last.
    left: Vec<String>,
    current: Option<Pods>,
    failed: Vec<(String, Failure)>,
}

/// The pods of the present node.
#[derive(Clone, Debug)]
struct Pods {
    workers: Vec<Worker>,
    errors: Vec<Failure>,
    deadline: Option<Time>,
}

/// The loop of one pod.
#[derive(Clone, Debug)]
struct Worker {
    namespace: String,
    name: String,
    /// The incarnation that is waited for.
    uid: String,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Asks for the eviction at this instant; the flag: not for the first time.
    Evict(Time, bool),
    /// Looks at this instant whether the pod is gone.
    Wait(Time),
    Done,
}

impl Draining {
    pub(super) fn poll(&mut self, world: &mut World, output: &mut Output) -> Result<Progress, Failure> {
        while let Some(node) = self.left.last().cloned() {
            let drained = match &mut self.current {
                Some(pods) => pods.poll(world, &self.command, output),
                None => match self.begin(&node, world, output) {
                    Ok(()) => continue,
                    Err(failure) => Some(Err(failure)),
                },
            };
            let Some(drained) = drained else {
                let pods = self.current.iter().flat_map(|pods| &pods.workers);
                let wakes = pods.filter_map(Worker::wakes);
                let deadline = self.current.as_ref().and_then(|pods| pods.deadline);
                let deadline = deadline.filter(|deadline| *deadline > world.now());
                return Ok(Progress::Waiting(wakes.chain(deadline).min()));
            };
            let began = self.current.take().is_some();
            self.left.pop();
            match drained {
                Ok(()) => {
                    let suffix = dry_run_suffix(self.command.nodes.dry_run);
                    output.stdout.push_str(&format!("node/{node} drained{suffix}\n"));
                }
                Err(failure) => self.give_up(node, failure, began, world, output),
            }
        }
        if !self.failed.is_empty() {
            output.stderr.push_str("There are pending nodes to be drained:\n");
            for (node, _) in &self.failed {
                output.stderr.push_str(&format!(" {node}\n"));
            }
        }
        let failures = std::mem::take(&mut self.failed);
        Failure::all(failures.into_iter().map(|(_, failure)| failure).collect()).map(|()| Progress::Done)
    }

    /// Lists and filters the pods of a node (PDB-23), and deletes them if budgets are not to be asked (PDB-27).
    fn begin(&mut self, node: &str, world: &mut World, output: &mut Output) -> Result<(), Failure> {
        mark!("PDB-22");
        let (pods, warnings) = pods_for_deletion(world, node, &self.command).map_err(Failure::Several)?;
        if !warnings.is_empty() {
            output.stderr.push_str(&format!("Warning: {}\n", warnings.join("; ")));
        }
        let now = world.now();
        let worker = |pod: &Value, state: State| Worker {
            namespace: text_at(pod, &["metadata", "namespace"]).to_owned(),
            name: text_at(pod, &["metadata", "name"]).to_owned(),
            uid: text_at(pod, &["metadata", "uid"]).to_owned(),
            state,
        };
        let mut workers = Vec::new();
        for pod in &pods {
            let state = match (self.command.nodes.dry_run, self.command.disable_eviction) {
                (DryRun::Client, _) => {
                    let (namespace, name) = key_of(pod);
                    output.stdout.push_str(&format!("evicting pod {namespace}/{name} (dry run)\n"));
                    continue;
                }
                (_, false) => State::Evict(now, false),
                (DryRun::Server, true) => continue,
                (DryRun::None, true) => {
                    mark!("PDB-27");
                    delete(world, pod, self.command.grace_period)?;
                    State::Wait(now)
                }
            };
            workers.push(worker(pod, state));
        }
        let deadline = self.command.timeout.map(|timeout| now + timeout);
        self.current = Some(Pods { workers, errors: Vec::new(), deadline });
        Ok(())
    }

    /// Tells what could not be done with a node.
    fn give_up(&mut self, node: String, failure: Failure, began: bool, world: &World, output: &mut Output) {
        let why = failure.plain();
        if began {
            let pending = pods_for_deletion(world, &node, &self.command);
            let pods = pending.as_ref().map(|(pods, _)| pods.as_slice()).unwrap_or_default();
            if !pods.is_empty() {
                let text = format!("There are pending pods in node {node:?} when an error occurred: {why}\n");
                output.stderr.push_str(&text);
                for pod in pods {
                    output.stderr.push_str(&format!("pod/{}\n", key_of(pod).1));
                }
            }
        }
        let text =
            format!("error: unable to drain node {node:?} due to error: {why}, continuing command...\n");
        output.stderr.push_str(&text);
        self.failed.push((node, failure));
    }
}

fn delete_options(grace: Option<u64>) -> DeleteOptions {
    let grace = grace.map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX));
    DeleteOptions { grace, ..DeleteOptions::default() }
}

fn delete(world: &mut World, pod: &Value, grace: Option<u64>) -> Result<(), Status> {
    let (namespace, name) = key_of(pod);
    let found = server::writable(world, ResourceKind::Pod.into(), namespace, name);
    match found.and_then(|pod| world.rest_delete(pod, delete_options(grace))) {
        Err(status) if !status.is_not_found() => Err(status),
        _ => Ok(()),
    }
}

impl Pods {
    /// None: some pod is still worked on.
    fn poll(
        &mut self,
        world: &mut World,
        command: &Drain,
        output: &mut Output,
    ) -> Option<Result<(), Failure>> {
        for worker in &mut self.workers {
            while worker.wakes().is_some_and(|wake| {
                wake <= world.now()
                    || (matches!(worker.state, State::Wait(_)) && is_over(self.deadline, world))
            }) {
                if let Err(failure) = worker.go_on(world, command, self.deadline, output) {
                    worker.state = State::Done;
                    self.errors.push(failure);
                }
            }
        }
        if self.workers.iter().any(|worker| worker.state != State::Done) {
            return None;
        }
        let errors = std::mem::take(&mut self.errors);
        Some(if errors.is_empty() { Ok(()) } else { Err(Failure::Several(errors)) })
    }
}

fn is_over(deadline: Option<Time>, world: &World) -> bool {
    deadline.is_some_and(|deadline| world.now() >= deadline)
}

impl Worker {
    fn wakes(&self) -> Option<Time> {
        match self.state {
            State::Evict(time, _) | State::Wait(time) => Some(time),
            State::Done => None,
        }
    }

    fn go_on(
        &mut self,
        world: &mut World,
        command: &Drain,
        deadline: Option<Time>,
        output: &mut Output,
    ) -> Result<(), Failure> {
        match self.state {
            State::Evict(_, again) => self.evict(world, command, deadline, again, output),
            State::Wait(_) => self.look(world, command, deadline, output),
            State::Done => Ok(()),
        }
    }

    /// PDB-24: a refusal is tried again for ever, whoever bears the name by then (PDB-26).
    fn evict(
        &mut self,
        world: &mut World,
        command: &Drain,
        deadline: Option<Time>,
        again: bool,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let dry_run = command.nodes.dry_run;
        let (namespace, name) = (self.namespace.clone(), self.name.clone());
        let suffix = dry_run_suffix(dry_run);
        output.stdout.push_str(&format!("evicting pod {namespace}/{name}{suffix}\n"));
        let failed = |what: String| {
            Err(Failure::client(format!("error when evicting pods/{name:?} -n {namespace:?}: {what}")))
        };
        if let Some(timeout) = command.timeout.filter(|_| is_over(deadline, world)) {
            return failed(format!("global timeout reached: {timeout}"));
        }
        let pod = server::writable(world, ResourceKind::Pod.into(), &namespace, &name);
        if again && let Ok(live) = server::get(world, ResourceKind::Pod.into(), &namespace, &name) {
            let uid = text_at(&live, &["metadata", "uid"]).to_owned();
            mark!("PDB-26" if uid != self.uid);
            self.uid = uid;
        }
        let options = delete_options(command.grace_period);
        let evicted = pod.and_then(|pod| match dry_run {
            // Nothing of it may stay: it is asked of a copy.
            DryRun::Server => world.clone().rest_evict(pod, options),
            _ => world.rest_evict(pod, options),
        });
        match evicted {
            Ok(()) if dry_run == DryRun::Server => self.state = State::Done,
            Ok(()) => self.state = State::Wait(world.now()),
            Err(status) if status.is_not_found() => self.state = State::Done,
            Err(status) if status.code == 429 => {
                mark!("PDB-24");
                let retry = world.config.timers.drain_retry;
                output.stderr.push_str(&format!(
                    "error when evicting pods/{name:?} -n {namespace:?} (will retry after {retry}): {}\n",
                    status.message
                ));
                self.state = State::Evict(world.now() + retry, true);
            }
            Err(status) => return failed(status.message),
        }
        Ok(())
    }

    /// PDB-25: gone is also who has another uid now.
    fn look(
        &mut self,
        world: &World,
        command: &Drain,
        deadline: Option<Time>,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let live = server::get(world, ResourceKind::Pod.into(), &self.namespace, &self.name).ok();
        match live.filter(|live| text_at(live, &["metadata", "uid"]) == self.uid) {
            None => {
                mark!("PDB-25");
                let how = if command.disable_eviction { "deleted" } else { "evicted" };
                output.stdout.push_str(&format!("pod/{} {how}\n", self.name));
                self.state = State::Done;
            }
            Some(live) if is_long_gone(&live, command, world.now()) => {
                output.stdout.push_str(&format!(
                    "pod {:?} has DeletionTimestamp older than {} seconds, skipping\n",
                    self.name, command.skip_wait_for_delete_timeout
                ));
                self.state = State::Done;
            }
            Some(_) if is_over(deadline, world) => {
                let why = "context deadline exceeded";
                return Err(Failure::client(match command.disable_eviction {
                    true => why.to_owned(),
                    false => format!(
                        "error when waiting for pod {:?} in namespace {:?} to terminate: {why}",
                        self.name, self.namespace
                    ),
                }));
            }
            Some(_) => self.state = State::Wait(world.now() + INTERVAL),
        }
        Ok(())
    }
}

fn key_of(pod: &Value) -> (&str, &str) {
    (text_at(pod, &["metadata", "namespace"]), text_at(pod, &["metadata", "name"]))
}

/// `shouldSkipPod`: terminating for longer than asked for.
fn is_long_gone(pod: &Value, command: &Drain, now: Time) -> bool {
    let limit = command.skip_wait_for_delete_timeout;
    let deleted = instant(text_at(pod, &["metadata", "deletionTimestamp"]));
    limit > 0 && deleted.is_some_and(|deleted| now.elapsed_since(deleted).as_secs() > limit)
}

/// What the filters make of a pod (PDB-23): leave it; take it, perhaps with a warning; refuse to drain the node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    Skip(Option<&'static str>),
    Take(Option<&'static str>),
    Refuse(&'static str),
}

fn judge(pod: &Value, command: &Drain, now: Time) -> Verdict {
    let metadata = pod.get("metadata").unwrap_or(&Value::Null);
    let finished = matches!(text_at(pod, &["status", "phase"]), "Succeeded" | "Failed");
    let controller = list(metadata, "ownerReferences").iter().find(|owner| flag(owner, "controller"));
    if is_long_gone(pod, command, now) {
        return Verdict::Skip(None);
    }
    if !finished && controller.is_some_and(|owner| text(owner, "kind") == "DaemonSet") {
        return match command.ignore_daemonsets {
            true => Verdict::Skip(Some("ignoring DaemonSet-managed Pods")),
            false => Verdict::Refuse(DAEMON_SETS),
        };
    }
    if at(metadata, &["annotations", "kubernetes.io/config.mirror"]).is_some() {
        return Verdict::Skip(None);
    }
    let volumes = list(pod.get("spec").unwrap_or(&Value::Null), "volumes");
    let is_local = volumes.iter().any(|volume| volume.get("emptyDir").is_some());
    if is_local && !finished && !command.delete_emptydir_data {
        return Verdict::Refuse(LOCAL_STORAGE);
    }
    match controller {
        None if !finished && command.force => Verdict::Take(Some("deleting Pods that declare no controller")),
        None if !finished => Verdict::Refuse(UNMANAGED),
        // Only the message of the last filter is kept: that of local storage is lost.
        _ => Verdict::Take(None),
    }
}

/// The pods of a node that are to go, and what is to be warned of; or why none of them may go.
fn pods_for_deletion(
    world: &World,
    node: &str,
    command: &Drain,
) -> Result<(Vec<Value>, Vec<String>), Vec<Failure>> {
    let mut pods = server::list_all(world, ResourceKind::Pod.into(), None);
    pods.retain(|pod| text_at(pod, &["spec", "nodeName"]) == node && has_labels(pod, &command.pod_selector));
    let verdicts: Vec<Verdict> = pods.iter().map(|pod| judge(pod, command, world.now())).collect();
    // Messages in the order in which they are first met, each with its pods.
    let told = |message: fn(&Verdict) -> Option<&'static str>| {
        let mut told: Vec<(&str, Vec<String>)> = Vec::new();
        for (pod, verdict) in pods.iter().zip(&verdicts) {
            let Some(message) = message(verdict) else { continue };
            let (namespace, name) = key_of(pod);
            let name = format!("{namespace}/{name}");
            match told.iter_mut().find(|(known, _)| *known == message) {
                Some((_, names)) => names.push(name),
                None => told.push((message, vec![name])),
            }
        }
        told.into_iter()
            .map(|(message, names)| format!("{message}: {}", names.join(", ")))
            .collect::<Vec<_>>()
    };
    let refused = told(|verdict| match verdict {
        Verdict::Refuse(message) => Some(message),
        _ => None,
    });
    if !refused.is_empty() {
        mark!("PDB-23");
        let failure = |text: String| Failure::client(format!("cannot delete {text}"));
        return Err(refused.into_iter().map(failure).collect());
    }
    mark!("PDB-23" if !verdicts.is_empty());
    let warnings = told(|verdict| match verdict {
        Verdict::Skip(message) | Verdict::Take(message) => *message,
        Verdict::Refuse(_) => None,
    });
    let taken = pods.iter().zip(&verdicts).filter(|(_, verdict)| matches!(verdict, Verdict::Take(_)));
    let taken = taken.map(|(pod, _)| pod.clone()).collect();
    Ok((taken, warnings))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubectl::command::{self, Command};
    use serde_json::json;

    fn command(flags: &str) -> Drain {
        match command::parse_line(&format!("drain node-a {flags}")).expect("a command").command {
            Command::Drain(drain) => drain,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn filters() {
        let pod = |owner: Value, phase: &str, volumes: Value| {
            json!({
                "metadata": {"ownerReferences": owner}, "spec": {"volumes": volumes}, "status": {"phase": phase},
            })
        };
        let owner = |kind: &str| json!([{"kind": kind, "controller": true}]);
        let set = || owner("StatefulSet");
        let empty_dir = json!([{"name": "tmp", "emptyDir": {}}]);
        let claim = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data-web-0"}}]);
        let unmanaged = Verdict::Take(Some("deleting Pods that declare no controller"));
        let cases = [
            (pod(set(), "Running", claim), "", Verdict::Take(None)),
            (pod(set(), "Running", empty_dir.clone()), "", Verdict::Refuse(LOCAL_STORAGE)),
            (pod(set(), "Running", empty_dir.clone()), "--delete-emptydir-data", Verdict::Take(None)),
            (pod(set(), "Failed", empty_dir), "", Verdict::Take(None)),
            (pod(json!([]), "Running", json!([])), "", Verdict::Refuse(UNMANAGED)),
            (pod(json!([]), "Running", json!([])), "--force", unmanaged),
            (pod(json!([]), "Succeeded", json!([])), "", Verdict::Take(None)),
            (pod(owner("DaemonSet"), "Running", json!([])), "", Verdict::Refuse(DAEMON_SETS)),
            (
                pod(owner("DaemonSet"), "Running", json!([])),
                "--ignore-daemonsets",
                Verdict::Skip(Some("ignoring DaemonSet-managed Pods")),
            ),
        ];
        for (pod, flags, verdict) in cases {
            assert_eq!(judge(&pod, &command(flags), Time::ZERO), verdict, "{flags} {pod}");
        }
        let terminating = json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}});
        let skip = command("--skip-wait-for-delete-timeout=5");
        assert_eq!(judge(&terminating, &skip, Time::from_secs(6)), Verdict::Skip(None));
        assert_eq!(judge(&terminating, &skip, Time::from_secs(5)), Verdict::Refuse(UNMANAGED));
    }
}
