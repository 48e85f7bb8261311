//! Writes that the API server refuses although nothing is wrong with them: an admission webhook that denies or is down,
//! a quota that is used up, a store that is overloaded, somebody else who wrote in between.
//!
//! Only writes of the StatefulSet controller can be refused: others would have to say what they make of it. That the
//! write happened and only its answer is lost is not modelled.
use super::World;
use crate::api::kind::Kind;
use crate::api::names::Name;
use crate::api::status::Status;
use crate::behavior::Glob;

/// What a write does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request {
    /// An object is made.
    Create,
    /// An object or its status is written.
    Update,
    /// An object is deleted.
    Delete,
}

impl Request {
    /// All of them, with their names in scenarios.
    pub const ALL: [(&'static str, Request); 3] =
        [("create", Request::Create), ("update", Request::Update), ("delete", Request::Delete)];
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
    /// All of them, with their names in scenarios: the reasons of the API.
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

/// Writes to be refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// Which requests.
    pub request: Request,
    /// Of objects of this kind.
    pub kind: Kind,
    /// With such names.
    pub name: Glob,
    /// So many of them pass first.
    pub skip: u32,
    /// Then so many are refused; None: all.
    pub times: Option<u32>,
    /// Why.
    pub reason: Reason,
}

impl Refusal {
    /// The same but for what is left of it.
    pub fn is_like(&self, other: &Refusal) -> bool {
        let key = |refusal: &Refusal| (refusal.request, refusal.kind, refusal.reason);
        key(self) == key(other) && self.name == other.name
    }
}

impl World {
    /// Whether the API server takes a write of the StatefulSet controller.
    ///
    /// # Errors
    /// The answer of the first [`Refusal`] that has not run out.
    pub(crate) fn may_write(&mut self, request: Request, kind: Kind, name: Name) -> Result<(), Status> {
        if self.refusals.is_empty() || self.actor != super::Actor::StatefulSetController {
            return Ok(());
        }
        let name = self.store.name_of(name);
        for refusal in &mut self.refusals {
            if refusal.request != request || refusal.kind != kind || !refusal.name.matches(&name) {
                continue;
            }
            if refusal.skip > 0 {
                refusal.skip -= 1;
            } else if refusal.times != Some(0) {
                refusal.times = refusal.times.map(|times| times - 1);
                return Err(refusal.reason.status(kind, &name));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::world::Actor;

    #[test]
    fn some_pass_and_some_are_refused() {
        let mut world = World::new(1, Config::recorded());
        let [web, db] = ["web-0", "db-0"].map(|name| world.store.names.name(name));
        world.refusals.push(Refusal {
            request: Request::Create,
            kind: Kind::Pod,
            name: Glob("web-*".into()),
            skip: 1,
            times: Some(2),
            reason: Reason::Conflict,
        });
        world.actor = Actor::StatefulSetController;
        let mut ask = |request, kind, name| world.may_write(request, kind, name).is_ok();
        assert!(ask(Request::Update, Kind::Pod, web), "another request");
        assert!(ask(Request::Create, Kind::Claim, web), "another kind");
        assert!(ask(Request::Create, Kind::Pod, db), "another name");
        let answers: Vec<bool> = (0..4).map(|_| ask(Request::Create, Kind::Pod, web)).collect();
        assert_eq!(answers, [true, false, false, true]);
    }
}
