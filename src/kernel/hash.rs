//! Hashes whose values are visible in the output, and therefore pinned for ever by golden numbers below.
//!
//! FNV (Fowler, Noll, Vo) is what Kubernetes itself derives names from (Go's `hash/fnv`). [`mix64`] turns
//! structured integers into evenly spread ones. [`RunningHash`] is the fingerprint of a whole run. None of
//! them resists an adversary, and none needs to.

/// 32-bit FNV-1, Go's `fnv.New32`.
pub fn fnv1_32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash: u32, &byte| hash.wrapping_mul(0x0100_0193) ^ u32::from(byte))
}

/// 32-bit FNV-1a, Go's `fnv.New32a`.
pub fn fnv1a_32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash: u32, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// 64-bit FNV-1a, Go's `fnv.New64a`.
pub fn fnv1a_64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// One step of SplitMix64 (Steele, Lea, Flood 2014): a bijection in which every input bit flips each output
/// bit with probability near one half.
pub const fn mix64(value: u64) -> u64 {
    let z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The value whose [`mix64`] this is.
pub const fn unmix64(mixed: u64) -> u64 {
    let z = mixed ^ (mixed >> 31) ^ (mixed >> 62);
    let z = z.wrapping_mul(inverse(0x94d0_49bb_1331_11eb));
    let z = z ^ (z >> 27) ^ (z >> 54);
    let z = z.wrapping_mul(inverse(0xbf58_476d_1ce4_e5b9));
    let z = z ^ (z >> 30) ^ (z >> 60);
    z.wrapping_sub(0x9e37_79b9_7f4a_7c15)
}

/// The inverse of an odd number modulo 2^64, by Newton's iteration.
pub const fn inverse(odd: u64) -> u64 {
    let mut inverse = odd;
    let mut bits = 3;
    while bits < 64 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(inverse)));
        bits *= 2;
    }
    inverse
}

/// A 128-bit hash of everything written so far; the order of the writes matters, and so do their borders.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RunningHash {
    low: u64,
    high: u64,
}

impl RunningHash {
    /// The hash of nothing.
    pub const fn new() -> RunningHash {
        RunningHash { low: 0x243f_6a88_85a3_08d3, high: 0x1319_8a2e_0370_7344 }
    }

    /// Adds one word.
    pub const fn write_u64(&mut self, word: u64) {
        // Two lanes that see the word differently: what collides in one has no reason to in the other.
        self.low = mix64(self.low ^ word);
        self.high = mix64(self.high.rotate_left(29) ^ word.wrapping_mul(0xd6e8_feb8_6659_fd93));
    }

    /// Adds a byte string and its length: `("ab", "c")` differs from `("a", "bc")`.
    pub fn write(&mut self, bytes: &[u8]) {
        self.write_u64(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    /// The hash of all that was written; more may follow.
    pub const fn finish(&self) -> u128 {
        (self.high as u128) << 64 | self.low as u128
    }
}

impl Default for RunningHash {
    fn default() -> RunningHash {
        RunningHash::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fnv_gives_the_published_values() {
        for (text, fnv1, fnv1a, fnv1a_wide) in [
            ("", 0x811c_9dc5, 0x811c_9dc5, 0xcbf2_9ce4_8422_2325),
            ("a", 0x050c_5d7e, 0xe40c_292c, 0xaf63_dc4c_8601_ec8c),
            ("foobar", 0x31f0_b262, 0xbf9c_f968, 0x8594_4171_f739_67e8),
        ] {
            assert_eq!(fnv1_32(text.as_bytes()), fnv1, "{text}");
            assert_eq!(fnv1a_32(text.as_bytes()), fnv1a, "{text}");
            assert_eq!(fnv1a_64(text.as_bytes()), fnv1a_wide, "{text}");
        }
    }

    #[test]
    fn mix64_is_splitmix64() {
        // The first outputs of SplitMix64 from seed 0, as its reference implementation prints them.
        let gamma = 0x9e37_79b9_7f4a_7c15u64;
        assert_eq!(mix64(0), 0xe220_a839_7b1d_cdaf);
        assert_eq!(mix64(gamma), 0x6e78_9e6a_a1b9_65f4);
        assert_eq!(mix64(gamma.wrapping_mul(2)), 0x06c4_5d18_8009_454f);
    }

    #[test]
    fn mix64_spreads_single_bits() {
        for bit in 0..64 {
            let flipped: u32 = (0..256).map(|i| (mix64(i) ^ mix64(i ^ (1 << bit))).count_ones()).sum();
            let mean = f64::from(flipped) / 256.0;
            assert!((30.0..34.0).contains(&mean), "bit {bit} flips {mean} bits on average");
        }
    }

    fn hash_of(parts: &[&[u8]]) -> u128 {
        let mut hash = RunningHash::new();
        parts.iter().for_each(|part| hash.write(part));
        hash.finish()
    }

    #[test]
    fn the_running_hash_is_pinned() {
        assert_eq!(hash_of(&[]), 0x1319_8a2e_0370_7344_243f_6a88_85a3_08d3);
        assert_eq!(hash_of(&[b"web-0"]), 0xf752_0519_9a54_1a97_d256_4a9a_62be_7fa0);
        assert_eq!(hash_of(&[b"a longer text than a word"]), 0xafb1_0248_682d_b102_7fba_aaad_8b18_9ab5);
    }

    #[test]
    fn the_running_hash_sees_order_borders_and_length() {
        let different: [&[&[u8]]; 8] =
            [&[], &[b""], &[b"\0"], &[b"ab", b"c"], &[b"a", b"bc"], &[b"abc"], &[b"c", b"ab"], &[b"abc\0"]];
        for (i, one) in different.iter().enumerate() {
            for other in &different[..i] {
                assert_ne!(hash_of(one), hash_of(other), "{one:?} {other:?}");
            }
        }
        let (mut forward, mut backward) = (RunningHash::new(), RunningHash::default());
        [1, 2].into_iter().for_each(|word| forward.write_u64(word));
        [2, 1].into_iter().for_each(|word| backward.write_u64(word));
        assert_ne!(forward.finish() as u64, backward.finish() as u64);
        assert_ne!(forward.finish() >> 64, backward.finish() >> 64);
    }
}
