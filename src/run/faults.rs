//! Faults in the course of a run: they are done, they last, they are undone.
use super::Play;
use super::lane::LANE;
use crate::event::Event;
use crate::scenario::Fault;
use crate::trace::happening::Happening;

impl Play<'_> {
    /// Does what a fault says, and sees to it that it is undone in time.
    pub(super) fn strike(&mut self, fault: &Fault, name: Option<&str>) -> Result<(), String> {
        let number = self.repairs.len();
        let by_itself = self.cluster.lasts_by_itself(&fault.deed, number as u64);
        let effect = self.cluster.carry_out(&fault.deed)?;
        self.cluster.look_at_databases();
        if let Some(name) = name {
            let now = self.cluster.world.now();
            self.cluster.world.faults.begin(name, now);
            self.active.push((name.to_owned(), effect.clone()));
        }
        if let Some(lasts) = fault.lasts.or(by_itself) {
            let number = u32::try_from(number).unwrap_or(LANE - 1);
            self.repairs.push(effect);
            self.cluster.world.after(lasts, Event::Runner(number));
        }
        self.review_faults();
        Ok(())
    }

    /// The time of a fault is over.
    pub(super) fn repair(&mut self, number: u32) {
        if let Some(effect) = self.repairs.get(number as usize).cloned() {
            let world = &mut self.cluster.world;
            if let Some(Happening::Step(n)) = world.recorder.happenings().of(world.cause).map(|h| h.what) {
                world.happens(Happening::Undone(n));
            }
            self.cluster.undo(&effect);
            self.cluster.look_at_databases();
        }
    }

    /// Named faults whose effects are gone are not active any more.
    pub(super) fn review_faults(&mut self) {
        if self.active.is_empty() {
            return;
        }
        let cluster = &mut self.cluster;
        self.active.retain(|(name, effect)| {
            let lasts = cluster.still_lasts(effect);
            if !lasts {
                let now = cluster.world.now();
                cluster.world.faults.end(name, now);
            }
            lasts
        });
    }
}
