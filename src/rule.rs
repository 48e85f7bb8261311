//! Ids of the numbered rules in `docs/semantics/`: what code, waits and the timeline point to.
use std::fmt;

/// The family of a rule: the letters before its number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Family {
    /// No rule: a user's doing.
    None,
    /// StatefulSet.
    Sts,
    /// Pods and kubelet.
    Pod,
    /// Deployment.
    Dep,
    /// ReplicaSet.
    Rs,
    /// Budgets, eviction, drain.
    Pdb,
    /// Nodes.
    Node,
    /// Scheduling.
    Sched,
    /// Storage.
    Vol,
    /// Services.
    Svc,
    /// DNS.
    Dns,
    /// Defaults.
    Def,
}

/// One rule: `STS-58`. [`Rule::NONE`] prints as nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Rule {
    /// Family.
    pub family: Family,
    /// Number.
    pub number: u8,
}

macro_rules! families {
    ($($function:ident $family:ident $text:literal),* $(,)?) => {
        impl Rule {
            $(#[doc = concat!("Rule `", $text, "-<number>`.")]
            pub const fn $function(number: u8) -> Rule { Rule { family: Family::$family, number } })*
        }
        impl fmt::Display for Rule {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.family {
                    Family::None => Ok(()),
                    $(Family::$family => write!(f, "{}-{}", $text, self.number),)*
                }
            }
        }
    };
}
families! {
    sts Sts "STS", pod Pod "POD", dep Dep "DEP", rs Rs "RS", pdb Pdb "PDB", node Node "NODE", sched Sched "SCHED",
    vol Vol "VOL", svc Svc "SVC", dns Dns "DNS", def Def "DEF",
}

impl Rule {
    /// No rule: a user asked for it.
    pub const NONE: Rule = Rule { family: Family::None, number: 0 };
}
