//! Services as kube-proxy sees them: which endpoints a new connection may go to, and which one it gets.
//!
//! Follows `pkg/proxy/topology.go` (CategorizeEndpoints) and the random choice of the iptables and nftables modes.
//! The caller gives the view of the node's proxy, so its lag (SVC-11, SVC-13) is the caller's.
//! Left out: traffic policies and topology hints, session affinity, ipvs; established connections, which no change of
//! endpoints moves (SVC-9), are the workload's.
use crate::api::objects::{Endpoint, EndpointSlice, Service, ServicePort};
use crate::api::store::View;
use crate::kernel::{Chooser, Id};
use crate::rule::mark;
use crate::world::Draw;
use std::sync::Arc;

/// The slices of a service. Looks at all slices of the view.
pub fn slices(view: View<'_>, service: Id<Service>) -> impl Iterator<Item = &EndpointSlice> {
    view.iter::<EndpointSlice>().map(|(_, slice)| slice).filter(move |slice| slice.service == service)
}

/// The endpoints of a service with the ports of their slices, in order of the slices' ids.
pub fn endpoints(
    view: View<'_>,
    service: Id<Service>,
) -> impl Iterator<Item = (Endpoint, &Arc<[ServicePort]>)> {
    slices(view, service).flat_map(|slice| slice.endpoints.iter().map(|endpoint| (*endpoint, &slice.ports)))
}

/// The endpoints a new connection to the service's address may reach (SVC-10): the ready ones, or if there is none
/// those that still serve while they terminate. None at all: the connection is refused at once.
pub fn eligible_among(all: Vec<Endpoint>) -> Vec<Endpoint> {
    let pick = |test: fn(&Endpoint) -> bool| -> Vec<Endpoint> { all.iter().copied().filter(test).collect() };
    let ready = pick(|endpoint| endpoint.ready);
    mark!("SVC-10");
    if ready.is_empty() { pick(|endpoint| endpoint.serving && endpoint.terminating) } else { ready }
}

/// The endpoint that a new connection gets: all eligible ones are equally likely (SVC-9). `client` and `connection`
/// say whose connection it is and the how-manieth. None: refused.
pub fn choose_among(
    eligible: Vec<Endpoint>,
    chooser: &Chooser,
    client: u64,
    connection: u64,
) -> Option<Endpoint> {
    let count = u64::try_from(eligible.len()).ok().filter(|count| *count > 0)?;
    mark!("SVC-9");
    let draw = chooser.below(Draw::Answer as u32, client, connection, count);
    eligible.get(usize::try_from(draw).ok()?).copied()
}

/// One member of a service, for printing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// Name of the pod.
    pub pod: String,
    /// Its endpoint.
    pub endpoint: Endpoint,
}

impl Member {
    /// The conditions as letters: R ready, S serving, T terminating; `-` if none.
    pub fn flags(&self) -> String {
        let conditions =
            [(self.endpoint.ready, 'R'), (self.endpoint.serving, 'S'), (self.endpoint.terminating, 'T')];
        let flags: String = conditions.iter().filter(|(on, _)| *on).map(|(_, flag)| flag).collect();
        if flags.is_empty() { "-".to_owned() } else { flags }
    }
}

/// The members of a service, in order of the pods' names; ordinals count as numbers.
pub fn members(view: View<'_>, service: Id<Service>) -> Vec<Member> {
    let store = view.store;
    let mut members: Vec<_> = endpoints(view, service)
        .map(|(endpoint, _)| {
            let name = store.pods.last_known(endpoint.pod).map(|pod| pod.meta.name).unwrap_or_default();
            let order = (store.names.text(name.stem()), name.ordinal(), endpoint.ip);
            (order, Member { pod: store.name_of(name), endpoint })
        })
        .collect();
    members.sort_by_key(|(order, _)| *order);
    members.into_iter().map(|(_, member)| member).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::testing::Net;
    use serde_json::json;

    #[test]
    fn ready_ones_else_those_that_still_serve() {
        // Endpoints as (ready, serving, terminating); which of them are eligible.
        type Conditions = (bool, bool, bool);
        let table: [(&[Conditions], &[usize]); 6] = [
            (&[], &[]),
            (&[(true, true, false), (true, true, false)], &[0, 1]),
            (&[(true, true, false), (false, true, true), (false, false, false)], &[0]),
            (&[(false, true, true), (false, false, true), (false, false, false)], &[0]),
            (&[(false, false, true), (false, false, false)], &[]),
            (&[(true, false, true)], &[0]),
        ];
        for (endpoints, expected) in table {
            let mut net = Net::new();
            let web = net.service("web", &json!({"clusterIP": "10.96.0.9", "selector": {"app": "web"}}));
            for (number, (ready, serving, terminating)) in endpoints.iter().enumerate() {
                let pod = net.pod(&format!("web-{number}"), "web");
                net.endpoint(web, pod, number as u32, |endpoint| {
                    (endpoint.ready, endpoint.serving, endpoint.terminating) =
                        (*ready, *serving, *terminating);
                });
            }
            let all = || super::endpoints(net.view(), web).map(|(endpoint, _)| endpoint).collect();
            let found: Vec<_> = eligible_among(all()).iter().map(|e| e.ip.0 as usize).collect();
            assert_eq!(found, expected, "{endpoints:?}");
            let chosen = choose_among(eligible_among(all()), &net.world.chooser, 1, 1);
            assert_eq!(chosen.is_some(), !expected.is_empty());
        }
    }

    #[test]
    fn the_choice_is_even() {
        let mut net = Net::new();
        let web = net.service("web", &json!({"clusterIP": "10.96.0.9"}));
        for number in 0..4 {
            let pod = net.pod(&format!("web-{number}"), "web");
            net.endpoint(web, pod, number, |_| {});
        }
        let all: Vec<_> = endpoints(net.view(), web).map(|(endpoint, _)| endpoint).collect();
        let mut counts = [0; 4];
        for connection in 0..4000 {
            let chosen =
                choose_among(all.clone(), &net.world.chooser, 3, connection).expect("four are ready");
            counts[chosen.ip.0 as usize] += 1;
        }
        assert!(counts.iter().all(|count| (900..1100).contains(count)), "{counts:?}");
    }

    #[test]
    fn members_in_order_of_ordinals() {
        let mut net = Net::new();
        let web = net.service("web", &json!({"clusterIP": "None"}));
        for number in [10, 2, 0] {
            let pod = net.pod(&format!("web-{number}"), "web");
            net.endpoint(web, pod, number, |endpoint| endpoint.ready = number == 0);
        }
        let texts: Vec<_> =
            members(net.view(), web).iter().map(|m| format!("{}:{}", m.pod, m.flags())).collect();
        assert_eq!(texts, ["web-0:RS", "web-2:S", "web-10:S"]);
    }
}
