//! Numbers that look random and follow from a seed: SplitMix64 (Steele, Lea, Flood 2014), one generator per purpose, so
//! that one more draw in one place shifts nothing elsewhere.

/// A generator.
#[derive(Debug, Clone)]
pub struct Dice(u64);

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Dice {
    /// The generator of a seed for a purpose.
    pub fn new(seed: u64, purpose: &str) -> Self {
        let start = mix(seed.wrapping_add(0x9E37_79B9_7F4A_7C15));
        Self(purpose.bytes().fold(start, |state, byte| {
            mix(state ^ u64::from(byte)).wrapping_add(0x9E37_79B9_7F4A_7C15)
        }))
    }

    /// 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// A number below `n`; 0 if `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        if n == 0 { 0 } else { self.bits() % n }
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// A number from 0 up to 1.
    pub fn fraction(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.fraction() < probability
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_and_purpose_decide_and_nothing_else() {
        let draw = |seed, purpose| {
            let mut dice = Dice::new(seed, purpose);
            [dice.bits(), dice.bits(), dice.bits()]
        };
        assert_eq!(draw(17, "store"), draw(17, "store"));
        assert_ne!(draw(17, "store"), draw(18, "store"));
        assert_ne!(draw(17, "store"), draw(17, "vault"));
        let mut dice = Dice::new(0, "");
        let hits = (0..10_000).filter(|_| dice.chance(0.3)).count();
        assert!((2_800..3_200).contains(&hits), "{hits}");
        assert!((0..1000).all(|_| (3..=5).contains(&dice.between(3, 5))));
    }
}
