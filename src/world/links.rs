//! Who can talk to whom: what a partition has cut, between nodes and the sides of the world around them.
//!
//! A [`Cut`] separates a group of nodes from some [`Side`]s. Nodes of one group still reach one another; two nodes in
//! different groups do not reach each other if either group is cut off from its peers. A cut may lose packets in one
//! direction only, seen from the nodes: nothing that needs an answer works then, so the questions here ask for both
//! directions unless their names say otherwise. Cuts add up, and each is mended alone.
//! Left out: delay, loss of some packets, cuts inside a node.
use crate::api::objects::Node;
use crate::kernel::{Duration, Id, Time};
use crate::world::{Draw, World};

/// What a node talks to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Side {
    /// The API server.
    ControlPlane,
    /// The other nodes and what runs on them, CoreDNS among it.
    Peers,
    /// Clients outside of the cluster.
    Clients,
    /// The disks attached over the network.
    Storage,
}

impl Side {
    /// All of them, with their names in scenarios.
    pub const ALL: [(&'static str, Side); 4] = [
        ("control-plane", Side::ControlPlane),
        ("peers", Side::Peers),
        ("clients", Side::Clients),
        ("storage", Side::Storage),
    ];
}

/// A set of sides.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sides(u8);

impl Sides {
    /// The set with one more.
    #[must_use]
    pub fn with(self, side: Side) -> Sides {
        Sides(self.0 | 1 << side as u8)
    }

    /// Whether a side is among them.
    pub fn has(self, side: Side) -> bool {
        self.0 & 1 << side as u8 != 0
    }
}

/// Which packets are lost, seen from the nodes that are cut off.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Direction {
    /// All.
    #[default]
    Both,
    /// Those that the nodes send.
    To,
    /// Those that are sent to the nodes.
    From,
}

impl Direction {
    /// All of them, with their names in scenarios.
    pub const ALL: [(&'static str, Direction); 3] =
        [("both", Direction::Both), ("to", Direction::To), ("from", Direction::From)];
}

/// What one partition separates.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cut {
    /// The nodes cut off; they still reach one another.
    pub nodes: Vec<Id<Node>>,
    /// From what.
    pub sides: Sides,
    /// In which direction.
    pub direction: Direction,
}

/// Names a cut, so that it can be mended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CutId(u32);

/// See the module documentation.
#[derive(Clone, Debug, Default)]
pub struct Links {
    cuts: Vec<(CutId, Cut)>,
    made: u32,
    changes: u64,
}

impl Links {
    /// Grows whenever something was cut or mended: whoever depends on links looks again when it has changed.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// True if nothing is cut.
    pub fn whole(&self) -> bool {
        self.cuts.is_empty()
    }

    /// Cuts.
    pub(crate) fn cut(&mut self, mut cut: Cut) -> CutId {
        cut.nodes.sort_unstable();
        cut.nodes.dedup();
        let id = CutId(self.made);
        self.made += 1;
        self.changes += 1;
        self.cuts.push((id, cut));
        id
    }

    /// Mends one cut, if it is still there. The nodes that were cut off by it.
    pub(crate) fn mend(&mut self, id: CutId) -> Vec<Id<Node>> {
        let Some(place) = self.cuts.iter().position(|(other, _)| *other == id) else { return Vec::new() };
        self.changes += 1;
        self.cuts.remove(place).1.nodes
    }

    /// The nodes that a cut separates; none: it is mended.
    pub fn cut_off(&self, id: CutId) -> &[Id<Node>] {
        self.cuts.iter().find(|(other, _)| *other == id).map_or(&[], |(_, cut)| &cut.nodes)
    }

    /// True if a cut is neither mended nor healed.
    pub fn has(&self, id: CutId) -> bool {
        self.cuts.iter().any(|(other, _)| *other == id)
    }

    /// Mends everything that cuts these nodes off.
    pub(crate) fn heal(&mut self, nodes: &[Id<Node>]) {
        for (_, cut) in &mut self.cuts {
            let before = cut.nodes.len();
            cut.nodes.retain(|node| !nodes.contains(node));
            self.changes += u64::from(cut.nodes.len() < before);
        }
        self.cuts.retain(|(_, cut)| !cut.nodes.is_empty());
    }

    fn cuts_of(&self, node: Id<Node>, side: Side) -> impl Iterator<Item = &Cut> {
        let cuts = self.cuts.iter().map(|(_, cut)| cut).filter(move |cut| cut.sides.has(side));
        cuts.filter(move |cut| cut.nodes.binary_search(&node).is_ok())
    }

    /// What the node sends to a side arrives.
    pub fn sends(&self, node: Id<Node>, side: Side) -> bool {
        self.cuts_of(node, side).all(|cut| cut.direction == Direction::From)
    }

    /// What a side sends to the node arrives.
    pub fn hears(&self, node: Id<Node>, side: Side) -> bool {
        self.cuts_of(node, side).all(|cut| cut.direction == Direction::To)
    }

    /// The node can ask a side and get an answer, and the other way round.
    pub fn reaches(&self, node: Id<Node>, side: Side) -> bool {
        self.cuts_of(node, side).next().is_none()
    }

    /// What one node sends to another arrives.
    pub fn node_sends(&self, from: Id<Node>, to: Id<Node>) -> bool {
        let lost = |cut: &Cut| {
            let has = |node| cut.nodes.binary_search(&node).is_ok();
            match (has(from), has(to)) {
                (true, false) => cut.direction != Direction::From,
                (false, true) => cut.direction != Direction::To,
                _ => false,
            }
        };
        !self.cuts.iter().any(|(_, cut)| cut.sides.has(Side::Peers) && lost(cut))
    }

    /// Two nodes can talk: packets pass in both directions.
    pub fn nodes_reach(&self, a: Id<Node>, b: Id<Node>) -> bool {
        self.node_sends(a, b) && self.node_sends(b, a)
    }

    /// Clients outside of the cluster can talk to what runs on the node.
    pub fn client_reaches(&self, node: Id<Node>) -> bool {
        self.reaches(node, Side::Clients)
    }

    /// The node can talk to the API server.
    pub fn reaches_control_plane(&self, node: Id<Node>) -> bool {
        self.reaches(node, Side::ControlPlane)
    }

    /// What the node does with its disks comes to an end: neither reads nor writes hang.
    pub fn reaches_storage(&self, node: Id<Node>) -> bool {
        self.reaches(node, Side::Storage)
    }
}

/// A dead connection to the API server is noticed after this (DEF-9); until then it just resumes.
pub const CONNECTION_TIMEOUT: Duration = Duration::from_secs(45);
/// Longest wait before a lost watch is tried again (DEF-45).
const LONGEST_RECONNECT: Duration = Duration::from_secs(30);

impl World {
    /// When a client of the API server whose network was cut at `since` and is whole now has its watches again: at the
    /// first try of its reflector from now on (POD-50). `key` says whose tries they are; its lower half is 0.
    pub fn watch_returns(&self, key: u64, since: Time) -> Time {
        let now = self.now();
        let mut at = since + CONNECTION_TIMEOUT;
        if now < at {
            return now;
        }
        let mut wait = self.config.timers.watch_reconnect;
        let mut attempt = 0;
        while at < now {
            // Only the last tries matter: a long outage is not played through.
            let behind = now - at;
            if behind > LONGEST_RECONNECT.times(8) && wait == LONGEST_RECONNECT {
                at = Time::from_nanos(now.as_nanos() - LONGEST_RECONNECT.times(2).as_nanos());
            }
            let extra =
                self.chooser.below(Draw::Jitter as u32, key | attempt, since.as_nanos(), wait.as_nanos() + 1);
            at = at + wait + Duration::from_nanos(extra);
            wait = wait.times(2).min(LONGEST_RECONNECT);
            attempt += 1;
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes<const N: usize>() -> [Id<Node>; N] {
        std::array::from_fn(Id::from_index)
    }

    fn cut(nodes: &[Id<Node>], sides: &[Side], direction: Direction) -> Cut {
        let sides = sides.iter().fold(Sides::default(), |set, side| set.with(*side));
        Cut { nodes: nodes.to_vec(), sides, direction }
    }

    #[test]
    fn a_group_keeps_together() {
        let [a, b, c, d] = nodes();
        let mut links = Links::default();
        assert!(links.whole() && links.nodes_reach(a, c));
        let first = links.cut(cut(&[b, a], &[Side::Peers], Direction::Both));
        assert!(links.nodes_reach(a, b) && links.nodes_reach(c, d));
        assert!(!links.nodes_reach(a, c) && !links.nodes_reach(d, b));
        assert!(links.reaches_control_plane(a) && links.client_reaches(a) && links.reaches_storage(a));
        links.cut(cut(&[a], &[Side::Peers, Side::Clients], Direction::Both));
        assert!(!links.nodes_reach(a, b) && !links.client_reaches(a) && links.client_reaches(b));
        assert_eq!(links.mend(first), [a, b]);
        assert!(!links.nodes_reach(a, b) && links.nodes_reach(b, c), "cuts are mended one by one");
        links.heal(&[a]);
        assert!(links.whole() && links.mend(first).is_empty());
        assert_eq!(links.changes(), 4);
    }

    #[test]
    fn directions_are_seen_from_the_nodes_cut_off() {
        let [a, b] = nodes();
        // Direction, what a sends arrives, what is sent to a arrives.
        let table =
            [(Direction::Both, false, false), (Direction::To, false, true), (Direction::From, true, false)];
        for (direction, sends, hears) in table {
            let mut links = Links::default();
            links.cut(cut(&[a], &[Side::Peers, Side::Storage], direction));
            let found = (links.sends(a, Side::Storage), links.hears(a, Side::Storage));
            assert_eq!(found, (sends, hears), "{direction:?}");
            assert_eq!((links.node_sends(a, b), links.node_sends(b, a)), (sends, hears), "{direction:?}");
            assert!(!links.nodes_reach(a, b) && !links.nodes_reach(b, a) && !links.reaches_storage(a));
        }
    }
}
