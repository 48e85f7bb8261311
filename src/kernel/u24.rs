//! Numbers of three bytes, for records of which there are millions.

/// A number below 2^24.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct U24([u8; 3]);

impl U24 {
    /// The greatest there is, as a plain number.
    pub const MAX: u32 = (1 << 24) - 1;

    /// This number; one that is too great becomes the greatest there is.
    pub const fn of(number: u32) -> U24 {
        let [a, b, c, _] = (if number > U24::MAX { U24::MAX } else { number }).to_le_bytes();
        U24([a, b, c])
    }

    /// As a plain number.
    pub const fn get(self) -> u32 {
        let [a, b, c] = self.0;
        u32::from_le_bytes([a, b, c, 0])
    }
}

impl PartialEq<u32> for U24 {
    fn eq(&self, other: &u32) -> bool {
        self.get() == *other
    }
}

impl PartialOrd for U24 {
    fn partial_cmp(&self, other: &U24) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for U24 {
    fn cmp(&self, other: &U24) -> std::cmp::Ordering {
        self.get().cmp(&other.get())
    }
}

impl std::fmt::Debug for U24 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.get().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_fits_and_stops_at_the_greatest() {
        for (number, kept) in
            [(0, 0), (1, 1), (0x01_02_03, 0x01_02_03), (U24::MAX, U24::MAX), (1 << 24, U24::MAX)]
        {
            assert_eq!(U24::of(number).get(), kept);
        }
        assert!(U24::of(255) < U24::of(256) && size_of::<U24>() == 3);
    }
}
