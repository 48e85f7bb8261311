//! Writes that go wrong although nothing is wrong with them: the API server refuses them, carries them out and loses the
//! answer, or the process that made them is gone right after.
//!
//! Every write of every client passes [`World::let_pass`]. An admission webhook that denies or is down, a quota that is used
//! up, a store that is overloaded, somebody else who wrote in between: to a client all of them are an answer that is no
//! success, and what it makes of that is its own business. An answer that is lost comes at once here; the real one takes
//! up to a minute. Left out: reads and watches that fail (fault `lag:` comes near), leases, Kubernetes Events, and the
//! registration of a new machine, which its kubelet tries until it succeeds.
use super::{Actor, World};
use crate::api::kind::Kind;
use crate::api::names::Name;
use crate::api::objects::Node;
use crate::api::status::Status;
use crate::behavior::Glob;
use crate::event::Process;
use crate::kernel::Id;

/// What a write does, by the verbs of the API.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request {
    /// An object is made; a pod is bound or evicted.
    Create,
    /// An object or its status is replaced: PUT.
    Update,
    /// Part of an object or of its status is written: PATCH.
    Patch,
    /// An object is deleted.
    Delete,
}

impl Request {
    /// All of them, with their names in scenarios.
    pub const ALL: [(&'static str, Request); 4] = [
        ("create", Request::Create),
        ("update", Request::Update),
        ("patch", Request::Patch),
        ("delete", Request::Delete),
    ];
}

/// Why a write is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// 500.
    InternalError,
    /// 409: somebody else wrote in between.
    Conflict,
    /// 403: denied by an admission webhook.
    Forbidden,
    /// 429.
    TooManyRequests,
}

impl Reason {
    /// All of them, with their names in `refuse:`: the reasons of the API.
    pub const ALL: [(&'static str, Reason); 4] = [
        ("InternalError", Reason::InternalError),
        ("Conflict", Reason::Conflict),
        ("Forbidden", Reason::Forbidden),
        ("TooManyRequests", Reason::TooManyRequests),
    ];

    fn status(self, kind: Kind, name: &str) -> Status {
        match self {
            Reason::InternalError => {
                Status::internal("Internal error occurred: etcdserver: request timed out".into())
            }
            Reason::Conflict => Status::stale(kind.resource(), name),
            Reason::Forbidden => {
                Status::forbidden("admission webhook \"refuse.example.com\" denied the request".into())
            }
            Reason::TooManyRequests => Status::too_many_requests(
                "the server has received too many requests and has asked us to try again later".into(),
            ),
        }
    }
}

/// How a write goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It is not made, and the client is told why.
    Refused(Reason),
    /// It is made, and the client is told that it timed out.
    Lost,
    /// It is made, and this process is gone before it hears the answer.
    Stops(Process),
    /// The same, and the process starts again at once.
    Restarts(Process),
}

impl Outcome {
    /// Those that `fail: api` knows, with their names in `error:`.
    pub const ERRORS: [(&'static str, Outcome); 5] = [
        ("500", Outcome::Refused(Reason::InternalError)),
        ("409", Outcome::Refused(Reason::Conflict)),
        ("403", Outcome::Refused(Reason::Forbidden)),
        ("429", Outcome::Refused(Reason::TooManyRequests)),
        ("timeout-but-applied", Outcome::Lost),
    ];
}

/// Who writes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Client {
    /// Everybody.
    Any,
    /// Everything that runs in this process.
    Process(Process),
    /// One controller, or kubectl.
    Actor(Actor),
    /// The kubelets of nodes with such names.
    Kubelet(Glob),
}

impl Client {
    /// Clients with a fixed name. Kubelets have one for each node.
    pub const NAMED: [(&'static str, Client); 19] = [
        ("kubectl", Client::Actor(Actor::User)),
        ("kube-controller-manager", Client::Process(Process::ControllerManager)),
        ("kube-scheduler", Client::Process(Process::Scheduler)),
        ("ebs-csi-controller", Client::Process(Process::CsiController)),
        ("statefulset-controller", Client::Actor(Actor::StatefulSetController)),
        ("deployment-controller", Client::Actor(Actor::DeploymentController)),
        ("replicaset-controller", Client::Actor(Actor::ReplicaSetController)),
        ("disruption-controller", Client::Actor(Actor::DisruptionController)),
        ("endpointslice-controller", Client::Actor(Actor::EndpointSliceController)),
        ("node-controller", Client::Actor(Actor::NodeController)),
        ("cloud-node-lifecycle-controller", Client::Actor(Actor::CloudNodes)),
        ("taint-eviction-controller", Client::Actor(Actor::TaintEviction)),
        ("pod-garbage-collector", Client::Actor(Actor::PodGc)),
        ("garbage-collector-controller", Client::Actor(Actor::GarbageCollector)),
        ("persistentvolume-controller", Client::Actor(Actor::VolumeController)),
        ("attachdetach-controller", Client::Actor(Actor::AttachDetach)),
        ("external-provisioner", Client::Actor(Actor::Provisioner)),
        ("external-attacher", Client::Actor(Actor::Attacher)),
        ("kubelet", Client::Actor(Actor::Kubelet)),
    ];
}

/// Which writes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Writes {
    /// Whose.
    pub client: Client,
    /// What they do; empty: whatever they do.
    pub requests: Vec<Request>,
    /// To objects of this kind; None: of any.
    pub kind: Option<Kind>,
    /// With such names.
    pub name: Glob,
    /// So many of them pass first.
    pub skip: u32,
    /// Then so many are hit; None: all.
    pub times: Option<u32>,
}

/// Writes that go wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WriteFault {
    /// Which ones; `skip` and `times` are what is left of them.
    pub writes: Writes,
    /// How.
    pub outcome: Outcome,
}

impl WriteFault {
    /// The same but for what is left of it.
    pub fn is_like(&self, other: &WriteFault) -> bool {
        let key = |fault: &WriteFault| WriteFault {
            writes: Writes { skip: 0, times: None, ..fault.writes.clone() },
            outcome: fault.outcome,
        };
        key(self) == key(other)
    }

    /// Nothing is left of it.
    pub fn is_over(&self) -> bool {
        self.writes.times == Some(0)
    }

    /// The API server answers something else than it should: not the process that asked is what breaks.
    pub fn is_of_server(&self) -> bool {
        matches!(self.outcome, Outcome::Refused(_) | Outcome::Lost)
    }
}

/// A write that is about to be made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    pub request: Request,
    pub kind: Kind,
    pub name: Name,
    /// Table position of the object, if there is one.
    pub index: Option<u32>,
}

impl World {
    /// Lets a write pass: `None` if its answer is what comes of it; else the write is made, and this is what the client
    /// is told.
    ///
    /// # Errors
    /// The answer of the first [`WriteFault`] that hits it: the write is not made.
    pub(crate) fn let_pass(&mut self, attempt: Attempt) -> Result<Option<Status>, Status> {
        if self.write_faults.is_empty() {
            return Ok(None);
        }
        let name = self.store.name_of(attempt.name);
        let mut faults = std::mem::take(&mut self.write_faults);
        let hit = faults.iter_mut().find_map(|fault| {
            let fits = self.concerns(&fault.writes, attempt, &name);
            (fits && fault.writes.count()).then_some(fault.outcome)
        });
        self.write_faults = faults;
        match hit {
            None => Ok(None),
            Some(Outcome::Refused(reason)) => Err(reason.status(attempt.kind, &name)),
            Some(Outcome::Lost) => Ok(Some(Status::timed_out())),
            Some(Outcome::Stops(process)) => {
                self.ends.push((process, false));
                Ok(Some(Status::timed_out()))
            }
            Some(Outcome::Restarts(process)) => {
                self.ends.push((process, true));
                Ok(Some(Status::timed_out()))
            }
        }
    }

    fn concerns(&self, writes: &Writes, attempt: Attempt, name: &str) -> bool {
        (writes.requests.is_empty() || writes.requests.contains(&attempt.request))
            && writes.kind.is_none_or(|kind| kind == attempt.kind)
            && writes.name.matches(name)
            && match &writes.client {
                Client::Any => true,
                Client::Process(process) => self.actor.process() == Some(*process),
                Client::Actor(actor) => self.actor == *actor,
                Client::Kubelet(nodes) => {
                    let node = self.node_of(attempt).and_then(|node| self.store.nodes.last_known(node));
                    self.actor == Actor::Kubelet
                        && node.is_some_and(|node| nodes.matches(&self.store.name_of(node.meta.name)))
                }
            }
    }

    /// The node whose kubelet writes this: kubelets write their own Node, and pods bound to it.
    fn node_of(&self, attempt: Attempt) -> Option<Id<Node>> {
        let index = attempt.index? as usize;
        match attempt.kind {
            Kind::Node => Some(Id::from_index(index)),
            Kind::Pod => self.store.pods.get(Id::from_index(index)).map(|pod| pod.node),
            _ => None,
        }
    }
}

impl Writes {
    /// Everything that a client writes.
    pub fn all_of(client: Client) -> Writes {
        Writes { client, requests: Vec::new(), kind: None, name: Glob("*".into()), skip: 0, times: None }
    }

    /// Counts one more of them. True if it is hit.
    fn count(&mut self) -> bool {
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        let hit = self.times != Some(0);
        self.times = self.times.map(|times| times.saturating_sub(1));
        hit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn attempt(request: Request, kind: Kind, name: Name) -> Attempt {
        Attempt { request, kind, name, index: None }
    }

    fn writes(client: Client, requests: &[Request], kind: Option<Kind>, name: &str) -> Writes {
        Writes { client, requests: requests.to_vec(), kind, name: Glob(name.into()), skip: 0, times: None }
    }

    #[test]
    fn some_pass_and_some_are_refused() {
        let mut world = World::new(1, Config::recorded());
        let [web, db] = ["web-0", "db-0"].map(|name| world.store.names.name(name));
        let client = Client::Actor(Actor::StatefulSetController);
        let of = writes(client, &[Request::Create], Some(Kind::Pod), "web-*");
        let outcome = Outcome::Refused(Reason::Conflict);
        world.write_faults.push(WriteFault { writes: Writes { skip: 1, times: Some(2), ..of }, outcome });
        world.actor = Actor::StatefulSetController;
        let mut ask = |request, kind, name| world.let_pass(attempt(request, kind, name)).is_ok();
        assert!(ask(Request::Update, Kind::Pod, web), "another request");
        assert!(ask(Request::Create, Kind::Claim, web), "another kind");
        assert!(ask(Request::Create, Kind::Pod, db), "another name");
        let answers: Vec<bool> = (0..4).map(|_| ask(Request::Create, Kind::Pod, web)).collect();
        assert_eq!(answers, [true, false, false, true]);
        assert!(world.write_faults[0].is_over());
    }

    #[test]
    fn clients_are_told_apart() {
        let cases = [
            (Client::Any, Actor::User, true),
            (Client::Actor(Actor::User), Actor::Kubelet, false),
            (Client::Process(Process::ControllerManager), Actor::PodGc, true),
            (Client::Process(Process::ControllerManager), Actor::Scheduler, false),
            (Client::Process(Process::CsiController), Actor::Attacher, true),
            (Client::Actor(Actor::PodGc), Actor::GarbageCollector, false),
            (Client::Kubelet(Glob("*".into())), Actor::Kubelet, false),
        ];
        for (client, actor, hit) in cases {
            let mut world = World::new(1, Config::recorded());
            let name = world.store.names.name("web-0");
            let writes = writes(client.clone(), &[], None, "*");
            world.write_faults.push(WriteFault { writes, outcome: Outcome::Refused(Reason::InternalError) });
            world.actor = actor;
            let refused = world.let_pass(attempt(Request::Patch, Kind::Pod, name)).is_err();
            assert_eq!(refused, hit, "{client:?} {actor:?}");
        }
    }

    /// A lost answer and the end of a process let the write through.
    #[test]
    fn what_is_made_is_told_otherwise() {
        for (outcome, ends) in [
            (Outcome::Lost, 0),
            (Outcome::Stops(Process::Scheduler), 1),
            (Outcome::Restarts(Process::Scheduler), 1),
        ] {
            let mut world = World::new(1, Config::recorded());
            let name = world.store.names.name("web-0");
            world.write_faults.push(WriteFault { writes: writes(Client::Any, &[], None, "*"), outcome });
            let told = world.let_pass(attempt(Request::Create, Kind::Pod, name)).expect("it is made");
            assert_eq!(told.map(|status| status.code), Some(504));
            assert_eq!(world.ends.len(), ends);
        }
    }
}
