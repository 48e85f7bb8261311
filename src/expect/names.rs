//! What a container has been told of names.
//!
//! It asks when its condition needs a name, and again when the records of that name change or the answer it got may be
//! another one: a no runs out in the caches that keep it (DNS-13). One that has found a name asks no more until the
//! records change. So nothing is polled, and a no that is believed for too long is believed exactly that long.
use super::types::Here;
use crate::api::objects::Ip;
use crate::cluster::Cluster;
use crate::kernel::Time;
use crate::network::{Asker, Network};
use std::collections::BTreeMap;

/// When a condition is to be looked at again although nothing that it reads has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct News {
    /// The first instant at which a name may get another answer.
    pub at: Time,
    /// It will get another one then, or later in the same way: caches keep an old one.
    pub differs: bool,
}

impl News {
    /// The earlier of both; something differs if it does in one of them.
    #[must_use]
    fn and(self, other: News) -> News {
        News { at: self.at.min(other.at), differs: self.differs || other.differs }
    }
}

/// An answer.
#[derive(Clone, Debug)]
struct Told {
    found: bool,
    /// What the records said then.
    records: Option<Vec<Ip>>,
    news: Option<News>,
}

/// The answers that a container has, by name.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    told: BTreeMap<String, Told>,
    /// Of all names that were needed since [`Answers::begin`].
    news: Option<News>,
}

impl Answers {
    /// A condition is looked at anew.
    pub fn begin(&mut self) {
        self.news = None;
    }

    /// When the names needed since then may get other answers.
    pub fn news(&self) -> Option<News> {
        self.news
    }

    /// Whether the container's resolver finds a name: in its hosts file (DNS-6), or by the network. No name is found by
    /// a process whose pod is gone.
    pub(super) fn resolves(
        &mut self,
        network: &mut Network,
        cluster: &Cluster,
        here: Here,
        name: &str,
    ) -> bool {
        let (store, world) = (&cluster.world.store, &cluster.world);
        let Some(pod) = store.pods.get_uid(here.pod, here.uid) else { return false };
        let (asker, namespace) = (Asker::Pod(here.pod, here.uid), store.names.text(pod.meta.namespace));
        let records = network.uncached(asker, namespace, name, world);
        let is_good =
            |told: &&Told| told.records == records && told.news.is_none_or(|news| world.now() < news.at);
        let told = match self.told.get(name).filter(is_good) {
            Some(told) => told.clone(),
            None => {
                let answer = network.resolve(asker, namespace, name, world);
                let found = answer.answer.is_positive();
                let differs = records.as_ref().is_some_and(|addresses| addresses.is_empty() == found);
                let news = network.news(asker, &answer, world).filter(|_| differs || !found);
                let told = Told { found, records, news: news.map(|at| News { at, differs }) };
                self.told.insert(name.to_owned(), told.clone());
                told
            }
        };
        self.news = self.news.into_iter().chain(told.news).reduce(News::and);
        told.found
    }
}
