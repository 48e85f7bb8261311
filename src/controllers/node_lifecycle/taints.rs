//! Which taints a node's conditions ask for (NODE-10, NODE-12; pkg/controller/nodelifecycle/node_lifecycle_controller.go
//! taintKeyToNodeConditionMap and nodeConditionToTaintKeyStatusMap, pkg/controller/util/node).
use crate::api::names::{Interner, Sym};
use crate::api::objects::{Effect, Node, NodeReady, Seconds, Taint};

/// The keys of the taints that follow conditions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Keys {
    /// `node.kubernetes.io/not-ready`.
    pub(super) not_ready: Sym,
    /// `node.kubernetes.io/unreachable`.
    pub(super) unreachable: Sym,
    /// `node.kubernetes.io/unschedulable`.
    pub(super) unschedulable: Sym,
}

impl Keys {
    pub(super) fn of(names: &mut Interner) -> Keys {
        Keys {
            not_ready: names.word("node.kubernetes.io/not-ready"),
            unreachable: names.word("node.kubernetes.io/unreachable"),
            unschedulable: names.word("node.kubernetes.io/unschedulable"),
        }
    }

    /// The node's taints with the NoSchedule ones as its conditions ask for them; `None` if they are so already.
    pub(super) fn no_schedule(self, node: &Node) -> Option<Vec<Taint>> {
        let wanted = [
            // A node that has not reported keeps the taint of admission (NODE-11).
            (self.not_ready, node.ready == NodeReady::False || self.fresh(node)),
            (self.unreachable, node.ready == NodeReady::Unknown),
            (self.unschedulable, node.unschedulable),
        ];
        let has = |key| has(node, key, Effect::NoSchedule);
        if wanted.iter().all(|(key, wanted)| has(*key) == *wanted) {
            return None;
        }
        let off =
            |taint: &&Taint| taint.effect != Effect::NoSchedule || !wanted.contains(&(taint.key, false));
        let mut taints: Vec<Taint> = node.taints.iter().filter(off).copied().collect();
        for (key, _) in wanted.into_iter().filter(|(key, wanted)| *wanted && !has(*key)) {
            taints.push(Taint { key, value: Sym::EMPTY, effect: Effect::NoSchedule, added: Seconds::NEVER });
        }
        Some(taints)
    }

    fn fresh(self, node: &Node) -> bool {
        node.ready == NodeReady::Missing && has(node, self.not_ready, Effect::NoSchedule)
    }

    /// The NoExecute taint that this condition asks for, and its opposite.
    pub(super) fn no_execute(self, ready: NodeReady) -> Option<(Sym, Sym)> {
        match ready {
            NodeReady::True | NodeReady::Missing => None,
            NodeReady::False => Some((self.not_ready, self.unreachable)),
            NodeReady::Unknown => Some((self.unreachable, self.not_ready)),
        }
    }

    /// The node has a NoExecute taint that follows conditions.
    pub(super) fn is_tainted(self, node: &Node) -> bool {
        has(node, self.not_ready, Effect::NoExecute) || has(node, self.unreachable, Effect::NoExecute)
    }
}

/// The node has this taint.
pub(super) fn has(node: &Node, key: Sym, effect: Effect) -> bool {
    node.taints.iter().any(|taint| taint.key == key && taint.effect == effect)
}

/// The node's taints without this one.
pub(super) fn without(node: &Node, key: Sym, effect: Effect) -> Vec<Taint> {
    node.taints.iter().filter(|taint| taint.key != key || taint.effect != effect).copied().collect()
}
