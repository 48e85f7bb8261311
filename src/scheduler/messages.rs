//! Why nodes were rejected, and the sentences users read about it.
//!
//! Follows `framework/types.go` (FitError), the reason constants of the plugins and `framework/preemption/preemption.go`
//! (SCHED-22). A rejection is a set of bits; text is made only for pods that found no node.
use std::ops::{BitOr, BitOrAssign};

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $bit:literal, $plugin:ident, $text:literal;)*) => {
        impl Reasons {
            $($(#[$doc])* pub(super) const $name: Reasons = Reasons(1 << $bit);)*
            /// All reasons with their plugin and text.
            const TABLE: &'static [(Reasons, Plugins, &'static str)] =
                &[$((Reasons::$name, Plugins::$plugin, $text)),*];
        }
    };
}

/// Why a node was rejected: reasons of one plugin.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct Reasons(pub(super) u32);

impl Reasons {
    /// The node passes.
    pub(super) const NONE: Reasons = Reasons(0);
    /// Not a reason: removing pods would not help (UnschedulableAndUnresolvable).
    pub(super) const HOPELESS: Reasons = Reasons(1 << 31);
    /// Reasons that removing pods from the node cannot resolve.
    const UNRESOLVABLE: Reasons = Reasons(
        Reasons::CORDONED.0
            | Reasons::TAINTED.0
            | Reasons::NODE_AFFINITY.0
            | Reasons::VOLUME_AFFINITY.0
            | Reasons::NO_VOLUME.0
            | Reasons::VOLUME_MISSING.0
            | Reasons::VOLUME_ZONE.0
            | Reasons::SPREAD_LABEL.0
            | Reasons::POD_AFFINITY.0
            | Reasons::HOPELESS.0,
    );
}

reasons! {
    /// spec.unschedulable (SCHED-13).
    CORDONED = 0, NODE_UNSCHEDULABLE, "node(s) were unschedulable";
    /// A taint of effect NoSchedule or NoExecute (SCHED-13).
    TAINTED = 1, TAINT_TOLERATION, "node(s) had untolerated taint(s)";
    /// nodeSelector or required node affinity (SCHED-13).
    NODE_AFFINITY = 2, NODE_AFFINITY, "node(s) didn't match Pod's node affinity/selector";
    /// Host ports (SCHED-13).
    PORTS = 3, NODE_PORTS, "node(s) didn't have free ports for the requested pod ports";
    /// SCHED-14.
    PODS = 4, RESOURCES, "Too many pods";
    /// SCHED-14.
    CPU = 5, RESOURCES, "Insufficient cpu";
    /// SCHED-14.
    MEMORY = 6, RESOURCES, "Insufficient memory";
    /// VOL-24.
    CLAIM_IN_USE = 7, VOLUME_RESTRICTIONS,
        "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod";
    /// SCHED-18.
    MAX_VOLUMES = 8, VOLUME_LIMITS, "node(s) exceed max volume count";
    /// VOL-52.
    VOLUME_AFFINITY = 9, VOLUME_BINDING, "node(s) didn't match PersistentVolume's node affinity";
    /// SCHED-19.
    NO_VOLUME = 10, VOLUME_BINDING, "node(s) didn't find available persistent volumes to bind";
    /// SCHED-17.
    VOLUME_MISSING = 11, VOLUME_BINDING,
        "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)";
    /// SCHED-17.
    VOLUME_ZONE = 12, VOLUME_ZONE, "node(s) had no available volume zone";
    /// SCHED-16.
    SPREAD_LABEL = 13, TOPOLOGY_SPREAD,
        "node(s) didn't match pod topology spread constraints (missing required label)";
    /// SCHED-16.
    SPREAD = 14, TOPOLOGY_SPREAD, "node(s) didn't match pod topology spread constraints";
    /// SCHED-15.
    POD_AFFINITY = 15, POD_AFFINITY, "node(s) didn't match pod affinity rules";
    /// SCHED-15.
    POD_ANTI_AFFINITY = 16, POD_AFFINITY, "node(s) didn't match pod anti-affinity rules";
    /// SCHED-15.
    OTHERS_ANTI_AFFINITY = 17, POD_AFFINITY,
        "node(s) didn't satisfy existing pods anti-affinity rules";
    /// SCHED-27: no pod of lower priority is there.
    NO_VICTIMS = 18, NONE, "No preemption victims found for incoming pod";
    /// SCHED-27: removing pods would not help.
    NOT_HELPFUL = 19, NONE, "Preemption is not helpful for scheduling";
}

impl Reasons {
    /// True if all of `other` are among them.
    pub(super) fn has(self, other: Reasons) -> bool {
        self.0 & other.0 == other.0
    }

    /// True if removing pods from the node might help.
    pub(super) fn is_resolvable(self) -> bool {
        self.0 & Reasons::UNRESOLVABLE.0 == 0
    }

    /// Plugin and text of each of these reasons, in the order of the plugins.
    pub(super) fn named(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let named = Reasons::TABLE.iter().filter(move |(reason, ..)| self.0 & reason.0 != 0);
        named.map(|(_, plugin, text)| (plugin.name(), *text))
    }

    /// The plugins these reasons are of.
    pub(super) fn plugins(self) -> Plugins {
        let named = Reasons::TABLE.iter().filter(|(reason, ..)| self.0 & reason.0 != 0);
        named.fold(Plugins::NONE, |all, (_, plugin, _)| all | *plugin)
    }
}

impl BitOr for Reasons {
    type Output = Reasons;
    fn bitor(self, other: Reasons) -> Reasons {
        Reasons(self.0 | other.0)
    }
}

impl BitOrAssign for Reasons {
    fn bitor_assign(&mut self, other: Reasons) {
        self.0 |= other.0;
    }
}

/// A set of scheduler plugins: who rejected a pod, and whose events bring it back (SCHED-5, SCHED-8).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(super) struct Plugins(pub(super) u16);

impl Plugins {
    /// Nobody: the attempt ended with an error.
    pub(super) const NONE: Plugins = Plugins(0);
    pub(super) const NODE_UNSCHEDULABLE: Plugins = Plugins(1);
    pub(super) const TAINT_TOLERATION: Plugins = Plugins(1 << 1);
    pub(super) const NODE_AFFINITY: Plugins = Plugins(1 << 2);
    pub(super) const NODE_PORTS: Plugins = Plugins(1 << 3);
    pub(super) const RESOURCES: Plugins = Plugins(1 << 4);
    pub(super) const VOLUME_RESTRICTIONS: Plugins = Plugins(1 << 5);
    pub(super) const VOLUME_LIMITS: Plugins = Plugins(1 << 6);
    pub(super) const VOLUME_BINDING: Plugins = Plugins(1 << 7);
    pub(super) const VOLUME_ZONE: Plugins = Plugins(1 << 8);
    pub(super) const TOPOLOGY_SPREAD: Plugins = Plugins(1 << 9);
    pub(super) const POD_AFFINITY: Plugins = Plugins(1 << 10);
    /// The plugins that look at claims.
    pub(super) const VOLUMES: Plugins = Plugins(0b1_1110_0000);

    /// The name of a single plugin.
    fn name(self) -> &'static str {
        match self {
            Plugins::NODE_UNSCHEDULABLE => "NodeUnschedulable",
            Plugins::TAINT_TOLERATION => "TaintToleration",
            Plugins::NODE_AFFINITY => "NodeAffinity",
            Plugins::NODE_PORTS => "NodePorts",
            Plugins::RESOURCES => "NodeResourcesFit",
            Plugins::VOLUME_RESTRICTIONS => "VolumeRestrictions",
            Plugins::VOLUME_LIMITS => "NodeVolumeLimits",
            Plugins::VOLUME_BINDING => "VolumeBinding",
            Plugins::VOLUME_ZONE => "VolumeZone",
            Plugins::TOPOLOGY_SPREAD => "PodTopologySpread",
            Plugins::POD_AFFINITY => "InterPodAffinity",
            _ => "DefaultPreemption",
        }
    }

    /// True if a plugin is in both sets.
    pub(super) fn meets(self, other: Plugins) -> bool {
        self.0 & other.0 != 0
    }
}

impl BitOr for Plugins {
    type Output = Plugins;
    fn bitor(self, other: Plugins) -> Plugins {
        Plugins(self.0 | other.0)
    }
}

/// How many nodes were rejected for each reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Tally {
    counts: [u32; 20],
}

impl Tally {
    /// One more node with these reasons.
    pub(super) fn add(&mut self, reasons: Reasons) {
        let mut bits = reasons.0 & !Reasons::HOPELESS.0;
        while bits != 0 {
            if let Some(count) = self.counts.get_mut(bits.trailing_zeros() as usize) {
                *count += 1;
            }
            bits &= bits - 1;
        }
    }

    /// So many more nodes with this reason.
    pub(super) fn add_many(&mut self, reason: Reasons, nodes: usize) {
        if let Some(count) = self.counts.get_mut(reason.0.trailing_zeros() as usize) {
            *count += nodes as u32;
        }
    }

    /// "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable." (SCHED-22)
    pub(super) fn sentence(&self, nodes: usize) -> String {
        let mut parts: Vec<String> = Vec::new();
        for (reason, _, text) in Reasons::TABLE {
            let count = self.counts[reason.0.trailing_zeros() as usize];
            if count > 0 {
                parts.push(format!("{count} {text}"));
            }
        }
        parts.sort_unstable();
        available(nodes, &parts.join(", "))
    }
}

/// "0/3 nodes are available: `reasons`."
fn available(nodes: usize, reasons: &str) -> String {
    if reasons.is_empty() {
        return format!("0/{nodes} nodes are available.");
    }
    format!("0/{nodes} nodes are available: {reasons}.")
}

/// The message of a pod whose claims reject all nodes at once: no plugin after that has anything to say.
pub(super) fn rejected_by_claims(nodes: usize, why: &str) -> String {
    format!("{} not found", available(nodes, why))
}

/// How an attempt to preempt ended (SCHED-27).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Preemption {
    /// Victims were found: nothing is said.
    Succeeded,
    /// The pod may not preempt.
    NotEligible(&'static str),
    /// What each node said.
    Failed(Tally),
}

/// The message of a pod that no node passed for.
pub(super) fn unschedulable(nodes: usize, tally: &Tally, preemption: &Preemption) -> String {
    let filtered = tally.sentence(nodes);
    let after = match preemption {
        Preemption::Succeeded => return filtered,
        Preemption::NotEligible(why) => format!("not eligible due to {why}."),
        Preemption::Failed(tally) => tally.sentence(nodes),
    };
    format!("{filtered} no new claims to deallocate, preemption: {after}")
}

/// The message where there is no node at all.
pub(super) const NO_NODES: &str = "no nodes available to schedule pods";

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(reasons: &[(u32, Reasons)]) -> Tally {
        let mut tally = Tally::default();
        for (count, reason) in reasons {
            for _ in 0..*count {
                tally.add(*reason);
            }
        }
        tally
    }

    #[test]
    fn recorded_messages() {
        let hopeless = Reasons::CPU | Reasons::HOPELESS;
        let cases = [
            (
                2,
                tally(&[(2, hopeless)]),
                Preemption::Failed(tally(&[(2, Reasons::NOT_HELPFUL)])),
                "0/2 nodes are available: 2 Insufficient cpu. no new claims to deallocate, preemption: 0/2 nodes are \
                 available: 2 Preemption is not helpful for scheduling.",
            ),
            (
                2,
                tally(&[(1, Reasons::TAINTED), (1, Reasons::PODS)]),
                Preemption::Failed(tally(&[(1, Reasons::NOT_HELPFUL), (1, Reasons::NO_VICTIMS)])),
                "0/2 nodes are available: 1 Too many pods, 1 node(s) had untolerated taint(s). no new claims to \
                 deallocate, preemption: 0/2 nodes are available: 1 No preemption victims found for incoming pod, 1 \
                 Preemption is not helpful for scheduling.",
            ),
            (
                1,
                tally(&[(1, Reasons::CPU)]),
                Preemption::Succeeded,
                "0/1 nodes are available: 1 Insufficient cpu.",
            ),
            (
                1,
                tally(&[(1, Reasons::CPU)]),
                Preemption::NotEligible("preemptionPolicy=Never"),
                "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: not eligible \
                 due to preemptionPolicy=Never.",
            ),
        ];
        for (nodes, reasons, preemption, message) in cases {
            assert_eq!(unschedulable(nodes, &reasons, &preemption), message);
        }
        assert_eq!(
            rejected_by_claims(2, "pod has unbound immediate PersistentVolumeClaims"),
            "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found"
        );
    }

    #[test]
    fn reasons_are_sorted_as_text() {
        let reasons =
            tally(&[(10, Reasons::SPREAD), (2, Reasons::CPU | Reasons::MEMORY), (2, Reasons::TAINTED)]);
        assert_eq!(
            reasons.sentence(14),
            "0/14 nodes are available: 10 node(s) didn't match pod topology spread constraints, 2 Insufficient cpu, 2 \
             Insufficient memory, 2 node(s) had untolerated taint(s)."
        );
    }

    #[test]
    fn what_preemption_cannot_resolve() {
        use Reasons as R;
        let hopeless = [
            R::CORDONED,
            R::TAINTED,
            R::NODE_AFFINITY,
            R::VOLUME_AFFINITY,
            R::NO_VOLUME,
            R::CPU | R::HOPELESS,
            R::SPREAD_LABEL,
            R::POD_AFFINITY,
        ];
        assert!(hopeless.iter().all(|reason| !reason.is_resolvable()));
        let hopeful = [
            R::CPU,
            R::PODS,
            R::POD_ANTI_AFFINITY,
            R::OTHERS_ANTI_AFFINITY,
            R::SPREAD,
            R::MAX_VOLUMES,
            R::CLAIM_IN_USE,
        ];
        assert!(hopeful.iter().all(|reason| reason.is_resolvable()));
        assert_eq!((R::CPU | R::MEMORY).plugins(), Plugins::RESOURCES);
        assert!(
            Plugins::VOLUMES.meets(R::CLAIM_IN_USE.plugins())
                && Plugins::VOLUMES.meets(R::VOLUME_ZONE.plugins())
        );
        assert!(!Plugins::VOLUMES.meets(R::CPU.plugins() | R::SPREAD.plugins()));
    }
}
