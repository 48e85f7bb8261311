//! Generated scenarios: clusters, sets, behaviours and step sequences, as the text of a scenario file.
//!
//! A case shrinks step by step and field by field; its `Debug` form is the scenario file, so what a failing property
//! prints can be saved and run.
use proptest::prelude::*;
use std::fmt;

/// A generated scenario.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) cluster: Cluster,
    pub(crate) set: Set,
    pub(crate) steps: Vec<Step>,
    pub(crate) seed: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    pub(crate) nodes: u32,
    pub(crate) zones: u32,
    pub(crate) max_unavailable_gate: bool,
    pub(crate) start_ms: u32,
    pub(crate) ready_ms: u32,
    pub(crate) stop_ms: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct Set {
    pub(crate) replicas: u32,
    pub(crate) parallel: bool,
    pub(crate) strategy: Update,
    pub(crate) min_ready: u32,
    pub(crate) start: u32,
    pub(crate) claims: bool,
    pub(crate) when_deleted_delete: bool,
    pub(crate) when_scaled_delete: bool,
    pub(crate) history: u32,
}

#[derive(Clone, Debug)]
pub(crate) enum Update {
    Default,
    Bare,
    OnDelete,
    Partition(u32),
    MaxUnavailable(u32),
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Scale(u32),
    Image(u32),
    Partition(u32),
    DeletePod(u32),
    ForceDeletePod(u32),
    CrashPod(u32),
    FailPod(u32),
    Unready(u32),
    Ready(u32),
    CrashNode(u32),
    RecoverNode(u32),
    PartitionNode(u32),
    HealNode(u32),
    Cordon(u32),
    Uncordon(u32),
    RestartManager,
    StopScheduler,
    StartScheduler,
    LagManager(u32),
    Annotate,
    Restart,
    OrphanAndApply,
    DeleteSetAndApply,
    DeleteClaim(u32),
    Sleep(u32),
    Then(Box<Step>),
}

pub(crate) fn case() -> impl proptest::strategy::Strategy<Value = Case> {
    (cluster(), set(), prop::collection::vec(step(), 0..10), any::<u64>())
        .prop_map(|(cluster, set, steps, seed)| Case { cluster, set, steps, seed })
}

fn cluster() -> impl proptest::strategy::Strategy<Value = Cluster> {
    (1..4u32, 1..3u32, any::<bool>(), 0..800u32, 0..800u32, 0..3000u32).prop_map(
        |(nodes, zones, max_unavailable_gate, start_ms, ready_ms, stop_ms)| Cluster {
            nodes,
            zones,
            max_unavailable_gate,
            start_ms,
            ready_ms,
            stop_ms,
        },
    )
}

fn set() -> impl proptest::strategy::Strategy<Value = Set> {
    let strategy = prop_oneof![
        3 => Just(Update::Default),
        1 => Just(Update::Bare),
        1 => Just(Update::OnDelete),
        2 => (0..4u32).prop_map(Update::Partition),
        2 => (1..4u32).prop_map(Update::MaxUnavailable),
    ];
    let policy = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (0..5u32, strategy, prop_oneof![Just(0), Just(2u32)], prop_oneof![Just(0), Just(2u32)], policy, 0..3u32)
        .prop_map(|(replicas, strategy, min_ready, start, (parallel, claims, deleted, scaled), history)| {
            Set {
                replicas,
                parallel,
                strategy,
                min_ready,
                start,
                claims,
                when_deleted_delete: deleted,
                when_scaled_delete: scaled,
                history,
            }
        })
}

fn step() -> impl proptest::strategy::Strategy<Value = Step> {
    let pod = 0..5u32;
    let node = 0..3u32;
    let one = prop_oneof![
        4 => (0..6u32).prop_map(Step::Scale),
        4 => (0..4u32).prop_map(Step::Image),
        1 => (0..4u32).prop_map(Step::Partition),
        3 => pod.clone().prop_map(Step::DeletePod),
        2 => pod.clone().prop_map(Step::ForceDeletePod),
        2 => pod.clone().prop_map(Step::CrashPod),
        1 => pod.clone().prop_map(Step::FailPod),
        2 => pod.clone().prop_map(Step::Unready),
        2 => pod.clone().prop_map(Step::Ready),
        2 => node.clone().prop_map(Step::CrashNode),
        2 => node.clone().prop_map(Step::RecoverNode),
        2 => node.clone().prop_map(Step::PartitionNode),
        2 => node.clone().prop_map(Step::HealNode),
        1 => node.clone().prop_map(Step::Cordon),
        1 => node.prop_map(Step::Uncordon),
        2 => Just(Step::RestartManager),
        1 => Just(Step::StopScheduler),
        1 => Just(Step::StartScheduler),
        1 => (0..3000u32).prop_map(Step::LagManager),
        1 => Just(Step::Annotate),
        1 => Just(Step::Restart),
        1 => Just(Step::OrphanAndApply),
        1 => Just(Step::DeleteSetAndApply),
        1 => pod.prop_map(Step::DeleteClaim),
        2 => (0..20_000u32).prop_map(Step::Sleep),
    ];
    (one, any::<bool>()).prop_map(|(step, at_once)| if at_once { Step::Then(Box::new(step)) } else { step })
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{}", self.text())
    }
}

impl Case {
    /// The scenario file.
    pub(crate) fn text(&self) -> String {
        let c = &self.cluster;
        let mut text =
            String::from("apiVersion: stsim/v1alpha1\nkind: Scenario\nmetadata: {name: generated}\nspec:\n");
        text += &format!("  seed: {}\n  until: 40m\n  cluster:\n", self.seed);
        text += &format!(
            "    featureGates: {{MaxUnavailableStatefulSet: {}}}\n    nodes:\n",
            c.max_unavailable_gate
        );
        for node in 0..c.nodes {
            text += &format!("    - {{name: node-{node}, zone: zone-{}}}\n", node % c.zones);
        }
        text += "  behavior:\n  - {image: \"web:v3\", ready: never}\n";
        text += &format!(
            "  - {{pod: \"*\", start: {}ms, ready: {}ms, stop: {}ms}}\n  steps:\n",
            c.start_ms, c.ready_ms, c.stop_ms
        );
        if self.steps.is_empty() {
            text.truncate(text.len() - "  steps:\n".len());
        }
        for step in &self.steps {
            for line in self.step(step, "") {
                text += &format!("  - {line}\n");
            }
        }
        text + "---\n" + &self.manifest("---\n")
    }

    fn manifest(&self, separator: &str) -> String {
        let s = &self.set;
        let policy = if s.parallel { "Parallel" } else { "OrderedReady" };
        let keep = |delete: bool| if delete { "Delete" } else { "Retain" };
        let strategy = match &s.strategy {
            Update::Default => String::new(),
            Update::Bare => "  updateStrategy: {type: RollingUpdate}\n".into(),
            Update::OnDelete => "  updateStrategy: {type: OnDelete}\n".into(),
            Update::Partition(n) => {
                format!("  updateStrategy: {{type: RollingUpdate, rollingUpdate: {{partition: {n}}}}}\n")
            }
            Update::MaxUnavailable(n) => {
                format!("  updateStrategy: {{type: RollingUpdate, rollingUpdate: {{maxUnavailable: {n}}}}}\n")
            }
        };
        let claims = if s.claims {
            "  volumeClaimTemplates:\n  - metadata: {name: data}\n    spec:\n      accessModes: [ReadWriteOnce]\n      \
             storageClassName: ebs\n      resources: {requests: {storage: 1Gi}}\n"
        } else {
            ""
        };
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: web}}\nspec:\n  clusterIP: None\n  selector: {{app: web}}\n  \
             ports: [{{port: 80}}]\n{separator}apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {{name: web}}\nspec:\n  \
             serviceName: web\n  replicas: {}\n  podManagementPolicy: {policy}\n  minReadySeconds: {}\n  \
             revisionHistoryLimit: {}\n  ordinals: {{start: {}}}\n  persistentVolumeClaimRetentionPolicy: \
             {{whenDeleted: {}, whenScaled: {}}}\n{strategy}  selector:\n    matchLabels: {{app: web}}\n  template:\n    \
             metadata:\n      labels: {{app: web}}\n    spec:\n      containers:\n      - {{name: web, image: \"web:v1\"}}\n\
             {claims}",
            s.replicas,
            s.min_ready,
            s.history,
            s.start,
            keep(s.when_deleted_delete),
            keep(s.when_scaled_delete)
        )
    }

    fn step(&self, step: &Step, options: &str) -> Vec<String> {
        let pod = |n: &u32| format!("web-{}", n + self.set.start);
        let node = |n: &u32| format!("node-{}", n % self.cluster.nodes);
        let kubectl = |line: String| vec![format!("{{kubectl: '{line}'{options}}}")];
        let fault = |verb: &str, target: String| vec![format!("{{{verb}: {target}{options}}}")];
        match step {
            Step::Scale(n) => kubectl(format!("scale statefulset/web --replicas={n}")),
            Step::Image(n) => kubectl(format!("set image statefulset/web web=web:v{n}")),
            Step::Partition(n) => kubectl(format!(
                r#"patch statefulset web --type=merge -p {{"spec":{{"updateStrategy":{{"type":"RollingUpdate","rollingUpdate":{{"partition":{n}}}}}}}}}"#
            )),
            Step::DeletePod(n) => kubectl(format!("delete pod {} --wait=false", pod(n))),
            Step::ForceDeletePod(n) => {
                kubectl(format!("delete pod {} --force --grace-period=0 --wait=false", pod(n)))
            }
            Step::CrashPod(n) => fault("crash", format!("pod/{}", pod(n))),
            Step::FailPod(n) => fault("fail", format!("pod/{}", pod(n))),
            Step::Unready(n) => fault("unready", format!("pod/{}", pod(n))),
            Step::Ready(n) => fault("ready", format!("pod/{}", pod(n))),
            Step::CrashNode(n) => fault("crash", format!("node/{}", node(n))),
            Step::RecoverNode(n) => fault("recover", format!("node/{}", node(n))),
            Step::PartitionNode(n) => fault("partition", format!("node/{}", node(n))),
            Step::HealNode(n) => fault("heal", format!("node/{}", node(n))),
            Step::Cordon(n) => kubectl(format!("cordon {}", node(n))),
            Step::Uncordon(n) => kubectl(format!("uncordon {}", node(n))),
            Step::RestartManager => fault("restart", "kube-controller-manager".into()),
            Step::StopScheduler => fault("stop", "kube-scheduler".into()),
            Step::StartScheduler => fault("start", "kube-scheduler".into()),
            Step::LagManager(ms) => fault("lag", format!("kube-controller-manager, by: {ms}ms")),
            Step::Annotate => kubectl("annotate statefulset web touched=yes --overwrite".into()),
            Step::Restart => kubectl("rollout restart statefulset/web".into()),
            Step::OrphanAndApply => self.again("orphan", options),
            Step::DeleteSetAndApply => self.again("background", options),
            Step::DeleteClaim(n) => kubectl(format!("delete pvc data-{} --wait=false", pod(n))),
            Step::Sleep(ms) => fault("sleep", format!("{ms}ms")),
            Step::Then(step) => self.step(step, ", settle: false"),
        }
    }

    /// The set is deleted and applied again.
    fn again(&self, cascade: &str, options: &str) -> Vec<String> {
        let manifest = serde_json::to_string(&self.manifest("---\n")).expect("text");
        vec![
            format!("{{kubectl: 'delete statefulset web --cascade={cascade} --wait=false'{options}}}"),
            format!("{{apply: {manifest}, settle: false}}"),
        ]
    }
}
