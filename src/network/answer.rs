//! Records and answers: what DNS says, without where it comes from.
//!
//! The order of addresses in an answer follows CoreDNS' plugin/loadbalance. Left out: classes, the SOA record itself
//! (its minimum is [`Answer::ttl`] of a negative answer), truncation.
use crate::api::objects::Ip;
use crate::kernel::{Chooser, Duration, Time};
use crate::rule::mark;
use crate::world::Draw;

/// Type of a record.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RecordType {
    /// IPv4 address.
    A,
    /// IPv6 address: names exist, data does not.
    Aaaa,
    /// Alias.
    Cname,
    /// Port and target.
    Srv,
    /// Name of an address.
    Ptr,
    /// Text.
    Txt,
}

impl RecordType {
    /// As zone files write it.
    pub fn as_str(self) -> &'static str {
        match self {
            RecordType::A => "A",
            RecordType::Aaaa => "AAAA",
            RecordType::Cname => "CNAME",
            RecordType::Srv => "SRV",
            RecordType::Ptr => "PTR",
            RecordType::Txt => "TXT",
        }
    }
}

/// What a record says. Names are absolute and end in a dot.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Data {
    /// An address.
    A(Ip),
    /// An alias of this name.
    Cname(String),
    /// A service: weight, port, target. The priority is always 0 (DNS-4).
    Srv(u16, u16, String),
    /// The name of an address.
    Ptr(String),
    /// A text.
    Txt(String),
}

impl Data {
    /// The type of such a record.
    pub fn record_type(&self) -> RecordType {
        match self {
            Data::A(_) => RecordType::A,
            Data::Cname(_) => RecordType::Cname,
            Data::Srv(..) => RecordType::Srv,
            Data::Ptr(_) => RecordType::Ptr,
            Data::Txt(_) => RecordType::Txt,
        }
    }

    /// As zone files write it.
    pub fn render(&self) -> String {
        match self {
            Data::A(ip) => ip.render(),
            Data::Cname(name) | Data::Ptr(name) => name.clone(),
            Data::Srv(weight, port, target) => format!("0 {weight} {port} {target}"),
            Data::Txt(text) => format!("\"{text}\""),
        }
    }
}

/// A record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Its name, absolute, with the final dot.
    pub name: String,
    /// What it says.
    pub data: Data,
    /// How long a cache may keep it.
    pub ttl: Duration,
}

/// How a query went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rcode {
    /// The name exists. Without records: it has none of this type (NODATA, DNS-3).
    NoError,
    /// The name does not exist (NXDOMAIN).
    NxDomain,
    /// A server answered that it cannot know (SERVFAIL, DNS-15).
    ServFail,
    /// No server answered.
    Timeout,
}

impl Rcode {
    /// As `dig` writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Rcode::NoError => "NOERROR",
            Rcode::NxDomain => "NXDOMAIN",
            Rcode::ServFail => "SERVFAIL",
            Rcode::Timeout => "timed out",
        }
    }
}

/// Who knew an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// The hosts file of the pod (DNS-6).
    Hosts,
    /// The client's own cache (DNS-14).
    Client,
    /// The cache on the client's node (NodeLocal DNSCache).
    Node,
    /// The cache of a CoreDNS replica.
    Server,
    /// CoreDNS, from what its watch shows; or nobody.
    Records,
}

impl Source {
    /// A few words for the timeline.
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Hosts => "the hosts file",
            Source::Client => "the cache of the client",
            Source::Node => "the cache of the node",
            Source::Server => "the cache of a CoreDNS replica",
            Source::Records => "CoreDNS",
        }
    }
}

/// An answer, and whom it came from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told {
    /// The answer.
    pub answer: Answer,
    /// Who knew it.
    pub source: Source,
    /// Until when the same question gets the same answer from there, whatever happens; now, if no cache knew it.
    pub until: Time,
}

impl Told {
    /// No answer that says anything of the name.
    pub fn failed(rcode: Rcode, now: Time) -> Told {
        let answer = Answer { rcode, records: Vec::new(), ttl: Duration::ZERO };
        Told { answer, source: Source::Records, until: now }
    }
}

/// The answer to a query.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// How it went.
    pub rcode: Rcode,
    /// The records.
    pub records: Vec<Record>,
    /// How long a cache may keep the answer: the records' TTL, or of a negative one the SOA's minimum (DNS-10).
    pub ttl: Duration,
}

impl Answer {
    /// The addresses in it, in the order of the answer.
    pub fn addresses(&self) -> impl Iterator<Item = Ip> {
        self.records.iter().filter_map(|record| match record.data {
            Data::A(ip) => Some(ip),
            _ => None,
        })
    }

    /// True if it says something of the name, rather than that nobody could be asked.
    pub fn is_known(&self) -> bool {
        matches!(self.rcode, Rcode::NoError | Rcode::NxDomain)
    }

    /// True if it has records.
    pub fn is_positive(&self) -> bool {
        self.rcode == Rcode::NoError && !self.records.is_empty()
    }

    /// The answer as a client gets it: addresses in random order, all orders equally likely (DNS-7). `client` and
    /// `query` say who asks and for the how-manieth time.
    #[must_use]
    pub fn shuffled(mut self, chooser: &Chooser, client: u64, query: u64) -> Answer {
        let first = self.records.iter().position(|record| matches!(record.data, Data::A(_)));
        let addresses = self.records.get_mut(first.unwrap_or(0)..).unwrap_or_default();
        let count = u64::try_from(addresses.len()).unwrap_or(u64::MAX);
        if first.is_none() || count < 2 {
            return self;
        }
        mark!("DNS-7");
        // Fisher and Yates, each swap with a draw of its own.
        for last in (1..addresses.len()).rev() {
            let attempt = query.wrapping_mul(count).wrapping_add(last as u64);
            let other = chooser.below(Draw::Answer as u32, client, attempt, last as u64 + 1);
            addresses.swap(last, usize::try_from(other).unwrap_or(0));
        }
        self
    }
}
