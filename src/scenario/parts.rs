//! Reading the small parts of a scenario: fields, durations, latencies, quantities, nodes, behaviour.
use crate::api::objects::Effect;
use crate::api::quantity::Quantity;
use crate::behavior::{Behavior, Exit, Glob, PodRule, VolumeRule};
use crate::expect::Constant;
use crate::kernel::{Duration, Latency};
use crate::limits;
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::language;
use crate::scenario::table::Known;
use crate::scenario::{Node, NodeSpec};

/// Reads nodes of one file; makes diagnostics that name it.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    /// The file.
    pub file: &'a str,
    /// Names of faults that conditions may ask for; None: any.
    pub faults: Option<&'a [String]>,
    /// Names of databases that they may ask for; None: any.
    pub databases: Option<&'a [String]>,
    /// Parameters that they may ask for, with their values.
    pub params: &'a [(String, Constant)],
}

/// The result of reading something.
pub type Read<T> = Result<T, Diagnostic>;

impl<'a> Reader<'a> {
    /// A reader of a file, before anything of it is known.
    pub fn of(file: &'a str) -> Reader<'a> {
        Reader { file, faults: None, databases: None, params: &[] }
    }
}

impl Reader<'_> {
    /// A complaint about a node.
    pub fn error(&self, node: &Node, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(self.file, node.span, message)
    }

    /// The entries of a mapping whose keys are all known. `at` names the mapping in the complaint.
    pub fn fields<'n>(
        &self,
        node: &'n Node,
        at: &str,
        known: &(impl Known + ?Sized),
    ) -> Read<Vec<(String, &'n Node, &'n Node)>> {
        let Some(entries) = node.as_mapping() else {
            return Err(self.error(node, format!("{at}: expected a mapping, found {}", node.kind())));
        };
        let known = known.known();
        let mut fields = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let name = key.key_text();
            if !known.contains(&name.as_str()) {
                return Err(self
                    .error(key, format!("unknown field `{name}` in {at}"))
                    .with_nearest(&name, known.iter().copied()));
            }
            fields.push((name, key, value));
        }
        Ok(fields)
    }

    /// The items of a sequence.
    pub fn items<'n>(&self, node: &'n Node, at: &str) -> Read<&'n [Node]> {
        node.as_sequence()
            .ok_or_else(|| self.error(node, format!("{at}: expected a list, found {}", node.kind())))
    }

    /// A text.
    pub fn text<'n>(&self, node: &'n Node, at: &str) -> Read<&'n str> {
        node.as_str().ok_or_else(|| self.error(node, format!("{at}: expected text, found {}", node.kind())))
    }

    /// A boolean.
    pub fn boolean(&self, node: &Node, at: &str) -> Read<bool> {
        node.as_bool()
            .ok_or_else(|| self.error(node, format!("{at}: expected true or false, found {}", node.kind())))
    }

    /// A whole number within bounds.
    pub fn number(&self, node: &Node, at: &str, least: i128, most: i128) -> Read<i128> {
        let number = node.as_integer().ok_or_else(|| {
            self.error(node, format!("{at}: expected a whole number, found {}", node.kind()))
        })?;
        if number < least || number > most {
            return Err(self.error(node, format!("{at}: {number} is not between {least} and {most}")));
        }
        Ok(number)
    }

    /// A Go-style duration. A bare number is an error.
    pub fn duration(&self, node: &Node, at: &str) -> Read<Duration> {
        let Some(text) = node.as_str() else {
            let help = node.as_integer().map_or_else(
                || "write a duration such as 500ms, 10s or 1h30m".to_owned(),
                |n| format!("write a unit, such as `{n}s`"),
            );
            let found = node.as_integer().map_or_else(|| node.kind().to_owned(), |n| format!("`{n}`"));
            return Err(self.error(node, format!("{at}: {found} is no duration")).with_help(help));
        };
        let duration = Duration::parse(text).map_err(|why| {
            self.error(node, format!("{at}: {why}")).with_help("write a duration such as 500ms, 10s or 1h30m")
        })?;
        if duration.as_nanos() / 1_000_000_000 > limits::MAX_UNTIL_SECONDS {
            return Err(self.error(node, format!("{at}: {text} is longer than 100 years")));
        }
        Ok(duration)
    }

    /// A duration, `never`, `{p50, p99}` or `{uniform: [a, b]}`.
    pub fn latency(&self, node: &Node, at: &str) -> Read<Latency> {
        if node.as_str() == Some("never") {
            return Ok(Latency::Never);
        }
        if node.as_mapping().is_none() {
            return Ok(Latency::Constant(self.duration(node, at)?));
        }
        let mut quantiles = [None, None];
        for (name, _, value) in self.fields(node, at, &language::DISTRIBUTION)? {
            if name == "uniform" {
                let bounds = self.items(value, at)?;
                let [low, high] = bounds else {
                    return Err(self.error(value, format!("{at}: uniform needs two durations")));
                };
                let (low, high) = (self.duration(low, at)?, self.duration(high, at)?);
                if high < low {
                    return Err(self.error(value, format!("{at}: {high} is less than {low}")));
                }
                return Ok(Latency::Uniform(low, high));
            }
            quantiles[usize::from(name == "p99")] = Some(self.duration(value, at)?);
        }
        match quantiles {
            [Some(median), Some(p99)] if p99 >= median && median > Duration::ZERO => {
                Ok(Latency::LogNormal { median, p99 })
            }
            [Some(_), Some(_)] => {
                Err(self.error(node, format!("{at}: p99 must not be less than p50, p50 more than 0")))
            }
            _ => Err(self.error(node, format!("{at}: a distribution needs p50 and p99, or uniform"))),
        }
    }

    pub(super) fn quantity(&self, node: &Node, at: &str) -> Read<Quantity> {
        let text = match (node.as_str(), node.as_integer()) {
            (Some(text), _) => text.to_owned(),
            (None, Some(number)) => number.to_string(),
            _ => return Err(self.error(node, format!("{at}: expected a quantity, found {}", node.kind()))),
        };
        text.parse::<Quantity>().map_err(|why| self.error(node, format!("{at}: {why}")))
    }

    fn glob(&self, node: &Node, at: &str) -> Read<Glob> {
        Ok(Glob(self.text(node, at)?.to_owned()))
    }

    /// One entry of `cluster.nodes`: one node, or `count` of them.
    pub fn nodes(&self, node: &Node, at: &str) -> Read<Vec<NodeSpec>> {
        let mut spec = NodeSpec {
            name: String::new(),
            zone: String::new(),
            cpu: 8_000,
            memory: 32 << 30,
            pods: 110,
            volumes: 25,
            labels: Vec::new(),
            taints: Vec::new(),
        };
        let (mut count, mut zones) = (None, Vec::new());
        for (name, _, value) in self.fields(node, at, &language::NODE)? {
            match name.as_str() {
                "name" => self.text(value, at)?.clone_into(&mut spec.name),
                "zone" => self.text(value, at)?.clone_into(&mut spec.zone),
                "zones" => {
                    for zone in self.items(value, at)? {
                        zones.push(self.text(zone, at)?.to_owned());
                    }
                }
                "count" => {
                    let most = i128::try_from(limits::MAX_NODES).unwrap_or(i128::MAX);
                    count = Some(usize::try_from(self.number(value, at, 1, most)?).unwrap_or(1));
                }
                "cpu" => spec.cpu = u64::try_from(self.quantity(value, at)?.milli()).unwrap_or(0),
                "memory" => spec.memory = u64::try_from(self.quantity(value, at)?.value()).unwrap_or(0),
                "pods" => spec.pods = u32::try_from(self.number(value, at, 0, 1 << 30)?).unwrap_or(0),
                "volumes" => spec.volumes = u32::try_from(self.number(value, at, 0, 1 << 30)?).unwrap_or(0),
                "labels" => spec.labels = self.labels(value, at)?,
                _ => spec.taints = self.taints(value, at)?,
            }
        }
        if spec.name.is_empty() {
            return Err(self.error(node, format!("{at}: a node needs a name")));
        }
        if !crate::api::text::dns_subdomain_errors(&spec.name).is_empty() {
            return Err(self.error(node, format!("{at}: `{}` is no name a node can have", spec.name)));
        }
        let Some(count) = count else {
            if let Some(zone) = zones.into_iter().next() {
                spec.zone = zone;
            }
            return Ok(vec![spec]);
        };
        Ok((0..count)
            .map(|n| {
                let zone = if zones.is_empty() { spec.zone.clone() } else { zones[n % zones.len()].clone() };
                NodeSpec { name: format!("{}-{n}", spec.name), zone, ..spec.clone() }
            })
            .collect())
    }

    fn labels(&self, node: &Node, at: &str) -> Read<Vec<(String, String)>> {
        let Some(entries) = node.as_mapping() else {
            return Err(self.error(node, format!("{at}: labels are a mapping")));
        };
        entries.iter().map(|(key, value)| Ok((key.key_text(), self.text(value, at)?.to_owned()))).collect()
    }

    fn taints(&self, node: &Node, at: &str) -> Read<Vec<(String, String, Effect)>> {
        let mut taints = Vec::new();
        for item in self.items(node, at)? {
            let (mut key, mut value, mut effect) = (String::new(), String::new(), String::new());
            if let Some(text) = item.as_str() {
                let (rest, word) = text.rsplit_once(':').unwrap_or((text, ""));
                let (k, v) = rest.split_once('=').unwrap_or((rest, ""));
                (key, value, effect) = (k.to_owned(), v.to_owned(), word.to_owned());
            } else {
                for (name, _, field) in self.fields(item, at, &language::TAINT)? {
                    let text = self.text(field, at)?.to_owned();
                    match name.as_str() {
                        "key" => key = text,
                        "value" => value = text,
                        _ => effect = text,
                    }
                }
            }
            let effect = [Effect::NoSchedule, Effect::PreferNoSchedule, Effect::NoExecute]
                .into_iter()
                .find(|known| known.as_str() == effect)
                .filter(|_| !key.is_empty())
                .ok_or_else(|| {
                    self.error(item, format!("{at}: a taint is key=value:Effect"))
                        .with_help("effects are NoSchedule, PreferNoSchedule and NoExecute")
                })?;
            taints.push((key, value, effect));
        }
        Ok(taints)
    }

    /// The `behavior` list.
    pub fn behavior(&self, node: &Node, at: &str) -> Read<Behavior> {
        let mut behavior = Behavior::default();
        for (n, item) in self.items(node, at)?.iter().enumerate() {
            let at = format!("{at}[{n}]");
            if item.get("volume").is_some() {
                behavior.volumes.push(self.volume_rule(item, &at)?);
            } else {
                behavior.pods.push(self.pod_rule(item, &at)?);
            }
        }
        Ok(behavior)
    }

    fn pod_rule(&self, node: &Node, at: &str) -> Read<PodRule> {
        let mut rule = PodRule::default();
        for (name, key, value) in self.fields(node, at, &language::POD_RULE)? {
            match name.as_str() {
                "image" => rule.image = Some(self.glob(value, at)?),
                "container" => rule.container = Some(self.glob(value, at)?),
                "pod" => rule.pod = Some(self.glob(value, at)?),
                "node" => rule.node = Some(self.glob(value, at)?),
                "start" => rule.start = Some(self.latency(value, at)?),
                "up" => rule.up = Some(self.latency(value, at)?),
                "ready" => rule.ready = Some(self.latency(value, at)?),
                "readyWhen" => rule.ready_when = Some(self.seen_by_container(value, at)?),
                "exitWhen" => rule.exit_when = Some(self.seen_by_container(value, at)?),
                "postStart" => rule.post_start = Some(self.latency(value, at)?),
                "preStop" => rule.pre_stop = Some(self.latency(value, at)?),
                "stop" => rule.stop = Some(self.latency(value, at)?),
                "exit" => rule.exit = Some(self.exit(value, at)?),
                "pull" if value.as_str() == Some("fails") => rule.pull_fails = true,
                "pull" => return Err(self.error(value, format!("{at}: pull can only be `fails`"))),
                _ => return Err(self.error(key, format!("{at}: `{name}` is not supported by this version"))),
            }
        }
        Ok(rule)
    }

    fn exit(&self, node: &Node, at: &str) -> Read<Exit> {
        let mut exit = Exit { after: Latency::Constant(Duration::ZERO), code: 1, times: None, oom: false };
        let (at, mut code) = (format!("{at}.exit"), None);
        for (name, _, value) in self.fields(node, &at, &language::EXIT)? {
            match name.as_str() {
                "after" => exit.after = self.latency(value, &at)?,
                "code" => code = Some(u8::try_from(self.number(value, &at, 0, 255)?).unwrap_or(1)),
                "reason" if value.as_str() == Some("OOMKilled") => exit.oom = true,
                "reason" => {
                    return Err(self
                        .error(value, format!("{at}: reason can only be `OOMKilled`"))
                        .with_help("Completed and Error follow from the code"));
                }
                _ => exit.times = Some(u32::try_from(self.number(value, &at, 0, 1 << 30)?).unwrap_or(0)),
            }
        }
        exit.code = code.unwrap_or(if exit.oom { 137 } else { 1 });
        Ok(exit)
    }

    fn volume_rule(&self, node: &Node, at: &str) -> Read<VolumeRule> {
        let mut rule = VolumeRule::default();
        for (name, _, value) in self.fields(node, at, &language::VOLUME_RULE)? {
            match name.as_str() {
                "volume" => rule.volume = Some(self.glob(value, at)?),
                "attach" => rule.attach = Some(self.latency(value, at)?),
                "detach" => rule.detach = Some(self.latency(value, at)?),
                _ => rule.provision = Some(self.latency(value, at)?),
            }
        }
        Ok(rule)
    }
}
