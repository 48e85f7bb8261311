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
