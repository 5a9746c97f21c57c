//! The sync under faults: the real flow, cursors and ServiceNow client before a table that changes while it is read.
//!
//! Records are made, changed, deleted and hidden, many in one second; some are committed minutes after the second that
//! stands in them. Answers are lost, the sink takes rows and does not say so, the store fails, processes die at any call,
//! and two schedulers run at once, in some seeds without the lease between them. What must hold is in [`check`]. Beside the
//! sync, the algorithms that others use read the same table ([`rivals`]), and what they lose is counted.

pub mod check;
pub mod matrix;
pub mod outside;
pub mod report;
pub mod rivals;
pub mod store;
pub mod table;
pub mod world;

use std::panic::catch_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, join_all, select};
use itsm_connector::adapters::itsm::ItsmProducts;
use itsm_connector::domain::network::AllowedHosts;
use itsm_connector::domain::sync_window::{OVERLAP, Rules, SETTLE_LAG};
use itsm_connector::flows::sync_records::{self, Sync};
use itsm_connector::flows::{Core, Outside};
use itsm_connector::ports::{Clock, Vault};

use crate::clock::{SimClock, SimEntropy, pause};
use outside::{Link, OneVault, Sink};
use report::{Ran, Sum};
use rivals::Rival;
use store::Store;
use world::{Process, World};

/// How long the table is unquiet.
const UNQUIET: Duration = Duration::from_secs(15 * 60);

/// Ticks after it, without faults, until which all must be there: gates that faults have closed open again meanwhile.
const QUIET_TICKS: u32 = 90;

/// How often a scheduler comes, and how long a run may take.
const TICK: Duration = Duration::from_secs(60);
const RUN: Duration = Duration::from_secs(50);

/// A defence that is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// The cursor moves although the sink does not have the rows.
    WatermarkBeforeIngest,
    /// Windows begin where the last one ended.
    NoOverlap,
    /// Windows end now.
    NoSettleLag,
    /// A page goes on behind the second of its last row.
    StrictlyAfter,
    /// A page with fewer rows than its limit is the last one.
    ShortPageEnds,
    /// An empty page is the last one.
    EmptyPageEnds,
    /// Nothing is remembered of what the overlap has sent.
    NoMemory,
    /// What was sent is held against the product once, and never again.
    NoReconciliation,
    /// The reconciliation does not know what was sent.
    ForgetsWhatWasSent,
    /// A record that is not shown any more is taken for deleted.
    AbsentIsDeleted,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::WatermarkBeforeIngest,
        Self::NoOverlap,
        Self::NoSettleLag,
        Self::StrictlyAfter,
        Self::ShortPageEnds,
        Self::EmptyPageEnds,
        Self::NoMemory,
        Self::NoReconciliation,
        Self::ForgetsWhatWasSent,
        Self::AbsentIsDeleted,
    ];

    /// Its name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WatermarkBeforeIngest => "watermark-before-ingest",
            Self::NoOverlap => "no-overlap",
            Self::NoSettleLag => "no-settle-lag",
            Self::StrictlyAfter => "strictly-after",
            Self::ShortPageEnds => "short-page-ends",
            Self::EmptyPageEnds => "empty-page-ends",
            Self::NoMemory => "no-memory",
            Self::NoReconciliation => "no-reconciliation",
            Self::ForgetsWhatWasSent => "forgets-what-was-sent",
            Self::AbsentIsDeleted => "absent-is-deleted",
        }
    }
}

/// Runs one seed on a runtime of its own, whose clock is paused.
pub fn run_seed(seed: u64, bug: Option<Bug>) -> Ran {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(run(seed, bug)),
        Err(_) => Ran::failed(seed, "the runtime could not be built"),
    }
}

/// Runs seeds on as many threads as there are cores, until all are run or `is_over`.
pub fn run_all(seeds: &[u64], is_over: &(dyn Fn() -> bool + std::marker::Sync)) -> Sum {
    spread(seeds, is_over, |seed| {
        let ran = catch_unwind(|| run_seed(*seed, None));
        ran.unwrap_or_else(|_| Ran::failed(*seed, "the run panicked"))
    })
}

/// Runs jobs on as many threads as there are cores.
fn spread<J: std::marker::Sync>(
    jobs: &[J],
    is_over: &(dyn Fn() -> bool + std::marker::Sync),
    run: impl Fn(&J) -> Ran + std::marker::Sync,
) -> Sum {
    let (next, sum) = (AtomicUsize::new(0), Mutex::new(Sum::default()));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores.min(jobs.len()) {
            scope.spawn(|| {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if is_over() {
                        break;
                    }
                    let ran = run(job);
                    let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
                    sum.add(ran);
                }
            });
        }
    });
    sum.into_inner().unwrap_or_else(PoisonError::into_inner)
}

async fn run(seed: u64, bug: Option<Bug>) -> Ran {
    let world = Arc::new(World::new(seed, bug));
    table::furnish(&world);
    let schedulers = (0..2).map(|n| scheduler(Arc::clone(&world), n));
    let rivals: Vec<Rival> = Rival::all(&world);
    let walks = rivals.iter().map(Rival::run);
    let table = table::churn(&world);
    futures_util::future::join3(join_all(schedulers), join_all(walks), table).await;
    world.heal();
    for n in 0..QUIET_TICKS {
        tick(&world, n % 2, None).await;
        for rival in &rivals {
            rival.tick().await;
        }
        pause(TICK).await;
        if n > 12 && check::is_complete(&world) {
            break;
        }
    }
    check::at_the_end(&world);
    Ran::of(seed, &world, &rivals)
}

/// A timer that starts a process a minute; some of them die at some call.
async fn scheduler(world: Arc<World>, n: u32) {
    pause(Duration::from_millis(world.between(0, 60_000))).await;
    while world.elapsed() < UNQUIET {
        let dies_at = {
            let mut chance = world.chance();
            chance.chance(0.3).then(|| chance.between(1, 120))
        };
        let began = world.elapsed();
        tick(&world, n, dies_at).await;
        let jitter = Duration::from_millis(world.between(0, 5_000));
        pause((began + TICK + jitter).saturating_sub(world.elapsed())).await;
    }
}

/// One run of a fresh process; how many calls it has begun or ended.
async fn tick(world: &Arc<World>, n: u32, dies_at: Option<u64>) -> u64 {
    let process = Arc::new(Process::new(Arc::clone(world), n, dies_at));
    let core = core(&process);
    let rules = world.rules();
    let sync = Sync {
        rules,
        ..Sync::into(Arc::new(Sink::new(Arc::clone(&process))))
    };
    let run = Box::pin(sync_records::run(&core, &sync, RUN));
    let died = Box::pin(process.died());
    if let Either::Left((reports, _)) = select(run, died).await {
        for (_, synced) in reports {
            world.ran(&synced);
        }
    }
    process.ends();
    process.steps()
}

fn core(process: &Arc<Process>) -> Core {
    let world = &process.world;
    let clock: Arc<dyn Clock> = Arc::new(SimClock::new(world.started, world.skew_ms));
    let vault: Arc<dyn Vault> = Arc::new(OneVault);
    let link = Arc::new(Link::new(Arc::clone(process)));
    let products = ItsmProducts::new(link, Arc::clone(&vault), Arc::clone(&clock));
    Core::new(Outside {
        store: Arc::new(Store::new(Arc::clone(process))),
        vault,
        products: Arc::new(products),
        clock,
        entropy: Arc::new(SimEntropy::new(world.dice())),
        allowed: AllowedHosts::default(),
    })
}

/// How the sync reads here: as in production, but for pages that hold few records and slices that are short.
pub fn rules(bug: Option<Bug>) -> Rules {
    Rules {
        settle_lag: if bug == Some(Bug::NoSettleLag) {
            Duration::ZERO
        } else {
            SETTLE_LAG
        },
        overlap: match bug {
            // Without a lag an overlap would mend it.
            Some(Bug::NoOverlap | Bug::NoSettleLag) => Duration::ZERO,
            _ => OVERLAP,
        },
        slice: Duration::from_secs(6 * 60 * 60),
        page: 5,
        ..Rules::default()
    }
}
