//! Lengths of time as people write them, and points in time as events carry them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A length of time, to the millisecond, never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(transparent)]
pub struct Duration {
    millis: u64,
}

impl Duration {
    /// No time at all.
    pub const ZERO: Self = Self { millis: 0 };

    /// The longest that can be written: whatever is longer is a slip, and sums of many must mean something.
    pub const LONGEST: Self = Self::from_secs(365 * 86_400);

    /// So many seconds; stops at the largest value.
    pub const fn from_secs(secs: u64) -> Self {
        Self { millis: secs.saturating_mul(1000) }
    }

    /// So many milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self { millis }
    }

    /// Whole seconds, rounded down.
    pub const fn as_secs(self) -> u64 {
        self.millis / 1000
    }

    /// Milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.millis
    }

    /// Reads `90s`, `10m`, `1h30m`, `500ms`, `2d`, and a bare `0`. A bare number is refused: its unit is a guess. So is
    /// what is longer than [`Self::LONGEST`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::read(text).filter(|duration| *duration <= Self::LONGEST)
    }

    /// The time that a text is, also as people write it elsewhere: `5m`, `300`, `5 minutes`, `10 min`. A bare number is
    /// taken for seconds. `None` where it says anything else.
    pub fn meant_by(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some(duration) = Self::parse(text) {
            return Some(duration);
        }
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = (text[..digits].parse().ok()?, text[digits..].trim().to_ascii_lowercase());
        let unit = match unit.as_str() {
            "" | "s" | "sec" | "secs" | "second" | "seconds" => 1,
            "m" | "min" | "mins" | "minute" | "minutes" => 60,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3600,
            "d" | "day" | "days" => 86_400,
            _ => return None,
        };
        Some(Self::from_secs(unit).saturating_mul(number)).filter(|duration| *duration <= Self::LONGEST)
    }

    /// Whether a text is a duration that is too long.
    pub fn is_too_long(text: &str) -> bool {
        Self::read(text).is_some_and(|duration| duration > Self::LONGEST)
    }

    /// The length, or the largest value where it is beyond that.
    fn read(text: &str) -> Option<Self> {
        if text == "0" {
            return Some(Self::ZERO);
        }
        let mut rest = text;
        let mut millis: u64 = 0;
        let mut smallest = u64::MAX;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            if digits == 0 {
                return None;
            }
            let number: u64 = rest[..digits].parse().unwrap_or(u64::MAX);
            rest = &rest[digits..];
            let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
            let unit = UNITS.iter().find(|(name, _)| *name == &rest[..letters])?.1;
            // `30m1h` and `1m1m` are typing mistakes more often than arithmetic.
            if unit >= smallest {
                return None;
            }
            smallest = unit;
            rest = &rest[letters..];
            millis = millis.saturating_add(number.saturating_mul(unit));
        }
        (smallest != u64::MAX).then_some(Self { millis })
    }

    /// For people, of time that passed: whole seconds from one second on, because nobody reads the rest.
    #[must_use]
    pub const fn rounded(self) -> Self {
        if self.millis < 1000 { self } else { Self::from_secs(self.as_secs()) }
    }

    /// The standard library's type, for timers.
    pub const fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.millis)
    }

    /// This and another one together; stops at the largest value.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self { millis: self.millis.saturating_add(other.millis) }
    }

    /// What is left of this after another one; nothing where that is longer.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self { millis: self.millis.saturating_sub(other.millis) }
    }

    /// So many times this; stops at the largest value.
    #[must_use]
    pub const fn saturating_mul(self, times: u64) -> Self {
        Self { millis: self.millis.saturating_mul(times) }
    }
}

/// A hundred years: what a file of this program says beyond that was written by somebody else, and no timer counts so far.
const MOST_READ: u64 = 100 * Duration::LONGEST.millis;

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u64::deserialize(deserializer).map(|millis| Self { millis: millis.min(MOST_READ) })
    }
}

const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.millis == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.millis;
        for (unit, factor) in UNITS {
            if rest >= factor {
                write!(f, "{}{unit}", rest / factor)?;
                rest %= factor;
            }
        }
        Ok(())
    }
}

/// A point in time: milliseconds since the Unix epoch, UTC. Stamped on every event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The time this much later.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How much later this is than `earlier`; zero when it is not, because clocks step back.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_back_as_shown() {
        let cases = [
            ("90s", 90_000, "1m30s"),
            ("1h30m", 5_400_000, "1h30m"),
            ("500ms", 500, "500ms"),
            ("2d", 172_800_000, "2d"),
            ("0", 0, "0s"),
        ];
        for (text, millis, shown) in cases {
            assert_eq!(Duration::parse(text), Some(Duration::from_millis(millis)), "{text}");
            assert_eq!(Duration::from_millis(millis).to_string(), shown);
        }
    }

    #[test]
    fn time_that_passed_is_told_in_seconds_or_below_one_of_them_in_milliseconds() {
        for (millis, shown) in [(0, "0s"), (999, "999ms"), (1000, "1s"), (191_240, "3m11s")] {
            assert_eq!(Duration::from_millis(millis).rounded().to_string(), shown);
        }
    }

    #[test]
    fn durations_without_a_unit_or_with_units_out_of_order_are_refused() {
        for text in ["", "10", "m", "30m1h", "1m1m", "1.5h", "-1s", "1 h", "99999999999999999999s", "1w"] {
            assert_eq!(Duration::parse(text), None, "{text}");
        }
    }

    #[test]
    fn durations_end_at_a_year_and_numbers_beyond_every_bound_are_too_long() {
        assert_eq!(Duration::parse("365d"), Some(Duration::LONGEST));
        let all =
            ["366d", "365d1ms", "99999999d", "99999999999999999999s", "18446744073709551615ms", "9000000h"];
        for text in all {
            assert_eq!((Duration::parse(text), Duration::is_too_long(text)), (None, true), "{text}");
        }
        for text in ["365d", "", "d", "10", "30m1h", "1w", "99999999999999999999"] {
            assert!(!Duration::is_too_long(text), "{text}");
        }
    }

    #[test]
    fn what_a_file_says_beyond_a_hundred_years_is_a_hundred_years() {
        let read = |text: &str| serde_json::from_str::<Duration>(text).expect("a number");
        assert_eq!(read("1500"), Duration::from_millis(1500));
        assert_eq!(read(&u64::MAX.to_string()).to_string(), "36500d");
    }

    #[test]
    fn a_clock_that_steps_back_makes_no_time_pass() {
        assert_eq!(Timestamp(5).since(Timestamp(9)), Duration::ZERO);
    }
}
