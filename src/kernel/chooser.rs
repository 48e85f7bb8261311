//! The one source of chance of a run.
//!
//! A *keyed* draw is a pure function of (seed, purpose, object, attempt). It needs no state, and it does not
//! depend on what else was drawn before: one more pod, one more check, another order of events shift nobody
//! else's luck, and two variants of a scenario meet the same latencies where they do the same things (common
//! random numbers). What has no such key (generated clusters, lists of faults) is drawn from one sequential
//! ChaCha8 generator. Ranges are computed here and not by `rand`, whose distributions may change between
//! releases.
use super::hash::mix64;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyed_draws_are_pinned() {
        // Every recorded run depends on these numbers.
        for (seed, purpose, object, attempt, draw) in [
            (0, 0, 0, 0, 0x2130_748a_aac8_0268),
            (1, 0, 0, 0, 0xe281_95dd_d9ee_4956),
            (42, 7, 1_000_000, 3, 0x6a64_bc77_813d_cd06),
            (u64::MAX, u32::MAX, u64::MAX, u64::MAX, 0x44ce_0376_423e_cc3b),
        ] {
            assert_eq!(Chooser::seeded(seed).keyed(purpose, object, attempt), draw, "seed {seed}");
        }
    }

    #[test]
    fn the_sequence_is_pinned() {
        let mut chooser = Chooser::seeded(42);
        let draws: Vec<u64> = (0..3).map(|_| chooser.sequence().next_u64()).collect();
        assert_eq!(draws, [0x6541_90fc_8cfa_b18e, 0x8d1c_2ee6_c8c4_2bf9, 0xf6bb_4fdf_48b9_e6c3]);
    }

    #[test]
    fn each_part_of_the_key_counts() {
        let chooser = Chooser::seeded(1);
        let mut draws: Vec<u64> = (0..20u32)
            .flat_map(|purpose| (0..20).map(move |object| (purpose, object)))
            .flat_map(|(purpose, object)| (0..20).map(move |attempt| (purpose, object, attempt)))
            .map(|(purpose, object, attempt)| chooser.keyed(purpose, object, attempt))
            .collect();
        draws.sort_unstable();
        draws.dedup();
        assert_eq!(draws.len(), 20 * 20 * 20);
        assert_ne!(Chooser::seeded(2).keyed(0, 0, 0), chooser.keyed(0, 0, 0));
    }

    #[test]
    fn keyed_draws_do_not_move_the_sequence_nor_the_reverse() {
        let (mut one, mut other) = (Chooser::seeded(5), Chooser::seeded(5));
        let before = one.keyed(1, 2, 3);
        assert_eq!(one.sequence().next_u64(), other.sequence().next_u64());
        other.keyed(9, 9, 9);
        assert_eq!(one.sequence().next_u64(), other.sequence().next_u64());
        assert_eq!(one.keyed(1, 2, 3), before);
    }

    #[test]
    fn a_clone_goes_on_alone() {
        let mut original = Chooser::seeded(5);
        original.sequence().next_u64();
        let mut copy = original.clone();
        let ahead: Vec<u64> = (0..100).map(|_| copy.sequence().next_u64()).collect();
        let behind: Vec<u64> = (0..100).map(|_| original.sequence().next_u64()).collect();
        assert_eq!(ahead, behind);
    }

    /// Chi-squared of `counts` against equal shares, in standard deviations above its mean.
    fn unevenness(counts: &[u64]) -> f64 {
        let expected = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
        let chi2: f64 = counts
            .iter()
            .map(|&count| (count as f64 - expected) * (count as f64 - expected) / expected)
            .sum();
        let freedom = (counts.len() - 1) as f64;
        (chi2 - freedom) / (2.0 * freedom).sqrt()
    }

    #[test]
    fn ranges_are_even() {
        let mut chooser = Chooser::seeded(11);
        for n in [2, 3, 5, 7, 10, 64, 100, 1000] {
            let (mut keyed, mut drawn) = (vec![0; n as usize], vec![0; n as usize]);
            for i in 0..1000 * n {
                // One draw per object, as ties between pods are decided.
                keyed[chooser.below(3, i, 0, n) as usize] += 1;
                drawn[chooser.sequence().below(n) as usize] += 1;
            }
            assert!(unevenness(&keyed).abs() < 5.0, "{n}: keyed {}", unevenness(&keyed));
            assert!(unevenness(&drawn).abs() < 5.0, "{n}: drawn {}", unevenness(&drawn));
        }
    }

    #[test]
    fn ranges_have_no_modulo_bias() {
        // For n = 3/4 of 2^64, both `draw % n` and a multiply-shift without rejection give one third of the
        // results twice as often as the others: an excess of a fifth of all draws that no sample can hide.
        let n = 3 << 62;
        let mut chooser = Chooser::seeded(12);
        let (mut residues, mut thirds, mut drawn) = ([0; 3], [0; 3], [0; 3]);
        for i in 0..100_000 {
            let value = chooser.below(1, i, 0, n);
            residues[(value % 3) as usize] += 1;
            thirds[(value >> 62) as usize] += 1;
            drawn[(chooser.sequence().below(n) % 3) as usize] += 1;
        }
        for counts in [residues, thirds, drawn] {
            assert!(unevenness(&counts).abs() < 5.0, "{counts:?}");
        }
    }

    #[test]
    fn the_smallest_and_the_largest_range() {
        let mut chooser = Chooser::seeded(13);
        for i in 0..1000 {
            assert_eq!(chooser.below(0, i, 0, 1), 0);
            assert!(chooser.sequence().below(u64::MAX) < u64::MAX);
        }
    }
}
