//! The one source of chance of a run.
//!
//! A *keyed* draw is a pure function of (seed, purpose, object, attempt). It needs no state, and it does not
//! depend on what else was drawn before: one more pod, one more check, another order of events shift nobody
//! else's luck, and two variants of a scenario meet the same latencies where they do the same things (common
//! random numbers). What has no such key (generated clusters, lists of faults) is drawn from one sequential
//! ChaCha8 generator. Ranges are computed here and not by `rand`, whose distributions may change between
//! releases.
use super::hash::mix64;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// All chance of one run, determined by its seed.
#[derive(Clone, Debug)]
pub struct Chooser {
    seed: u64,
    /// `mix64(seed)`, so that neighbouring seeds are strangers.
    key: u64,
    /// Created at its first use: most worlds never draw in sequence, and a generator is 300 bytes.
    sequence: Option<Box<Sequence>>,
}

impl Chooser {
    /// The choices of seed `seed`.
    pub const fn seeded(seed: u64) -> Chooser {
        Chooser { seed, key: mix64(seed), sequence: None }
    }

    /// The seed this chooser was made from.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// The 64 random bits that belong to this decision: the same for the same arguments, whenever asked.
    /// `purpose` says what is decided, `object` for whom, `attempt` for the how-manieth time.
    pub const fn keyed(&self, purpose: u32, object: u64, attempt: u64) -> u64 {
        mix64(mix64(mix64(self.key ^ purpose as u64) ^ object) ^ attempt)
    }

    /// A keyed draw from `0..n`, all equally likely. `n` must not be 0 (the answer is then 0).
    pub fn below(&self, purpose: u32, object: u64, attempt: u64, n: u64) -> u64 {
        let mut draw = self.keyed(purpose, object, attempt);
        below(n, || {
            let current = draw;
            draw = mix64(draw);
            current
        })
    }

    /// The sequential generator: each draw depends on how many came before.
    pub fn sequence(&mut self) -> &mut Sequence {
        let seed = self.seed;
        self.sequence.get_or_insert_with(|| Box::new(Sequence::seeded(seed)))
    }
}

/// A stream of random numbers: ChaCha with 8 rounds, whose output is specified on every platform.
#[derive(Clone, Debug)]
pub struct Sequence(ChaCha8Rng);

impl Sequence {
    /// The stream of seed `seed`.
    pub fn seeded(seed: u64) -> Sequence {
        // Our own expansion of the seed: `seed_from_u64` may change between releases of rand.
        let mut key = [0; 32];
        let mut word = seed;
        for bytes in key.chunks_exact_mut(8) {
            word = mix64(word);
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        Sequence(ChaCha8Rng::from_seed(key))
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// The next draw from `0..n`, all equally likely. `n` must not be 0 (the answer is then 0).
    pub fn below(&mut self, n: u64) -> u64 {
        below(n, || self.next_u64())
    }
}

/// Lemire's unbiased multiply-shift: the high word of draw x n, drawing again in the few cases (less than
/// n in 2^64) that would favour some results.
fn below(n: u64, mut draw: impl FnMut() -> u64) -> u64 {
    debug_assert!(n > 0, "a draw from an empty range");
    loop {
        let product = u128::from(draw()) * u128::from(n);
        let low = product as u64;
        if low >= n || low >= n.wrapping_neg() % n.max(1) {
            return (product >> 64) as u64;
        }
    }
}
