//! What names lead to, for instances and clients: DNS with the caches on the way, and the backends behind an address.
use crate::api::names::Uid;
use crate::api::objects::{Ip, Node, Pod, Service};
use crate::event::Process;
use crate::kernel::{Duration, Id};
use crate::network::answer::RecordType;
use crate::network::dns::Zone;
use crate::network::resolver::{Keep, Keeps};
use crate::network::{Asker, Network};
use crate::workload::spec::CacheTime;
use crate::world::{Side, World};

/// A client that keeps addresses keeps a negative answer at most this long, as a JVM does (DNS-14).
const DENIAL: Duration = Duration::from_secs(10);

/// What a client's own cache keeps.
pub(super) fn keeps(cache: CacheTime) -> Keeps {
    match cache {
        CacheTime::None => Keeps::NOTHING,
        CacheTime::For(time) => Keeps { success: Keep::Fixed(time), denial: Keep::Fixed(time.min(DENIAL)) },
        CacheTime::Forever => Keeps { success: Keep::Fixed(Duration::NEVER), denial: Keep::Fixed(DENIAL) },
    }
}

/// The addresses that CoreDNS has for a name now, without any cache, if a question from there comes to it.
pub(super) fn known(world: &World, namespace: &str, name: &str, from: Option<Id<Node>>) -> Vec<Ip> {
    let reaches = from.is_none_or(|node| world.links.reaches(node, Side::Peers));
    if name.is_empty() || !reaches || !world.is_running(Process::CoreDns) {
        return Vec::new();
    }
    Zone::of(world).resolve(namespace, name, RecordType::A).answer.addresses().collect()
}

/// The pods that a new connection to this address may get, if it is the address of a service.
pub(super) fn backends(
    network: &Network,
    from: Option<Id<Node>>,
    address: Ip,
    world: &World,
) -> Option<Vec<(Id<Pod>, Uid)>> {
    let view = world.view(Process::KubeProxy);
    let is_it = |(_, service): &(Id<Service>, &Service)| service.cluster_ip == address;
    let (id, _) = view.iter::<Service>().filter(|_| address != Ip::NONE).find(is_it)?;
    Some(network.backends(from, id, world).iter().map(|endpoint| (endpoint.pod, endpoint.uid)).collect())
}

/// Who asks DNS: the client of this number, at this place.
pub(super) fn asker(number: u32, place: Option<Id<Node>>) -> Asker {
    place.map_or(Asker::Client(number), |node| Asker::On(node, number))
}
