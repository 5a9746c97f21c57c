//! Requests per minute, and whether a client keeps to the time that it was told.

/// What the service takes of one rule per minute.
const REQUESTS_PER_MINUTE: u32 = 12_000;

const MINUTE_MS: i64 = 60_000;

#[derive(Debug, Default)]
pub(super) struct Throttle {
    minute: i64,
    seen: u32,
    told_until_ms: i64,
}

impl Throttle {
    /// Counts a request; how many seconds to wait if it is one too many.
    pub(super) fn wait(&mut self, now_ms: i64, limit: Option<u32>) -> Option<u32> {
        let minute = now_ms.div_euclid(MINUTE_MS);
        if minute != self.minute {
            (self.minute, self.seen) = (minute, 0);
        }
        self.seen += 1;
        let over = self.seen > limit.unwrap_or(REQUESTS_PER_MINUTE);
        let left = MINUTE_MS - now_ms.rem_euclid(MINUTE_MS);
        over.then(|| u32::try_from(left / 1000 + 1).unwrap_or(60))
    }

    /// True within the time that a client was told to wait.
    pub(super) fn was_told(&self, now_ms: i64) -> bool {
        now_ms < self.told_until_ms
    }

    pub(super) fn tell(&mut self, now_ms: i64, seconds: u32) {
        self.told_until_ms = now_ms + i64::from(seconds) * 1000;
    }
}
