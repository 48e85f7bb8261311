//! Reading steps: exactly one verb each, with its options.
use crate::api::kind::Kind;
use crate::behavior::Glob;
use crate::event::Process;
use crate::kernel::Time;
use crate::scenario::parts::{Read, Reader};
use crate::scenario::{Action, Fails, Node, Place, Start, Step, Target, Value, Verb};
use crate::world::{Reason, Refusal, Request};

/// What a step can do.
const VERBS: [&str; 20] = [
    "kubectl",
    "apply",
    "sleep",
    "crash",
    "recover",
    "partition",
    "heal",
    "reboot",
    "shutdown",
    "fail",
    "hang",
    "unready",
    "ready",
    "stop",
    "start",
    "restart",
    "lag",
    "refuse",
    "addNode",
    "behavior",
];
/// What a step can say besides its verb.
const OPTIONS: [&str; 9] = ["at", "after", "settle", "timeout", "fails", "background", "stdin", "for", "by"];
/// Verbs and options of the language that this version does not carry out.
const LATER: [&str; 10] =
    ["when", "expect", "name", "slow", "stick", "unstick", "lose", "terminate", "from", "every"];

impl Reader<'_> {
    /// The `steps` list.
    pub fn steps(&self, node: &Node, source: usize) -> Read<Vec<Step>> {
        let mut steps: Vec<Step> = Vec::new();
        let mut earliest = Time::ZERO;
        for (n, item) in self.items(node, "Scenario.spec.steps")?.iter().enumerate() {
            let step = self.step(item, n, source)?;
            if let Start::At(time) = step.start {
                if time < earliest {
                    let at = item.entry("at").map_or(item, |(_, value)| value);
                    return Err(
                        self.error(at, format!("step {} is to start at {time}, which is past", n + 1))
                    );
                }
                earliest = time;
            }
            if let Action::Sleep(duration) = step.action {
                earliest = earliest + duration;
            }
            steps.push(step);
        }
        Ok(steps)
    }

    fn step(&self, node: &Node, n: usize, source: usize) -> Read<Step> {
        let at = format!("step {}", n + 1);
        let Some(entries) = node.as_mapping() else {
            return Err(
                self.error(node, format!("{at}: expected a mapping with one verb, found {}", node.kind()))
            );
        };
        let mut verb: Option<(String, &Node)> = None;
        for (key, value) in entries {
            let name = key.key_text();
            if LATER.contains(&name.as_str()) {
                return Err(self.error(key, format!("`{name}` in a step is not supported by this version")));
            }
            if VERBS.contains(&name.as_str()) {
                if let Some((first, _)) = &verb {
                    let message = format!("a step has one verb, this one has two: `{first}` and `{name}`");
                    return Err(self.error(key, message));
                }
                verb = Some((name, value));
            } else if !OPTIONS.contains(&name.as_str()) {
                return Err(self
                    .error(key, format!("unknown step `{name}`"))
                    .with_nearest(&name, VERBS.into_iter().chain(OPTIONS)));
            }
        }
        let Some((verb, value)) = verb else {
            return Err(self
                .error(node, "a step needs one verb")
                .with_help(format!("verbs are {}", VERBS.join(", "))));
        };
        let action = self.action(&verb, value, node, &at)?;
        let title = title(&verb, value, &action);
        Ok(Step {
            place: Place { source, span: value.span },
            start: self.start(node, &at)?,
            action,
            fails: self.fails(node, &at)?,
            timeout: node.get("timeout").map(|value| self.duration(value, &at)).transpose()?,
            background: node.get("background").map_or(Ok(false), |value| self.boolean(value, &at))?,
            title,
        })
    }

    fn start(&self, node: &Node, at: &str) -> Read<Start> {
        if let Some(value) = node.get("at") {
            return Ok(Start::At(Time::ZERO + self.duration(value, at)?));
        }
        if let Some(value) = node.get("after") {
            return Ok(Start::After(self.duration(value, at)?));
        }
        let settle = node.get("settle").map_or(Ok(true), |value| self.boolean(value, at))?;
        Ok(if settle { Start::Settled } else { Start::AtOnce })
    }

    fn fails(&self, node: &Node, at: &str) -> Read<Fails> {
        let Some(value) = node.get("fails") else { return Ok(Fails::No) };
        match (value.as_bool(), value.as_str()) {
            (Some(true), _) => Ok(Fails::Yes),
            (Some(false), _) => Ok(Fails::No),
            (_, Some(text)) => Ok(Fails::Saying(text.to_owned())),
            _ => Err(self.error(value, format!("{at}: fails is true or the text the error contains"))),
        }
    }

    fn action(&self, verb: &str, value: &Node, node: &Node, at: &str) -> Read<Action> {
        Ok(match verb {
            "kubectl" => {
                let stdin = node.get("stdin").map(|text| self.text(text, at)).transpose()?.map(str::to_owned);
                Action::Kubectl { words: self.words(value, at)?, stdin }
            }
            "apply" => Action::Apply(self.manifests(value, at)?),
            "sleep" => Action::Sleep(self.duration(value, at)?),
            "stop" => Action::Stop(self.component(value)?),
            "start" => Action::Start(self.component(value)?),
            "restart" => match value.as_str().and_then(|text| text.strip_prefix("kubelet/")) {
                Some(node) if !node.is_empty() => {
                    let target = Target::Node(node.to_owned());
                    Action::Fault { verb: Verb::RestartKubelet, target, lasts: None }
                }
                _ => Action::Restart(self.component(value)?),
            },
            "lag" => {
                let Some(by) = node.get("by") else {
                    return Err(self.error(value, format!("{at}: lag needs `by:`, a duration")));
                };
                Action::Lag(self.component(value)?, self.latency(by, at)?)
            }
            "addNode" => {
                let mut nodes = self.nodes(value, &format!("{at}: addNode"))?;
                match (nodes.pop(), nodes.is_empty()) {
                    (Some(only), true) => Action::AddNode(only),
                    _ => return Err(self.error(value, format!("{at}: addNode adds one node"))),
                }
            }
            "refuse" => Action::Refuse(self.refusal(value, &format!("{at}: refuse"))?),
            "behavior" => Action::Behavior(self.behavior(value, &format!("{at}: behavior"))?),
            fault => {
                let verb = fault_verb(fault);
                let target = self.target(value)?;
                self.aimable(value, fault, verb, &target)?;
                let lasts = node.get("for").map(|value| self.duration(value, at)).transpose()?;
                Action::Fault { verb, target, lasts }
            }
        })
    }

    /// `refuse: nothing`, or which writes and why.
    fn refusal(&self, node: &Node, at: &str) -> Read<Option<Refusal>> {
        if node.as_str() == Some("nothing") {
            return Ok(None);
        }
        let (mut writes, mut of, mut error) = (None, None, Reason::InternalError);
        let (mut skip, mut times) = (0, None);
        let number = |value| self.number(value, at, 0, i128::from(u32::MAX));
        for (name, _, value) in self.fields(node, at, &["writes", "of", "skip", "times", "error"])? {
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
    fn one_of<T: Copy>(&self, node: &Node, at: &str, known: &[(&str, T)]) -> Read<T> {
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

    /// The text of manifests: YAML as text, or written into the scenario as a mapping or a list of mappings.
    fn manifests(&self, value: &Node, at: &str) -> Read<String> {
        let documents = match &value.value {
            Value::Mapping(_) => std::slice::from_ref(value),
            Value::Sequence(items) => items,
            _ => return Ok(self.text(value, at)?.to_owned()),
        };
        let texts: Vec<_> = documents.iter().map(|node| node.to_json().to_string()).collect();
        Ok(texts.join("\n---\n"))
    }

    fn words(&self, value: &Node, at: &str) -> Read<Vec<String>> {
        if let Some(items) = value.as_sequence() {
            // A number or a boolean is a word as it is written in a flag: `--replicas`, `5`.
            let word = |item: &Node| match item.value {
                Value::Bool(_) | Value::Integer(_) => Ok(item.key_text()),
                _ => Ok(self.text(item, at)?.to_owned()),
            };
            return items.iter().map(word).collect();
        }
        let line = self.text(value, at)?;
        shlex::split(line).filter(|words| !words.is_empty()).ok_or_else(|| {
            self.error(
                value,
                format!("{at}: the command line cannot be split into words: a quote is not closed"),
            )
        })
    }

    fn component(&self, node: &Node) -> Read<Process> {
        let text = self.text(node, "component")?;
        Process::ALL.into_iter().find(|process| process.as_str() == text).ok_or_else(|| {
            self.error(node, format!("unknown component `{text}`"))
                .with_nearest(text, Process::ALL.into_iter().map(Process::as_str))
        })
    }

    /// `kind/name`, a glob, or a role.
    pub fn target(&self, node: &Node) -> Read<Target> {
        let text = self.text(node, "target")?;
        let role = |word: &str| {
            let inner = text.strip_prefix(word)?.strip_prefix('(')?.strip_suffix(')')?;
            inner.strip_prefix("pod/").map(str::to_owned)
        };
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

    fn aimable(&self, node: &Node, word: &str, verb: Verb, target: &Target) -> Read<()> {
        let pod = matches!(target, Target::Pod(_));
        let fits = match verb {
            Verb::Crash => true,
            Verb::Fail | Verb::Hang | Verb::Unhang | Verb::Unready | Verb::Ready => pod,
            Verb::Recover
            | Verb::Partition
            | Verb::Heal
            | Verb::Reboot
            | Verb::Shutdown
            | Verb::RestartKubelet => !pod,
        };
        if fits {
            return Ok(());
        }
        let needed = if pod { "a node or a zone" } else { "a pod" };
        Err(self.error(node, format!("`{word}` needs {needed} as its target")))
    }
}

fn fault_verb(word: &str) -> Verb {
    match word {
        "crash" => Verb::Crash,
        "recover" => Verb::Recover,
        "partition" => Verb::Partition,
        "heal" => Verb::Heal,
        "reboot" => Verb::Reboot,
        "shutdown" => Verb::Shutdown,
        "fail" => Verb::Fail,
        "hang" => Verb::Hang,
        "unready" => Verb::Unready,
        _ => Verb::Ready,
    }
}

fn title(verb: &str, value: &Node, action: &Action) -> String {
    match action {
        Action::Kubectl { words, .. } => {
            let quoted: Vec<_> = words.iter().map(|word| quote(word)).collect();
            format!("kubectl {}", quoted.join(" "))
        }
        Action::Apply(_) => "kubectl apply -f -".into(),
        Action::AddNode(node) => format!("addNode {}", node.name),
        Action::Behavior(_) => "behavior".into(),
        Action::Refuse(Some(_)) => {
            let field = |name| value.get(name).and_then(Node::as_str).unwrap_or_default();
            format!("refuse {} {}", field("writes"), field("of"))
        }
        _ => format!("{verb} {}", value.as_str().unwrap_or_default()),
    }
}

/// A word as it would be typed into a shell.
fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+*#".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
