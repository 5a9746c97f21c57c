//! Deterministic runs of the real flows and adapters under faults.
//!
//! The connector's own code runs here as it runs in production: flows, stores, the ServiceNow client, its token code.
//! What is around it is simulated: the clock is paused and jumps, the object store and the vault fail by seed, the
//! product answers in process, processes die and freeze at any port call. One number, the seed, decides everything, so
//! a run that fails is a run that can be repeated.
//!
//! A run is told in [`run`]; what must hold afterwards is in [`invariants`].

pub mod alerts;
pub mod attic;
pub mod backlog;
pub mod class;
pub mod clock;
pub mod counters;
pub mod dice;
pub mod frugality;
pub mod hosts;
pub mod invariants;
pub mod ledger;
pub mod logs;
pub mod matrix;
pub mod people;
pub mod planted;
pub mod pool;
pub mod process;
pub mod product;
pub mod rarer;
pub mod report;
pub mod run;
pub mod scene;
pub mod seeds;
pub mod sender;
pub mod shape;
pub mod stop;
pub mod store;
pub mod swarm;
pub mod sync;
pub mod tokens;
pub mod transport;
pub mod vault;
pub mod watch;
