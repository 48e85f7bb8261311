//! What is on disks: which cluster, which timeline of it, how far; and how timelines descend from one another.
//!
//! A cluster begins with its initialisation (`initdb`: a new system identifier). Every promotion begins a new timeline
//! at the log position of the promoted instance, as PostgreSQL does: positions go on, the fork point is remembered. What
//! two disks have in common, and what has been acknowledged and is not on the surviving line, follows from that.
use crate::kernel::Time;
use crate::workload::amount::{Amount, Flow};

/// A timeline of some cluster.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct TimelineId(usize);

/// What is on one disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Content {
    /// The line it is on.
    pub timeline: TimelineId,
    /// Log position: everything before it on the line is there.
    pub position: Amount,
}

/// Writes acknowledged one after another at constant rates.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Segment {
    from: Amount,
    to: Amount,
    /// Rate of each client.
    flows: Vec<Flow>,
}

/// One timeline.
#[derive(Clone, Debug)]
struct Timeline {
    /// Number of the initialisation it goes back to.
    cluster: u32,
    /// Grows with each promotion.
    epoch: u64,
    /// Where it left another one.
    parent: Option<Content>,
    begun: Time,
    /// What was acknowledged on it, in order of positions; without gaps.
    acknowledged: Vec<Segment>,
}

/// All timelines of a database.
#[derive(Clone, Debug, Default)]
pub struct Lineages {
    timelines: Vec<Timeline>,
    clusters: u32,
}

impl Lineages {
    fn of(&self, timeline: TimelineId) -> &Timeline {
        &self.timelines[timeline.0]
    }

    fn push(&mut self, cluster: u32, parent: Option<Content>, begun: Time) -> TimelineId {
        let epoch = self.timelines.len() as u64 + 1;
        self.timelines.push(Timeline { cluster, epoch, parent, begun, acknowledged: Vec::new() });
        TimelineId(self.timelines.len() - 1)
    }

    /// A new cluster is initialised: nothing is in it.
    pub fn found(&mut self, now: Time) -> Content {
        self.clusters += 1;
        Content { timeline: self.push(self.clusters, None, now), position: Amount::ZERO }
    }

    /// A promotion: a new timeline that begins with this content.
    pub fn fork(&mut self, content: Content, now: Time) -> Content {
        let cluster = self.of(content.timeline).cluster;
        Content { timeline: self.push(cluster, Some(content), now), position: content.position }
    }

    /// The initialisation that a timeline goes back to, counted from 1.
    pub fn cluster(&self, timeline: TimelineId) -> u32 {
        self.of(timeline).cluster
    }

    /// The epoch of a timeline: each promotion has a higher one.
    pub fn epoch(&self, timeline: TimelineId) -> u64 {
        self.of(timeline).epoch
    }

    /// When a timeline began.
    pub fn begun(&self, timeline: TimelineId) -> Time {
        self.of(timeline).begun
    }

    /// Up to which position of `timeline` the content has it. None: it has nothing to do with that timeline.
    pub fn reach(&self, content: Content, timeline: TimelineId) -> Option<Amount> {
        let (mut at, mut position) = (content.timeline, content.position);
        loop {
            if at == timeline {
                return Some(position);
            }
            let parent = self.of(at).parent?;
            (at, position) = (parent.timeline, position.min(parent.position));
        }
    }

    /// True if everything of `part` is in `whole`, and on the same line.
    pub fn holds(&self, whole: Content, part: Content) -> bool {
        let floor = self.floor(part);
        self.reach(whole, floor.timeline).is_some_and(|reach| reach >= floor.position)
    }

    /// The same content, said of the timeline that its last position really belongs to: one that has just been
    /// forked and has nothing of its own is its parent.
    fn floor(&self, mut content: Content) -> Content {
        while let Some(parent) = self.of(content.timeline).parent
            && content.position <= parent.position
        {
            content = Content { timeline: parent.timeline, position: content.position };
        }
        content
    }

    /// The longest beginning that two contents have in common. None: they are of different clusters.
    pub fn common(&self, a: Content, b: Content) -> Option<Content> {
        let (mut at, mut position) = (a.timeline, a.position);
        loop {
            if let Some(reach) = self.reach(b, at) {
                return Some(Content { timeline: at, position: position.min(reach) });
            }
            let parent = self.of(at).parent?;
            (at, position) = (parent.timeline, position.min(parent.position));
        }
    }

    /// Orders contents as an election does: the later timeline they have something of, then the higher position.
    pub fn rank(&self, content: Content) -> (u64, Amount) {
        let floor = self.floor(content);
        (self.epoch(floor.timeline), floor.position)
    }

    /// Writes of clients at these rates were acknowledged on a timeline, from one position to another.
    pub fn acknowledge(&mut self, timeline: TimelineId, from: Amount, to: Amount, flows: &[Flow]) {
        let list = &mut self.timelines[timeline.0].acknowledged;
        match list.last_mut() {
            Some(last) if last.to == from && last.flows == flows => last.to = to,
            _ if from < to => list.push(Segment { from, to, flows: flows.to_vec() }),
            _ => {}
        }
    }

    /// Up to where writes have been acknowledged on the line of this content, wherever that line now ends.
    pub fn acknowledged_on(&self, content: Content) -> Amount {
        let last = self.of(content.timeline).acknowledged.last().map(|segment| segment.to);
        let before = self.of(content.timeline).parent.map(|parent| parent.position);
        last.or(before).unwrap_or_default()
    }

    /// What was acknowledged and is not in this content, by client. None survives: everything.
    pub fn lost(&self, survivor: Option<Content>, clients: usize) -> Vec<Amount> {
        let mut lost = vec![Amount::ZERO; clients];
        for (index, timeline) in self.timelines.iter().enumerate() {
            let kept = survivor.and_then(|content| self.reach(content, TimelineId(index)));
            let kept = kept.unwrap_or_default();
            for segment in timeline.acknowledged.iter().filter(|segment| segment.to > kept) {
                let all: Flow = segment.flows.iter().copied().sum();
                let gone = segment.to - segment.from.max(kept);
                // Rounding falls to the first clients: together they lose exactly what is gone.
                let mut before = (Flow::ZERO, Amount::ZERO);
                for (sum, flow) in lost.iter_mut().zip(&segment.flows) {
                    let flow = before.0 + *flow;
                    let amount = gone.share(flow, all);
                    *sum += amount - before.1;
                    before = (flow, amount);
                }
            }
        }
        lost
    }

    /// Where a timeline left its parent.
    #[cfg(test)]
    pub(super) fn parent(&self, timeline: TimelineId) -> Option<Content> {
        self.of(timeline).parent
    }

    /// What was acknowledged and is in this content.
    #[cfg(test)]
    pub(super) fn kept_by(&self, content: Content) -> Amount {
        let timelines = (0..self.timelines.len()).map(TimelineId);
        let kept = timelines.filter_map(|timeline| Some((timeline, self.reach(content, timeline)?)));
        let segments = kept.flat_map(|(timeline, reach)| {
            self.of(timeline).acknowledged.iter().map(move |segment| segment.to.min(reach) - segment.from)
        });
        segments.sum()
    }

    /// What was acknowledged in all.
    pub fn acknowledged(&self) -> Amount {
        let segments = self.timelines.iter().flat_map(|timeline| &timeline.acknowledged);
        segments.map(|segment| segment.to - segment.from).sum()
    }

    /// The last position acknowledged anywhere, with its timeline, for those that judge durability.
    pub fn last_acknowledged(&self, timeline: TimelineId) -> Option<Content> {
        let last = self.of(timeline).acknowledged.last()?;
        Some(Content { timeline, position: last.to })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(lineages: &mut Lineages, content: Content, requests: u64) -> Content {
        let to = content.position + Amount::of(requests);
        lineages.acknowledge(content.timeline, content.position, to, &[Flow::per_second(1)]);
        Content { position: to, ..content }
    }

    #[test]
    fn a_fork_keeps_what_came_before_it() {
        let mut all = Lineages::default();
        let first = all.found(Time::ZERO);
        let first = write(&mut all, first, 100);
        let replica = Content { position: Amount::of(90), ..first };
        let forked = all.fork(replica, Time::ZERO);
        assert!(all.holds(first, replica) && all.holds(first, forked) && !all.holds(forked, first));
        let second = write(&mut all, forked, 50);
        assert_eq!(second.position, Amount::of(140));
        assert_eq!(all.common(first, second), Some(replica));
        assert_eq!(all.reach(second, first.timeline), Some(Amount::of(90)));
        assert_eq!(all.lost(Some(second), 1), [Amount::of(10)]);
        assert_eq!(all.lost(Some(first), 1), [Amount::of(50)]);
        assert_eq!(all.lost(None, 1), [Amount::of(150)]);
        assert_eq!(all.acknowledged(), Amount::of(150));
        assert!(all.rank(second) > all.rank(first));
    }

    #[test]
    fn clusters_have_nothing_in_common() {
        let mut all = Lineages::default();
        let first = all.found(Time::ZERO);
        let first = write(&mut all, first, 7);
        let other = all.found(Time::ZERO);
        assert_eq!(all.common(first, other), None);
        assert!(!all.holds(other, first));
        assert_eq!(all.lost(Some(other), 1), [Amount::of(7)]);
        assert_ne!(all.cluster(first.timeline), all.cluster(other.timeline));
    }

    #[test]
    fn what_is_lost_is_divided_among_clients_by_their_rates() {
        let mut all = Lineages::default();
        let first = all.found(Time::ZERO);
        let flows = [Flow::per_second(1), Flow::per_second(2), Flow::ZERO];
        all.acknowledge(first.timeline, Amount::ZERO, Amount::of(30), &flows);
        all.acknowledge(first.timeline, Amount::of(30), Amount::of(60), &flows);
        let kept = Content { position: Amount::of(27), ..first };
        assert_eq!(all.lost(Some(kept), 3), [Amount::of(11), Amount::of(22), Amount::ZERO]);
    }
}
