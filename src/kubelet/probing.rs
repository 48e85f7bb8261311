//! What the probes make of a container: started up, ready, to be restarted (POD-14, POD-25, POD-28 to POD-31;
//! pkg/kubelet/prober).
//!
//! The application answers from some moment on (behaviour `up` and `ready`) until it hangs; from that and the ticks of
//! its probes follows when the kubelet knows. A probe whose verdict stays costs nothing. In the recorded corpus there are
//! no probes, and `ready` alone decides.
use super::probe::{self, Ticks};
use super::run::run_key;
use super::worker::{Flags, Run, Stage, Step, What};
use super::{Kubelets, behaviour, recorded};
use crate::api::names::Uid;
use crate::api::objects::Pod;
use crate::api::pod_spec::{Container, Handler, Probe};
use crate::kernel::{Id, Time};
use crate::rule::mark;
use crate::trace::happening::Happening;
use crate::world::{Draw, World};

impl Kubelets {
    /// The kubelet has done what it had to do and looks at what it has started. True if a sidecar has started up by
    /// that: then the next container's turn has come (POD-18).
    pub(super) fn see(&mut self, slot: u32, world: &mut World) -> bool {
        let mut on = false;
        for index in 0..self.workers.runs(slot).len() {
            let run = self.workers.run_mut(slot, index);
            if !run.is(Run::NEW) {
                continue;
            }
            run.set(Run::NEW, false);
            if run.step != Step::Running {
                continue;
            }
            if self.startup_of(slot, index, world).is_some() {
                self.await_startup(slot, index, world);
            } else {
                self.starts_up(slot, index, world);
                on |= index < world.store.pod_spec(self.workers[slot].spec).inits.len();
            }
        }
        on
    }

    fn container(&self, slot: u32, index: usize, world: &World) -> Option<Container> {
        world.store.pod_spec(self.workers[slot].spec).container(index).cloned()
    }

    fn probe_of(
        &self,
        slot: u32,
        index: usize,
        world: &World,
        which: fn(&Container) -> Option<Probe>,
    ) -> Option<Probe> {
        let container = world.store.pod_spec(self.workers[slot].spec).container(index)?;
        which(container).filter(|_| !recorded(world))
    }

    fn startup_of(&self, slot: u32, index: usize, world: &World) -> Option<Probe> {
        self.probe_of(slot, index, world, |c| c.startup)
    }

    pub(super) fn readiness_of(&self, slot: u32, index: usize, world: &World) -> Option<Probe> {
        self.probe_of(slot, index, world, |c| c.readiness)
    }

    fn liveness_of(&self, slot: u32, index: usize, world: &World) -> Option<Probe> {
        self.probe_of(slot, index, world, |c| c.liveness)
    }

    /// One of its containers has a startup or a liveness probe.
    pub(super) fn has_early_probes(&self, slot: u32, world: &World) -> bool {
        let early = |index| {
            self.startup_of(slot, index, world).is_some() || self.liveness_of(slot, index, world).is_some()
        };
        (0..self.workers.runs(slot).len()).any(early)
    }

    pub(super) fn has_readiness_probe(&self, slot: u32, index: usize, world: &World) -> bool {
        self.readiness_of(slot, index, world).is_some()
    }

    /// The periods of its liveness and of its readiness probe, seconds.
    pub(super) fn probe_periods(&self, slot: u32, index: usize, world: &World) -> (u32, u32) {
        let period = |probe: Option<Probe>| probe.map_or(0, |probe| probe.period);
        (period(self.liveness_of(slot, index, world)), period(self.readiness_of(slot, index, world)))
    }

    /// The ticks of a startup or liveness probe: those of a worker that began before the containers ran (POD-29).
    fn early_ticks(&self, slot: u32, probe: Probe) -> Ticks {
        Ticks::of(probe, self.workers.since(slot))
    }

    /// From when on the container answers: its startup and liveness probes, its readiness probe.
    fn answers(&self, slot: u32, index: usize, world: &World) -> (Time, Time) {
        let (worker, run) = (&self.workers[slot], self.workers.run(slot, index));
        let probed = [Kubelets::startup_of, Kubelets::readiness_of, Kubelets::liveness_of];
        let probed = probed.iter().any(|of| of(self, slot, index, world).is_some());
        let does = behaviour::of(worker, index, world);
        let key = (u64::from(worker.uid.0), run_key(run, index));
        let latency = does.ready.or((probed || recorded(world)).then_some(world.config.latency.ready));
        let ready = latency.map_or(run.since(), |l| {
            run.since() + self.takes(slot, world.draw(l, Draw::Ready, key.0, key.1))
        });
        let up = match does.up {
            Some(given) => run.since() + self.takes(slot, world.draw(given, Draw::Up, key.0, key.1)),
            None if ready.is_never() => run.since(),
            None => ready,
        };
        let ready = match (worker.is(Flags::FORCED_READY), worker.is(Flags::FORCED_UNREADY)) {
            (true, _) => run.since(),
            (_, true) => Time::NEVER,
            _ if run.is(Run::CLOSED) => Time::NEVER,
            _ if does.up.is_some() => ready.max(up),
            _ => ready,
        };
        if run.is(Run::HUNG) { (Time::NEVER, Time::NEVER) } else { (up, ready) }
    }

    /// Its startup probe asks until it succeeds or has failed often enough; no other probe does meanwhile (POD-28).
    fn await_startup(&mut self, slot: u32, index: usize, world: &mut World) {
        let Some(startup) = self.startup_of(slot, index, world) else { return };
        mark!("POD-28");
        let (now, ticks) = (world.now(), self.early_ticks(slot, startup));
        let from = probe::allowed(startup, self.workers.run(slot, index).since());
        let (up, _) = self.answers(slot, index, world);
        match probe::fails(startup, ticks, from, up) {
            Some(at) => self.later_of(slot, index, at.max(now) - now, What::Dead, world),
            None => {
                let at = probe::succeeds(startup, ticks, from, up).max(now);
                self.later_of(slot, index, at - now, What::StartedUp, world);
            }
        }
    }

    /// The container has started up: the other probes begin.
    fn starts_up(&mut self, slot: u32, index: usize, world: &mut World) {
        let now = world.now();
        let run = self.workers.run_mut(slot, index);
        run.set(Run::STARTED, true);
        // The first readiness probe comes when the kubelet notices, the others follow from there (POD-29).
        run.set_probed_from(now);
        self.await_ready(slot, index, world);
        self.await_death(slot, index, world);
    }

    /// The startup probe has succeeded.
    pub(super) fn started_up(&mut self, slot: u32, index: usize, world: &mut World) {
        self.starts_up(slot, index, world);
        self.advance(slot, world);
    }

    /// Waits until the container is ready; without a readiness probe it is when it runs, unless a rule says otherwise
    /// (POD-14).
    pub(super) fn await_ready(&mut self, slot: u32, index: usize, world: &mut World) {
        let now = world.now();
        let run = self.workers.run(slot, index);
        if !run.is(Run::STARTED) || run.is(Run::READY) {
            return;
        }
        let (_, answers) = self.answers(slot, index, world);
        let at = match self.readiness_of(slot, index, world) {
            None => answers,
            Some(probe) => {
                mark!("POD-29");
                let ticks = Ticks::of(probe, run.probed_from());
                probe::succeeds(probe, ticks, probe::allowed(probe, run.since()).max(now), answers)
            }
        };
        if at <= now {
            self.workers.run_mut(slot, index).set(Run::READY, true);
        } else if !at.is_never() {
            self.later_of(slot, index, at - now, What::Ready, world);
        }
    }

    /// Waits for the failure of its liveness probe, if it will fail.
    fn await_death(&mut self, slot: u32, index: usize, world: &mut World) {
        let run = self.workers.run(slot, index);
        let Some(liveness) = self.liveness_of(slot, index, world).filter(|_| run.is(Run::STARTED)) else {
            return;
        };
        let now = world.now();
        let from = probe::allowed(liveness, run.since()).max(run.probed_from());
        let (up, _) = self.answers(slot, index, world);
        let ticks = self.early_ticks(slot, liveness);
        let at = if run.is(Run::HUNG) {
            Some(probe::misses(liveness, ticks, from, now))
        } else {
            // A container that answers again is past it.
            probe::fails(liveness, ticks, from, up).filter(|at| *at >= now)
        };
        if let Some(at) = at {
            self.later_of(slot, index, at - now, What::Dead, world);
        }
    }

    /// Readiness has changed, as far as the kubelet knows.
    pub(super) fn probed(&mut self, slot: u32, index: usize, world: &mut World) {
        let flags = self.workers[slot].flags;
        let asked = self.readiness_of(slot, index, world);
        let run = self.workers.run_mut(slot, index);
        let closed = run.is(Run::CLOSED) && !flags.has(Flags::FORCED_READY);
        let ready = !(flags.has(Flags::FORCED_UNREADY) || closed || run.is(Run::HUNG) && asked.is_some());
        if !run.is(Run::RUNS) || !run.is(Run::STARTED) || run.is(Run::READY) == ready {
            return;
        }
        run.set(Run::READY, ready);
        if let Some(probe) = asked.filter(|_| !ready) {
            self.tell_unhealthy(slot, index, "Readiness", probe, world);
        }
        self.report(slot, world);
    }

    /// Readiness of the pod goes to this value and stays there, whatever the rules say.
    pub fn set_ready(&mut self, pod: Id<Pod>, ready: bool, world: &mut World) {
        let Some(slot) = self.workers.latest(pod) else { return };
        let now = world.now();
        let worker = &mut self.workers[slot];
        worker.flags.set(Flags::FORCED_READY, ready);
        worker.flags.set(Flags::FORCED_UNREADY, !ready);
        for index in 0..self.workers.runs(slot).len() {
            let run = self.workers.run(slot, index);
            let (runs, from) = (run.is(Run::RUNS), run.probed_from());
            match self.readiness_of(slot, index, world).filter(|_| runs) {
                None => self.probed(slot, index, world),
                Some(probe) => {
                    let ticks = Ticks::of(probe, from);
                    let at = if ready {
                        probe::succeeds(probe, ticks, now, now)
                    } else {
                        probe::fails(probe, ticks, now, Time::NEVER).unwrap_or(now)
                    };
                    self.later_of(slot, index, at - now, What::Ready, world);
                }
            }
        }
    }

    /// The processes of a pod hang: they live and answer no probe; or they answer again.
    pub fn hang_pod(&mut self, pod: Id<Pod>, hangs: bool, world: &mut World) {
        let Some(slot) = self.workers.latest(pod) else { return };
        let inits = world.store.pod_spec(self.workers[slot].spec).inits.len();
        for index in inits..self.workers.runs(slot).len() {
            let run = self.workers.run_mut(slot, index);
            if !run.is(Run::RUNS) || run.is(Run::HUNG) == hangs {
                continue;
            }
            run.set(Run::HUNG, hangs);
            let step = run.step;
            let asking = step == Step::Running && !run.is(Run::NEW);
            if asking && self.workers[slot].stage == Stage::Up && !recorded(world) {
                self.enter_of(slot, index, step, world);
                self.plan_exit(slot, index, world);
                self.ask_again(slot, index, world);
            }
        }
    }

    /// All probes of a container are looked at anew.
    pub(super) fn ask_again(&mut self, slot: u32, index: usize, world: &mut World) {
        let (now, run) = (world.now(), self.workers.run(slot, index));
        if !run.is(Run::STARTED) {
            self.await_startup(slot, index, world);
            return;
        }
        if run.is(Run::HUNG)
            && let Some(probe) = self.readiness_of(slot, index, world)
        {
            mark!("POD-30");
            let at = probe::misses(probe, Ticks::of(probe, run.probed_from()), now, now);
            self.later_of(slot, index, at - now, What::Ready, world);
        } else {
            self.await_ready(slot, index, world);
        }
        self.await_death(slot, index, world);
    }

    /// A startup or liveness probe has failed often enough: the container is restarted in place (POD-25).
    pub(super) fn dead(&mut self, slot: u32, index: usize, world: &mut World) {
        let Some(container) = self.container(slot, index, world) else { return };
        let started = self.workers.run(slot, index).is(Run::STARTED);
        let (kind, probe) =
            if started { ("Liveness", container.liveness) } else { ("Startup", container.startup) };
        let Some(probe) = probe else { return };
        mark!("POD-25", "POD-30");
        self.tell_unhealthy(slot, index, kind, probe, world);
        self.workers[slot].flags.set(Flags::PROBE_FAILED, true);
        world.happens(Happening::ProbeFailed(self.workers[slot].pod, self.workers[slot].uid));
        let word = if started { "liveness" } else { "startup" };
        world.emit(self.workers[slot].pod, false, "Killing", |w| {
            let name = w.store.names.text(container.name);
            format!("Container {name} failed {word} probe, will be restarted")
        });
        let grace = probe.grace.unwrap_or(world.store.pod_spec(self.workers[slot].spec).grace);
        self.kill(slot, index, super::stop::grace(grace), world);
    }

    /// A liveness probe of the pod's main container has failed often enough, for a reason of its own (POD-25).
    pub fn fail_liveness(&mut self, pod: Id<Pod>, uid: Uid, why: &str, world: &mut World) {
        let Some(slot) = self.workers.find(pod, uid) else { return };
        let spec = world.store.pod_spec(self.workers[slot].spec).clone();
        let index = spec.inits.len();
        let up = self.workers[slot].stage == Stage::Up;
        let running = self.workers.runs(slot).get(index).is_some_and(|run| run.is(Run::RUNS));
        let Some(container) = spec.container(index).filter(|_| up && running) else { return };
        mark!("POD-25");
        self.workers[slot].flags.set(Flags::PROBE_FAILED, true);
        world.emit(pod, true, "Unhealthy", |_| format!("Liveness probe failed: {why}"));
        world.emit(pod, false, "Killing", |w| {
            let name = w.store.names.text(container.name);
            format!("Container {name} failed liveness probe, will be restarted")
        });
        self.kill(slot, index, super::stop::grace(spec.grace), world);
    }

    fn tell_unhealthy(&self, slot: u32, index: usize, kind: &str, probe: Probe, world: &mut World) {
        let hung = self.workers.run(slot, index).is(Run::HUNG);
        let why = match (probe.handler, hung) {
            (Handler::Exec, false) => String::new(),
            (Handler::Exec, true) => format!("command timed out after {}s", probe.timeout),
            (Handler::HttpGet, false) => "HTTP probe failed with statuscode: 503".to_owned(),
            (Handler::HttpGet, true) => {
                "context deadline exceeded (Client.Timeout exceeded while awaiting headers)".to_owned()
            }
            (Handler::TcpSocket, false) => "dial tcp: connect: connection refused".to_owned(),
            (Handler::TcpSocket, true) => "dial tcp: i/o timeout".to_owned(),
            (Handler::Grpc, false) => "service unhealthy (responded with \"NOT_SERVING\")".to_owned(),
            (Handler::Grpc, true) => {
                format!("timeout: health rpc did not complete within {}s", probe.timeout)
            }
        };
        world.emit(self.workers[slot].pod, true, "Unhealthy", |_| format!("{kind} probe failed: {why}"));
    }
}
