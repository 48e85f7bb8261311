//! The `databases` list: replicated databases on workloads, and their clients.
//!
//! Read in two passes: the values, with everything else of the document, and then, once all manifests are known, whether
//! the set, services and nodes that they name exist. A step that applies manifests of its own may bring them later.
use super::language;
use crate::kernel::Duration;
use crate::scenario::diagnostic::nearest;
use crate::scenario::parts::{Read, Reader};
use crate::scenario::{Action, Node, Scenario, Value};
use crate::workload::amount::Flow;
use crate::workload::spec::{
    Bootstrap, CacheTime, ClientSpec, DatabaseSpec, Fencing, From, LeaseSpec, MonitorSpec, Primary, Remember,
    Replication, Takes,
};

/// Words for `primary`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    OrdinalZero,
    Lease,
    Monitors,
}

impl Reader<'_> {
    /// The `databases` list.
    pub(super) fn databases(&self, node: &Node) -> Read<Vec<DatabaseSpec>> {
        let mut all: Vec<DatabaseSpec> = Vec::new();
        for (n, item) in self.items(node, "Scenario.spec.databases")?.iter().enumerate() {
            let spec = self.database(item, &format!("Scenario.spec.databases[{n}]"))?;
            if all.iter().any(|other| other.name == spec.name) {
                return Err(self.error(item, format!("a second database called `{}`", spec.name)));
            }
            all.push(spec);
        }
        Ok(all)
    }

    fn database(&self, node: &Node, at: &str) -> Read<DatabaseSpec> {
        let node = &with_on(node);
        let fields = self.fields(node, at, &language::DATABASE)?;
        let value = |name: &str| fields.iter().find(|field| field.0 == name).map(|field| field.2);
        let text = |name: &str| value(name).map(|node| self.text(node, at)).transpose();
        let named = |name: &str| {
            text(name)?.ok_or_else(|| self.error(node, format!("{at}: a database needs `{name}`")))
        };
        let name = named("name")?.to_owned();
        let (on_stateful_set, owner) = self.workload(value("on"), named("on")?, node, at)?;
        let time = |name: &str, default: Duration| -> Read<Duration> {
            value(name).map_or(Ok(default), |node| self.duration(node, at))
        };
        let replication = self.choice(value("replication"), at, &Replication::ALL, Replication::Async)?;
        let kinds = [("ordinal-0", Kind::OrdinalZero), ("lease", Kind::Lease), ("monitors", Kind::Monitors)];
        let usual = if on_stateful_set { Kind::OrdinalZero } else { Kind::Lease };
        let kind = self.choice(value("primary"), at, &kinds, usual)?;
        let by_lease = kind == Kind::Lease;
        if let Some(wrong) = value("primary").filter(|_| !by_lease && !on_stateful_set) {
            return Err(self
                .error(wrong, format!("{at}: pods of a Deployment have no ordinals"))
                .with_help("write `primary: lease`"));
        }
        let of_lease = ["lease", "fencing", "isolation"].into_iter().find_map(value);
        if let Some(field) = of_lease.filter(|_| !by_lease) {
            return Err(self
                .error(field, format!("{at}: only a primary by lease has this"))
                .with_help("write `primary: lease`"));
        }
        if let Some(field) = value("monitors").filter(|_| kind != Kind::Monitors) {
            return Err(self
                .error(field, format!("{at}: nobody monitors this primary"))
                .with_help("write `primary: monitors`"));
        }
        let primary = match kind {
            Kind::Lease => {
                Primary::Lease(self.lease(value("lease"), value("fencing"), value("isolation"), at)?)
            }
            Kind::Monitors => Primary::Monitors(self.monitors(value("monitors"), &format!("{at}.monitors"))?),
            Kind::OrdinalZero => Primary::OrdinalZero,
        };
        let usual = if by_lease { Bootstrap::IfNoPeer } else { Bootstrap::OrdinalZero };
        let bootstrap = self.choice(value("bootstrap"), at, &Bootstrap::ALL, usual)?;
        if let Some(wrong) =
            value("bootstrap").filter(|_| !on_stateful_set && bootstrap == Bootstrap::OrdinalZero)
        {
            return Err(self.error(wrong, format!("{at}: pods of a Deployment have no ordinals")));
        }
        let bytes = |name: &str, default: i128| -> Read<i128> {
            let Some(node) = value(name) else { return Ok(default) };
            let bytes = i128::from(self.quantity(node, at)?.value());
            if bytes <= 0 {
                Err(self.error(node, format!("{at}: {name} must be more than 0")))
            } else {
                Ok(bytes)
            }
        };
        let (size, rate) = (bytes("size", 10 << 30)?, bytes("cloneRate", 100 << 20)?);
        let nanos = size.saturating_mul(1_000_000_000) / rate;
        let mut clients = self.clients(value("writes"), true, &format!("{at}.writes"))?;
        clients.extend(self.clients(value("reads"), false, &format!("{at}.reads"))?);
        for (n, client) in clients.iter().enumerate() {
            if clients.iter().take(n).any(|other| other.name == client.name) {
                return Err(self.error(node, format!("{at}: two groups of clients called `{}`", client.name)));
            }
        }
        let spec = DatabaseSpec {
            name,
            on_stateful_set,
            owner,
            namespace: text("namespace")?.unwrap_or("default").to_owned(),
            replication,
            primary,
            bootstrap,
            lag: time("lag", Duration::from_millis(100))?,
            catch_up: self.catch_up(value("catchUp"), &clients, at)?,
            clone: Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)),
            takes: self.takes(value("takes"), &format!("{at}.takes"))?,
            clients,
        };
        Ok(spec)
    }

    /// `statefulset/NAME` or `deployment/NAME`.
    fn workload(&self, at_value: Option<&Node>, text: &str, node: &Node, at: &str) -> Read<(bool, String)> {
        let node = at_value.unwrap_or(node);
        let (kind, name) = text.split_once('/').unwrap_or((text, ""));
        let on_stateful_set = match kind {
            "statefulset" | "statefulsets" | "sts" => true,
            "deployment" | "deployments" | "deploy" => false,
            _ => {
                return Err(self
                    .error(node, format!("{at}: `{text}` is no workload a database can run on"))
                    .with_help("write statefulset/NAME or deployment/NAME"));
            }
        };
        if name.is_empty() {
            return Err(self.error(node, format!("{at}: `{text}` names no workload")));
        }
        Ok((on_stateful_set, name.to_owned()))
    }

    /// A word of a list.
    fn choice<T: Copy>(&self, node: Option<&Node>, at: &str, all: &[(&str, T)], default: T) -> Read<T> {
        let Some(node) = node else { return Ok(default) };
        let word = self.text(node, at)?;
        let found = all.iter().find(|(name, _)| *name == word).map(|(_, value)| *value);
        found.ok_or_else(|| {
            let names: Vec<_> = all.iter().map(|(name, _)| *name).collect();
            let error = self.error(node, format!("{at}: unknown value `{word}`"));
            match nearest(word, names.iter().copied()) {
                Some(near) => error.with_help(format!("did you mean `{near}`?")),
                None => error.with_help(format!("values are {}", names.join(", "))),
            }
        })
    }

    fn lease(
        &self,
        lease: Option<&Node>,
        fencing: Option<&Node>,
        isolation: Option<&Node>,
        at: &str,
    ) -> Read<LeaseSpec> {
        let secs = Duration::from_secs;
        let (mut duration, mut renew, mut retry) = (secs(15), secs(10), secs(2));
        if let Some(node) = lease {
            let at = format!("{at}.lease");
            for (name, _, value) in self.fields(node, &at, &language::LEASE)? {
                let time = self.duration(value, &at)?;
                match name.as_str() {
                    "duration" => duration = time,
                    "renew" => renew = time,
                    _ => retry = time,
                }
            }
            if retry == Duration::ZERO || retry >= renew || renew >= duration {
                return Err(self
                    .error(
                        node,
                        format!("{at}: 0 < retry {retry} < renew {renew} < duration {duration} must hold"),
                    )
                    .with_help("a holder must give up before others may take its lease"));
            }
        }
        let (mut period, mut threshold) = (secs(10), 3);
        if let Some(node) = isolation {
            let at = format!("{at}.isolation");
            for (name, _, value) in self.fields(node, &at, &language::ISOLATION)? {
                match name.as_str() {
                    "period" => period = self.duration(value, &at)?.max(secs(1)),
                    _ => threshold = u32::try_from(self.number(value, &at, 1, 1000)?).unwrap_or(1),
                }
            }
        }
        let all = [
            ("none", Fencing::None),
            ("lease", Fencing::Lease),
            ("isolation", Fencing::Isolation { period, threshold }),
        ];
        let fencing = self.choice(fencing, at, &all, Fencing::Lease)?;
        if let Some(node) = isolation.filter(|_| !matches!(fencing, Fencing::Isolation { .. })) {
            return Err(self.error(node, format!("{at}: only `fencing: isolation` has such a probe")));
        }
        Ok(LeaseSpec { duration, renew, retry, fencing })
    }

    fn monitors(&self, node: Option<&Node>, at: &str) -> Read<MonitorSpec> {
        let mut spec = MonitorSpec { down_after: Duration::from_secs(30), remember: Remember::Address };
        let Some(node) = node else { return Ok(spec) };
        for (name, _, value) in self.fields(node, at, &language::MONITORS)? {
            match name.as_str() {
                "downAfter" => spec.down_after = self.duration(value, at)?,
                _ => spec.remember = self.choice(Some(value), at, &Remember::ALL, spec.remember)?,
            }
        }
        Ok(spec)
    }

    fn takes(&self, node: Option<&Node>, at: &str) -> Read<Takes> {
        let secs = Duration::from_secs;
        let mut takes = Takes { start: secs(1), init: secs(3), promote: secs(1), rewind: secs(5) };
        let Some(node) = node else { return Ok(takes) };
        for (name, _, value) in self.fields(node, at, &language::TAKES)? {
            let time = self.duration(value, at)?;
            match name.as_str() {
                "start" => takes.start = time,
                "init" => takes.init = time,
                "promote" => takes.promote = time,
                _ => takes.rewind = time,
            }
        }
        Ok(takes)
    }

    fn rate(&self, node: &Node, at: &str) -> Read<Flow> {
        if let Some(number) = node.as_integer() {
            return Err(self
                .error(node, format!("{at}: `{number}` is no rate"))
                .with_help(format!("write a unit, such as `{number}/s`")));
        }
        Flow::parse(self.text(node, at)?).map_err(|why| {
            self.error(node, format!("{at}: {why}")).with_help("write a rate such as 100/s, 5/m or 20/h")
        })
    }

    /// A replica must be faster than what is written, or it never catches up: ten times as fast if not given.
    fn catch_up(&self, node: Option<&Node>, clients: &[ClientSpec], at: &str) -> Read<Flow> {
        let written: Flow = clients.iter().filter(|client| client.writes).map(|client| client.rate).sum();
        let Some(node) = node else {
            let ten_times: Flow = (0..10).map(|_| written).sum();
            return Ok(ten_times.max(Flow::per_second(1000)));
        };
        let rate = self.rate(node, at)?;
        if rate <= written {
            return Err(
                self.error(node, format!("{at}: no replica catches up that is not faster than all writes"))
            );
        }
        Ok(rate)
    }

    /// One group of clients, or a list of them.
    fn clients(&self, node: Option<&Node>, writes: bool, at: &str) -> Read<Vec<ClientSpec>> {
        let Some(node) = node else { return Ok(Vec::new()) };
        let usual = if writes { "writers" } else { "readers" };
        match node.as_sequence() {
            None => Ok(vec![self.client(node, writes, usual.to_owned(), at)?]),
            Some(items) => {
                let all = items.iter().enumerate();
                all.map(|(n, item)| self.client(item, writes, format!("{usual}-{n}"), &format!("{at}[{n}]")))
                    .collect()
            }
        }
    }

    fn client(&self, node: &Node, writes: bool, name: String, at: &str) -> Read<ClientSpec> {
        let mut client = ClientSpec {
            name,
            writes,
            rate: Flow::ZERO,
            via: Vec::new(),
            from: From::Outside,
            cache: CacheTime::None,
            retry: Duration::from_secs(1),
            timeout: Duration::from_secs(10),
        };
        let fields = self.fields(node, at, &language::CLIENT)?;
        for required in language::CLIENT.required {
            if !fields.iter().any(|(name, _, _)| name == required) {
                return Err(self.error(node, format!("{at}: clients need `{required}`")));
            }
        }
        for (name, _, value) in fields {
            match name.as_str() {
                "name" => self.text(value, at)?.clone_into(&mut client.name),
                "rate" => client.rate = self.rate(value, at)?,
                "via" => {
                    for name in value.as_sequence().unwrap_or(std::slice::from_ref(value)) {
                        client.via.push(self.text(name, at)?.to_owned());
                    }
                }
                "from" => client.from = self.origin(value, at)?,
                "cache" => {
                    client.cache = match value.as_str() {
                        Some("none") => CacheTime::None,
                        Some("forever") => CacheTime::Forever,
                        _ => CacheTime::For(self.duration(value, at)?),
                    }
                }
                "retry" => client.retry = self.duration(value, at)?.max(Duration::from_millis(100)),
                _ => client.timeout = self.duration(value, at)?,
            }
        }
        Ok(client)
    }

    fn origin(&self, node: &Node, at: &str) -> Read<From> {
        match self.text(node, at)? {
            "outside" => Ok(From::Outside),
            text => match text.strip_prefix("node/") {
                Some(name) if !name.is_empty() => Ok(From::Node(name.to_owned())),
                _ => Err(self
                    .error(node, format!("{at}: clients cannot run at `{text}`"))
                    .with_help("write `outside` or node/NAME")),
            },
        }
    }

    /// What the databases name is there, or may come.
    pub(super) fn check_databases(&self, node: &Node, scenario: &Scenario) -> Read<()> {
        let applies = scenario
            .steps
            .iter()
            .any(|step| matches!(&step.action, Action::Apply(_) | Action::Kubectl { stdin: Some(_), .. }));
        let joins = scenario.steps.iter().any(|step| matches!(step.action, Action::AddNode(_)));
        for (item, spec) in node.as_sequence().unwrap_or_default().iter().zip(&scenario.databases) {
            let item = &with_on(item);
            let kind = if spec.on_stateful_set { "StatefulSet" } else { "Deployment" };
            let owners = names_of(scenario, kind, &spec.namespace);
            if !applies && !owners.contains(&spec.owner.as_str()) {
                let at = item.get("on").unwrap_or(item);
                return Err(self.missing(at, kind, &spec.owner, &owners));
            }
            let services = names_of(scenario, "Service", "");
            let groups = ["writes", "reads"].into_iter().filter_map(|name| item.get(name));
            let groups = groups.flat_map(|node| node.as_sequence().unwrap_or(std::slice::from_ref(node)));
            for (group, client) in groups.zip(&spec.clients) {
                for via in client.via.iter().filter(|_| !applies) {
                    // `service`, `service.namespace...`, `pod.service`, `pod.service.namespace...`
                    let mut labels = via.split('.').take(2);
                    if !labels.any(|label| services.contains(&label)) {
                        let at = group.get("via").unwrap_or(group);
                        let name = via.split('.').nth(usize::from(via.contains('.'))).unwrap_or(via);
                        return Err(self.missing(at, "Service", name, &services));
                    }
                }
                if let From::Node(name) = &client.from
                    && !joins
                {
                    let nodes: Vec<&str> = scenario.nodes.iter().map(|node| node.name.as_str()).collect();
                    if !nodes.contains(&name.as_str()) {
                        return Err(self.missing(group.get("from").unwrap_or(group), "Node", name, &nodes));
                    }
                }
            }
        }
        Ok(())
    }

    fn missing(
        &self,
        at: &Node,
        kind: &str,
        name: &str,
        there: &[&str],
    ) -> crate::scenario::diagnostic::Diagnostic {
        let error = self.error(at, format!("there is no {kind} `{name}`"));
        match nearest(name, there.iter().copied()) {
            Some(near) => error.with_help(format!("did you mean `{near}`?")),
            None if there.is_empty() => error.with_help(format!("there is no {kind} at all")),
            None => error.with_help(format!("there is {}", there.join(", "))),
        }
    }
}

/// The same mapping with its key `on` as text: YAML 1.1, which Kubernetes reads, takes the bare word for a boolean.
fn with_on(node: &Node) -> Node {
    let mut node = node.clone();
    if let Value::Mapping(entries) = &mut node.value {
        for (key, _) in entries.iter_mut().filter(|(key, _)| key.key_text() == "true") {
            key.value = Value::String("on".to_owned());
        }
    }
    node
}

/// Names of the manifests of a kind; in all namespaces if `namespace` is empty.
fn names_of<'s>(scenario: &'s Scenario, kind: &str, namespace: &str) -> Vec<&'s str> {
    let manifests = scenario.manifests.iter().map(|manifest| &manifest.value);
    let of_kind = manifests.filter(|value| value["kind"].as_str() == Some(kind));
    let here = of_kind.filter(|value| {
        let own = value["metadata"]["namespace"].as_str().unwrap_or("default");
        namespace.is_empty() || own == namespace
    });
    here.filter_map(|value| value["metadata"]["name"].as_str()).collect()
}
