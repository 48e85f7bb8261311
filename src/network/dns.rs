//! The records of the cluster's zone, as CoreDNS has them.
//!
//! Follows CoreDNS' plugin/kubernetes (`parse.go`, `kubernetes.go` findServices, plugin/backend_lookup.go) and the
//! specification in kubernetes/dns (1.1.0). A [`Zone`] is no copy: it answers from the Services and EndpointSlices
//! that the server's watch shows. Only endpoints whose condition `ready` is true have records (DNS-2).
//! Left out: AAAA data (the cluster has IPv4 only), names under `pod.`, the additional section of SRV answers, and
//! everything outside the zone.
use crate::api::names::{Name, Sym};
use crate::api::objects::{Endpoint, Ip, Namespace, Service, ServicePort, ServiceType};
use crate::api::pod_spec::Hostname;
use crate::api::store::View;
use crate::event::Process;
use crate::kernel::{Duration, Id};
use crate::network::answer::{Answer, Data, Rcode, Record, RecordType};
use crate::network::service::endpoints;
use crate::rule::mark;
use crate::world::World;
use std::collections::BTreeSet;

/// The cluster's domain (DNS-1).
pub const DOMAIN: &str = "cluster.local";
/// Version of the specification, the TXT record `dns-version` (DNS-5).
const VERSION: &str = "1.1.0";
/// Aliases are followed this far.
const MAX_ALIASES: usize = 8;

/// What a name asks for inside a service.
#[derive(Clone, Debug)]
enum Part {
    /// The service itself.
    Whole,
    /// The endpoint of this hostname.
    Host(String),
    /// A port: name and protocol.
    Port(String, String),
}

/// Where a name points in the zone.
enum Place {
    /// Nowhere.
    Nowhere,
    /// A name with something below it, but no records.
    Empty,
    /// A service, or a part of it.
    Service(Id<Service>, Part),
}

/// One result: an address, its name, and the ports behind it.
struct Hit {
    ip: Ip,
    target: String,
    port: Option<u16>,
}

/// The zone as a reader sees it.
#[derive(Clone, Copy, Debug)]
pub struct Zone<'a> {
    /// The server's view.
    pub view: View<'a>,
    /// TTL of its records (DNS-9).
    pub ttl: Duration,
}

impl<'a> Zone<'a> {
    /// The zone as CoreDNS shows it now.
    pub fn of(world: &'a World) -> Zone<'a> {
        Zone { view: world.view(Process::CoreDns), ttl: world.config.timers.dns_ttl }
    }

    fn answer(&self, name: &str, data: impl IntoIterator<Item = Data>) -> Answer {
        let records = data.into_iter().map(|data| Record { name: absolute(name), data, ttl: self.ttl });
        mark!("DNS-9");
        Answer { rcode: Rcode::NoError, records: records.collect(), ttl: self.ttl }
    }

    fn refusal(&self) -> Answer {
        mark!("DNS-10");
        Answer { rcode: Rcode::NxDomain, records: Vec::new(), ttl: self.ttl }
    }

    /// The answer to a query for an absolute name, with or without the final dot, in any case.
    pub fn query(&self, name: &str, record_type: RecordType) -> Answer {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        if let Some(address) = name.strip_suffix(".in-addr.arpa") {
            return self.reverse(&name, address, record_type);
        }
        let (id, part) = match self.place(&name) {
            Place::Nowhere => return self.refusal(),
            Place::Empty if name == format!("dns-version.{DOMAIN}") && record_type == RecordType::Txt => {
                return self.answer(&name, [Data::Txt(VERSION.to_owned())]);
            }
            Place::Empty => return self.answer(&name, []),
            Place::Service(id, part) => (id, part),
        };
        let Some(service) = self.view.get(id) else { return self.refusal() };
        if service.service_type == ServiceType::ExternalName {
            return self.alias(&name, service, &part, record_type);
        }
        let hits = self.hits(id, service, &part);
        if hits.is_empty() {
            mark!("DNS-3");
            return self.refusal();
        }
        match record_type {
            RecordType::A => {
                let unique: BTreeSet<Ip> = hits.iter().map(|hit| hit.ip).collect();
                self.answer(&name, unique.into_iter().map(Data::A))
            }
            RecordType::Srv => {
                mark!("DNS-4");
                self.answer(&name, services(hits))
            }
            _ => self.answer(&name, []),
        }
    }

    /// Finds the place of a name in lower case, without the final dot (DNS-1).
    fn place(&self, name: &str) -> Place {
        if name == DOMAIN || name == format!("dns-version.{DOMAIN}") {
            return Place::Empty;
        }
        let Some(below) = name.strip_suffix(DOMAIN).and_then(|name| name.strip_suffix('.')) else {
            return Place::Nowhere;
        };
        let mut labels: Vec<&str> = below.split('.').collect();
        mark!("DNS-1");
        if labels.pop() != Some("svc") {
            return Place::Nowhere;
        }
        let Some(namespace) = labels.pop() else { return Place::Empty };
        let names = &self.view.store.names;
        let known = names.known_name(namespace).and_then(|n| self.view.find::<Namespace>(Sym::EMPTY, n));
        let (Some(namespace), Some(_)) = (names.known(namespace), known) else { return Place::Nowhere };
        let Some(service) = labels.pop() else { return Place::Empty };
        let found = names.known_name(service).and_then(|name| self.view.find::<Service>(namespace, name));
        let Some((id, _)) = found else { return Place::Nowhere };
        match labels[..] {
            [] => Place::Service(id, Part::Whole),
            [host] => Place::Service(id, Part::Host(host.to_owned())),
            [port, protocol] => match (port.strip_prefix('_'), protocol.strip_prefix('_')) {
                (Some(port), Some(protocol)) => {
                    Place::Service(id, Part::Port(port.to_owned(), protocol.to_owned()))
                }
                _ => Place::Nowhere,
            },
            _ => Place::Nowhere,
        }
    }

    /// What a service that is no alias has to say to a name; nothing: the name does not exist (DNS-3).
    fn hits(&self, id: Id<Service>, service: &Service, part: &Part) -> Vec<Hit> {
        let by_endpoint = service.service_type == ServiceType::Headless || matches!(part, Part::Host(_));
        if !by_endpoint {
            let target = self.service_name(service);
            let ports = service.ports.iter().filter(|port| self.is_asked(port, part));
            let hit = |port: &ServicePort| Hit {
                ip: service.cluster_ip,
                target: target.clone(),
                port: Some(port.port),
            };
            return ports.map(hit).collect();
        }
        mark!("DNS-2");
        let wanted = match part {
            Part::Host(host) => Some(HostQuery::new(self.view, host)),
            _ => None,
        };
        let mut hits = Vec::new();
        for (endpoint, ports) in endpoints(self.view, id).filter(|(endpoint, _)| endpoint.ready) {
            if wanted.as_ref().is_some_and(|wanted| !wanted.is(&endpoint)) {
                continue;
            }
            let target = self.endpoint_name(&endpoint, service);
            if ports.is_empty() && !matches!(part, Part::Port(..)) {
                hits.push(Hit { ip: endpoint.ip, target: target.clone(), port: None });
            }
            let asked = ports.iter().filter(|port| self.is_asked(port, part));
            hits.extend(asked.map(|port| Hit {
                ip: endpoint.ip,
                target: target.clone(),
                port: Some(port.target),
            }));
        }
        hits
    }

    fn is_asked(&self, port: &ServicePort, part: &Part) -> bool {
        let names = &self.view.store.names;
        match part {
            Part::Port(name, protocol) => {
                names.text(port.name) == name && names.text(port.protocol).eq_ignore_ascii_case(protocol)
            }
            Part::Whole | Part::Host(_) => true,
        }
    }

    /// An ExternalName service: an alias, followed as long as it stays in the zone (DNS-5).
    fn alias(&self, name: &str, service: &Service, part: &Part, record_type: RecordType) -> Answer {
        mark!("DNS-5");
        if !matches!(part, Part::Whole) {
            return self.refusal();
        }
        let mut answer = self.answer(name, alias_target(service).map(Data::Cname));
        while record_type != RecordType::Cname && answer.records.len() < MAX_ALIASES {
            let Some(Record { data: Data::Cname(target), .. }) = answer.records.last() else { break };
            let target = target.trim_end_matches('.').to_owned();
            match self.place(&target) {
                Place::Service(id, Part::Whole) if self.external(id).is_some() => {
                    let next = self.external(id).and_then(alias_target).map(Data::Cname);
                    answer.records.extend(self.answer(&target, next).records);
                }
                _ => {
                    answer.records.extend(self.query(&target, record_type).records);
                    break;
                }
            }
        }
        answer
    }

    fn external(&self, id: Id<Service>) -> Option<&'a Service> {
        self.view.get(id).filter(|service| service.service_type == ServiceType::ExternalName)
    }

    /// The names of an address: the service with this virtual address, or else the endpoints (DNS-5).
    fn reverse(&self, name: &str, address: &str, record_type: RecordType) -> Answer {
        let mut labels: Vec<&str> = address.split('.').collect();
        labels.reverse();
        let Some(ip) = Ip::parse(&labels.join(".")).filter(|ip| *ip != Ip::NONE) else {
            return self.refusal();
        };
        mark!("DNS-5");
        let services: Vec<_> = self.view.iter::<Service>().collect();
        let mut names: Vec<String> = services
            .iter()
            .filter(|(_, service)| service.cluster_ip == ip)
            .map(|(_, service)| self.service_name(service))
            .collect();
        if names.is_empty() {
            for (id, service) in &services {
                let all = endpoints(self.view, *id).map(|(endpoint, _)| endpoint);
                let here = all.filter(|endpoint| endpoint.ip == ip && endpoint.ready);
                names.extend(here.map(|endpoint| self.endpoint_name(&endpoint, service)));
            }
        }
        match (names.is_empty(), record_type) {
            (true, _) => self.refusal(),
            (false, RecordType::Ptr) => self.answer(name, names.into_iter().map(Data::Ptr)),
            (false, _) => self.answer(name, []),
        }
    }

    /// All records of a namespace (or of all, if it is empty) that lead to addresses or aliases, service by service:
    /// the service's own first, then its endpoints'. Endpoints are in order of their names, ordinals as numbers.
    pub fn records(&self, namespace: Sym) -> Vec<Record> {
        let store = self.view.store;
        let in_scope = |service: &Service| namespace.is_empty() || service.meta.namespace == namespace;
        let mut services: Vec<_> = self.view.iter::<Service>().filter(|(_, s)| in_scope(s)).collect();
        let key =
            |service: &Service| (store.names.text(service.meta.namespace), store.name_of(service.meta.name));
        services.sort_by_cached_key(|(_, service)| key(service));
        let mut records = Vec::new();
        for (id, service) in services {
            self.records_of(id, service, &mut records);
        }
        records
    }

    fn records_of(&self, id: Id<Service>, service: &Service, records: &mut Vec<Record>) {
        let name = self.service_name(service);
        for record_type in [RecordType::A, RecordType::Cname] {
            records.extend(self.query(&name, record_type).records.into_iter().filter(|r| r.name == name));
        }
        let names = &self.view.store.names;
        for port in service.ports.iter().filter(|port| !port.name.is_empty()) {
            let protocol = names.text(port.protocol).to_ascii_lowercase();
            let name = format!("_{}._{protocol}.{name}", names.text(port.name));
            let mut answer = self.query(&name, RecordType::Srv);
            answer.records.sort_by_cached_key(|record| match &record.data {
                Data::Srv(_, port, target) => (self.order_of(target), *port),
                _ => Default::default(),
            });
            records.extend(answer.records);
        }
        let mut hosts: Vec<_> = endpoints(self.view, id)
            .filter(|(endpoint, _)| endpoint.ready)
            .filter(|(endpoint, _)| service.service_type == ServiceType::Headless || endpoint.hostname)
            .map(|(endpoint, _)| (self.endpoint_name(&endpoint, service), endpoint.ip))
            .collect();
        hosts.sort_by_cached_key(|(name, ip)| (self.order_of(name), *ip));
        let record = |(name, ip)| Record { name, data: Data::A(ip), ttl: self.ttl };
        records.extend(hosts.into_iter().map(record));
    }

    /// What names of endpoints are sorted by: the stem, then the ordinal.
    fn order_of(&self, name: &str) -> (String, u64) {
        let host = name.split('.').next().unwrap_or(name);
        match host.rsplit_once('-').map(|(stem, number)| (stem, number.parse())) {
            Some((stem, Ok(number))) => (stem.to_owned(), number),
            _ => (host.to_owned(), 0),
        }
    }

    /// `<service>.<namespace>.svc.cluster.local.`
    fn service_name(&self, service: &Service) -> String {
        let store = self.view.store;
        let namespace = store.names.text(service.meta.namespace);
        format!("{}.{namespace}.svc.{DOMAIN}.", store.name_of(service.meta.name))
    }

    /// The name of an endpoint: its hostname, or its address with dashes, below the service (DNS-2).
    fn endpoint_name(&self, endpoint: &Endpoint, service: &Service) -> String {
        let host = endpoint.hostname_text(self.view.store);
        let host = host.unwrap_or_else(|| endpoint.ip.render().replace('.', "-"));
        format!("{host}.{}", self.service_name(service))
    }
}

/// A hostname that is looked for, in all forms an endpoint may have it.
struct HostQuery<'a> {
    view: View<'a>,
    name: Option<Name>,
    word: Option<Sym>,
    ip: Option<Ip>,
}

impl<'a> HostQuery<'a> {
    fn new(view: View<'a>, host: &str) -> HostQuery<'a> {
        let names = &view.store.names;
        let ip = Ip::parse(&host.replace('-', "."));
        HostQuery { view, name: names.known_name(host), word: names.known(host), ip }
    }

    fn is(&self, endpoint: &Endpoint) -> bool {
        if !endpoint.hostname {
            return self.ip == Some(endpoint.ip);
        }
        let store = self.view.store;
        store.pods.last_known(endpoint.pod).is_some_and(|pod| match store.pod_spec(pod.spec).hostname {
            Hostname::Fixed(word) => self.word == Some(word),
            Hostname::None | Hostname::PodName => self.name == Some(pod.meta.name),
        })
    }
}

/// SRV records: one per endpoint and port, the weights sharing 100 (DNS-4).
fn services(hits: Vec<Hit>) -> Vec<Data> {
    let with_port: Vec<_> = hits.into_iter().filter_map(|hit| Some((hit.port?, hit.target))).collect();
    let weight = u16::try_from(100 / with_port.len().max(1)).unwrap_or(0);
    with_port.into_iter().map(|(port, target)| Data::Srv(weight, port, target)).collect()
}

fn alias_target(service: &Service) -> Option<String> {
    let target = service.spec.get("externalName")?.as_str()?;
    Some(absolute(&target.to_ascii_lowercase()))
}

/// The name with its final dot.
fn absolute(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::testing::Net;
    use proptest::prelude::*;
    use serde_json::json;

    fn zone(net: &Net) -> Zone<'_> {
        Zone { view: net.view(), ttl: Duration::from_secs(30) }
    }

    /// The answer as one line: records in order, or how it failed.
    fn ask(net: &Net, name: &str, record_type: RecordType) -> String {
        let answer = zone(net).query(name, record_type);
        let texts: Vec<_> = answer.records.iter().map(|record| record.data.render()).collect();
        match answer.rcode {
            Rcode::NoError if texts.is_empty() => "NODATA".to_owned(),
            Rcode::NoError => texts.join(", "),
            Rcode::NxDomain => "NXDOMAIN".to_owned(),
            failed => failed.as_str().to_owned(),
        }
    }

    /// Headless `web` with web-0 (ready), web-1 (not ready) and one without hostname; `lb` with an address.
    fn net() -> Net {
        let mut net = Net::new();
        let ports = json!([{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"},
            {"port": 90, "targetPort": 90, "protocol": "UDP"}]);
        let web = net.service("web", &json!({"clusterIP": "None", "ports": ports}));
        let lb = net.service("lb", &json!({"clusterIP": "10.96.45.100", "ports": ports}));
        net.service("empty", &json!({"clusterIP": "None", "ports": ports}));
        net.service("outside", &json!({"type": "ExternalName", "externalName": "db.example.com"}));
        net.service(
            "inside",
            &json!({"type": "ExternalName", "externalName": "lb.default.svc.cluster.local"}),
        );
        net.service(
            "loop",
            &json!({"type": "ExternalName", "externalName": "loop.default.svc.cluster.local"}),
        );
        for number in 0..3u32 {
            let pod = net.pod(&format!("web-{number}"), "web");
            let ip = Ip::parse(&format!("10.0.0.{}", number + 1)).expect("an address").0;
            net.endpoint(web, pod, ip, |endpoint| {
                endpoint.ready = number != 1;
                endpoint.hostname = number != 2;
            });
            net.endpoint(lb, pod, ip, |endpoint| endpoint.hostname = false);
        }
        net
    }

    #[test]
    fn answers() {
        use RecordType::*;
        let net = net();
        let svc = "default.svc.cluster.local";
        let table = [
            // DNS-2: one address per ready endpoint, and its own name.
            ("web.{svc}", A, "10.0.0.1, 10.0.0.3"),
            ("web-0.web.{svc}", A, "10.0.0.1"),
            ("WEB-0.Web.{svc}.", A, "10.0.0.1"),
            ("web-1.web.{svc}", A, "NXDOMAIN"),
            ("web-9.web.{svc}", A, "NXDOMAIN"),
            ("web-2.web.{svc}", A, "NXDOMAIN"),
            ("10-0-0-3.web.{svc}", A, "10.0.0.3"),
            ("10-0-0-1.web.{svc}", A, "NXDOMAIN"),
            // DNS-3: what exists, and what does not.
            ("empty.{svc}", A, "NXDOMAIN"),
            ("web.{svc}", Aaaa, "NODATA"),
            ("web-1.web.{svc}", Aaaa, "NXDOMAIN"),
            ("lb.{svc}", A, "10.96.45.100"),
            ("lb.{svc}", Aaaa, "NODATA"),
            ("10-0-0-1.lb.{svc}", A, "10.0.0.1"),
            ("nosuch.{svc}", A, "NXDOMAIN"),
            ("web.other.svc.cluster.local", A, "NXDOMAIN"),
            ("{svc}", A, "NODATA"),
            ("svc.cluster.local", A, "NODATA"),
            ("other.svc.cluster.local", A, "NXDOMAIN"),
            ("a.b.c.web.{svc}", A, "NXDOMAIN"),
            ("example.com", A, "NXDOMAIN"),
            ("xcluster.local", A, "NXDOMAIN"),
            // DNS-4: services.
            (
                "_http._tcp.web.{svc}",
                Srv,
                "0 50 8080 web-0.web.default.svc.cluster.local., 0 50 8080 10-0-0-3.web.default.svc.cluster.local.",
            ),
            ("_http._tcp.lb.{svc}", Srv, "0 100 80 lb.default.svc.cluster.local."),
            ("_http._udp.lb.{svc}", Srv, "NXDOMAIN"),
            ("http.tcp.lb.{svc}", Srv, "NXDOMAIN"),
            // DNS-5: aliases, addresses, version.
            ("outside.{svc}", A, "db.example.com."),
            ("outside.{svc}", Cname, "db.example.com."),
            ("inside.{svc}", A, "lb.default.svc.cluster.local., 10.96.45.100"),
            ("web-0.outside.{svc}", A, "NXDOMAIN"),
            ("100.45.96.10.in-addr.arpa", Ptr, "lb.default.svc.cluster.local."),
            (
                "1.0.0.10.in-addr.arpa",
                Ptr,
                "web-0.web.default.svc.cluster.local., 10-0-0-1.lb.default.svc.cluster.local.",
            ),
            ("1.0.0.10.in-addr.arpa", A, "NODATA"),
            ("9.0.0.10.in-addr.arpa", Ptr, "NXDOMAIN"),
            ("dns-version.cluster.local", Txt, "\"1.1.0\""),
        ];
        for (name, record_type, expected) in table {
            let name = name.replace("{svc}", svc);
            assert_eq!(ask(&net, &name, record_type), expected, "{name} {record_type:?}");
        }
        assert!(ask(&net, &format!("loop.{svc}"), A).split(", ").count() <= MAX_ALIASES);
        let negative = zone(&net).query(&format!("web-1.web.{svc}"), A);
        assert_eq!(negative.ttl, Duration::from_secs(30), "DNS-10");
    }

    #[test]
    fn a_headless_service_needs_no_ports() {
        let mut net = Net::new();
        let web = net.service("web", &json!({"clusterIP": "None"}));
        let pod = net.pod("web-0", "web");
        net.endpoint(web, pod, 7, |_| {});
        assert_eq!(ask(&net, "web.default.svc.cluster.local", RecordType::A), "0.0.0.7");
        assert_eq!(ask(&net, "web.default.svc.cluster.local", RecordType::Srv), "NODATA");
    }

    #[test]
    fn records_in_order() {
        let mut net = Net::new();
        let ports = json!([{"name": "http", "port": 80, "targetPort": 80, "protocol": "TCP"}]);
        let web = net.service("web", &json!({"clusterIP": "None", "ports": ports}));
        net.service("lb", &json!({"clusterIP": "10.96.45.100", "ports": [{"port": 80, "protocol": "TCP"}]}));
        for number in [10, 2] {
            let pod = net.pod(&format!("web-{number}"), "web");
            net.endpoint(web, pod, number, |_| {});
        }
        let records = zone(&net).records(Sym::DEFAULT);
        let lines: Vec<_> = records
            .iter()
            .map(|r| format!("{} {} {}", r.name, r.data.record_type().as_str(), r.data.render()))
            .collect();
        let svc = "default.svc.cluster.local.";
        assert_eq!(
            lines,
            [
                format!("lb.{svc} A 10.96.45.100"),
                format!("web.{svc} A 0.0.0.2"),
                format!("web.{svc} A 0.0.0.10"),
                format!("_http._tcp.web.{svc} SRV 0 50 80 web-2.web.{svc}"),
                format!("_http._tcp.web.{svc} SRV 0 50 80 web-10.web.{svc}"),
                format!("web-2.web.{svc} A 0.0.0.2"),
                format!("web-10.web.{svc} A 0.0.0.10"),
            ]
        );
        assert!(zone(&net).records(net.world.store.names.known("web").expect("a word")).is_empty());
    }

    #[test]
    fn the_first_address_is_any_of_them() {
        let net = net();
        let mut first = std::collections::BTreeMap::new();
        for query in 0..3000 {
            let answer = zone(&net).query("inside.default.svc.cluster.local", RecordType::A);
            let answer = answer.shuffled(&net.world.chooser, 1, query);
            assert!(matches!(answer.records[0].data, Data::Cname(_)), "aliases stay in front");
            let answer = zone(&net).query("web.default.svc.cluster.local", RecordType::A);
            let answer = answer.shuffled(&net.world.chooser, 1, query);
            assert_eq!(answer.records.len(), 2);
            *first.entry(answer.addresses().next()).or_insert(0) += 1;
        }
        assert!(first.len() == 2 && first.values().all(|count| (1400..1600).contains(count)), "{first:?}");
    }

    proptest! {
        /// INV-72: with whatever lag, a name answers with the ready endpoints of the slices as the server sees them.
        #[test]
        fn names_are_the_endpoints_of_the_view(
            changes in prop::collection::vec((0usize..4, any::<bool>(), any::<bool>()), 1..40), lag in 0usize..40,
        ) {
            let mut net = Net::new();
            let web = net.service("web", &json!({"clusterIP": "None"}));
            let pods: Vec<_> = (0..4).map(|number| net.pod(&format!("web-{number}"), "web")).collect();
            let mut past = Vec::new();
            for (step, (number, present, ready)) in changes.iter().enumerate() {
                net.edit(web, |endpoints| endpoints.retain(|endpoint| endpoint.pod != pods[*number]));
                if *present {
                    net.endpoint(web, pods[*number], 1 + step as u32, |endpoint| endpoint.ready = *ready);
                }
                let slice = net.world.store.slices.iter().next().map(|(_, slice)| slice.endpoints.clone());
                past.push((net.world.store.revision(), slice.unwrap_or_default()));
            }
            let (at, endpoints) = &past[past.len() - 1 - lag.min(past.len() - 1)];
            let zone = Zone { view: net.world.store.view(*at), ttl: Duration::from_secs(5) };
            let ready = |number: Option<usize>| -> Vec<Ip> {
                let here = endpoints.iter().filter(|e| e.ready && number.is_none_or(|n| e.pod == pods[n]));
                let mut all: Vec<_> = here.map(|endpoint| endpoint.ip).collect();
                all.sort_unstable();
                all
            };
            for number in (0..4).map(Some).chain([None]) {
                let host = number.map_or_else(String::new, |number| format!("web-{number}."));
                let answer = zone.query(&format!("{host}web.default.svc.cluster.local"), RecordType::A);
                prop_assert_eq!(answer.rcode == Rcode::NxDomain, ready(number).is_empty());
                prop_assert_eq!(answer.addresses().collect::<Vec<_>>(), ready(number));
            }
        }
    }
}
