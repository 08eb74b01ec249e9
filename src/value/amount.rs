//! Percentages, sizes, and amounts that are a count or a percentage.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A whole percentage from 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Percent(u8);

impl Percent {
    /// `None` above 100.
    pub fn new(percent: u8) -> Option<Self> {
        (percent <= 100).then_some(Self(percent))
    }

    /// The number before the sign.
    pub fn get(self) -> u8 {
        self.0
    }

    /// Reads `25%`. Fractions and anything above `100%` are `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_suffix('%')?;
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Self::new(digits.parse().ok()?)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

/// A count or a percentage of a population: `2`, `25%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Amount {
    /// So many.
    Count(u32),
    /// So many of a hundred.
    Percent(Percent),
}

impl Amount {
    /// Reads `2` or `25%`.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(percent) = Percent::parse(text) {
            return Some(Self::Percent(percent));
        }
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        text.parse().ok().map(Self::Count)
    }

    /// The number of hosts out of `population`: a percentage is rounded down, but never below one.
    ///
    /// A count is taken as written, also above the population, and `0` stays `0`.
    pub fn of(self, population: usize) -> usize {
        match self {
            Self::Count(count) => count as usize,
            // Multiplying first keeps 10 % of 40 at 4; dividing first would make every percentage 0.
            Self::Percent(percent) => (population * usize::from(percent.get()) / 100).max(1),
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(percent) => write!(f, "{percent}"),
        }
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Size(pub u64);

/// Units by name; the binary ones first, so that they are the ones shown.
const UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

impl Size {
    /// Reads `64KiB`, `2GiB`, `500MB`, `0B` or a bare number of bytes.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = text[..digits].parse().ok()?;
        let unit = text[digits..].trim_start();
        let factor = if unit.is_empty() { 1 } else { UNITS.iter().find(|(name, _)| *name == unit)?.1 };
        number.checked_mul(factor).map(Self)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = UNITS[..3].iter().find(|(_, factor)| self.0 >= *factor && self.0.is_multiple_of(*factor));
        match exact {
            Some((unit, factor)) => write!(f, "{}{unit}", self.0 / factor),
            None => write!(f, "{}B", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_round_down_but_never_to_nothing() {
        let cases = [
            ("25%", 10, 2),
            ("25%", 3, 1),
            ("10%", 40, 4),
            ("100%", 7, 7),
            ("50%", 0, 1),
            ("1%", 5000, 50),
            ("3", 2, 3),
        ];
        for (text, population, expected) in cases {
            let amount = Amount::parse(text).expect(text);
            assert_eq!(amount.of(population), expected, "{text} of {population}");
        }
    }

    #[test]
    fn amounts_that_mean_nothing_are_refused() {
        for text in ["", "%", "-1", "2.5", "101%", "25 %", "1e3", "٣%"] {
            assert_eq!(Amount::parse(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_read_back_as_shown() {
        for (text, bytes, shown) in [
            ("64KiB", 65536, "64KiB"),
            ("2 GiB", 2 << 30, "2GiB"),
            ("1500", 1500, "1500B"),
            ("1MB", 1_000_000, "1000000B"),
        ] {
            assert_eq!(Size::parse(text), Some(Size(bytes)), "{text}");
            assert_eq!(Size(bytes).to_string(), shown);
        }
        assert_eq!(Size::parse("99999999999GiB"), None);
    }
}
