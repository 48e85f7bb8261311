//! The simulation kernel: what any discrete-event simulator needs, and no Kubernetes.
//!
//! A run is one loop: pop the earliest event from the [`Queue`], let a handler change the world and push
//! further events, repeat. Everything here serves that loop and one promise: *the same inputs give the same
//! run, bit for bit, on every machine*.
//!
//! - [`time`]: virtual time in whole nanoseconds, and Go-style durations.
//! - [`queue`]: the future event list, ordered by exactly (time, insertion), with cancellable timers.
//! - [`chooser`]: the one source of chance: draws keyed by what they decide, and one sequential generator.
//! - [`latency`]: how long things take, as a function of one draw.
//! - [`table`] and [`bits`]: dense storage behind typed `u32` ids, and ordered sets of small integers.
//! - [`u24`]: numbers of three bytes.
//! - [`hash`]: hashes whose values are part of the output.
pub mod bits;
pub mod chooser;
pub mod hash;
pub mod latency;
pub mod queue;
pub mod table;
pub mod time;
pub mod u24;

pub use bits::BitSet;
pub use chooser::Chooser;
pub use latency::Latency;
pub use queue::{Queue, Scheduled, Timer};
pub use table::{Arena, Id, make_room};
pub use time::{Duration, Time};
pub use u24::U24;
