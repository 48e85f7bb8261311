//! The causal chain of a write: what led to it, and what led to that.
use crate::api::objects::Revision;
use crate::report::timeline;
use crate::trace::record::Record;
use crate::world::World;

/// Links of a chain that are shown; the rest is said to be there.
const SHOWN: usize = 8;

/// One timeline line for each noteworthy link, the write first. Empty if nothing noteworthy led to it.
pub fn chain(revision: Revision, world: &World) -> Vec<String> {
    let recorder = &world.recorder;
    let mut link: Option<&Record> = nearest(revision, world);
    let mut lines = Vec::new();
    while let Some(record) = link {
        if lines.len() == SHOWN {
            lines.push("         ...".to_owned());
            break;
        }
        lines.push(timeline::line(record, world));
        link = recorder.because(record).filter(|cause| cause.revision < record.revision);
    }
    lines
}

/// The first noteworthy write on the way back from this one.
fn nearest(revision: Revision, world: &World) -> Option<&Record> {
    let recorder = &world.recorder;
    let mut at = revision;
    loop {
        if let Some(record) = recorder.of_write(at) {
            return Some(record);
        }
        at = recorder.cause_of(at).filter(|earlier| *earlier < at)?;
    }
}
