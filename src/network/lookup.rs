//! What becomes of a name inside a pod: its hosts file, then the resolver's search path.
//!
//! Follows `pkg/kubelet/kubelet_pods.go` (managedHostsFileContent), `pkg/kubelet/network/dns/dns.go` (ClusterFirst) and
//! glibc's `res_search`. Left out: domains of the host, dnsConfig of the pod, more than one family of addresses.
use crate::api::objects::{Ip, Pod};
use crate::api::pod_spec::Hostname;
use crate::api::store::Store;
use crate::kernel::Time;
use crate::network::answer::{Answer, Rcode, RecordType, Source, Told};
use crate::network::dns::{DOMAIN, Zone};
use crate::rule::mark;

/// A name with at least this many dots is tried as it is first (DNS-17).
const NDOTS: usize = 5;

/// A look-up with everything that was asked on the way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lookup {
    /// The answer the application gets.
    pub answer: Answer,
    /// Who knew that answer; of several that say no, the first.
    pub source: Source,
    /// Until when the same question gets this answer, whatever happens; the time of asking, if no cache knew it.
    pub until: Time,
    /// Queries sent, absolute names in order, and how each went.
    pub asked: Vec<(String, Rcode)>,
}

/// The absolute names that a pod of this namespace tries for a name, in order (DNS-16, DNS-17).
pub fn candidates(name: &str, namespace: &str) -> Vec<String> {
    if name.ends_with('.') {
        return vec![name.to_owned()];
    }
    mark!("DNS-16");
    let suffixes = [format!("{namespace}.svc.{DOMAIN}"), format!("svc.{DOMAIN}"), DOMAIN.to_owned()];
    let mut names: Vec<String> = suffixes.iter().map(|suffix| format!("{name}.{suffix}.")).collect();
    let plain = format!("{name}.");
    if name.matches('.').count() >= NDOTS {
        mark!("DNS-17");
        names.insert(0, plain);
    } else {
        mark!("DNS-17");
        names.push(plain);
    }
    names
}

/// Tries the candidates of a name one after another with `ask`, until one has records or nobody can be asked. If none
/// has records, the name exists without such data if any candidate does.
pub fn search(name: &str, namespace: &str, mut ask: impl FnMut(&str) -> Told) -> Lookup {
    let mut asked = Vec::new();
    let mut best: Option<Told> = None;
    for candidate in candidates(name, namespace) {
        let told = ask(&candidate);
        asked.push((candidate, told.answer.rcode));
        if told.answer.is_positive() || !told.answer.is_known() {
            best = Some(told);
            break;
        }
        if best
            .as_ref()
            .is_none_or(|best| best.answer.rcode == Rcode::NxDomain && told.answer.rcode == Rcode::NoError)
        {
            best = Some(told);
        }
    }
    let Told { answer, source, until } = best.unwrap_or_else(|| Told::failed(Rcode::NxDomain, Time::ZERO));
    Lookup { answer, source, until, asked }
}

impl Zone<'_> {
    /// Looks a name up as a pod of this namespace does, without any cache.
    pub fn resolve(&self, namespace: &str, name: &str, record_type: RecordType) -> Lookup {
        search(name, namespace, |candidate| {
            let answer = self.query(candidate, record_type);
            Told { answer, source: Source::Records, until: Time::ZERO }
        })
    }
}

/// The line a pod has about itself in its hosts file: its address, and its names (DNS-6). None before it has an
/// address, and for a pod in the network of its node. Names in it are found whatever DNS says.
pub fn hosts(store: &Store, pod: &Pod) -> Option<(Ip, Vec<String>)> {
    let spec = store.pod_spec(pod.spec);
    let host_network = spec.json.get("hostNetwork").and_then(|value| value.as_bool()).unwrap_or(false);
    if pod.ip == Ip::NONE || host_network {
        return None;
    }
    mark!("DNS-6");
    let hostname = match spec.hostname {
        Hostname::Fixed(word) => store.names.text(word).to_owned(),
        Hostname::None | Hostname::PodName => store.name_of(pod.meta.name),
    };
    let mut names = Vec::new();
    if !spec.subdomain.is_empty() {
        let (subdomain, namespace) = (store.names.text(spec.subdomain), store.names.text(pod.meta.namespace));
        names.push(format!("{hostname}.{subdomain}.{namespace}.svc.{DOMAIN}"));
    }
    names.push(hostname);
    Some((pod.ip, names))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Duration;
    use crate::network::testing::Net;
    use serde_json::json;

    #[test]
    fn how_many_queries_a_name_takes() {
        let mut net = Net::new();
        let web = net.service("nginx", &json!({"clusterIP": "None"}));
        let pod = net.pod("web-0", "web");
        net.endpoint(web, pod, 9, |_| {});
        let zone = Zone { view: net.view(), ttl: Duration::from_secs(5) };
        // From which namespace, which name, how many queries (DNS-17).
        let table = [
            ("default", "web-0.nginx", 1),
            ("other", "web-0.nginx.default", 2),
            ("other", "web-0.nginx.default.svc", 3),
            ("default", "nginx.default.svc.cluster.local", 4),
            ("other", "web-0.nginx.default.svc.cluster.local", 1),
            ("other", "nginx.default.svc.cluster.local.", 1),
        ];
        for (namespace, name, queries) in table {
            let lookup = zone.resolve(namespace, name, RecordType::A);
            assert_eq!(lookup.answer.addresses().collect::<Vec<_>>(), [Ip(9)], "{name}");
            assert_eq!(lookup.asked.len(), queries, "{name}: {:?}", lookup.asked);
        }
        let nothing = zone.resolve("default", "web-1.nginx", RecordType::A);
        assert_eq!((nothing.answer.rcode, nothing.asked.len()), (Rcode::NxDomain, 4));
        let no_data = zone.resolve("default", "nginx", RecordType::Aaaa);
        assert_eq!((no_data.answer.rcode, no_data.asked.len()), (Rcode::NoError, 4));
    }

    #[test]
    fn a_pod_knows_itself() {
        let mut net = Net::new();
        let id = net.pod("web-0", "web");
        let store = |net: &Net| net.world.store.get(id).copied();
        let pod = store(&net).expect("a pod");
        assert_eq!(hosts(&net.world.store, &pod), None, "no address yet");
        let pod = Pod { ip: Ip(5), ..pod };
        let names = ["web-0.web.default.svc.cluster.local", "web-0"].map(str::to_owned).to_vec();
        assert_eq!(hosts(&net.world.store, &pod), Some((Ip(5), names)), "not web-0.web (DNS-6)");
    }
}
