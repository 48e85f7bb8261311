//! Words of Chaos Mesh and LitmusChaos: those that mean exactly what a verb of ours means are taken for it, the others
//! are answered with what comes nearest, and with the difference.

/// Their word and our verb: the same physical situation.
pub const SAME: &[(&str, &str)] = &[
    ("container-kill", "crash"),
    ("node-poweroff", "crash"),
    ("node-restart", "reboot"),
    ("ec2-restart", "reboot"),
    ("ec2-stop", "shutdown"),
];

/// Their word, and what to write instead.
pub const OTHERS: &[(&str, &str)] = &[
    (
        "pod-kill",
        "it deletes the pod: `kubectl: delete pod NAME --grace-period=0 --force`; `crash: pod/NAME` kills its containers",
    ),
    ("pod-delete", "it deletes the pod through the API: `kubectl: delete pod NAME`"),
    (
        "pod-failure",
        "it puts another image into the pod: `hang: pod/NAME` or `unready: pod/NAME` with `for:` come near",
    ),
    ("pod-network-partition", "networks are cut at nodes: `partition: node-of(pod/NAME)` with `from: peers`"),
    (
        "network-partition",
        "networks are cut at nodes: `partition: node-of(pod/NAME)` with `from:` and `direction:`",
    ),
    ("network-delay", "packets take no time here; `partition:` cuts, `lag:` makes a component see late"),
    ("network-loss", "packets are lost all or not at all: `partition:`"),
    (
        "pod-network-loss",
        "packets are lost all or not at all: `partition: node-of(pod/NAME)` with `from: peers`",
    ),
    (
        "pod-network-latency",
        "packets take no time here; `partition:` cuts, `lag:` makes a component see late",
    ),
    ("node-drain", "it is a command: `kubectl: drain NODE --ignore-daemonsets`"),
    ("node-taint", "it is a command: `kubectl: taint node NODE KEY=VALUE:EFFECT`"),
    (
        "node-cpu-hog",
        "load is not modelled; `fail: pod/NAME` is an eviction, `hang: pod/NAME` a process that answers nobody",
    ),
    ("node-memory-hog", "load is not modelled; `fail: pod/NAME` is the eviction that follows from it"),
    ("pod-cpu-hog", "load is not modelled; `hang: pod/NAME` is a process that answers nobody"),
    (
        "pod-memory-hog",
        "load is not modelled; `behavior: [{pod: NAME, exit: {reason: OOMKilled}}]` is what follows from it",
    ),
    ("kubelet-service-kill", "`stop: kubelet/NODE` with `for:`, or `restart: kubelet/NODE`"),
    (
        "disk-loss",
        "it detaches the disk for a while: `partition: node/NODE` with `from: storage`; `lose: volume/CLAIM` is for good",
    ),
    (
        "ebs-loss-by-id",
        "it detaches the disk for a while: `partition: node/NODE` with `from: storage`; `lose: volume/CLAIM` is for good",
    ),
    ("detach-volume", "`partition: node/NODE` with `from: storage`; `lose: volume/CLAIM` is for good"),
    ("disk-fill", "disks have no fill level; `fail: pod/NAME` is the eviction that follows from it"),
    ("io-latency", "reads and writes take no time; `slow: attach/CLAIM` and its likes do"),
    (
        "ec2-terminate-by-id",
        "it stops and starts the machine: `shutdown: node/NODE` with `for:`; `terminate: node/NODE` is for good",
    ),
    (
        "pod-dns-error",
        "`stop: coredns` with `for:` for all, `partition: node-of(pod/NAME)` with `from: peers` for one",
    ),
    (
        "dns-error",
        "`stop: coredns` with `for:` for all, `partition: node-of(pod/NAME)` with `from: peers` for one",
    ),
    ("time-skew", "all clocks are one"),
];

/// Our verb for a word that means exactly the same.
pub fn our_word(word: &str) -> Option<&'static str> {
    SAME.iter().find(|(theirs, _)| *theirs == word).map(|(_, ours)| *ours)
}

/// What to write instead of a word of theirs.
pub fn foreign(word: &str) -> Option<&'static str> {
    OTHERS.iter().find(|(theirs, _)| *theirs == word).map(|(_, help)| *help)
}
