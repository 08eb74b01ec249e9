//! The simulation's chance: SplitMix64, so that a seed gives the same roll on every machine and for ever. Nothing here
//! asks the system for randomness.

use super::world::Millis;

/// A stream of numbers. Every host and the cluster have their own, so that the order in which hosts are served
/// changes nothing of what each of them draws.
#[derive(Clone, Debug)]
pub(super) struct SimulationRandom(u64);

impl SimulationRandom {
    /// The stream of `name` under `seed`.
    pub(super) fn of(seed: u64, name: &str) -> Self {
        // FNV-1a: only has to spread names, not to resist anybody.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(seed ^ hash)
    }

    /// The next number. The constants are SplitMix64's (Steele, Lea, Flood: Fast splittable pseudorandom number
    /// generators, 2014).
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A length of time between two numbers of seconds, in milliseconds.
    pub(super) fn secs(&mut self, low: u32, high: u32) -> Millis {
        let (low, high) = (i64::from(low) * 1000, i64::from(high) * 1000);
        let spread = u64::try_from((high - low).max(0)).unwrap_or(0) + 1;
        low + i64::try_from(self.next() % spread).unwrap_or(0)
    }

    /// So many characters of `alphabet`.
    pub(super) fn text(&mut self, length: usize, alphabet: &[u8]) -> String {
        let size = alphabet.len() as u64;
        (0..length)
            .map(|_| {
                let index =
                    usize::try_from(self.next() % size).expect("invariant: below the alphabet's length");
                char::from(alphabet[index])
            })
            .collect()
    }

    /// Lower-case hexadecimal digits.
    pub(super) fn hex(&mut self, length: usize) -> String {
        self.text(length, b"0123456789abcdef")
    }

    /// In the shape of a UUID.
    pub(super) fn uuid(&mut self) -> String {
        let digits = self.hex(32);
        let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
        parts.join("-")
    }

    /// The kind of suffix that controllers give to pods: no vowels, so that no words come out.
    pub(super) fn suffix(&mut self, length: usize) -> String {
        self.text(length, b"bcdfghjklmnpqrstvwxz2456789")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_splitmix64() {
        // The first outputs for the state 1234567, as published with the reference implementation.
        let mut random = SimulationRandom(1_234_567);
        let drawn: Vec<u64> = (0..3).map(|_| random.next()).collect();
        assert_eq!(drawn, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn lengths_stay_between_their_bounds() {
        let mut random = SimulationRandom::of(7, "w1");
        for _ in 0..1000 {
            let drawn = random.secs(8, 20);
            assert!((8000..=20_000).contains(&drawn), "{drawn}");
        }
        assert_eq!(random.secs(5, 5), 5000);
    }
}
