//! From files to a [`Scenario`]: which documents there are, and the Scenario document's fields.
//!
//! Files are read through a [`Loader`], so that only the command line touches the disk.
use crate::config::{Config, DnsPreset, Gates, Latencies, Timers};
use crate::kernel::Time;
use crate::limits;
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::params::{Cell, Params, Substitution};
use crate::scenario::parts::{Read, Reader};
use crate::scenario::{
    Manifest, Node, NodeSpec, Scenario, Source, Value, condition, language, manifest, yaml,
};

/// Reads the files a scenario names.
pub trait Loader {
    /// The content of a file named in `manifests:`, relative to the scenario file, and the path to call it by.
    ///
    /// # Errors
    /// A sentence: why it cannot or may not be read.
    fn load(&mut self, relative: &str) -> Result<(String, Vec<u8>), String>;
}

/// Reads no further files: a scenario that stands alone.
#[derive(Clone, Copy, Debug)]
pub struct NoFiles;
impl Loader for NoFiles {
    fn load(&mut self, relative: &str) -> Result<(String, Vec<u8>), String> {
        Err(format!("no file {relative}"))
    }
}

/// Diagnostics with the sources they point into.
#[derive(Debug)]
pub struct Unreadable {
    /// What is wrong, first things first.
    pub diagnostics: Vec<Diagnostic>,
    /// All files read so far.
    pub sources: Vec<Source>,
}

impl Unreadable {
    fn one(complaint: Diagnostic, sources: Vec<Source>) -> Box<Unreadable> {
        Box::new(Unreadable { diagnostics: vec![complaint], sources })
    }

    /// All complaints as text.
    pub fn render(&self) -> String {
        let source =
            |file: &str| self.sources.iter().find(|s| s.path == file).map_or("", |s| s.text.as_str());
        let texts: Vec<_> = self.diagnostics.iter().map(|d| d.render(source(&d.file))).collect();
        texts.join("\n\n")
    }

    /// True if a limit was exceeded rather than the input being wrong.
    pub fn is_limit(&self) -> bool {
        self.diagnostics.iter().any(|d| d.limit)
    }
}

/// Reads a scenario from its first file, with the defaults of its parameters.
///
/// # Errors
/// Everything that is wrong with it, with places.
pub fn read(path: &str, bytes: &[u8], loader: &mut dyn Loader) -> Result<Scenario, Box<Unreadable>> {
    let document = Document::parse(path, bytes)?;
    document.scenario(&document.params.defaults(), loader)
}

/// The first file of a scenario as trees, before its parameters have values.
#[derive(Clone, Debug)]
pub struct Document {
    source: Source,
    /// The Scenario document without `params` and `matrix`.
    own: Option<Node>,
    inline: Vec<Node>,
    /// The parameters, and which of them vary.
    pub params: Params,
}

impl Document {
    /// Parses the first file of a scenario and reads its parameters.
    ///
    /// # Errors
    /// What is wrong so far.
    pub fn parse(path: &str, bytes: &[u8]) -> Result<Document, Box<Unreadable>> {
        let mut sources = Vec::new();
        let mut document = Document::parse_into(path, bytes, &mut sources)
            .map_err(|complaint| Unreadable::one(complaint, sources.clone()))?;
        document.source = sources.swap_remove(0);
        Ok(document)
    }

    fn parse_into(path: &str, bytes: &[u8], sources: &mut Vec<Source>) -> Read<Document> {
        let documents = parse(path, bytes, sources)?;
        if documents.is_empty() {
            return Err(Diagnostic::whole_file(path, format!("{path} is empty")));
        }
        let mut own: Option<Node> = None;
        let mut inline = Vec::new();
        for node in documents {
            if !is_scenario(&node) {
                inline.push(node);
            } else if own.is_some() {
                return Err(Diagnostic::new(path, node.span, "a second Scenario document"));
            } else {
                own = Some(node);
            }
        }
        let mut params = Params::default();
        if let Some(Value::Mapping(entries)) = own.as_mut().map(|node| &mut node.value)
            && let Some((_, spec)) = entries.iter_mut().find(|(key, _)| key.as_str() == Some("spec"))
        {
            params = Params::read(&Reader::of(path), spec)?;
            if let Value::Mapping(fields) = &mut spec.value {
                fields.retain(|(key, _)| !matches!(key.as_str(), Some("params" | "matrix")));
            }
        }
        Ok(Document { source: Source::default(), own, inline, params })
    }

    /// Gives a parameter another value: `name=value`.
    ///
    /// # Errors
    /// No such parameter, or a value it cannot have.
    pub fn set(&mut self, text: &str) -> Result<(), Box<Unreadable>> {
        let set = self.params.set(&self.source.path, text);
        set.map_err(|complaint| Unreadable::one(complaint, vec![self.source.clone()]))
    }

    /// The Scenario document with values for its parameters; None: plain manifests.
    pub fn own(&self, cell: &Cell) -> Option<serde_json::Value> {
        let reader = Reader::of(&self.source.path);
        let node = Substitution::new(cell).of(&reader, self.own.clone()?).ok()?;
        Some(node.to_json())
    }

    /// The scenario with values for its parameters.
    ///
    /// # Errors
    /// Everything that is wrong with it, with places.
    pub fn scenario(&self, cell: &Cell, loader: &mut dyn Loader) -> Result<Scenario, Box<Unreadable>> {
        let mut sources = vec![self.source.clone()];
        self.read_into(cell, loader, &mut sources)
            .map(|scenario| Scenario { sources: std::mem::take(&mut sources), ..scenario })
            .map_err(|diagnostics| Box::new(Unreadable { diagnostics, sources }))
    }

    fn read_into(
        &self,
        cell: &Cell,
        loader: &mut dyn Loader,
        sources: &mut Vec<Source>,
    ) -> Result<Scenario, Vec<Diagnostic>> {
        let path = self.source.path.as_str();
        let reader = Reader::of(path);
        let mut scenario = blank(path);
        let mut manifests: Vec<(usize, Node)> = self.inline.iter().map(|node| (0, node.clone())).collect();
        if let Some(node) = &self.own {
            let mut values = Substitution::new(cell);
            let mut put = |node: &Node| values.of(&reader, node.clone()).map_err(|d| vec![d]);
            let own = put(node)?;
            for (_, manifest) in &mut manifests {
                *manifest = put(manifest)?;
            }
            let faults = condition::names(&own, &["steps", "faults"]);
            let databases = condition::names(&own, &["databases"]);
            let params = cell.constants();
            let reader =
                Reader { faults: Some(&faults), databases: Some(&databases), params: &params, ..reader };
            let files = reader.scenario(&own, &mut scenario).map_err(|d| vec![d])?;
            scenario.params.clone_from(&params);
            for (name, at) in files {
                let (file, bytes) = loader.load(&name).map_err(|why| vec![reader.error(&at, why)])?;
                let nodes = parse(&file, &bytes, sources).map_err(|d| vec![d])?;
                let source = sources.len() - 1;
                manifests.extend(nodes.into_iter().map(|node| (source, node)));
            }
        }
        let mut complaints = Vec::new();
        for (source, node) in manifests {
            let file = sources[source].path.clone();
            for node in items(node) {
                match manifest::read(&file, &node) {
                    Ok(read) => {
                        complaints.extend(beyond_the_cap(&file, &node, &read.value));
                        complaints.extend(affinity_of_volume(&file, &node, &read.value));
                        scenario.manifests.push(Manifest { source, node, value: read.value });
                    }
                    Err(all) => complaints.extend(all),
                }
            }
        }
        let databases = self.own.as_ref().and_then(|own| own.get("spec")?.get("databases"));
        if let Some(node) = databases.filter(|_| complaints.is_empty()) {
            complaints.extend(reader.check_databases(node, &scenario).err());
        }
        if complaints.is_empty() { Ok(scenario) } else { Err(complaints) }
    }
}

fn parse(path: &str, bytes: &[u8], sources: &mut Vec<Source>) -> Read<Vec<Node>> {
    let text = yaml::decode(path, bytes)?;
    sources.push(Source { path: path.to_owned(), text });
    yaml::parse(path, &sources[sources.len() - 1].text)
}

fn is_scenario(node: &Node) -> bool {
    let kind = node.get("kind").and_then(Node::as_str);
    let version = node.get("apiVersion").and_then(Node::as_str);
    kind == Some("Scenario") || version.is_some_and(|v| v.starts_with("stsim/"))
}

/// The items of a List, or the manifest itself.
fn items(node: Node) -> Vec<Node> {
    let is_list = node.get("kind").and_then(Node::as_str) == Some("List");
    match node.get("items").and_then(Node::as_sequence) {
        Some(items) if is_list => items.to_vec(),
        _ => vec![node],
    }
}

fn beyond_the_cap(file: &str, node: &Node, value: &serde_json::Value) -> Option<Diagnostic> {
    let replicas = value.get("spec")?.get("replicas")?.as_i64()?;
    if replicas <= i64::from(limits::MAX_REPLICAS) {
        return None;
    }
    let at = node.get("spec")?.get("replicas")?;
    let message = format!("limit exceeded: {replicas} replicas, more than {} objects", limits::MAX_REPLICAS);
    Some(Diagnostic::new(file, at.span, message).as_limit())
}

/// A volume is bound to its zone or to nothing (VOL-52); another node affinity would silently mean nothing.
fn affinity_of_volume(file: &str, node: &Node, value: &serde_json::Value) -> Option<Diagnostic> {
    let terms = value.get("spec")?.get("nodeAffinity")?.get("required")?.get("nodeSelectorTerms")?;
    let keys = terms.as_array()?.iter().flat_map(|term| term.get("matchExpressions")?.as_array()).flatten();
    let other = keys
        .filter_map(|expression| expression.get("key")?.as_str())
        .find(|key| !matches!(*key, crate::api::store::ZONE_LABEL | "topology.ebs.csi.aws.com/zone"))?;
    let at = node.get("spec")?.entry("nodeAffinity").map_or(node.span, |(key, _)| key.span);
    let message = format!("a volume whose node affinity is by `{other}` is not supported by this version");
    let help = "give every machine a zone of its own and use topology.kubernetes.io/zone";
    (value.get("kind")?.as_str() == Some("PersistentVolume"))
        .then(|| Diagnostic::new(file, at, message).with_help(help))
}

fn blank(path: &str) -> Scenario {
    let name = path.rsplit('/').next().unwrap_or(path);
    let name = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let node = |name: &str, zone: &str| NodeSpec {
        name: name.into(),
        zone: zone.into(),
        cpu: 8_000,
        memory: 32 << 30,
        pods: 110,
        volumes: 25,
        labels: Vec::new(),
        taints: Vec::new(),
    };
    Scenario {
        name: name.to_owned(),
        about: String::new(),
        sources: Vec::new(),
        seed: 0,
        until: None,
        settle_window: None,
        nodes: vec![node("node-a", "us-east-1a"), node("node-b", "us-east-1b"), node("node-c", "us-east-1c")],
        config: Config::realistic(),
        databases: Vec::new(),
        params: Vec::new(),
        columns: Vec::new(),
        steps: Vec::new(),
        faults: Vec::new(),
        expect: Vec::new(),
        manifests: Vec::new(),
    }
}

/// Fields of the language that this version does not carry out.
const LATER: [&str; 2] = ["runs", "thresholds"];

impl Reader<'_> {
    /// Reads the Scenario document; the files named in `manifests:` are returned with the places of their names.
    fn scenario(&self, node: &Node, scenario: &mut Scenario) -> Read<Vec<(String, Node)>> {
        let version = node.get("apiVersion").and_then(Node::as_str).unwrap_or_default();
        if version != "stsim/v1alpha1" {
            let at = node.get("apiVersion").unwrap_or(node);
            return Err(self
                .error(at, format!("unknown apiVersion `{version}` of a Scenario"))
                .with_help("this version reads stsim/v1alpha1"));
        }
        let mut files = Vec::new();
        for (name, _, value) in self.fields(node, "Scenario", &language::SCENARIO)? {
            match name.as_str() {
                "metadata" => self.metadata(value, scenario)?,
                "spec" => files = self.spec(value, scenario)?,
                "kind" if value.as_str() != Some("Scenario") => {
                    return Err(self.error(value, "the kind of an stsim document is Scenario"));
                }
                _ => {}
            }
        }
        Ok(files)
    }

    fn metadata(&self, node: &Node, scenario: &mut Scenario) -> Read<()> {
        let at = "Scenario.metadata";
        for (name, _, value) in self.fields(node, at, &language::METADATA)? {
            match name.as_str() {
                "name" => self.text(value, at)?.clone_into(&mut scenario.name),
                "annotations" => {
                    if let Some(about) = value.get("about") {
                        self.text(about, at)?.clone_into(&mut scenario.about);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn spec(&self, node: &Node, scenario: &mut Scenario) -> Read<Vec<(String, Node)>> {
        let mut files = Vec::new();
        let at = "Scenario.spec";
        if let Some((key, _)) = LATER.iter().find_map(|name| node.entry(name)) {
            let name = key.key_text();
            return Err(self.error(key, format!("`{name}` in {at} is not supported by this version")));
        }
        for (name, _, value) in self.fields(node, at, &language::SPEC)? {
            match name.as_str() {
                "seed" => {
                    let seed = self.number(value, at, 0, i128::from(u64::MAX))?;
                    scenario.seed = u64::try_from(seed).unwrap_or(0);
                }
                "until" => scenario.until = Some(Time::ZERO + self.duration(value, at)?),
                "featureGates" => self.gates(value, &mut scenario.config.gates)?,
                "manifests" => {
                    for item in self.items(value, at)? {
                        files.push((self.text(item, at)?.to_owned(), item.clone()));
                    }
                    if files.len() > limits::MAX_FILES {
                        let message = format!("limit exceeded: more than {} files", limits::MAX_FILES);
                        return Err(self.error(value, message).as_limit());
                    }
                }
                "cluster" => self.cluster(value, scenario)?,
                "expect" => scenario.expect = self.expectations(value, 0, None)?,
                "columns" => {
                    let Some(entries) = value.as_mapping() else {
                        return Err(self.error(value, format!("{at}.columns: expected a mapping")));
                    };
                    for (title, value) in entries {
                        let expression = self.expression(value, &format!("{at}.columns"))?;
                        scenario.columns.push((title.key_text(), expression));
                    }
                }
                "behavior" => scenario.config.behavior = self.behavior(value, "Scenario.spec.behavior")?,
                "databases" => scenario.databases = self.databases(value)?,
                "faults" => scenario.faults = self.lane(value, 0)?,
                _ => scenario.steps = self.steps(value, 0)?,
            }
        }
        Ok(files)
    }

    fn cluster(&self, node: &Node, scenario: &mut Scenario) -> Read<()> {
        let at = "Scenario.spec.cluster";
        for (name, _, value) in self.fields(node, at, &language::CLUSTER)? {
            match name.as_str() {
                "nodes" => {
                    scenario.nodes.clear();
                    for (n, item) in self.items(value, at)?.iter().enumerate() {
                        let specs = self.nodes(item, &format!("{at}.nodes[{n}]"))?;
                        self.no_twins(item, &scenario.nodes, &specs)?;
                        scenario.nodes.extend(specs);
                    }
                }
                "timers" => self.timers(value, &mut scenario.config)?,
                "latency" => self.latencies(value, &mut scenario.config)?,
                "featureGates" => self.gates(value, &mut scenario.config.gates)?,
                "dns" => self.dns(value, &format!("{at}.dns"), &mut scenario.config)?,
                _ => scenario.settle_window = Some(self.duration(value, at)?),
            }
        }
        if node.get("timers").is_none_or(|timers| timers.get("dnsTTL").is_none()) {
            scenario.config.timers.dns_ttl = scenario.config.dns.ttl();
        }
        Ok(())
    }

    /// The preset, or more than that; a TTL among the timers counts more than that of the preset.
    fn dns(&self, node: &Node, at: &str, config: &mut Config) -> Read<()> {
        let Some(_) = node.as_mapping() else {
            config.dns = self.one_of(node, at, &DnsPreset::ALL)?;
            return Ok(());
        };
        for (name, _, value) in self.fields(node, at, &language::DNS)? {
            match name.as_str() {
                "preset" => config.dns = self.one_of(value, at, &DnsPreset::ALL)?,
                _ => config.dns_replicas = usize::try_from(self.number(value, at, 1, 100)?).unwrap_or(1),
            }
        }
        Ok(())
    }

    fn no_twins(&self, item: &Node, known: &[NodeSpec], new: &[NodeSpec]) -> Read<()> {
        match new.iter().find(|node| known.iter().any(|other| other.name == node.name)) {
            Some(twin) => Err(self.error(item, format!("a second node called `{}`", twin.name))),
            None => Ok(()),
        }
    }

    fn gates(&self, node: &Node, gates: &mut Gates) -> Read<()> {
        for (name, _, value) in self.fields(node, "featureGates", Gates::NAMES)? {
            gates.set(&name, self.boolean(value, "featureGates")?);
        }
        Ok(())
    }

    fn timers(&self, node: &Node, config: &mut Config) -> Read<()> {
        for (name, _, value) in self.fields(node, "timers", Timers::NAMES)? {
            config.timers.set(&name, self.duration(value, "timers")?);
        }
        Ok(())
    }

    fn latencies(&self, node: &Node, config: &mut Config) -> Read<()> {
        for (name, _, value) in self.fields(node, "latency", Latencies::NAMES)? {
            config.latency.set(&name, self.latency(value, "latency")?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Action, Start};

    fn read_text(text: &str) -> Result<Scenario, String> {
        read("s.yaml", text.as_bytes(), &mut NoFiles).map_err(|e| e.render())
    }

    const HEAD: &str = "apiVersion: stsim/v1alpha1\nkind: Scenario\nmetadata: {name: x}\nspec:\n";

    #[test]
    fn steps_have_one_verb_and_a_start() {
        let text = format!(
            "{HEAD}  cluster:\n    nodes:\n    - {{name: w, count: 3, zones: [a, b]}}\n  steps:\n  - sleep: 10s\n  - at: 5m\n    crash: node/w-1\n  - settle: false\n    kubectl: scale sts/web --replicas=5\n"
        );
        let scenario = read_text(&text).unwrap();
        assert_eq!(scenario.nodes.iter().map(|n| n.zone.as_str()).collect::<Vec<_>>(), ["a", "b", "a"]);
        assert_eq!(scenario.steps[1].start, Start::At(Time::from_secs(300)));
        assert_eq!(scenario.steps[2].start, Start::AtOnce);
        assert!(matches!(&scenario.steps[2].action, Action::Kubectl { words, .. } if words.len() == 3));
    }

    #[test]
    fn complaints_have_places_and_suggestions() {
        for (rest, expected) in [
            ("  step: []\n", "unknown field `step` in Scenario.spec"),
            ("  step: []\n", "did you mean `steps`?"),
            ("  steps:\n  - crahs: node/a\n", "did you mean `crash`?"),
            ("  steps:\n  - sleep: 5\n", "write a unit, such as `5s`"),
            ("  steps:\n  - stop: kube-sheduler\n", "did you mean `kube-scheduler`?"),
            ("  steps:\n  - sleep: 20s\n  - at: 10s\n    crash: node/a\n", "which is past"),
            ("  steps:\n  - sleep: 20s\n    crash: node/a\n", "this one has two: `sleep` and `crash`"),
            ("  database: []\n", "did you mean `databases`?"),
            ("  cluster: {timers: {maxWaitForUnmont: 1s}}\n", "did you mean `maxWaitForUnmount`?"),
        ] {
            let error = read_text(&format!("{HEAD}{rest}")).unwrap_err();
            assert!(error.contains(expected), "{rest}: {error}");
            assert!(error.contains("s.yaml:"), "{error}");
        }
    }
}
