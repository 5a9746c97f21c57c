//! What goes wrong in four hundred days, and when: drawn from the seed before anything happens.

use crate::clock::BEGINNING_MS;
use crate::dice::Dice;

/// A minute, an hour and a day, milliseconds.
pub const MINUTE: i64 = 60_000;
/// See [`MINUTE`].
pub const HOUR: i64 = 60 * MINUTE;
/// See [`MINUTE`].
pub const DAY: i64 = 24 * HOUR;

/// Who may not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Who gives tokens.
    Issuer,
    /// What they open.
    Product,
    /// Where tokens are kept.
    Vault,
    /// Where the state is.
    Store,
}

impl Part {
    const ALL: [Self; 4] = [Self::Issuer, Self::Product, Self::Vault, Self::Store];
}

/// Who does not answer: how many outages of each go on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Down([u32; 4]);

impl Down {
    /// True if nobody answers there.
    pub fn has(&self, part: Part) -> bool {
        self.0
            .get(part as usize)
            .is_some_and(|outages| *outages > 0)
    }

    /// An outage begins.
    pub fn begins(&mut self, part: Part) {
        if let Some(outages) = self.0.get_mut(part as usize) {
            *outages += 1;
        }
    }

    /// One is over.
    pub fn ends(&mut self, part: Part) {
        if let Some(outages) = self.0.get_mut(part as usize) {
            *outages = outages.saturating_sub(1);
        }
    }
}

/// A time in which calls fail, are slow, and processes stand still and die.
#[derive(Debug, Clone, Copy)]
pub struct Storm {
    /// How likely a call fails, or its answer is lost, or it is done late.
    pub fails: f64,
    /// How likely it takes seconds.
    pub slow: f64,
    /// How likely the process stands still beside it.
    pub stands_still: f64,
    /// How likely a process dies within its next calls, asked each five minutes.
    pub deaths: f64,
}

/// Something that is done from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// An outage begins.
    Breaks(Part),
    /// It is over.
    Mended(Part),
    /// The issuer ends every access token.
    EndsAccess,
    /// An administrator revokes the refresh tokens.
    EndsRefresh,
    /// The user, or the client, is locked.
    Locks,
    /// And unlocked.
    Unlocks,
    /// The processes are replaced by new ones.
    Redeployed,
    /// A storm begins: which.
    Storms(usize),
    /// It is over.
    Clears,
}

/// What goes wrong.
#[derive(Debug, Default)]
pub struct Weather {
    /// What happens when, Unix milliseconds, in order.
    pub events: Vec<(i64, Event)>,
    /// The storms.
    pub storms: Vec<Storm>,
    /// From when to when it was not quiet at the issuer, the vault or the store.
    pub troubles: Vec<(i64, i64)>,
    /// From when to when the user was locked.
    pub locks: Vec<(i64, i64)>,
}

/// The last days of a run are quiet, so that all comes to its end.
const QUIET_AT_THE_END: i64 = 3 * DAY;

/// From minutes to days, each order of magnitude as often as another.
fn span(dice: &mut Dice, least: i64, most: i64) -> i64 {
    let (low, high) = ((least as f64).ln(), (most as f64).ln());
    (low + (high - low) * dice.fraction()).exp() as i64
}

impl Weather {
    /// Draws it for so many days.
    pub fn draw(seed: u64, days: i64) -> Self {
        let mut weather = Self::default();
        let mut dice = Dice::new(seed, "weather");
        let end = BEGINNING_MS + days * DAY - QUIET_AT_THE_END;
        // Some seeds are quiet, so that what only a storm hides is seen too.
        let much = [0.0, 0.3, 0.7, 0.7, 1.5][dice.below(5) as usize] * days as f64 / 400.0;
        let times = |per_year: f64, dice: &mut Dice| -> Vec<i64> {
            let count = (per_year * much * 2.0 * dice.fraction()).round() as u64;
            let within = (end - BEGINNING_MS - DAY).max(1) as u64;
            (0..count)
                .map(|_| BEGINNING_MS + HOUR + dice.below(within) as i64)
                .collect()
        };
        for part in Part::ALL {
            for from in times(8.0, &mut dice) {
                let until = (from + span(&mut dice, MINUTE, 3 * DAY)).min(end);
                weather.during(from, until, Event::Breaks(part), Event::Mended(part));
                if part != Part::Product {
                    weather.troubles.push((from, until));
                }
            }
        }
        for from in times(3.0, &mut dice) {
            let until = (from + span(&mut dice, 10 * MINUTE, 5 * DAY)).min(end);
            weather.during(from, until, Event::Locks, Event::Unlocks);
            weather.locks.push((from, until));
        }
        for from in times(6.0, &mut dice) {
            weather.events.push((from, Event::EndsAccess));
        }
        for from in times(1.0, &mut dice) {
            weather.events.push((from, Event::EndsRefresh));
        }
        for from in times(12.0, &mut dice) {
            weather.events.push((from, Event::Redeployed));
        }
        for from in times(16.0, &mut dice) {
            let until = (from + span(&mut dice, 20 * MINUTE, 5 * HOUR)).min(end);
            let often = |dice: &mut Dice, most: f64| match dice.chance(0.5) {
                true => most * dice.fraction(),
                false => 0.0,
            };
            let storm = Storm {
                fails: often(&mut dice, 0.2),
                slow: often(&mut dice, 0.1),
                stands_still: often(&mut dice, 0.02),
                deaths: often(&mut dice, 0.8),
            };
            let number = weather.storms.len();
            weather.storms.push(storm);
            weather.during(from, until, Event::Storms(number), Event::Clears);
            weather.troubles.push((from, until));
        }
        weather.events.sort_by_key(|(at, _)| *at);
        weather
    }

    fn during(&mut self, from: i64, until: i64, begins: Event, ends: Event) {
        if from < until {
            self.events.push((from, begins));
            self.events.push((until, ends));
        }
    }
}
