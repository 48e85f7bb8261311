//! The tables of the scenario file: every mapping, every field, with its shape and what an editor says about it.
//!
//! A new field is a line here and an arm in the reader; `stsim schema` follows by itself.
use super::table::Shape::{
    Any, Boolean, Duration, Either, Fault, Latency, Like, List, Manifest, Map, MapOf, Named, NoMapping, Of,
    OneOf, Quantity, Step, Text, Whole, Word,
};
use super::table::{Shape, Table, field};
use crate::config::{DnsPreset, Gates, Latencies, Timers};
use crate::event::Process;
use crate::invariants::BREAKABLE;
use crate::network::resolver::Keeps;
use crate::scenario::faults::{KINDS, REFUSABLE};
use crate::world::{Client, Direction, Outcome, Reason, Request, Side};

/// The document.
pub static SCENARIO: Table = Table {
    required: &["apiVersion", "kind"],
    ..Table::new(
        "scenario",
        &[
            field("apiVersion", OneOf(&["stsim/v1alpha1"]), "Version of the format"),
            field("kind", OneOf(&["Scenario"]), "What this document is"),
            field("metadata", Of(&METADATA), "Name and annotations"),
            field("spec", Of(&SPEC), "The cluster, and what happens to it"),
        ],
    )
};

/// `metadata`.
pub static METADATA: Table = Table::new(
    "metadata",
    &[
        field("name", Text, "Name of the scenario"),
        field(
            "annotations",
            Map(&Text),
            "`about` is the one line that says what the reader should learn, the rest is yours",
        ),
        field("labels", Map(&Text), "Yours"),
    ],
);

/// `spec`.
pub static SPEC: Table = Table::new(
    "spec",
    &[
        field("seed", Whole, "Seed of the run, 0 if not given; --seed overrides it"),
        field(
            "until",
            Duration,
            "Virtual end; if not given, when the cluster has settled after the last step",
        ),
        field("featureGates", MapOf(Gates::NAMES, &Boolean), "Kubernetes feature gates"),
        field(
            "manifests",
            List(&Text),
            "Files of manifests, relative to this one and never outside its directory",
        ),
        field("cluster", Of(&CLUSTER), "Machines, timers and latencies"),
        field(
            "behavior",
            List(&BEHAVIOR),
            "What containers and volumes do, since none really run; the first match wins",
        ),
        field("databases", List(&Of(&DATABASE)), "Replicated databases on workloads, and their clients"),
        field("faults", List(&Fault), "Faults on clocks of their own, beside the steps"),
        field("steps", List(&Step), "What happens, strictly one after the other"),
        field("expect", List(&Of(&EXPECTATION)), "What has to hold; each has a verdict at the end"),
        field(
            "params",
            Map(&Either(&[Of(&PARAM), NoMapping])),
            "Parameters: a default, or a mapping of default, about and oneOf; `${{ params.NAME }}` stands for the value, `params.NAME` in conditions",
        ),
        field(
            "columns",
            Map(&Text),
            "Further columns of that table: a title, and an expression, whose value at the end is shown",
        ),
        field(
            "matrix",
            Map(&List(&Any)),
            "Values of parameters; every combination is played, and a table printed",
        ),
    ],
);

/// An entry of `params` in its long form.
pub static PARAM: Table = Table {
    required: &["default"],
    ..Table::new(
        "param",
        &[
            field("default", Any, "The value if none is set; its type is the parameter's"),
            field("about", Text, "What the parameter is for"),
            field(
                "oneOf",
                Either(&[List(&Any), Map(&Any)]),
                "The values it can have, or a mapping from names to what they stand for",
            ),
        ],
    )
};

/// `cluster`.
pub static CLUSTER: Table = Table::new(
    "cluster",
    &[
        field("nodes", List(&Of(&NODE)), "Machines; three in three zones if not given"),
        field("timers", MapOf(Timers::NAMES, &Duration), "Intervals and deadlines of the control plane"),
        field("latency", MapOf(Latencies::NAMES, &Latency), "How long things take"),
        field("featureGates", MapOf(Gates::NAMES, &Boolean), "Kubernetes feature gates"),
        field(
            "settleWindow",
            Duration,
            "Call the cluster settled when nothing watched has changed for this long, as the recorded corpus does",
        ),
        field(
            "dns",
            Either(&[PRESET, Of(&DNS)]),
            "TTLs of records, and which caches keep them; eks if not given",
        ),
    ],
);

/// `cluster.dns` in its long form.
pub static DNS: Table = Table::new(
    "dns",
    &[
        field("preset", PRESET, "Which Corefile"),
        field("replicas", Whole, "How many replicas of CoreDNS, each with its own cache; 2 if not given"),
    ],
);

/// How DNS is set up.
const PRESET: Shape = Named(|| DnsPreset::ALL.iter().map(|(name, _)| *name).collect());

/// A latency that is drawn.
pub static DISTRIBUTION: Table = Table::new(
    "distribution",
    &[
        field("p50", Duration, "Median of a log-normal distribution"),
        field("p99", Duration, "Its 99th percentile"),
        field("uniform", List(&Duration), "Two durations: anything between them, all alike"),
    ],
);

/// An entry of `databases`.
pub static DATABASE: Table = Table {
    required: &["name", "on"],
    ..Table::new(
        "database",
        &[
            field("name", Text, "What reports and expressions call it"),
            field("on", Text, "The workload it runs on: statefulset/NAME or deployment/NAME"),
            field("namespace", Text, "Namespace of the workload; default if not given"),
            field(
                "replication",
                OneOf(&["async", "sync", "quorum"]),
                "A write is acknowledged when the primary has it, one replica too, or a majority; async if not given",
            ),
            field(
                "primary",
                OneOf(&["ordinal-0", "lease", "monitors"]),
                "Who is primary: always the pod with the first ordinal, whoever holds a lease in the API server, or whom monitors promote",
            ),
            field("lease", Of(&LEASE), "Times of the lease"),
            field("monitors", Of(&MONITORS), "The processes of `primary: monitors` that watch the primary"),
            field(
                "fencing",
                OneOf(&["none", "lease", "isolation"]),
                "What stops a primary that is cut off: nothing, the end of its lease (if not given), or a liveness probe",
            ),
            field("isolation", Of(&ISOLATION), "The liveness probe of `fencing: isolation`"),
            field(
                "bootstrap",
                OneOf(&["ordinal-0", "if-no-peer", "max-position"]),
                "Who begins when no instance has met a primary: ordinal 0, the first that finds nobody, or the one that has most",
            ),
            field("lag", Duration, "An asynchronous replica is behind by this; 100ms if not given"),
            field("catchUp", Text, "Rate at which a replica catches up, such as 10000/s"),
            field("size", Quantity, "What a clone copies; 10Gi if not given"),
            field("cloneRate", Quantity, "Bytes per second of a clone; 100Mi if not given"),
            field("takes", Of(&TAKES), "How long things inside an instance take"),
            field("writes", Either(&[Of(&CLIENT), List(&Of(&CLIENT))]), "Clients that write"),
            field("reads", Either(&[Of(&CLIENT), List(&Of(&CLIENT))]), "Clients that read"),
        ],
    )
};

/// `lease`.
pub static LEASE: Table = Table::new(
    "lease",
    &[
        field("duration", Duration, "Others may take it this long after its last renewal; 15s if not given"),
        field("renew", Duration, "With fencing by lease, its holder gives up after this; 10s if not given"),
        field("retry", Duration, "Everybody tries to renew or take it this often; 2s if not given"),
    ],
);

/// `monitors`.
pub static MONITORS: Table = Table::new(
    "monitors",
    &[
        field(
            "downAfter",
            Duration,
            "They replace a primary they have not found for this long; 30s if not given",
        ),
        field("remember", OneOf(&["address", "name"]), "What they know instances by; address if not given"),
    ],
);

/// `isolation`.
pub static ISOLATION: Table = Table::new(
    "isolation",
    &[
        field("period", Duration, "periodSeconds of the probe; 10s if not given"),
        field("threshold", Whole, "Its failureThreshold; 3 if not given"),
    ],
);

/// `takes`.
pub static TAKES: Table = Table::new(
    "takes",
    &[
        field("start", Duration, "From the start of the process until its data can be read; 1s if not given"),
        field("init", Duration, "Initialising an empty volume; 3s if not given"),
        field("promote", Duration, "From an election until writes are accepted; 1s if not given"),
        field("rewind", Duration, "Going back to where a new primary left the old line; 5s if not given"),
    ],
);

/// A group of clients.
pub static CLIENT: Table = Table {
    required: &["rate", "via"],
    ..Table::new(
        "client",
        &[
            field("name", Text, "What the report calls it"),
            field("rate", Text, "Requests of the whole group: 100/s, 5/m, 20/h"),
            field(
                "via",
                Either(&[Text, List(&Text)]),
                "DNS names of a service or of a pod of a headless one",
            ),
            field("from", Text, "Where it runs: outside (if not given), or node/NAME"),
            field("cache", Text, "How long it keeps addresses: none (if not given), a duration, or forever"),
            field("retry", Duration, "It connects again this long after a failure; 1s if not given"),
            field(
                "timeout",
                Duration,
                "A connection that is silent is given up after this; 10s if not given",
            ),
        ],
    )
};

/// A machine, or `count` of them.
pub static NODE: Table = Table {
    required: &["name"],
    ..Table::new(
        "node",
        &[
            field("name", Text, "Name; with `count` a dash and a number follow"),
            field("zone", Text, "Zone; the region is the zone without its last letter"),
            field("zones", List(&Text), "Zones, dealt round robin to `count` machines"),
            field("count", Whole, "That many machines"),
            field("cpu", Quantity, "Allocatable cpu"),
            field("memory", Quantity, "Allocatable memory"),
            field("pods", Whole, "Allocatable pods"),
            field("volumes", Whole, "Volumes that can be attached"),
            field("labels", Map(&Text), "Further labels"),
            field("taints", List(&Either(&[Text, Of(&TAINT)])), "Taints: key=value:Effect"),
        ],
    )
};

/// A taint in its long form.
pub static TAINT: Table = Table::new(
    "taint",
    &[
        field("key", Text, "Its key"),
        field("value", Text, "Its value"),
        field("effect", OneOf(&["NoSchedule", "PreferNoSchedule", "NoExecute"]), "What it does"),
    ],
);

/// An entry of `behavior`.
pub static BEHAVIOR: Shape = Either(&[Of(&POD_RULE), Of(&VOLUME_RULE)]);

/// A rule for containers.
pub static POD_RULE: Table = Table::new(
    "podRule",
    &[
        field("image", Text, "Containers of this image, exact or with `*` and `?`"),
        field("container", Text, "Containers of this name or glob"),
        field("pod", Text, "Pods of this name or glob"),
        field("node", Text, "Pods on nodes of this name or glob"),
        field("start", Latency, "How long a container takes to start"),
        field("up", Latency, "How long after the start it answers its startup probe"),
        field("ready", Latency, "How long after the start it is ready"),
        field("stop", Latency, "How long it takes to stop after SIGTERM"),
        field("exit", Of(&EXIT), "It ends by itself"),
        field("readyWhen", Text, "It is ready only while this condition (CEL) over what it can see is true"),
        field("exitWhen", Text, "It ends with exit code 1 as soon as this condition (CEL) is true"),
        field("postStart", Latency, "How long its postStart hook takes"),
        field("preStop", Latency, "How long its preStop hook takes"),
        field("pull", OneOf(&["fails"]), "Its image cannot be pulled"),
    ],
);

/// How a container ends by itself.
pub static EXIT: Table = Table::new(
    "exit",
    &[
        field("after", Latency, "How long after its start"),
        field("code", Whole, "Exit code, 0 to 255"),
        field("times", Whole, "So often, then it runs on"),
        field("reason", OneOf(&["OOMKilled"]), "Why, if not by itself"),
    ],
);

/// A rule for volumes.
pub static VOLUME_RULE: Table = Table {
    required: &["volume"],
    ..Table::new(
        "volumeRule",
        &[
            field("volume", Text, "Volumes of claims of this name or glob"),
            field("attach", Latency, "How long attaching takes"),
            field("detach", Latency, "How long detaching takes"),
            field("provision", Latency, "How long making the disk takes"),
        ],
    )
};

/// Verbs and options of steps. Which options a verb takes is written where verbs are read ([`VERBS`]).
///
/// [`VERBS`]: super::faults::VERBS
pub static STEP: Table = Table::new(
    "stepFields",
    &[
        field("at", Duration, "It starts at this virtual time"),
        field("after", Duration, "It starts this long after the step before it has ended"),
        field("every", Duration, "In the lane: so long from one occurrence to the next"),
        field(
            "between",
            List(&Duration),
            "In the lane: two durations, and the time to the next occurrence is drawn between them",
        ),
        field("count", Whole, "In the lane: so often"),
        field("when", Text, "It starts as soon as this condition (CEL) is true"),
        field("settle", Boolean, "false: it starts at once, not when the cluster has settled"),
        field("name", Text, "What others call this step or fault"),
        field("expect", List(&Of(&EXPECTATION)), "What has to hold from here until the next step begins"),
        field("timeout", Duration, "A blocking command, or waiting for `when`, is given up after this long"),
        field("fails", Either(&[Boolean, Text]), "The command is meant to fail, or to fail and say this"),
        field("background", Boolean, "The next step does not wait for the end of the command"),
        field("stdin", Text, "Standard input of the command"),
        field("for", Duration, "It is undone after this long"),
        field("by", Latency, "How far the watch runs behind, or how much longer it takes"),
        field(
            "from",
            Either(&[Text, List(&SIDE)]),
            "From which sides nodes are cut off, control-plane if not given; or who looks a name up",
        ),
        field(
            "direction",
            Named(|| Direction::ALL.iter().map(|(name, _)| *name).collect()),
            "Which packets are lost",
        ),
        field("kubectl", Either(&[Text, List(&Word)]), "A kubectl command line, or its words"),
        field("apply", Either(&[Text, Manifest, List(&Manifest)]), "kubectl apply -f - of these manifests"),
        field("sleep", Duration, "Nothing, for a while"),
        field("lookup", Text, "A name is looked up by a pod or by clients, `from:`"),
        field(
            "cache",
            Named(|| Keeps::ALL.iter().map(|(name, _)| *name).collect()),
            "What the process keeps of answers from now on",
        ),
        field("crash", TARGETS, "Power loss of nodes or zones; a container of a pod exits 137"),
        field("recover", TARGETS, "Crashed nodes come back, and find no containers"),
        field("partition", TARGETS, "Nodes are cut off, containers run on"),
        field("heal", TARGETS, "The network of nodes is whole again; api: writes do not fail any more"),
        field("reboot", TARGETS, "Nodes go down and come back"),
        field("terminate", TARGETS, "Machines are gone for good, and after a while their Nodes"),
        field("slow", SLOWED, "Work with volumes takes longer, `by:`; nodes or pods are slower, `factor:`"),
        field("unslow", TARGETS, "Nodes or pods work as fast as before"),
        field("factor", Whole, "Everything takes so many times as long"),
        field("stick", VOLUME_WORKS, "Work with volumes hangs"),
        field("unstick", VOLUME_WORKS, "Work with volumes goes on"),
        field("lose", VOLUMES, "Disks are gone, with all that was on them: volume/CLAIM"),
        field("shutdown", TARGETS, "Nodes shut down in good order"),
        field("fail", TARGETS, "Pods are evicted by their kubelet; api: writes fail, `writes:` and `error:`"),
        field("writes", Of(&WRITES), "Which writes fail, all if not given"),
        field(
            "error",
            Either(&[Whole, Named(|| Outcome::ERRORS.iter().map(|(name, _)| *name).collect())]),
            "How they fail, 500 if not given; timeout-but-applied: they are made, and the client is told they are not",
        ),
        field("afterWrite", Of(&WRITES), "The component ends right after such a write"),
        field("hang", TARGETS, "The processes of pods live and answer no probe"),
        field("unready", TARGETS, "Readiness of pods goes"),
        field("ready", TARGETS, "Readiness of pods comes"),
        field("stop", COMPONENTS, "Components, or kubelet/NODE or kube-proxy/NODE, stop"),
        field("start", COMPONENTS, "Components, or kubelet/NODE or kube-proxy/NODE, start"),
        field("restart", COMPONENTS, "Components, or kubelet/NODE or kube-proxy/NODE, stop and start"),
        field("lag", COMPONENT, "The watch of a component runs behind, `by:`"),
        field(
            "refuse",
            Either(&[OneOf(&["nothing"]), Of(&REFUSE)]),
            "The API server refuses writes of the StatefulSet controller",
        ),
        field("addNode", Of(&NODE), "A machine joins"),
        field("behavior", List(&BEHAVIOR), "New rules for containers and volumes, in place of the old ones"),
    ],
);

/// An entry of `expect`: exactly one form, and options that it takes.
pub static EXPECTATION: Table = Table::new(
    "expectation",
    &[
        field("name", Text, "What the verdict is called; the form itself if not given"),
        field("about", Text, "What the reader should learn from it"),
        field("always", Text, "True at every change"),
        field("never", Text, "False at every change"),
        field("that", Text, "True at some moment, `within:` or `by:`"),
        field("whenever", Text, "Each time this is true, what `then:` says is true, `within:`"),
        field("then", Text, "The answer to `whenever`"),
        field("sometimes", Text, "True at some moment of this run, or of another one of many"),
        field("order", List(&Text), "Moments such as `web-0 ready` that come one after the other"),
        field("object", Any, "Part of an object: kind, metadata.name, and the fields that matter"),
        field(
            "violates",
            Named(|| BREAKABLE.iter().map(|breakable| breakable.name).collect()),
            "An invariant of the world that this scenario is meant to break",
        ),
        field("within", Duration, "So long after the run, or the step, began"),
        field("by", Duration, "Until this virtual time"),
        field("finally", Either(&[Text, Boolean]), "True at the end; beside `object` just true"),
    ],
);

/// What faults are aimed at: `pod/NAME`, `node/NAME`, globs, `zone/NAME`, `node-of(pod/NAME)`, `zone-of(pod/NAME)`.
const TARGETS: Shape = Either(&[Text, List(&Text)]);
/// From where nodes are cut off.
const SIDE: Shape = Named(|| Side::ALL.iter().map(|(name, _)| *name).collect());
/// A component by its name.
const COMPONENT: Shape = Named(|| Process::ALL.into_iter().map(Process::as_str).collect());
/// One or several, kubelets of nodes among them.
const COMPONENTS: Shape = Either(&[COMPONENT, KUBELET, List(&Either(&[COMPONENT, KUBELET]))]);
/// The kubelet or the kube-proxy of a node.
const KUBELET: Shape = Like("^(kubelet|kube-proxy)/.+$");
/// `attach/CLAIM`, `detach/CLAIM`, `unmount/CLAIM`, `provision/CLAIM`.
const VOLUME_WORKS: Shape = Either(&[VOLUME_WORK, List(&VOLUME_WORK)]);
/// Work with volumes, or nodes or pods.
const SLOWED: Shape = Either(&[VOLUME_WORK, Text, List(&Either(&[VOLUME_WORK, Text]))]);
/// Work with the volume of a claim.
const VOLUME_WORK: Shape = Like("^(attach|detach|unmount|provision)/.+$");
/// Volumes of claims.
const VOLUMES: Shape = Either(&[Like("^volume/.+$"), List(&Like("^volume/.+$"))]);

/// `writes` and `afterWrite`.
pub static WRITES: Table = Table::new(
    "writes",
    &[
        field("client", CLIENTS, "Whose: a component, a controller, kubectl, kubelet or kubelet/NODE"),
        field("verb", Named(|| Request::ALL.iter().map(|(name, _)| *name).collect()), "Which writes"),
        field("kind", Named(|| KINDS.iter().map(|(name, _)| *name).collect()), "To objects of this kind"),
        field("name", Text, "To objects of this name or glob"),
        field("nth", Whole, "From this one on, the first if not given"),
        field("times", Whole, "So many; if not given, all"),
    ],
);
/// Who writes.
const CLIENTS: Shape =
    Either(&[Named(|| Client::NAMED.iter().map(|(name, _)| *name).collect()), Like("^kubelet/.+$")]);

/// `refuse`.
pub static REFUSE: Table = Table {
    required: &["writes", "of"],
    ..Table::new(
        "refuse",
        &[
            field("writes", Named(|| REFUSABLE.iter().map(|(name, _)| *name).collect()), "Which writes"),
            field("of", Text, "Of which objects: pod/NAME, pvc/NAME, sts/NAME or controllerrevision/NAME"),
            field("skip", Whole, "That many pass first"),
            field("times", Whole, "That many are refused; if not given, all"),
            field(
                "error",
                Named(|| Reason::ALL.iter().map(|(name, _)| *name).collect()),
                "With which reason",
            ),
        ],
    )
};
