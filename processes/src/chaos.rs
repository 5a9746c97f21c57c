//! What happens to the processes, their state and their product while alerts come.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future;
use simulation::dice::Dice;

use crate::fleet::Fleet;
use crate::proxy::Proxy;
use crate::state::{Decoy, State};
use crate::{Trouble, pause};

/// What is done harm to, by dice of a seed.
pub struct Chaos<'a> {
    /// The processes.
    pub fleet: &'a Fleet,
    /// Their state.
    pub state: &'a State,
    /// The way to their product.
    pub proxy: &'a Proxy,
    /// Of the round.
    pub seed: u64,
    /// The longest that a process stands still, milliseconds.
    pub stop_max_ms: u64,
    /// True once there is nothing more to disturb.
    pub is_over: AtomicBool,
}

impl Chaos<'_> {
    /// All of it at once, until it is over. What was begun is brought to its end.
    pub async fn rage(&self) -> Result<(), Trouble> {
        let all = future::try_join5(
            self.kill_and_start(),
            self.stop_and_go_on(),
            self.take_the_state_away(),
            self.fill_the_disk(),
            self.take_the_product_down(),
        );
        all.await.map(|_| ())
    }

    /// Waits for the next harm; false if it is all over.
    async fn comes(&self, ms: u64) -> bool {
        const LOOK_EVERY_MS: u64 = 50;
        for _ in 0..ms / LOOK_EVERY_MS {
            if self.is_over.load(Ordering::SeqCst) {
                return false;
            }
            pause(LOOK_EVERY_MS).await;
        }
        true
    }

    /// Everything as it should be again: whoever stands still goes on, whoever is dead is started.
    pub async fn heal(&self) -> Result<(), Trouble> {
        self.proxy.is_down(false);
        self.proxy.is_stormy(false);
        for n in 0..self.fleet.size() {
            self.fleet.with(n, |program| {
                program.may_write(true);
                program.go_on();
            });
            self.fleet.start(n, self.state).await?;
        }
        Ok(())
    }

    fn dice(&self, purpose: &str) -> Dice {
        Dice::new(self.seed, purpose)
    }

    fn pick(&self, dice: &mut Dice) -> usize {
        usize::try_from(dice.below(self.fleet.size() as u64)).unwrap_or(0)
    }

    async fn kill_and_start(&self) -> Result<(), Trouble> {
        let mut dice = self.dice("kills");
        while self.comes(dice.between(500, 3_000)).await {
            let n = self.pick(&mut dice);
            if self.fleet.kill(n) {
                self.fleet.count("killed");
            }
            pause(dice.between(20, 1_000)).await;
            self.fleet.start(n, self.state).await?;
        }
        Ok(())
    }

    async fn stop_and_go_on(&self) -> Result<(), Trouble> {
        let mut dice = self.dice("stops");
        while self.comes(dice.between(300, 3_000)).await {
            let n = self.pick(&mut dice);
            if self.fleet.with(n, |program| program.stop()) {
                self.fleet.count("stopped");
            }
            // Most stops are short, and the long ones are longer than any answer may take.
            let span = if dice.chance(0.7) {
                dice.between(50, 1_500)
            } else {
                dice.between(1_500, self.stop_max_ms)
            };
            pause(span).await;
            self.fleet.with(n, |program| program.go_on());
        }
        Ok(())
    }

    async fn take_the_state_away(&self) -> Result<(), Trouble> {
        let mut dice = self.dice("state");
        while self.comes(dice.between(2_000, 8_000)).await {
            let (decoy, deed) = if dice.chance(0.5) {
                (Decoy::File, "state away, a file in its place")
            } else {
                (Decoy::Hole, "state away, an empty folder in its place")
            };
            let span = dice.between(30, 900);
            self.state.is_away(decoy, span).await?;
            self.fleet.count(deed);
        }
        Ok(())
    }

    async fn fill_the_disk(&self) -> Result<(), Trouble> {
        let mut dice = self.dice("disk");
        while self.comes(dice.between(2_000, 7_000)).await {
            let span = dice.between(100, 1_200);
            if dice.chance(0.5) {
                let n = self.pick(&mut dice);
                if self.fleet.with(n, |program| program.may_write(false)) {
                    self.fleet.count("no file of one process may grow");
                }
                pause(span).await;
                self.fleet.with(n, |program| program.may_write(true));
                continue;
            }
            let was_full = self.state.is_full(span).await?;
            let deed = if was_full {
                "disk full"
            } else {
                "disk full: SKIPPED"
            };
            self.fleet.count(deed);
        }
        Ok(())
    }

    async fn take_the_product_down(&self) -> Result<(), Trouble> {
        let mut dice = self.dice("product");
        while self.comes(dice.between(10_000, 40_000)).await {
            self.proxy.is_down(true);
            pause(dice.between(200, 3_000)).await;
            self.proxy.is_down(false);
            self.fleet.count("product down");
        }
        Ok(())
    }
}
