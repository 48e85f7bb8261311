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
use crate::storage::CloudCall;
use crate::world::{Actor, Client, Direction, Outcome, Reason, Request, Side, Sides, WriteFault, Writes};

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
    ("terminate", &[]),
    ("shutdown", &["for"]),
    ("fail", &["for", "writes", "error"]),
    ("hang", &["for"]),
    ("unready", &["for"]),
    ("ready", &[]),
    ("stop", &["for", "afterWrite"]),
    ("start", &[]),
    ("restart", &["afterWrite"]),
    ("lag", &["for", "by"]),
    ("slow", &["for", "by", "factor"]),
    ("unslow", &[]),
    ("stick", &["for"]),
    ("unstick", &[]),
    ("lose", &[]),
    ("refuse", &["for"]),
    ("addNode", &[]),
    ("behavior", &[]),
];

/// What `refuse:` calls writes: to an admission webhook PUT and PATCH are both an update.
pub const REFUSABLE: [(&str, &[Request]); 3] = [
    ("create", &[Request::Create]),
    ("update", &[Request::Update, Request::Patch]),
    ("delete", &[Request::Delete]),
];

/// Kinds of objects as `kind:` names them: in full and as kubectl shortens them.
pub const KINDS: &[(&str, Kind)] = &[
    ("pod", Kind::Pod),
    ("node", Kind::Node),
    ("persistentvolumeclaim", Kind::Claim),
    ("pvc", Kind::Claim),
    ("persistentvolume", Kind::Volume),
    ("pv", Kind::Volume),
    ("volumeattachment", Kind::Attachment),
    ("statefulset", Kind::StatefulSet),
    ("sts", Kind::StatefulSet),
    ("deployment", Kind::Deployment),
    ("deploy", Kind::Deployment),
    ("replicaset", Kind::ReplicaSet),
    ("rs", Kind::ReplicaSet),
    ("controllerrevision", Kind::Revision),
    ("service", Kind::Service),
    ("svc", Kind::Service),
    ("endpointslice", Kind::EndpointSlice),
    ("poddisruptionbudget", Kind::Budget),
    ("pdb", Kind::Budget),
    ("storageclass", Kind::StorageClass),
    ("sc", Kind::StorageClass),
    ("namespace", Kind::Namespace),
    ("ns", Kind::Namespace),
    ("priorityclass", Kind::PriorityClass),
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
    /// The pod that accepts writes of a database.
    PrimaryOf(String),
    /// The node a pod runs on.
    NodeOf(Box<Target>),
    /// All nodes of the zone a pod runs in.
    ZoneOf(Box<Target>),
}

/// What is done with a volume, and can be slow or hang.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VolumeWork {
    /// A call of the driver to the cloud.
    Cloud(CloudCall),
    /// Unmounting its device from a node.
    Unmount,
}

impl VolumeWork {
    /// All of it, with its names in scenarios.
    pub const ALL: [(&'static str, VolumeWork); 4] = [
        ("attach", VolumeWork::Cloud(CloudCall::Attach)),
        ("detach", VolumeWork::Cloud(CloudCall::Detach)),
        ("unmount", VolumeWork::Unmount),
        ("provision", VolumeWork::Cloud(CloudCall::Provision)),
    ];
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
    /// The machine is gone for good; the cloud controller will delete its Node.
    Terminate,
    /// The kubelet of a node restarts; containers run on.
    RestartKubelet,
    /// The kubelet of a node stops; containers run on.
    StopKubelet,
    /// It starts again.
    StartKubelet,
    /// The kube-proxy of a node stops; its rules stay.
    StopProxy,
    /// It starts again.
    StartProxy,
    /// Both at once.
    RestartProxy,
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
    /// Everything on these nodes, or about these pods, takes so many times as long; 1: as usual.
    Slow(Vec<Target>, u32),
    /// Work with volumes of these claims takes longer by this much, or hangs.
    Hinder(Vec<(VolumeWork, Glob)>, Option<Duration>),
    /// It goes on as usual.
    Unhinder(Vec<(VolumeWork, Glob)>),
    /// The disks of these claims are gone.
    Lose(Vec<Glob>),
    /// Such writes go wrong.
    WritesFail(WriteFault),
    /// No write goes wrong any more.
    WritesPass,
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

impl Target {
    /// It names pods, not nodes.
    fn is_pods(&self) -> bool {
        matches!(self, Target::Pod(_) | Target::PrimaryOf(_))
    }
}

impl Deed {
    /// Whether there is anything that `for:` could undo.
    fn can_be_undone(&self) -> bool {
        match self {
            Deed::Hit(verb, targets) => match verb {
                Verb::Crash => !targets.first().is_some_and(Target::is_pods),
                Verb::Reboot
                | Verb::Shutdown
                | Verb::StopKubelet
                | Verb::StopProxy
                | Verb::Hang
                | Verb::Unready => true,
                Verb::Recover
                | Verb::Heal
                | Verb::RestartKubelet
                | Verb::StartKubelet
                | Verb::StartProxy
                | Verb::RestartProxy
                | Verb::Terminate
                | Verb::Fail
                | Verb::Unhang
                | Verb::Ready => false,
            },
            Deed::Partition { .. }
            | Deed::Stop(_)
            | Deed::Lag(..)
            | Deed::Slow(_, 2..)
            | Deed::Hinder(..)
            | Deed::WritesFail(_) => true,
            Deed::Start(_)
            | Deed::Restart(_)
            | Deed::Slow(..)
            | Deed::Unhinder(_)
            | Deed::Lose(_)
            | Deed::WritesPass => false,
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
            "stop" | "restart" if node.get("afterWrite").is_some() => {
                self.end_after_write(verb, value, node, at)?
            }
            "stop" => self.process(value, [Verb::StopKubelet, Verb::StopProxy], Deed::Stop)?,
            "start" => self.process(value, [Verb::StartKubelet, Verb::StartProxy], Deed::Start)?,
            "restart" => self.process(value, [Verb::RestartKubelet, Verb::RestartProxy], Deed::Restart)?,
            "fail" if value.as_str() == Some("api") => Deed::WritesFail(self.failing_writes(node, at)?),
            "heal" if value.as_str() == Some("api") => Deed::WritesPass,
            "lag" => {
                let Some(by) = node.get("by") else {
                    return Err(self.error(value, format!("{at}: lag needs `by:`, a duration")));
                };
                Deed::Lag(self.component(value)?, self.latency(by, at)?)
            }
            "refuse" => self.refusal(value, &format!("{at}: refuse"))?,
            "crash" => {
                let targets = self.targets(value)?;
                let pods = targets.first().is_some_and(Target::is_pods);
                Deed::Hit(Verb::Crash, self.aimed(value, verb, pods)?)
            }
            "slow" if node.get("factor").is_some() => {
                let factor = node.get("factor").unwrap_or(value);
                let targets = self.slowed(value, verb)?;
                Deed::Slow(targets, u32::try_from(self.number(factor, at, 2, 1000)?).unwrap_or(2))
            }
            "unslow" => Deed::Slow(self.slowed(value, verb)?, 1),
            "slow" => {
                let Some(by) = node.get("by") else {
                    return Err(self
                        .error(value, format!("{at}: slow needs `by:`, a duration"))
                        .with_help("nodes and pods are slow by a `factor:`, a number"));
                };
                Deed::Hinder(self.volume_works(value)?, Some(self.duration(by, at)?))
            }
            "stick" => Deed::Hinder(self.volume_works(value)?, None),
            "unstick" => Deed::Unhinder(self.volume_works(value)?),
            "lose" => Deed::Lose(each(value, |item| self.volume(item))?),
            "terminate" => Deed::Hit(Verb::Terminate, self.aimed(value, verb, false)?),
            "recover" => Deed::Hit(Verb::Recover, self.aimed(value, verb, false)?),
            "heal" => Deed::Hit(Verb::Heal, self.aimed(value, verb, false)?),
            "reboot" => Deed::Hit(Verb::Reboot, self.aimed(value, verb, false)?),
            "shutdown" => Deed::Hit(Verb::Shutdown, self.aimed(value, verb, false)?),
            "fail" => {
                if let Some((key, _)) = node.entry("writes").or(node.entry("error")) {
                    let message = format!("{at}: only `fail: api` takes `{}:`", key.key_text());
                    return Err(self.error(key, message));
                }
                Deed::Hit(Verb::Fail, self.aimed(value, verb, true)?)
            }
            "hang" => Deed::Hit(Verb::Hang, self.aimed(value, verb, true)?),
            "unready" => Deed::Hit(Verb::Unready, self.aimed(value, verb, true)?),
            _ => Deed::Hit(Verb::Ready, self.aimed(value, verb, true)?),
        })
    }

    /// Nodes or pods.
    fn slowed(&self, value: &Node, verb: &str) -> Read<Vec<Target>> {
        let pods = self.targets(value)?.first().is_some_and(Target::is_pods);
        self.aimed(value, verb, pods)
    }

    /// From which sides: one or a list; the control plane if nothing is said.
    fn sides(&self, value: Option<&Node>, at: &str) -> Read<Sides> {
        let Some(value) = value else { return Ok(Sides::default().with(Side::ControlPlane)) };
        let items = items_of(value);
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
    fn refusal(&self, node: &Node, at: &str) -> Read<Deed> {
        if node.as_str() == Some("nothing") {
            return Ok(Deed::WritesPass);
        }
        let (mut writes, mut of, mut error) = (None, None, Reason::InternalError);
        let (mut skip, mut times) = (0, None);
        let number = |value| self.number(value, at, 0, i128::from(u32::MAX));
        for (name, _, value) in self.fields(node, at, &language::REFUSE)? {
            match name.as_str() {
                "writes" => writes = Some(self.one_of(value, at, &REFUSABLE)?),
                "of" => of = Some(self.refused_objects(value, at)?),
                "skip" => skip = u32::try_from(number(value)?).unwrap_or(0),
                "times" => times = Some(u32::try_from(number(value)?).unwrap_or(0)),
                _ => error = self.one_of(value, at, &Reason::ALL)?,
            }
        }
        let (Some(requests), Some((kind, name))) = (writes, of) else {
            return Err(self
                .error(node, format!("{at}: it needs `writes:` and `of:`"))
                .with_help("such as `{writes: create, of: pod/web-1}`"));
        };
        let client = Client::Actor(Actor::StatefulSetController);
        let writes = Writes { client, requests: requests.to_vec(), kind: Some(kind), name, skip, times };
        Ok(Deed::WritesFail(WriteFault { writes, outcome: Outcome::Refused(error) }))
    }

    /// `fail: api`: which writes, and how they end.
    fn failing_writes(&self, node: &Node, at: &str) -> Read<WriteFault> {
        let writes = match node.get("writes") {
            Some(writes) => self.writes(writes, Client::Any, &format!("{at}: writes"))?,
            None => Writes::all_of(Client::Any),
        };
        let outcome = match node.get("error") {
            Some(error) => {
                let text = error.key_text();
                let known = Outcome::ERRORS.iter().find(|(name, _)| *name == text);
                let wrong = || {
                    let names = Outcome::ERRORS.map(|(name, _)| name);
                    let message = format!("{at}: unknown error `{text}`");
                    self.error(error, message).with_help(format!("errors are {}", names.join(", ")))
                };
                known.map(|(_, outcome)| *outcome).ok_or_else(wrong)?
            }
            None => Outcome::Refused(Reason::InternalError),
        };
        Ok(WriteFault { writes, outcome })
    }

    /// `stop:` and `restart:` with `afterWrite:`: between two writes of the component.
    fn end_after_write(&self, verb: &str, value: &Node, node: &Node, at: &str) -> Read<Deed> {
        let process = self.component(value)?;
        let Some(of) = node.get("afterWrite") else { return Ok(Deed::Stop(vec![process])) };
        let at = format!("{at}: afterWrite");
        let mut writes = self.writes(of, Client::Process(process), &at)?;
        let own = match &writes.client {
            Client::Process(other) => *other == process,
            Client::Actor(actor) => actor.process() == Some(process),
            Client::Any | Client::Kubelet(_) => false,
        };
        if !own {
            let client = of.get("client").unwrap_or(of);
            return Err(self.error(client, format!("{at}: this client is no part of {}", process.as_str())));
        }
        if let Some((key, _)) = of.entry("times") {
            return Err(self.error(key, format!("{at}: it ends once, so it takes no `times:`")));
        }
        writes.times = Some(1);
        let outcome = if verb == "stop" { Outcome::Stops(process) } else { Outcome::Restarts(process) };
        Ok(Deed::WritesFail(WriteFault { writes, outcome }))
    }

    /// Which writes; `client`: whose, if nothing is said.
    fn writes(&self, node: &Node, client: Client, at: &str) -> Read<Writes> {
        let mut writes = Writes::all_of(client);
        let number = |value, least| self.number(value, at, least, i128::from(u32::MAX));
        for (name, _, value) in self.fields(node, at, &language::WRITES)? {
            match name.as_str() {
                "client" => writes.client = self.writer(value, at)?,
                "verb" => writes.requests = vec![self.one_of(value, at, &Request::ALL)?],
                "kind" => writes.kind = Some(self.one_of(value, at, KINDS)?),
                "name" => writes.name = Glob(self.text(value, at)?.to_owned()),
                "nth" => writes.skip = u32::try_from(number(value, 1)? - 1).unwrap_or(0),
                _ => writes.times = Some(u32::try_from(number(value, 1)?).unwrap_or(1)),
            }
        }
        Ok(writes)
    }

    /// Who writes: a component, a controller, kubectl, kubelet or kubelet/NODE.
    fn writer(&self, node: &Node, at: &str) -> Read<Client> {
        let text = self.text(node, at)?;
        if let Some(name) = text.strip_prefix("kubelet/").filter(|name| !name.is_empty()) {
            return Ok(Client::Kubelet(Glob(name.to_owned())));
        }
        let known = Client::NAMED.into_iter().find(|(name, _)| *name == text);
        known.map(|(_, client)| client).ok_or_else(|| {
            self.error(node, format!("{at}: `{text}` is nobody who writes"))
                .with_nearest(text, Client::NAMED.iter().map(|(name, _)| *name))
        })
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

    /// One component, or a list of them; or kubelets of nodes, or kube-proxies of nodes.
    fn process(&self, node: &Node, of_nodes: [Verb; 2], other: fn(Vec<Process>) -> Deed) -> Read<Deed> {
        let [kubelet, proxy] = of_nodes;
        let words = [("kubelet/", kubelet), ("kube-proxy/", proxy)];
        let first = items_of(node).first().and_then(Node::as_str).unwrap_or_default();
        let Some((word, verb)) = words.into_iter().find(|(word, _)| first.starts_with(word)) else {
            return Ok(other(each(node, |item| self.component(item))?));
        };
        let name = |item: &Node| item.as_str().and_then(|text| text.strip_prefix(word)).map(str::to_owned);
        let targets = each(node, |item| match name(item).filter(|name| !name.is_empty()) {
            Some(name) => Ok(Target::Node(name)),
            None => Err(self.error(item, format!("expected {word}NODE, as the first of the list"))),
        })?;
        Ok(Deed::Hit(verb, targets))
    }

    /// `attach/data-web-0` and its likes, one or several.
    fn volume_works(&self, node: &Node) -> Read<Vec<(VolumeWork, Glob)>> {
        each(node, |item| {
            let text = self.text(item, "target")?;
            let names = || VolumeWork::ALL.iter().map(|(name, _)| *name);
            let Some((work, claim)) = text.split_once('/').filter(|(_, claim)| !claim.is_empty()) else {
                return Err(self.error(item, format!("`{text}` is no work with a volume")).with_help(
                    format!("expected WORK/CLAIM with one of {}", names().collect::<Vec<_>>().join(", ")),
                ));
            };
            let found = VolumeWork::ALL.iter().find(|(name, _)| *name == work);
            let (_, found) = found.ok_or_else(|| {
                self.error(item, format!("`{work}` is no work with a volume")).with_nearest(work, names())
            })?;
            Ok((*found, Glob(claim.to_owned())))
        })
    }

    /// `volume/data-web-0`: the volume of a claim, by name or glob.
    fn volume(&self, node: &Node) -> Read<Glob> {
        let text = self.text(node, "target")?;
        match text.strip_prefix("volume/").filter(|claim| !claim.is_empty()) {
            Some(claim) => Ok(Glob(claim.to_owned())),
            None => Err(self.error(node, format!("`{text}` is no target: `lose` needs volume/CLAIM"))),
        }
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
        if items_of(node).is_empty() {
            return Err(self.error(node, "a fault needs a target"));
        }
        each(node, |item| self.target(item))
    }

    /// Targets that are all pods, or all nodes and zones.
    fn aimed(&self, node: &Node, verb: &str, pods: bool) -> Read<Vec<Target>> {
        let targets = self.targets(node)?;
        let misfit = targets.iter().position(|target| target.is_pods() != pods);
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
        self.target_named(self.text(node, "target")?, node)
    }

    fn target_named(&self, text: &str, node: &Node) -> Read<Target> {
        let role = |word: &str| text.strip_prefix(word)?.strip_prefix('(')?.strip_suffix(')');
        if let Some(database) = role("primary-of").map(str::trim).filter(|name| !name.is_empty()) {
            return Ok(Target::PrimaryOf(database.to_owned()));
        }
        for (word, make) in
            [("node-of", Target::NodeOf as fn(Box<Target>) -> Target), ("zone-of", Target::ZoneOf)]
        {
            let Some(inner) = role(word) else { continue };
            return match self.target_named(inner, node)? {
                pod @ (Target::Pod(_) | Target::PrimaryOf(_)) => Ok(make(Box::new(pod))),
                _ => Err(self.error(node, format!("`{word}(..)` is about a pod, and `{inner}` is none"))),
            };
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

/// The items of a list, or the one thing that stands in its place.
fn items_of(node: &Node) -> &[Node] {
    node.as_sequence().unwrap_or(std::slice::from_ref(node))
}

/// Reads each of them.
fn each<T>(node: &Node, read: impl FnMut(&Node) -> Read<T>) -> Read<Vec<T>> {
    items_of(node).iter().map(read).collect()
}
