//! A small language for acceptance tests: a cluster that is played step by step, asked in between.
//!
//! A [`Drill`] is a scenario without steps; [`Drill::step`] plays further steps on the same cluster until it has
//! settled, and [`Drill::object`], [`Drill::names`] and [`Drill::events`] look at what came of it. Invariants are
//! checked at every change of every drill: a finding fails the test.
use serde_json::{Value, json};
use stsim::conform::observe::Observer;
use stsim::kernel::{Duration, Time};
use stsim::kubectl::run::{self as kubectl, Output};
use stsim::network::answer::RecordType;
use stsim::network::dns::Zone;
use stsim::run::{Ended, Outcome, Play, Watch};
use stsim::scenario::Scenario;
use stsim::scenario::read::{NoFiles, read};
use stsim::trace::record::Recorder;

fn scenario(text: &str) -> &'static Scenario {
    match read("acceptance.yaml", text.as_bytes(), &mut NoFiles) {
        // A play borrows its scenario; a test is short.
        Ok(scenario) => Box::leak(Box::new(scenario)),
        Err(unreadable) => panic!("{text}\n{}", unreadable.render()),
    }
}

/// The default cluster of a drill: three nodes in three zones, pods start and get ready in 200 ms each.
pub(crate) const SPEC: &str = "  cluster:
    nodes:
    - {name: node-a, zone: zone-a}
    - {name: node-b, zone: zone-b}
    - {name: node-c, zone: zone-c}
";

/// The same machines where everything takes a known time: pods start, get ready and stop in 200 ms each, disks are
/// made, attached and detached in 100 ms, and the API takes milliseconds.
pub(crate) const STEADY: &str = "  cluster:
    nodes:
    - {name: node-a, zone: zone-a}
    - {name: node-b, zone: zone-b}
    - {name: node-c, zone: zone-c}
    latency: {apiWrite: 3ms, watchLag: 2ms, queueHop: 0s, schedulerDecision: 2ms, sandbox: 0s, imagePull: 0s,
      containerStart: 200ms, ready: 200ms, containerStop: 200ms, provision: 100ms, attach: 100ms, detach: 100ms,
      stage: 0s, publish: 0s}
";

/// A cluster under way.
pub(crate) struct Drill {
    play: Play<'static>,
    observer: Observer,
    outputs: Outputs,
    header: String,
    seen: usize,
}

/// Outputs of all commands, the number of steps begun, and what is looked at after every change.
#[derive(Default)]
struct Outputs(Vec<Output>, usize, Vec<Check>);

/// Looks at a cluster, and panics if it sees what may not be.
pub(crate) type Check = Box<dyn FnMut(&stsim::cluster::Cluster)>;

impl Outputs {
    /// The output of the last command after the first `n`.
    fn last_after(&self, n: usize) -> Output {
        self.0.get(n..).and_then(<[_]>::last).cloned().unwrap_or_default()
    }
}

struct Both<'a>(&'a mut Observer, &'a mut Outputs);
impl Watch for Both<'_> {
    fn happened(&mut self, cluster: &stsim::cluster::Cluster) {
        self.0.happened(cluster);
        for check in &mut self.1.2 {
            check(cluster);
        }
    }
    fn step(&mut self, cluster: &stsim::cluster::Cluster, step: Option<&stsim::scenario::Step>) {
        self.0.step(cluster, step);
        self.1.1 += usize::from(step.is_some());
    }
    fn output(
        &mut self,
        cluster: &stsim::cluster::Cluster,
        step: Option<&stsim::scenario::Step>,
        output: &Output,
    ) {
        self.0.output(cluster, step, output);
        self.1.0.push(output.clone());
    }
    fn settled(&mut self, cluster: &stsim::cluster::Cluster) {
        self.0.settled(cluster);
    }
}

fn went_well(steps: &str, outcome: &Outcome) {
    assert!(outcome.failures.is_empty(), "{steps}: {:?}", outcome.failures);
    assert!(outcome.findings.is_empty(), "{steps}: {:?}", outcome.findings);
    assert!(matches!(outcome.ended, Ended::Settled | Ended::Moment), "{steps}: {:?}", outcome.ended);
}

impl Drill {
    /// The default cluster with these manifests applied, settled.
    pub(crate) fn new(manifests: &[Value]) -> Drill {
        Drill::on(SPEC, manifests)
    }

    /// A cluster with this text below `spec:` (two spaces in; no steps) and these manifests applied, settled.
    pub(crate) fn on(spec: &str, manifests: &[Value]) -> Drill {
        let header = format!(
            "apiVersion: stsim/v1alpha1\nkind: Scenario\nmetadata: {{name: drill}}\nspec:\n{}\n",
            spec.trim_end()
        );
        let mut text = header.clone();
        for manifest in manifests {
            text.push_str("---\n");
            text.push_str(&manifest.to_string());
            text.push('\n');
        }
        let play = Play::new(scenario(&text), 1, Recorder::on()).unwrap_or_else(|f| panic!("{}", f.message));
        let mut drill =
            Drill { play, observer: Observer::default(), outputs: Outputs::default(), header, seen: 0 };
        drill.play.set_until(Time::NEVER);
        let outcome = drill.play.play(&mut Both(&mut drill.observer, &mut drill.outputs));
        assert!(outcome.failures.is_empty(), "{:?}", outcome.failures);
        assert!(outcome.findings.is_empty(), "{:?}", outcome.findings);
        drill
    }

    /// Looks at the cluster after everything that happens from now on.
    pub(crate) fn always(&mut self, check: Check) {
        self.outputs.2.push(check);
    }

    /// Plays steps (YAML list items, as in a scenario file) until the cluster has settled; the last command's output.
    ///
    /// A command that fails fails the test, unless the step says `fails:`.
    pub(crate) fn step(&mut self, steps: &str) -> Output {
        let scenario = self.scenario(steps);
        let before = self.outputs.0.len();
        let outcome = self.play.go_on(scenario, &mut Both(&mut self.observer, &mut self.outputs));
        went_well(steps, &outcome);
        self.outputs.last_after(before)
    }

    /// One step with a command that may be refused; its output.
    pub(crate) fn attempt(&mut self, step: &str) -> Output {
        let scenario = self.scenario(step);
        let before = self.outputs.0.len();
        let outcome = self.play.go_on(scenario, &mut Both(&mut self.observer, &mut self.outputs));
        let refused =
            |failure: &stsim::run::Failure| !failure.invalid && failure.message.contains("exit status 1");
        assert!(outcome.failures.iter().all(refused), "{step}: {:?}", outcome.failures);
        assert!(outcome.findings.is_empty(), "{step}: {:?}", outcome.findings);
        self.outputs.last_after(before)
    }

    /// Plays steps, and stops that much virtual time after now, in the middle of whatever goes on. Steps that are not
    /// to wait for the cluster to settle say `settle: false`. No steps: only time passes.
    pub(crate) fn during(&mut self, duration: &str, steps: &str) -> Output {
        let scenario = self.scenario(steps);
        let before = self.outputs.0.len();
        let moment = self.play.cluster.world.now() + Duration::parse(duration).expect("a duration");
        self.outputs.1 = 0;
        let mut watch = Both(&mut self.observer, &mut self.outputs);
        let outcome = self.play.go_on_until(scenario, moment, &mut watch);
        went_well(steps, &outcome);
        assert_eq!(self.outputs.1, scenario.steps.len(), "steps begun within {duration}: {steps}");
        self.outputs.last_after(before)
    }

    /// The steps as a scenario on this cluster; its events are the new ones.
    fn scenario(&mut self, steps: &str) -> &'static Scenario {
        let mut text = self.header.clone();
        if !steps.is_empty() {
            text.push_str("  steps:\n");
        }
        for line in steps.lines() {
            text.push_str("  ");
            text.push_str(line);
            text.push('\n');
        }
        self.seen = self.observer.segments.len();
        scenario(&text)
    }

    /// One kubectl command line that succeeds; then until settled. Its standard output.
    pub(crate) fn kubectl(&mut self, line: &str) -> String {
        self.step(&format!("- kubectl: {}", json!(line))).stdout
    }

    /// One kubectl command line that is refused; its standard error.
    pub(crate) fn refused(&mut self, line: &str) -> String {
        self.step(&format!("- kubectl: {}\n  fails: true", json!(line))).stderr
    }

    /// `kubectl apply -f -` of a manifest; then until settled.
    pub(crate) fn apply(&mut self, manifest: &Value) -> String {
        self.step(&format!("- apply: {}", json!(manifest.to_string()))).stdout
    }

    /// A merge patch of an object; then until settled.
    pub(crate) fn patch(&mut self, object: &str, patch: &Value) {
        self.kubectl(&format!("patch {object} --type=merge -p '{patch}'"));
    }

    /// A merge patch of the status of an object; then until settled.
    pub(crate) fn patch_status(&mut self, object: &str, status: &Value) {
        let patch = json!({"status": status});
        self.kubectl(&format!("patch {object} --subresource=status --type=merge -p '{patch}'"));
    }

    /// Virtual time passes; then until settled.
    pub(crate) fn sleep(&mut self, duration: &str) {
        self.step(&format!("- sleep: {duration}"));
    }

    /// An object as the API server has it now: `pod/web-0`; None: there is none.
    pub(crate) fn find(&mut self, object: &str) -> Option<Value> {
        let (kind, name) = object.split_once('/').expect("kind/name");
        let output = self.get(&["get", kind, name, "-o", "json"]);
        (output.exit == 0).then(|| serde_json::from_str(&output.stdout).expect("kubectl prints JSON"))
    }

    /// An object that is there.
    pub(crate) fn object(&mut self, object: &str) -> Value {
        self.find(object).unwrap_or_else(|| panic!("no {object}"))
    }

    /// A field of an object that is there, by JSON pointer: `("sts/web", "/status/readyReplicas")`; Null: not set.
    pub(crate) fn field(&mut self, object: &str, pointer: &str) -> Value {
        self.object(object).pointer(pointer).cloned().unwrap_or(Value::Null)
    }

    /// All objects of a kind, by name: `pods`, `pvc`, `controllerrevisions` ...
    pub(crate) fn list(&mut self, kind: &str) -> Vec<Value> {
        let output = self.get(&["get", kind, "-o", "json"]);
        let list: Value = serde_json::from_str(&output.stdout).expect("kubectl prints JSON");
        list["items"].as_array().cloned().unwrap_or_default()
    }

    /// Names of all objects of a kind, sorted.
    pub(crate) fn names(&mut self, kind: &str) -> Vec<String> {
        let mut names: Vec<_> =
            self.list(kind).iter().map(|o| o["metadata"]["name"].as_str().unwrap_or("").to_owned()).collect();
        names.sort();
        names
    }

    /// What happened since the last call of `step`, in order: `pod/web-0 created rev=rev-1`, `pvc/data-web-0 bound`.
    pub(crate) fn events(&self) -> Vec<String> {
        let new = self.observer.segments.get(self.seen..).unwrap_or_default();
        new.iter().flat_map(|segment| segment.events.iter().map(|event| event.text.clone())).collect()
    }

    /// The events that begin so: `of("pod/web-")`.
    pub(crate) fn events_of(&self, prefix: &str) -> Vec<String> {
        self.events().into_iter().filter(|event| event.starts_with(prefix)).collect()
    }

    /// Kubernetes Events about an object, in order: `Warning FailedCreate: Error creating: ...`.
    pub(crate) fn messages(&mut self, object: &str) -> Vec<String> {
        let (_, name) = object.split_once('/').expect("kind/name");
        let (kind, object) = (self.field(object, "/kind"), json!(name));
        let of = |event: &&Value| {
            event["involvedObject"]["kind"] == kind && event["involvedObject"]["name"] == object
        };
        let text = |event: &Value, field: &str| event[field].as_str().unwrap_or_default().to_owned();
        let told = |event: &Value| {
            format!("{} {}: {}", text(event, "type"), text(event, "reason"), text(event, "message"))
        };
        self.list("events").iter().filter(of).map(told).collect()
    }

    /// The addresses that DNS gives a pod of the default namespace for a name, sorted; empty: it does not exist.
    pub(crate) fn addresses(&self, name: &str) -> Vec<String> {
        let lookup = Zone::of(&self.play.cluster.world).resolve("default", name, RecordType::A);
        let mut addresses: Vec<_> = lookup.answer.addresses().map(|ip| ip.render()).collect();
        addresses.sort();
        addresses
    }

    /// Virtual seconds since the start.
    pub(crate) fn seconds(&self) -> u64 {
        self.play.cluster.world.now().as_nanos() / 1_000_000_000
    }

    /// The cluster, for what no kubectl shows (mounts, disks, DNS answers).
    pub(crate) fn cluster(&self) -> &stsim::cluster::Cluster {
        &self.play.cluster
    }

    fn get(&mut self, words: &[&str]) -> Output {
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        kubectl::start(&words, None, stsim::scenario::yaml::documents, &mut self.play.cluster).output
    }
}

/// A finalizer that nobody takes away by himself.
pub(crate) const HOLD: &str = "example.com/hold";

/// Gives an object that finalizer: once deleted it stays, terminating.
pub(crate) fn hold(drill: &mut Drill, object: &str) {
    drill.patch(object, &json!({"metadata": {"finalizers": [HOLD]}}));
}

/// Takes its finalizers off an object.
pub(crate) fn let_go(drill: &mut Drill, object: &str) {
    drill.patch(object, &json!({"metadata": {"finalizers": null}}));
}

/// The uid of an object that is there.
pub(crate) fn uid(drill: &mut Drill, object: &str) -> Value {
    drill.field(object, "/metadata/uid")
}

/// A StatefulSet `web` with this many replicas, one container `web:v1`, service `web`, no claims.
pub(crate) fn set(replicas: i64) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "web"},
        "spec": {
            "serviceName": "web", "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "web:v1"}]},
            },
        },
    })
}

/// The same with a claim template `data` of 1Gi.
pub(crate) fn set_with_claims(replicas: i64) -> Value {
    with(
        set(replicas),
        "/spec/volumeClaimTemplates",
        json!([{
            "metadata": {"name": "data"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        }]),
    )
}

/// An object with one field set, by JSON pointer; objects on the way are made.
pub(crate) fn with(mut object: Value, pointer: &str, value: Value) -> Value {
    let mut at = &mut object;
    for key in pointer.trim_start_matches('/').split('/') {
        at = match at {
            Value::Array(items) => {
                let index: usize = key.parse().expect("an index");
                items.get_mut(index).expect("an element")
            }
            other => {
                if other.is_null() {
                    *other = json!({});
                }
                other.as_object_mut().expect("an object").entry(key).or_insert(Value::Null)
            }
        };
    }
    *at = value;
    object
}

/// Asserts that these texts occur in the events in this order (others may lie between).
pub(crate) fn in_order(events: &[String], expected: &[&str]) {
    let mut at = 0;
    for wanted in expected {
        match events[at..].iter().position(|event| event.starts_with(wanted)) {
            Some(n) => at += n + 1,
            None => panic!("no `{wanted}` after event {at} of\n{}", events.join("\n")),
        }
    }
}
