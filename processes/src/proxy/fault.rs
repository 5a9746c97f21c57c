//! What the proxy may do to a request.

use simulation::dice::Dice;

use crate::wire::Message;

/// What is done to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection ends, and the product was never asked.
    CutBefore,
    /// The product was asked, and the connection ends without an answer.
    CutAfter,
    /// The product is asked this many milliseconds later, whether or not anybody still waits.
    Late(u64),
    /// The answer comes this many milliseconds later.
    Held(u64),
    /// The answer ends in its middle.
    Truncated,
    /// 503 by something in front of the product, which was never asked.
    Unavailable,
    /// 429 without headers; the product was never asked.
    Busy,
}

/// Per thousand requests, in the order of [`Fault::ALL`]. The last two close the gate for everybody, so that they are rare:
/// behind a closed gate nothing happens.
const PER_THOUSAND: [u64; 7] = [50, 60, 30, 30, 40, 4, 4];

impl Fault {
    /// One of each.
    pub const ALL: [Self; 7] = [
        Self::CutBefore,
        Self::CutAfter,
        Self::Late(0),
        Self::Held(0),
        Self::Truncated,
        Self::Unavailable,
        Self::Busy,
    ];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::CutBefore => "cut before it was sent on",
            Self::CutAfter => "cut after it was sent on",
            Self::Late(_) => "sent on late",
            Self::Held(_) => "answer held",
            Self::Truncated => "answer truncated",
            Self::Unavailable => "503 in front of it",
            Self::Busy => "429 in front of it",
        }
    }

    /// What is done to the next request, if anything.
    pub fn draw(dice: &mut Dice) -> Option<Self> {
        let mut roll = dice.below(1000);
        // Most are over before the caller gives up; some are not.
        let span = if dice.chance(0.3) {
            dice.between(5_000, 9_000)
        } else {
            dice.between(50, 2_000)
        };
        for (fault, share) in Self::ALL.into_iter().zip(PER_THOUSAND) {
            if roll < share {
                return Some(match fault {
                    Self::Late(_) => Self::Late(span),
                    Self::Held(_) => Self::Held(span),
                    other => other,
                });
            }
            roll -= share;
        }
        None
    }
}

/// What a load balancer answers.
pub(super) fn page_503() -> Message {
    Message {
        head: "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/html".to_owned(),
        body: b"<html><body>Service Unavailable</body></html>".to_vec(),
    }
}

/// What the product answers when too many calls run at once.
pub(super) fn bare_429() -> Message {
    Message {
        head: "HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json".to_owned(),
        body: br#"{"error":{"message":"Too many requests","detail":null},"status":"failure"}"#
            .to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_every_fault_and_mostly_none() {
        let draw = || {
            let mut dice = Dice::new(1, "test");
            let drawn: Vec<Option<Fault>> = (0..5_000).map(|_| Fault::draw(&mut dice)).collect();
            drawn
        };
        assert_eq!(draw(), draw());
        for fault in Fault::ALL {
            let of_this = draw()
                .into_iter()
                .flatten()
                .filter(|one| one.name() == fault.name());
            assert!(of_this.count() > 0, "{fault:?}");
        }
        let none = draw().into_iter().filter(Option::is_none).count();
        assert!((3_500..4_300).contains(&none), "{none}");
    }
}
