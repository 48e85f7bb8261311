//! What can be said about a database in numbers: for expressions, reports and comparisons.
use crate::api::objects::{Node, Pod};
use crate::api::store::Store;
use crate::kernel::{Duration, Id};
use crate::workload::amount::Amount;
use crate::workload::client::Requests;
use crate::workload::database::Database;
use crate::workload::member::{Member, Phase};
use crate::workload::outage::Outage;
use crate::workload::sight::Life;

/// Sums over time, and the state they grow by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    begun: bool,
    primaries: usize,
    served: bool,
    /// No instance accepted writes, since one first did.
    pub without: Duration,
    /// More than one did.
    pub two: Duration,
    /// No writer got through, since one first did.
    pub unserved: Duration,
}

impl Tally {
    pub(super) fn pass(&mut self, span: Duration) {
        if self.begun {
            if self.primaries == 0 {
                self.without = self.without + span;
            }
            if !self.served {
                self.unserved = self.unserved + span;
            }
        }
        if self.primaries > 1 {
            self.two = self.two + span;
        }
    }

    pub(super) fn sees(&mut self, primaries: usize, served: bool) {
        (self.primaries, self.served) = (primaries, served);
        self.begun |= served;
    }
}

/// The state of a database at a moment, and its sums up to then. Requests are whole ones, rounded down.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Facts {
    /// A writer gets through; without writers: an instance accepts writes.
    pub writable: bool,
    /// Pod of the rightful primary, if it accepts writes; else of any that does; empty: none.
    pub primary: String,
    /// Instances that accept writes.
    pub primaries: u64,
    /// Writes acknowledged to clients.
    pub acknowledged: u64,
    /// Those of them that the surviving line does not have.
    pub lost_writes: u64,
    /// Writes that failed.
    pub failed_writes: u64,
    /// Reads that failed.
    pub failed_reads: u64,
    /// Reads answered by a replica that is behind or by a deposed primary.
    pub stale_reads: u64,
    /// How long no writer got through, since one first did.
    pub downtime: Duration,
    /// How long no instance accepted writes, since a writer first got through.
    pub without_primary: Duration,
    /// How long more than one instance accepted writes.
    pub split_brain: Duration,
    /// By how many writes the running replica that is furthest behind is behind.
    pub lag: u64,
    /// How long the last outage that is over took.
    pub recovery: Duration,
}

/// What came of the requests of one group of clients.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientFacts {
    /// Its name.
    pub name: String,
    /// It writes; else it reads.
    pub writes: bool,
    /// What it asked for by which names.
    pub via: String,
    /// What came of its requests.
    pub requests: Requests,
    /// Acknowledged, and not on the surviving line.
    pub lost: Amount,
}

impl Database {
    /// What can be said about it now.
    pub fn facts(&self, store: &Store) -> Facts {
        let accepting: Vec<_> = self.members.iter().filter(|member| self.accepts(member)).collect();
        let rightful = accepting.iter().find(|member| self.authority == Some(member.process.storage));
        let primary = rightful.or(accepting.first());
        let of = |writes: bool, what: fn(&Requests) -> Amount| -> u64 {
            let clients = self.clients.iter().filter(|client| client.spec.writes == writes);
            clients.map(|client| what(&client.requests)).sum::<Amount>().requests()
        };
        let writers = self.clients.iter().any(|client| client.spec.writes);
        let through = self.clients.iter().any(|client| client.spec.writes && client.gets_through());
        Facts {
            writable: if writers { through } else { !accepting.is_empty() },
            primary: primary.map_or_else(String::new, |member| store.name_of(member.process.name)),
            primaries: accepting.len() as u64,
            acknowledged: of(true, |requests| requests.good),
            lost_writes: self.lost().into_iter().sum::<Amount>().requests(),
            failed_writes: of(true, |requests| requests.failed),
            failed_reads: of(false, |requests| requests.failed),
            stale_reads: of(false, |requests| requests.stale),
            downtime: self.tally.unserved,
            without_primary: self.tally.without,
            split_brain: self.tally.two,
            lag: self.lag().requests(),
            recovery: self.outages.last_over(),
        }
    }

    /// Acknowledged writes that the surviving line does not have, by client.
    pub(super) fn lost(&self) -> Vec<Amount> {
        self.lineages.lost(self.surviving(), self.clients.len())
    }

    /// How far the running instance that is furthest behind is behind what survives.
    pub(super) fn lag(&self) -> Amount {
        let Some(truth) = self.surviving() else { return Amount::ZERO };
        let replicas = self.members.iter().filter_map(|member| self.content(member));
        let kept = replicas.map(|content| self.lineages.common(content, truth));
        let kept = kept.map(|common| common.map_or(Amount::ZERO, |common| common.position));
        kept.map(|kept| truth.position - kept).max().unwrap_or_default()
    }

    /// Pod and node of its primary: the rightful one, or else any that accepts writes.
    pub fn primary(&self) -> Option<(Id<Pod>, Id<Node>)> {
        let rightful = |member: &&Member| self.authority == Some(member.process.storage);
        let primaries = || self.members.iter().filter(|member| self.accepts(member));
        let member = primaries().find(rightful).or_else(|| primaries().next())?;
        Some((member.process.life.pod, member.process.node))
    }

    /// Its outages, in order.
    pub fn outages(&self) -> &[Outage] {
        self.outages.all()
    }

    /// Its instances, one line each: what it does, how far it is, on which line.
    pub fn instances(&self, store: &Store) -> Vec<String> {
        let mut lines: Vec<_> = self
            .members
            .iter()
            .map(|member| {
                let name = member.process.name;
                let content = self.content(member).map_or_else(
                    || "nothing on its volume".to_owned(),
                    |content| {
                        let (cluster, epoch) =
                            (self.lineages.cluster(content.timeline), self.lineages.epoch(content.timeline));
                        format!(
                            "position {}, cluster {cluster}, timeline {epoch}",
                            content.position.requests()
                        )
                    },
                );
                let doing = self.doing(member);
                (name, format!("{:<24} {doing:<26} {content}", store.name_of(name)))
            })
            .collect();
        lines.sort();
        lines.into_iter().map(|(_, line)| line).collect()
    }

    /// What each instance does, in a few words: `primary`, `replica, streaming`.
    pub fn roles(&self) -> impl Iterator<Item = (Life, &'static str)> {
        self.members.iter().map(|member| (member.process.life, self.doing(member)))
    }

    fn doing(&self, member: &Member) -> &'static str {
        match (member.phase, member.upstream) {
            (Phase::Primary, _) if self.accepts(member) => "primary",
            (Phase::Primary, _) => "primary, accepts nothing",
            (Phase::Replica, Some(_)) if member.caught_up => "replica, streaming",
            (Phase::Replica, Some(_)) => "replica, catching up",
            (Phase::Replica, None) => "replica without primary",
            (phase, _) => phase.as_str(),
        }
    }

    /// What came of the requests of each group of clients.
    pub fn clients(&self) -> Vec<ClientFacts> {
        let all = self.clients.iter().zip(self.lost());
        all.map(|(client, lost)| ClientFacts {
            name: client.spec.name.clone(),
            writes: client.spec.writes,
            via: client.spec.via.join(","),
            requests: client.requests,
            lost,
        })
        .collect()
    }
}
