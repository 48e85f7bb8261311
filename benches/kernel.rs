//! The future event list in the hold model: with n events pending, pop the next and push one for it.
//!
//! The queue is run beside two binary heaps in the same process, because only ratios within one run mean
//! anything on a machine that is shared. The heaps get the smallest entry that can order events, 16 bytes; the
//! queue its real one, 32 bytes with an event of 12. Before any of it is timed, all three must pop the same
//! events in the same order.
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use dary_heap::QuaternaryHeap;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;
use std::time::Duration;
use stsim::kernel::hash::{RunningHash, mix64};
use stsim::kernel::{Queue, Time};

/// Time, insertion number, event.
type Key = Reverse<(u64, u32, u32)>;

trait EventList: Default {
    fn push(&mut self, time: u64, number: u32);
    fn pop(&mut self) -> Option<(u64, u32)>;
}

impl EventList for Queue<[u32; 3]> {
    fn push(&mut self, time: u64, number: u32) {
        Queue::push(self, Time::from_nanos(time), 0, [number; 3]);
    }

    fn pop(&mut self) -> Option<(u64, u32)> {
        Queue::pop(self).map(|due| (due.time.as_nanos(), due.event[0]))
    }
}

impl EventList for BinaryHeap<Key> {
    fn push(&mut self, time: u64, number: u32) {
        BinaryHeap::push(self, Reverse((time, number, number)));
    }

    fn pop(&mut self) -> Option<(u64, u32)> {
        BinaryHeap::pop(self).map(|Reverse((time, _, event))| (time, event))
    }
}

impl EventList for QuaternaryHeap<Key> {
    fn push(&mut self, time: u64, number: u32) {
        QuaternaryHeap::push(self, Reverse((time, number, number)));
    }

    fn pop(&mut self) -> Option<(u64, u32)> {
        QuaternaryHeap::pop(self).map(|Reverse((time, _, event))| (time, event))
    }
}

/// A pattern of delays, computed beforehand so that drawing costs a table look-up.
struct Delays {
    name: &'static str,
    /// Nanoseconds, and a mask for random nanoseconds to add.
    table: Vec<(u64, u64)>,
}

impl Delays {
    /// Exponential with a mean of one second.
    fn exponential() -> Delays {
        let quantile = |i: u32| (-libm::log((f64::from(i) + 0.5) / 1024.0) * 1e9, 0xf_ffff);
        Delays {
            name: "exp",
            table: (0..1024).map(quantile).map(|(delay, mask)| (delay as u64, mask)).collect(),
        }
    }

    /// What a cluster does: half is immediate, 40 % take one of a dozen constants, 10 % are random.
    fn mixed() -> Delays {
        const MILLIS: [u64; 12] = [1, 2, 5, 10, 20, 50, 100, 500, 1_000, 5_000, 10_000, 30_000];
        let entry = |i: u64| match i % 10 {
            0..5 => (0, 0),
            5..9 => (MILLIS[(mix64(i) % 12) as usize] * 1_000_000, 0),
            _ => (mix64(i) % 10_000_000_000, 0xf_ffff),
        };
        Delays { name: "mixed", table: (0..1024).map(entry).collect() }
    }

    fn draw(&self, number: u32) -> u64 {
        let bits = mix64(u64::from(number));
        let (delay, mask) = self.table[(bits >> 54) as usize];
        delay + (bits & mask)
    }
}

/// An event list that keeps `n` events pending.
struct Hold<'a, L> {
    list: L,
    delays: &'a Delays,
    pushed: u32,
}

impl<'a, L: EventList> Hold<'a, L> {
    fn new(delays: &'a Delays, n: u32) -> Self {
        let mut hold = Hold { list: L::default(), delays, pushed: 0 };
        (0..n).for_each(|_| hold.push_from(0));
        hold
    }

    fn push_from(&mut self, now: u64) {
        self.list.push(now + self.delays.draw(self.pushed), self.pushed);
        self.pushed = self.pushed.wrapping_add(1);
    }

    fn step(&mut self) -> (u64, u32) {
        let due = self.list.pop().expect("as many are pushed as popped");
        self.push_from(due.0);
        due
    }

    /// The order in which it pops.
    fn fingerprint(mut self, steps: u32) -> u128 {
        let mut hash = RunningHash::new();
        for _ in 0..steps {
            let (time, event) = self.step();
            hash.write_u64(time);
            hash.write_u64(u64::from(event));
        }
        hash.finish()
    }
}

fn hold(criterion: &mut Criterion) {
    for delays in [Delays::exponential(), Delays::mixed()] {
        let mut group = criterion.benchmark_group(format!("hold/{}", delays.name));
        group
            .sample_size(20)
            .warm_up_time(Duration::from_millis(700))
            .measurement_time(Duration::from_millis(1500));
        for n in [1_000, 100_000, 1_000_000] {
            let orders = [
                Hold::<Queue<[u32; 3]>>::new(&delays, n).fingerprint(2 * n),
                Hold::<BinaryHeap<Key>>::new(&delays, n).fingerprint(2 * n),
                Hold::<QuaternaryHeap<Key>>::new(&delays, n).fingerprint(2 * n),
            ];
            assert!(orders.iter().all(|&order| order == orders[0]), "{} {n}: {orders:x?}", delays.name);

            let mut queue = Hold::<Queue<[u32; 3]>>::new(&delays, n);
            group.bench_function(BenchmarkId::new("queue", n), |b| b.iter(|| black_box(queue.step())));
            drop(queue);
            let mut heap = Hold::<BinaryHeap<Key>>::new(&delays, n);
            group.bench_function(BenchmarkId::new("binary_heap", n), |b| b.iter(|| black_box(heap.step())));
            drop(heap);
            let mut heap = Hold::<QuaternaryHeap<Key>>::new(&delays, n);
            group.bench_function(BenchmarkId::new("4-ary_heap", n), |b| b.iter(|| black_box(heap.step())));
        }
        group.finish();
    }
}

criterion_group!(benches, hold);
criterion_main!(benches);
