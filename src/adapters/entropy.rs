//! Randomness from the operating system.

use crate::ports::Entropy;

/// The operating system's randomness.
#[derive(Debug, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn dice(&self) -> u64 {
        // It fails only where there is no such source at all; then ids must still differ between writers.
        getrandom::u64().unwrap_or_else(|_| {
            u64::from(std::process::id()) << 32 | std::ptr::from_ref(self) as usize as u64
        })
    }
}
