//! Ids of the numbered rules in `docs/semantics/`: what code, waits and the timeline point to.
//!
//! Which of them a run comes by is collected in [`marks`].
pub mod marks;

pub(crate) use marks::mark;
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
    /// Latencies.
    Lat,
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
        /// The letters of each family, in the order of [`Family`].
        const FAMILIES: &[(&str, Family)] = &[$(($text, Family::$family)),*];
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
    vol Vol "VOL", svc Svc "SVC", dns Dns "DNS", def Def "DEF", lat Lat "LAT",
}

impl Rule {
    /// No rule: a user asked for it.
    pub const NONE: Rule = Rule { family: Family::None, number: 0 };

    /// The rule of an id such as `STS-58`; none if no family is called so, or the number is above 255.
    pub const fn parse(id: &str) -> Option<Rule> {
        let id = id.as_bytes();
        let mut n = 0;
        while n < FAMILIES.len() {
            let (letters, family) = FAMILIES[n];
            if let Some(digits) = after(id, letters.as_bytes())
                && let Some(number) = decimal(digits)
            {
                return Some(Rule { family, number });
            }
            n += 1;
        }
        None
    }
}

/// What follows `letters` and a dash.
const fn after<'i>(id: &'i [u8], letters: &[u8]) -> Option<&'i [u8]> {
    let mut rest = id;
    let mut n = 0;
    while n < letters.len() {
        match rest.split_first() {
            Some((first, more)) if *first == letters[n] => rest = more,
            _ => return None,
        }
        n += 1;
    }
    match rest.split_first() {
        Some((b'-', digits)) => Some(digits),
        _ => None,
    }
}

/// A number without sign and leading zeros, up to 255.
const fn decimal(digits: &[u8]) -> Option<u8> {
    let mut number = 0u16;
    let mut rest = digits;
    while let Some((digit, more)) = rest.split_first() {
        if !digit.is_ascii_digit() || number == 0 && *digit == b'0' {
            return None;
        }
        number = number * 10 + (*digit - b'0') as u16;
        if number > 255 {
            return None;
        }
        rest = more;
    }
    if number == 0 { None } else { Some(number as u8) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_are_printed() {
        for rule in [Rule::sts(1), Rule::node(34), Rule::rs(10), Rule::sched(255), Rule::def(92)] {
            assert_eq!(Rule::parse(&rule.to_string()), Some(rule));
        }
        for number in ["", "-", "-0", "-07", "-256", "-99999", "-x", "1", "- 1"] {
            assert_eq!(Rule::parse(&format!("STS{number}")), None, "{number}");
        }
        for letters in ["", "XYZ", "sts", "ST", "STSS"] {
            assert_eq!(Rule::parse(&format!("{letters}-1")), None, "{letters}");
        }
    }
}
