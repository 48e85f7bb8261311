//! Reading steps: exactly one verb each, with its options.
use crate::kernel::Time;
use crate::scenario::faults::{Deed, VERBS};
use crate::scenario::lane::LANE_OPTIONS;
use crate::scenario::parts::{Read, Reader};
use crate::scenario::{Action, Fails, Fault, Node, Place, Start, Step, Value};

/// What a step can say whatever its verb.
pub const OPTIONS: [&str; 7] = ["at", "after", "when", "timeout", "settle", "name", "expect"];

impl Reader<'_> {
    /// The `steps` list.
    pub fn steps(&self, node: &Node, source: usize) -> Read<Vec<Step>> {
        let mut steps: Vec<Step> = Vec::new();
        let mut earliest = Time::ZERO;
        for (n, item) in self.items(node, "Scenario.spec.steps")?.iter().enumerate() {
            let step = self.step(item, &format!("step {}", n + 1), n, source, &OPTIONS)?;
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

    /// One step, or an entry of the lane: `options` is what it may say whatever its verb, `at` what complaints call it.
    pub(super) fn step(
        &self,
        node: &Node,
        at: &str,
        n: usize,
        source: usize,
        options: &[&'static str],
    ) -> Read<Step> {
        let Some(entries) = node.as_mapping() else {
            return Err(
                self.error(node, format!("{at}: expected a mapping with one verb, found {}", node.kind()))
            );
        };
        let mut verb: Option<(String, &Node)> = None;
        for (key, value) in entries {
            let name = key.key_text();
            let name = super::chaos::our_word(&name).map_or(name, str::to_owned);
            if VERBS.iter().any(|(verb, _)| *verb == name) {
                if let Some((first, _)) = &verb {
                    let message = format!("a step has one verb, this one has two: `{first}` and `{name}`");
                    return Err(self.error(key, message));
                }
                verb = Some((name, value));
            }
        }
        self.known_options(entries, verb.as_ref().map(|(verb, _)| verb.as_str()), options)?;
        let Some((verb, value)) = verb else {
            let verbs = VERBS.iter().map(|(verb, _)| *verb).collect::<Vec<_>>().join(", ");
            return Err(self.error(node, "a step needs one verb").with_help(format!("verbs are {verbs}")));
        };
        if let Some((key, _)) = node.entry("timeout")
            && node.get("when").is_none()
            && !["kubectl", "apply"].contains(&verb.as_str())
        {
            return Err(self.error(key, format!("`{verb}` takes no `timeout:` unless it waits with `when:`")));
        }
        let action = self.action(&verb, value, node, at)?;
        let title = title(&verb, value, node, &action);
        Ok(Step {
            place: Place { source, span: value.span },
            start: self.start(node, at)?,
            action,
            fails: self.fails(node, at)?,
            timeout: node.get("timeout").map(|value| self.duration(value, at)).transpose()?,
            name: node.get("name").map(|value| self.text(value, at)).transpose()?.map(str::to_owned),
            background: node.get("background").map_or(Ok(false), |value| self.boolean(value, at))?,
            expect: match node.get("expect") {
                Some(value) => self.expectations(value, source, Some(n))?,
                None => Vec::new(),
            },
            title,
        })
    }

    /// Whatever is not the verb is an option that this verb takes.
    fn known_options(
        &self,
        entries: &[(Node, Node)],
        verb: Option<&str>,
        options: &[&'static str],
    ) -> Read<()> {
        let own = VERBS.iter().find(|(name, _)| Some(*name) == verb).map_or(&[][..], |(_, options)| *options);
        let others = || VERBS.iter().flat_map(|(_, options)| options.iter().copied());
        for (key, _) in entries {
            let name = key.key_text();
            let known = verb == Some(super::chaos::our_word(&name).unwrap_or(&name))
                || options.contains(&name.as_str());
            if known || own.contains(&name.as_str()) {
                continue;
            }
            return Err(match verb {
                Some(verb) if others().any(|option| option == name) => {
                    let mut takes: Vec<_> =
                        options.iter().chain(own).map(|name| format!("`{name}:`")).collect();
                    let last = takes.pop().unwrap_or_default();
                    self.error(key, format!("`{verb}` takes no `{name}:`"))
                        .with_help(format!("it takes {} and {last}", takes.join(", ")))
                }
                _ if super::chaos::foreign(&name).is_some() => {
                    let help = super::chaos::foreign(&name).unwrap_or_default();
                    self.error(key, format!("`{name}` is a word of another tool")).with_help(help)
                }
                Some(verb) if LANE_OPTIONS.contains(&name.as_str()) => self
                    .error(key, format!("`{verb}` takes no `{name}:` in a step"))
                    .with_help("`every:`, `between:` and `count:` belong into the lane `faults`"),
                _ => self.error(key, format!("unknown step `{name}`")).with_nearest(
                    &name,
                    VERBS.iter().map(|(verb, _)| *verb).chain(options.iter().copied()).chain(others()),
                ),
            });
        }
        Ok(())
    }

    fn start(&self, node: &Node, at: &str) -> Read<Start> {
        let mut given = ["at", "after", "when"].into_iter().filter_map(|name| node.entry(name));
        if let (Some((first, _)), Some((second, _))) = (given.next(), given.next()) {
            let (first, name) = (first.key_text(), second.key_text());
            return Err(self.error(second, format!("{at}: it starts `{first}:` or `{name}:`, not both")));
        }
        if let Some(value) = node.get("at") {
            return Ok(Start::At(Time::ZERO + self.duration(value, at)?));
        }
        if let Some(value) = node.get("after") {
            return Ok(Start::After(self.duration(value, at)?));
        }
        if let Some(value) = node.get("when") {
            return Ok(Start::When(self.condition(value, &format!("{at}: when"))?));
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
            "lookup" => Action::Lookup(self.lookup(value, node, at)?),
            "addNode" => {
                let mut nodes = self.nodes(value, &format!("{at}: addNode"))?;
                match (nodes.pop(), nodes.is_empty()) {
                    (Some(only), true) => Action::AddNode(only),
                    _ => return Err(self.error(value, format!("{at}: addNode adds one node"))),
                }
            }
            "behavior" => Action::Behavior(self.behavior(value, &format!("{at}: behavior"))?),
            _ => Action::Fault(self.fault(verb, value, node, at)?),
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
}

fn title(verb: &str, value: &Node, node: &Node, action: &Action) -> String {
    match action {
        Action::Kubectl { words, .. } => {
            let quoted: Vec<_> = words.iter().map(|word| quote(word)).collect();
            format!("kubectl {}", quoted.join(" "))
        }
        Action::Apply(_) => "kubectl apply -f -".into(),
        Action::Lookup(lookup) => {
            let from = node.get("from").and_then(Node::as_str).unwrap_or_default();
            format!("lookup {} from {from}", lookup.name)
        }
        Action::AddNode(node) => format!("addNode {}", node.name),
        Action::Behavior(_) => "behavior".into(),
        Action::Fault(Fault { deed: Deed::WritesFail(_), .. }) if verb == "fail" => {
            let error = node.get("error").map_or_else(|| "500".to_owned(), Node::key_text);
            format!("fail api: {}, {error}", told_writes(node.get("writes")))
        }
        Action::Fault(Fault { deed: Deed::WritesFail(_), .. }) if node.get("afterWrite").is_some() => {
            format!("{verb} {}: after {}", value.key_text(), told_writes(node.get("afterWrite")))
        }
        Action::Fault(Fault { deed: Deed::WritesFail(_), .. }) if verb == "refuse" => {
            let field = |name| value.get(name).and_then(Node::as_str).unwrap_or_default();
            format!("refuse {} {}", field("writes"), field("of"))
        }
        _ => {
            let all = value.as_sequence().unwrap_or(std::slice::from_ref(value));
            let targets: Vec<_> = all.iter().filter_map(Node::as_str).collect();
            format!("{verb} {}", targets.join(", "))
        }
    }
}

/// `patch pod web-* of kubelet`: what is said about writes, in this order.
fn told_writes(writes: Option<&Node>) -> String {
    let field = |name: &str| writes.and_then(|writes| writes.get(name)).map(Node::key_text);
    let words: Vec<String> = ["verb", "kind", "name"].into_iter().filter_map(field).collect();
    let what = if words.is_empty() { "any write".to_owned() } else { words.join(" ") };
    let whose = field("client").map_or_else(String::new, |client| format!(" of {client}"));
    what + &whose
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
