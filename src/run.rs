//! One run: a scenario played on a cluster, step by step.
//!
//! A run is a [`Play`]: it owns the cluster and goes forward until it ends or a given time. Whoever wants to see what
//! happens gives a [`Watch`]. Running again up to a moment is exact and costs milliseconds; that is how `get --at`
//! travels in time.
use crate::api::objects::Revision;
use crate::cluster::{Cluster, Stepped};
use crate::config::Config;
use crate::event::Event;
use crate::expect::Reads;
use crate::expect::monitors::Monitors;
use crate::expect::verdict::Judged;
use crate::fault::Effect;
use crate::invariants::{Breach, Checks, Finding};
use crate::kernel::{Duration, Time};
use crate::kubectl::run::{self as kubectl, Output, Progress, Running};
use crate::limits;
use crate::scenario::{Action, Fails, Scenario, Start, Step, aliases, yaml};
use crate::trace::happening::Happening;
use crate::trace::record::Recorder;
use crate::workload::Databases;
use crate::world::Limit;

mod containers;
mod expectations;
mod faults;
mod lane;
mod lookup;
mod when;

/// Sees a run as it goes on. Every method may be left as it is.
pub trait Watch {
    /// Something happened: new records may be there.
    fn happened(&mut self, _cluster: &Cluster) {}
    /// The same, for whoever asks what is to come as well.
    fn moment(&mut self, _play: &Play<'_>) {}
    /// A step begins. `None`: the manifests are applied.
    fn step(&mut self, _cluster: &Cluster, _step: Option<&Step>) {}
    /// A command has ended.
    fn output(&mut self, _cluster: &Cluster, _step: Option<&Step>, _output: &Output) {}
    /// The cluster has settled before a step, or at the end.
    fn settled(&mut self, _cluster: &Cluster) {}
}

/// A watch that sees nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Blind;
impl Watch for Blind {}

/// Why a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// All steps done, and nothing is left to happen but periodic work.
    Settled,
    /// The virtual end came.
    Until,
    /// A limit was reached.
    Limit(Limit),
    /// The moment asked for was reached.
    Moment,
}

/// A step that did not do what it should.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// Index of the step; None: the manifests at the start.
    pub step: Option<usize>,
    /// When.
    pub time: Time,
    /// One sentence.
    pub message: String,
    /// The scenario is wrong (exit status 2), rather than an expectation not met (1).
    pub invalid: bool,
}

/// How a run went.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// Why it ended.
    pub ended: Ended,
    /// Steps that failed.
    pub failures: Vec<Failure>,
    /// Invariants that were broken: bugs of the simulator.
    pub findings: Vec<Finding>,
    /// Invariants of the world that were broken by a licence although the scenario does not say so.
    pub breaches: Vec<Breach>,
    /// What came of each expectation, in the order in which they began.
    pub verdicts: Vec<Judged>,
}

/// A command that was started in the background.
#[derive(Clone, Debug)]
struct Background {
    step: usize,
    command: Running,
    /// What its writes are caused by.
    cause: Revision,
    /// When it is looked at, though nothing may happen then.
    looks_at: Option<Time>,
}

/// A run under way.
#[derive(Debug)]
pub struct Play<'s> {
    /// The cluster.
    pub cluster: Cluster,
    scenario: &'s Scenario,
    until: Time,
    moment: Option<Time>,
    failures: Vec<Failure>,
    background: Vec<Background>,
    /// Repairs to come of faults with `for:`.
    repairs: Vec<Effect>,
    /// The free-running lane.
    lane: lane::Lane,
    /// Named faults that are active.
    active: Vec<(String, Effect)>,
    monitors: Monitors,
    /// Containers that look around.
    containers: containers::Containers,
    /// All steps have been carried out.
    steps_done: bool,
    /// Pods of ReplicaSets in order of creation, for `{{web-rs-1-#1}}` in commands.
    seen_records: usize,
    names: crate::scenario::aliases::Aliases,
}

/// So much of what a failed command said is told in the verdict, characters.
const TOLD: usize = 600;
/// Number of a `Runner` event that only moves the clock.
const LOOK: u32 = u32::MAX;
/// A cluster that has not settled after this long in the sense of the recorded corpus never will.
const UNQUIET: Duration = Duration::from_secs(60);

impl<'s> Play<'s> {
    /// Builds the cluster of a scenario: its machines are there and ready, nothing is applied yet.
    ///
    /// # Errors
    /// A failure that says what is wrong with the cluster.
    pub fn new(scenario: &'s Scenario, seed: u64, recorder: Recorder) -> Result<Play<'s>, Failure> {
        Play::with_config(scenario, seed, scenario.config.clone(), recorder)
    }

    /// The same with other settings.
    ///
    /// # Errors
    /// As [`Play::new`].
    pub fn with_config(
        scenario: &'s Scenario,
        seed: u64,
        config: Config,
        recorder: Recorder,
    ) -> Result<Play<'s>, Failure> {
        let mut cluster = Cluster::new(seed, config);
        cluster.world.recorder = recorder;
        if cluster.world.recorder.is_on() || scenario.reads().has(Reads::EVENTS) {
            cluster.world.events.turn_on();
        }
        cluster.check(Checks::All);
        for name in scenario.fault_names() {
            cluster.world.faults.declare(name);
        }
        let wrong = |message| Failure { step: None, time: Time::ZERO, message, invalid: true };
        cluster.bootstrap().map_err(|status| wrong(status.message))?;
        for node in &scenario.nodes {
            cluster.add_node(node, true).map_err(wrong)?;
        }
        cluster.databases = Databases::new(&scenario.databases);
        let default_until = Time::from_secs(limits::DEFAULT_UNTIL_SECONDS);
        Ok(Play {
            cluster,
            scenario,
            until: scenario.until.unwrap_or(default_until),
            moment: None,
            failures: Vec::new(),
            background: Vec::new(),
            containers: Default::default(),
            repairs: Vec::new(),
            lane: Default::default(),
            active: Vec::new(),
            monitors: Monitors::default(),
            steps_done: false,
            seen_records: 0,
            names: Default::default(),
        })
    }

    /// The scenario that is played.
    pub fn scenario(&self) -> &Scenario {
        self.scenario
    }

    /// What faults that end by themselves did, by the numbers of their [`Event::Runner`]s.
    pub(crate) fn repairs(&self) -> &[Effect] {
        &self.repairs
    }

    /// The same run from here on, but with other steps: what the scenario would have done next does not happen. Faults
    /// that are to end by themselves do. It ends at `until` at the latest.
    pub fn fork<'r>(&self, scenario: &'r Scenario, until: Time) -> Play<'r> {
        Play {
            cluster: self.cluster.clone(),
            scenario,
            until,
            moment: None,
            failures: Vec::new(),
            background: Vec::new(),
            repairs: self.repairs.clone(),
            lane: Default::default(),
            active: self.active.clone(),
            monitors: Monitors::default(),
            containers: self.containers.clone(),
            steps_done: false,
            seen_records: self.seen_records,
            names: self.names.clone(),
        }
    }

    /// Another virtual end.
    pub fn set_until(&mut self, until: Time) {
        self.until = until;
    }

    /// Plays to the end.
    pub fn play(&mut self, watch: &mut dyn Watch) -> Outcome {
        let ended = self.play_on(watch).unwrap_or_else(|ended| ended);
        self.close_lane();
        Outcome {
            ended,
            failures: std::mem::take(&mut self.failures),
            findings: self.cluster.checker.findings().to_vec(),
            breaches: self.breaches(),
            verdicts: self.verdicts(ended),
        }
    }

    /// Goes on with the manifests and steps of another scenario on the same cluster: a session, step by step.
    /// The cluster, behaviour and times of that scenario count for nothing.
    pub fn go_on(&mut self, scenario: &'s Scenario, watch: &mut dyn Watch) -> Outcome {
        self.moment = None;
        self.scenario = scenario;
        self.play(watch)
    }

    /// The same, but no further than to a moment, and just as far: the cluster is then as it was at that time, settled
    /// or not.
    pub fn go_on_until(&mut self, scenario: &'s Scenario, moment: Time, watch: &mut dyn Watch) -> Outcome {
        self.scenario = scenario;
        if moment > self.cluster.world.now() {
            self.look_at(moment);
        }
        let mut outcome = self.play_until(moment, watch);
        if outcome.ended == Ended::Settled {
            outcome.ended = self.run_to(moment, watch).err().unwrap_or(Ended::Moment);
            outcome.findings = self.cluster.checker.findings().to_vec();
        }
        outcome
    }

    /// Plays until a moment: the cluster is then as it was when everything up to and including it had happened.
    pub fn play_until(&mut self, moment: Time, watch: &mut dyn Watch) -> Outcome {
        self.moment = Some(moment);
        self.play(watch)
    }

    fn play_on(&mut self, watch: &mut dyn Watch) -> Result<Ended, Ended> {
        if self.scenario.settle_window.is_some() {
            self.settle(watch)?;
        }
        let scenario = self.scenario;
        self.steps_done = false;
        self.expect(None, &scenario.expect);
        self.begin_lane();
        self.apply_manifests(watch)?;
        for (n, step) in scenario.steps.iter().enumerate() {
            if !self.wait_for(n, step, watch)? {
                continue;
            }
            watch.step(&self.cluster, Some(step));
            self.expect(Some(n), &step.expect);
            self.perform(n, step, watch)?;
            self.look_around();
            self.monitors.look(&self.cluster);
        }
        self.steps_done = true;
        self.settle(watch)?;
        self.finish_background(watch)?;
        self.finish_lane(watch)?;
        if scenario.until.is_some() && scenario.settle_window.is_none() {
            self.run_to(self.until, watch)?;
            return Ok(Ended::Until);
        }
        self.await_deadlines(watch)?;
        Ok(Ended::Settled)
    }

    // ---- Time ------------------------------------------------------------------------------------------------------

    /// Handles one event. Err: the run is over.
    fn step(&mut self, watch: &mut dyn Watch) -> Result<(), Ended> {
        let next = self.cluster.world.next_time();
        if let Some(moment) = self.moment
            && next.is_none_or(|time| time > moment)
        {
            return Err(Ended::Moment);
        }
        if next.is_some_and(|time| time > self.until) {
            return Err(Ended::Until);
        }
        if let Some(next) = next {
            self.let_pass(next);
        }
        let stepped = self.cluster.step();
        if let Stepped::Runner(number) = stepped
            && number != LOOK
        {
            if number == lane::LANE {
                self.lane_is_due(watch)?;
            } else {
                self.repair(number);
            }
        }
        self.review_faults();
        self.look_around();
        self.names.learn(&self.cluster, &mut self.seen_records);
        self.changed(watch);
        if !self.background.is_empty() {
            self.look_at_background(watch);
            self.monitors.look(&self.cluster);
        }
        self.look_at_lane(watch)?;
        match self.cluster.world.exceeded {
            Some(limit) => Err(Ended::Limit(limit)),
            None => Ok(()),
        }
    }

    /// Handles everything up to an instant, and moves the clock there.
    fn run_to(&mut self, time: Time, watch: &mut dyn Watch) -> Result<(), Ended> {
        if time > self.cluster.world.now() {
            self.look_at(time);
        }
        while self.cluster.world.next_time().is_some_and(|next| next <= time) {
            self.step(watch)?;
        }
        Ok(())
    }

    /// Makes sure that the clock comes by this instant.
    fn look_at(&mut self, time: Time) {
        let delay = time - self.cluster.world.now();
        self.cluster.world.background(delay, Event::Runner(LOOK));
    }

    fn settle(&mut self, watch: &mut dyn Watch) -> Result<(), Ended> {
        match self.scenario.settle_window {
            Some(window) => self.settle_recorded(window, watch)?,
            None => {
                while !self.cluster.world.is_settled() {
                    self.step(watch)?;
                }
            }
        }
        watch.settled(&self.cluster);
        Ok(())
    }

    /// Settled as the runner of the recorded corpus understood it.
    fn settle_recorded(&mut self, window: Duration, watch: &mut dyn Watch) -> Result<(), Ended> {
        let begun = self.cluster.world.now();
        loop {
            let world = &self.cluster.world;
            let quiet_at = world.last_change().max(begun) + window;
            let waiting = world.is_delayed() || crate::scenario::quiet::is_waiting(world);
            if world.now() >= quiet_at && !waiting || world.now() >= begun + UNQUIET {
                return Ok(());
            }
            let look =
                if quiet_at > world.now() { quiet_at } else { world.now() + Duration::from_millis(100) };
            match self.cluster.world.next_time() {
                Some(next) if next <= look => self.step(watch)?,
                _ => {
                    self.look_at(look);
                    self.step(watch)?;
                }
            }
        }
    }

    /// Lets time pass until a step is to start. False: it never is.
    fn wait_for(&mut self, n: usize, step: &Step, watch: &mut dyn Watch) -> Result<bool, Ended> {
        match &step.start {
            Start::Settled => self.settle(watch)?,
            Start::AtOnce => {}
            Start::After(delay) => self.run_to(self.cluster.world.now() + *delay, watch)?,
            Start::At(time) => {
                let now = self.cluster.world.now();
                if *time < now {
                    self.fail(n, format!("it was to start at {time}, and it is {now} already"), true);
                } else {
                    self.run_to(*time, watch)?;
                }
            }
            Start::When(condition) => return self.wait_until(n, condition, step.timeout, watch),
        }
        Ok(true)
    }

    // ---- Steps -----------------------------------------------------------------------------------------------------

    fn apply_manifests(&mut self, watch: &mut dyn Watch) -> Result<(), Ended> {
        watch.step(&self.cluster, None);
        let scenario = self.scenario;
        if scenario.manifests.is_empty() {
            return Ok(());
        }
        self.user_acts(Happening::Manifests);
        let all: Vec<_> = scenario.manifests.iter().map(|manifest| manifest.value.clone()).collect();
        let mut command = kubectl::apply_all(&all, &mut self.cluster);
        self.changed(watch);
        self.carry_out(&mut command, None, watch)?;
        let output = command.output;
        watch.output(&self.cluster, None, &output);
        if output.exit != 0 {
            let message = output.stderr.trim_end().to_owned();
            let time = self.cluster.world.now();
            self.failures.push(Failure { step: None, time, message, invalid: true });
        }
        Ok(())
    }

    /// What the user does from now on belongs to this.
    fn user_acts(&mut self, what: Happening) {
        let world = &mut self.cluster.world;
        world.step = world.recorder.happen(world.now(), Revision(0), what);
    }

    fn perform(&mut self, n: usize, step: &Step, watch: &mut dyn Watch) -> Result<(), Ended> {
        self.user_acts(Happening::Step(u32::try_from(n).unwrap_or(u32::MAX)));
        match &step.action {
            Action::Kubectl { words, stdin } => {
                let words: Vec<_> = words.iter().map(|word| self.resolve(word)).collect();
                let stdin = stdin.as_ref().map(|text| self.resolve(text));
                self.command(n, step, &words, stdin.as_deref(), watch)
            }
            Action::Apply(text) => {
                let words: Vec<String> = ["apply", "-f", "-"].map(str::to_owned).into();
                let text = self.resolve(text);
                self.command(n, step, &words, Some(&text), watch)
            }
            Action::Sleep(duration) => self.run_to(self.cluster.world.now() + *duration, watch),
            Action::Fault(fault) => {
                self.cluster.world.happens(Happening::Step(u32::try_from(n).unwrap_or(u32::MAX)));
                if let Err(message) = self.strike(fault, step.name.as_deref()) {
                    self.fail(n, message, true);
                }
                self.changed(watch);
                Ok(())
            }
            Action::Lookup(lookup) => {
                match self.look_up(lookup) {
                    Ok(output) => watch.output(&self.cluster, Some(step), &output),
                    Err(message) => self.fail(n, message, true),
                }
                Ok(())
            }
            Action::AddNode(spec) => {
                if let Err(message) = self.cluster.add_node(spec, false) {
                    self.fail(n, message, true);
                }
                self.changed(watch);
                Ok(())
            }
            Action::Behavior(behavior) => {
                self.cluster.world.config.behavior = behavior.clone();
                Ok(())
            }
        }
    }

    /// Names of what got a random one, in place of what the scenario calls it.
    fn resolve(&self, text: &str) -> String {
        aliases::resolve_by_age(&self.names.resolve(text), &self.cluster.world.store)
    }

    // ---- Commands --------------------------------------------------------------------------------------------------

    fn command(
        &mut self,
        n: usize,
        step: &Step,
        words: &[String],
        stdin: Option<&str>,
        watch: &mut dyn Watch,
    ) -> Result<(), Ended> {
        let mut command = kubectl::start(words, stdin, yaml::documents, &mut self.cluster);
        self.changed(watch);
        if step.background {
            let cause = self.cluster.world.step;
            self.background.push(Background { step: n, command, cause, looks_at: None });
            self.look_at_background(watch);
            return Ok(());
        }
        let give_up = step.timeout.map(|timeout| self.cluster.world.now() + timeout);
        if !self.carry_out(&mut command, give_up, watch)? {
            self.fail(n, "it waits for something that can never happen".into(), false);
            return Ok(());
        }
        self.ended(n, step, &command.output, watch);
        Ok(())
    }

    /// Makes sure that the clock comes by the instant at which a command goes on, if it does not yet.
    fn look_once(&mut self, wake: Option<Time>, looks_at: &mut Option<Time>) {
        if let Some(time) = wake
            && *looks_at != wake
        {
            self.look_at(time);
            *looks_at = wake;
        }
    }

    /// Lets time pass until a command has ended. False: it waits for something that can never happen.
    fn carry_out(
        &mut self,
        command: &mut Running,
        give_up: Option<Time>,
        watch: &mut dyn Watch,
    ) -> Result<bool, Ended> {
        let mut looks_at = None;
        while let Progress::Waiting(wake) = command.poll(&mut self.cluster) {
            self.changed(watch);
            if give_up.is_some_and(|time| self.cluster.world.now() >= time) {
                command.output.exit = 1;
                command.output.stderr.push_str("error: given up after the timeout of the step\n");
                break;
            }
            self.look_once([wake, give_up].into_iter().flatten().min(), &mut looks_at);
            if self.cluster.world.next_time().is_none() {
                return Ok(false);
            }
            self.step(watch)?;
        }
        self.monitors.look(&self.cluster);
        Ok(true)
    }

    fn ended(&mut self, n: usize, step: &Step, output: &Output, watch: &mut dyn Watch) {
        self.changed(watch);
        watch.output(&self.cluster, Some(step), output);
        let whole = output.stderr.trim_end();
        // What a command says last is why it failed; a drain repeats itself thousands of times before.
        let text = match whole.char_indices().rev().nth(TOLD) {
            Some((at, _)) => format!("... {}", whole.get(at..).unwrap_or_default()),
            None => whole.to_owned(),
        };
        match &step.fails {
            Fails::No if output.exit != 0 => {
                self.fail(n, format!("{} ended with exit status {}: {text}", step.title, output.exit), false);
            }
            Fails::Yes | Fails::Saying(_) if output.exit == 0 => {
                self.fail(n, format!("{} was meant to fail, and succeeded", step.title), false);
            }
            Fails::Saying(expected) if !whole.contains(expected.as_str()) => {
                self.fail(
                    n,
                    format!("{} failed as meant, but without saying \"{expected}\": {text}", step.title),
                    false,
                );
            }
            _ => {}
        }
    }

    fn look_at_background(&mut self, watch: &mut dyn Watch) {
        let mut n = 0;
        while n < self.background.len() {
            let mut background = self.background.swap_remove(n);
            let step = std::mem::replace(&mut self.cluster.world.step, background.cause);
            let progress = background.command.poll(&mut self.cluster);
            self.cluster.world.step = step;
            match progress {
                Progress::Done => {
                    let step = &self.scenario.steps[background.step];
                    self.ended(background.step, step, &background.command.output, watch);
                }
                Progress::Waiting(wake) => {
                    self.look_once(wake, &mut background.looks_at);
                    self.background.push(background);
                    let last = self.background.len() - 1;
                    self.background.swap(n, last);
                    n += 1;
                }
            }
        }
    }

    fn finish_background(&mut self, watch: &mut dyn Watch) -> Result<(), Ended> {
        while !self.background.is_empty() && self.cluster.world.next_time().is_some() {
            self.step(watch)?;
        }
        Ok(())
    }

    fn fail(&mut self, step: usize, message: String, invalid: bool) {
        let time = self.cluster.world.now();
        self.failures.push(Failure { step: Some(step), time, message, invalid });
    }
}
