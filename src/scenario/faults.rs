//! The vocabulary of faults: what a step or an entry of the lane does to the cluster from outside, and how it is read.
//!
//! Every verb stands in [`VERBS`] with the options it takes; what a verb does physically is written in
//! `docs/faults.md`, and carried out in [`crate::fault`]. Nothing here has happened yet: targets are patterns that are
//! looked up when the fault is due.
use crate::api::kind::Kind;
use crate::behavior::Glob;
use crate::event::Process;
use crate::kernel::{Duration, Latency};
use crate::network::resolver::Keeps;
use crate::scenario::parts::{Read, Reader};
use crate::scenario::{Node, language};
use crate::world::{Direction, Reason, Refusal, Request, Side, Sides};

/// What a step can do, and the options that each verb takes besides those of every step.
pub const VERBS: &[(&str, &[&str])] = &[
    ("kubectl", &["stdin", "fails", "background"]),
    ("apply", &["fails", "background"]),
    ("sleep", &[]),
    ("lookup", &["from", "cache"]),
    ("crash", &["for"]),
    ("recover", &[]),
    ("partition", &["for", "from", "direction"]),
    ("heal", &[]),
    ("reboot", &["for"]),
    ("shutdown", &["for"]),
    ("fail", &[]),
    ("hang", &["for"]),
    ("unready", &["for"]),
    ("ready", &[]),
    ("stop", &["for"]),
    ("start", &[]),
    ("restart", &[]),
    ("lag", &["for", "by"]),
    ("refuse", &["for"]),
    ("addNode", &[]),
    ("behavior", &[]),
];

/// What a fault or a repair is aimed at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// A pod by name or glob.
    Pod(String),
    /// A node by name or glob.
    Node(String),
    /// All nodes of a zone.
    Zone(String),
    /// The node a pod runs on.
    NodeOf(String),
    /// The primary of a database: its pod.
    PrimaryOf(String),
    /// The node its primary runs on.
    NodeOfPrimary(String),
    /// All nodes of the zone its primary runs in.
    ZoneOfPrimary(String),
    /// All nodes of the zone a pod runs in.
    ZoneOf(String),
}

/// What is done to a target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verb {
    /// Power loss of a node or zone; exit 137 of a pod.
    Crash,
    /// A crashed node comes back.
    Recover,
    /// The network of a node is whole again.
    Heal,
    /// Crash, and back by itself after the time a reboot takes.
    Reboot,
    /// A node shuts down in good order, if it is configured to; else its power goes.
    Shutdown,
    /// The kubelet of a node restarts; containers run on.
    RestartKubelet,
    /// A pod is evicted by its kubelet.
    Fail,
    /// The processes of a pod live and answer no probe.
    Hang,
    /// They answer again.
    Unhang,
    /// Readiness of a pod goes and stays away.
    Unready,
    /// Readiness of a pod comes and stays.
    Ready,
}

/// What a fault does, or what undoes one.
#[derive(Clone, PartialEq, Debug)]
pub enum Deed {
    /// Something happens to pods or nodes.
    Hit(Verb, Vec<Target>),
    /// Nodes are cut off.
    Partition {
        /// Which nodes: they still reach one another.
        targets: Vec<Target>,
        /// From what.
        sides: Sides,
        /// Which packets are lost, seen from the nodes.
        direction: Direction,
    },
    /// Processes stop.
    Stop(Vec<Process>),
    /// Processes start.
    Start(Vec<Process>),
    /// Processes stop and start.
    Restart(Vec<Process>),
    /// The watch of a process runs behind by this much.
    Lag(Process, Latency),
    /// The API server refuses such writes; None: it refuses none any more.
    Refuse(Option<Refusal>),
}

/// A name that is looked up.
#[derive(Clone, PartialEq, Debug)]
pub struct Lookup {
    /// The name, as the application has it.
    pub name: String,
    /// The pod that asks; None: a client outside of the cluster.
    pub from: Option<Target>,
    /// What the process keeps of its answers from now on; None: as before.
    pub cache: Option<Keeps>,
}

/// A fault, or what undoes one.
#[derive(Clone, PartialEq, Debug)]
pub struct Fault {
    /// What is done.
    pub deed: Deed,
    /// It is undone after that long; None: when something else undoes it.
    pub lasts: Option<Duration>,
}

impl Deed {
    /// Whether there is anything that `for:` could undo.
    fn can_be_undone(&self) -> bool {
        match self {
            Deed::Hit(verb, targets) => match verb {
                Verb::Crash => !matches!(targets[..], [Target::Pod(_) | Target::PrimaryOf(_), ..]),
                Verb::Reboot | Verb::Shutdown | Verb::Hang | Verb::Unready => true,
                Verb::Recover
                | Verb::Heal
                | Verb::RestartKubelet
                | Verb::Fail
                | Verb::Unhang
                | Verb::Ready => false,
            },
            Deed::Partition { .. } | Deed::Stop(_) | Deed::Lag(..) | Deed::Refuse(Some(_)) => true,
            Deed::Start(_) | Deed::Restart(_) | Deed::Refuse(None) => false,
        }
    }
}

impl Reader<'_> {
    /// The fault that a verb with its options stands for.
    pub(super) fn fault(&self, verb: &str, value: &Node, node: &Node, at: &str) -> Read<Fault> {
        let deed = self.deed(verb, value, node, at)?;
        let Some(lasts) = node.get("for") else { return Ok(Fault { deed, lasts: None }) };
        if !deed.can_be_undone() {
            let message = format!("{at}: there is nothing that could undo this, so it takes no `for:`");
            return Err(self.error(lasts, message));
        }
        Ok(Fault { deed, lasts: Some(self.duration(lasts, at)?) })
    }

    fn deed(&self, verb: &str, value: &Node, node: &Node, at: &str) -> Read<Deed> {
        Ok(match verb {
            "partition" => Deed::Partition {
                targets: self.aimed(value, verb, false)?,
                sides: self.sides(node.get("from"), at)?,
                direction: node
                    .get("direction")
                    .map_or(Ok(Direction::Both), |value| self.one_of(value, at, &Direction::ALL))?,
            },
            "stop" => Deed::Stop(self.components(value)?),
            "start" => Deed::Start(self.components(value)?),
            "restart" => match value.as_str().and_then(|text| text.strip_prefix("kubelet/")) {
                Some(node) if !node.is_empty() => {
                    Deed::Hit(Verb::RestartKubelet, vec![Target::Node(node.to_owned())])
                }
                _ => Deed::Restart(self.components(value)?),
            },
            "lag" => {
                let Some(by) = node.get("by") else {
                    return Err(self.error(value, format!("{at}: lag needs `by:`, a duration")));
                };
                Deed::Lag(self.component(value)?, self.latency(by, at)?)
            }
            "refuse" => Deed::Refuse(self.refusal(value, &format!("{at}: refuse"))?),
            "crash" => {
                let targets = self.targets(value)?;
                let pods = matches!(targets[..], [Target::Pod(_) | Target::PrimaryOf(_), ..]);
                Deed::Hit(Verb::Crash, self.aimed(value, verb, pods)?)
            }
            "recover" => Deed::Hit(Verb::Recover, self.aimed(value, verb, false)?),
            "heal" => Deed::Hit(Verb::Heal, self.aimed(value, verb, false)?),
            "reboot" => Deed::Hit(Verb::Reboot, self.aimed(value, verb, false)?),
            "shutdown" => Deed::Hit(Verb::Shutdown, self.aimed(value, verb, false)?),
            "fail" => Deed::Hit(Verb::Fail, self.aimed(value, verb, true)?),
            "hang" => Deed::Hit(Verb::Hang, self.aimed(value, verb, true)?),
            "unready" => Deed::Hit(Verb::Unready, self.aimed(value, verb, true)?),
            _ => Deed::Hit(Verb::Ready, self.aimed(value, verb, true)?),
        })
    }

    /// From which sides: one or a list; the control plane if nothing is said.
    fn sides(&self, value: Option<&Node>, at: &str) -> Read<Sides> {
        let Some(value) = value else { return Ok(Sides::default().with(Side::ControlPlane)) };
        let items = value.as_sequence().unwrap_or(std::slice::from_ref(value));
        if items.is_empty() {
            return Err(self.error(value, format!("{at}: a partition is from one side at least")));
        }
        items
            .iter()
            .try_fold(Sides::default(), |sides, item| Ok(sides.with(self.one_of(item, at, &Side::ALL)?)))
    }

    /// A name that somebody looks up.
    pub(super) fn lookup(&self, value: &Node, node: &Node, at: &str) -> Read<Lookup> {
        let name = self.text(value, at)?.to_owned();
        let Some(from) = node.get("from") else {
            return Err(self
                .error(value, format!("{at}: lookup needs `from:`, who asks"))
                .with_help("`from: pod/web-0`, or `from: clients` for a client outside of the cluster"));
        };
        let from = if from.as_str() == Some("clients") { None } else { Some(self.pod_target(from)?) };
        let keeps = |value| self.one_of(value, at, &Keeps::ALL);
        Ok(Lookup { name, from, cache: node.get("cache").map(keeps).transpose()? })
    }

    fn pod_target(&self, node: &Node) -> Read<Target> {
        let mut targets = self.aimed(node, "lookup", true)?;
        match (targets.pop(), targets.is_empty()) {
            (Some(only), true) => Ok(only),
            _ => Err(self.error(node, "one pod looks a name up")),
        }
    }

    /// `refuse: nothing`, or which writes and why.
    fn refusal(&self, node: &Node, at: &str) -> Read<Option<Refusal>> {
        if node.as_str() == Some("nothing") {
            return Ok(None);
        }
        let (mut writes, mut of, mut error) = (None, None, Reason::InternalError);
        let (mut skip, mut times) = (0, None);
        let number = |value| self.number(value, at, 0, i128::from(u32::MAX));
        for (name, _, value) in self.fields(node, at, &language::REFUSE)? {
            match name.as_str() {
                "writes" => writes = Some(self.one_of(value, at, &Request::ALL)?),
                "of" => of = Some(self.refused_objects(value, at)?),
                "skip" => skip = u32::try_from(number(value)?).unwrap_or(0),
                "times" => times = Some(u32::try_from(number(value)?).unwrap_or(0)),
                _ => error = self.one_of(value, at, &Reason::ALL)?,
            }
        }
        let (Some(request), Some((kind, name))) = (writes, of) else {
            return Err(self
                .error(node, format!("{at}: it needs `writes:` and `of:`"))
                .with_help("such as `{writes: create, of: pod/web-1}`"));
        };
        Ok(Some(Refusal { request, kind, name, skip, times, reason: error }))
    }

    /// The value that one of these names stands for.
    pub(super) fn one_of<T: Copy>(&self, node: &Node, at: &str, known: &[(&str, T)]) -> Read<T> {
        let text = self.text(node, at)?;
        known.iter().find(|(name, _)| *name == text).map(|(_, value)| *value).ok_or_else(|| {
            self.error(node, format!("{at}: unknown value `{text}`"))
                .with_nearest(text, known.iter().map(|(name, _)| *name))
        })
    }

    /// What the StatefulSet controller writes: `pod/web-*`, `pvc/data-web-0`, `sts/web`, `controllerrevision/*`.
    fn refused_objects(&self, node: &Node, at: &str) -> Read<(Kind, Glob)> {
        let known = [
            ("pod", Kind::Pod),
            ("pvc", Kind::Claim),
            ("sts", Kind::StatefulSet),
            ("controllerrevision", Kind::Revision),
        ];
        let text = self.text(node, at)?;
        let parts = text.split_once('/').filter(|(_, name)| !name.is_empty());
        let found = parts.and_then(|(kind, name)| {
            let (_, kind) = known.iter().find(|(word, _)| *word == kind)?;
            Some((*kind, Glob(name.to_owned())))
        });
        found.ok_or_else(|| {
            self.error(node, format!("{at}: `{text}` is nothing that the StatefulSet controller writes")).with_help(
                "pod/NAME, pvc/NAME, sts/NAME or controllerrevision/NAME; `*` and `?` stand for characters",
            )
        })
    }

    /// One component, or a list of them.
    fn components(&self, node: &Node) -> Read<Vec<Process>> {
        let items = node.as_sequence().unwrap_or(std::slice::from_ref(node));
        items.iter().map(|item| self.component(item)).collect()
    }

    fn component(&self, node: &Node) -> Read<Process> {
        let text = self.text(node, "component")?;
        Process::ALL.into_iter().find(|process| process.as_str() == text).ok_or_else(|| {
            self.error(node, format!("unknown component `{text}`"))
                .with_nearest(text, Process::ALL.into_iter().map(Process::as_str))
        })
    }

    /// One target, or a list of them.
    fn targets(&self, node: &Node) -> Read<Vec<Target>> {
        let items = node.as_sequence().unwrap_or(std::slice::from_ref(node));
        if items.is_empty() {
            return Err(self.error(node, "a fault needs a target"));
        }
        items.iter().map(|item| self.target(item)).collect()
    }

    /// Targets that are all pods, or all nodes and zones.
    fn aimed(&self, node: &Node, verb: &str, pods: bool) -> Read<Vec<Target>> {
        let targets = self.targets(node)?;
        let misfit =
            targets.iter().position(|target| matches!(target, Target::Pod(_) | Target::PrimaryOf(_)) != pods);
        let Some(misfit) = misfit else { return Ok(targets) };
        let place = node.as_sequence().and_then(|items| items.get(misfit)).unwrap_or(node);
        let needed = match (verb, pods) {
            ("crash", _) => return Err(self.error(place, "pods and nodes in one list: make it two steps")),
            (_, true) => "a pod",
            (_, false) => "a node or a zone",
        };
        Err(self.error(place, format!("`{verb}` needs {needed} as its target")))
    }

    /// `kind/name`, a glob, or a role.
    pub fn target(&self, node: &Node) -> Read<Target> {
        let text = self.text(node, "target")?;
        let role = |word: &str| {
            let inner = text.strip_prefix(word)?.strip_prefix('(')?.strip_suffix(')')?;
            inner.strip_prefix("pod/").map(str::to_owned)
        };
        let primary = |text: &str| -> Option<String> {
            let name = text.strip_prefix("primary-of(")?.strip_suffix(')')?.trim();
            (!name.is_empty()).then(|| name.to_owned())
        };
        let around = |word: &str| text.strip_prefix(word)?.strip_suffix(')').and_then(primary);
        let of_primary = [
            primary(text).map(Target::PrimaryOf),
            around("node-of(").map(Target::NodeOfPrimary),
            around("zone-of(").map(Target::ZoneOfPrimary),
        ];
        if let Some(target) = of_primary.into_iter().flatten().next() {
            return Ok(target);
        }
        if let Some(pod) = role("node-of") {
            return Ok(Target::NodeOf(pod));
        }
        if let Some(pod) = role("zone-of") {
            return Ok(Target::ZoneOf(pod));
        }
        match text.split_once('/') {
            Some(("pod" | "pods", name)) if !name.is_empty() => Ok(Target::Pod(name.to_owned())),
            Some(("node" | "nodes", name)) if !name.is_empty() => Ok(Target::Node(name.to_owned())),
            Some(("zone", name)) if !name.is_empty() => Ok(Target::Zone(name.to_owned())),
            _ => Err(self.error(
                node,
                format!(
                    "`{text}` is no target: expected kind/name, a glob, or a role such as node-of(pod/web-0)"
                ),
            )),
        }
    }
}
