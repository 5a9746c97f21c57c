//! What the sender did and was told: one line per try, in the order in which it happened.

use std::collections::BTreeMap;
use std::fmt;

use crate::alerts::Condition;

/// How a try ended, as its sender may understand it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// 2xx: it is kept, and its effect is promised.
    Ok {
        /// The status.
        status: u16,
        /// What the answer says became of it.
        outcome: String,
    },
    /// 4xx: it is refused, and has no effect.
    Fail {
        /// The status.
        status: u16,
    },
    /// Anything else: nobody knows.
    Unknown {
        /// The status, 0 without an answer.
        status: u16,
        /// In a word.
        why: &'static str,
    },
}

/// One try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Try {
    /// Which alert.
    pub tag: String,
    /// Which of its two messages.
    pub condition: Condition,
    /// To which process.
    pub node: usize,
    /// When it was sent, milliseconds of the round.
    pub sent_ms: u64,
    /// When it ended.
    pub ended_ms: u64,
    /// How it ended.
    pub ending: Ending,
}

impl fmt::Display for Try {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            tag,
            condition,
            node,
            sent_ms,
            ended_ms,
            ending,
        } = self;
        write!(
            f,
            "{sent_ms:>7} ms  invoke {tag} {condition:?} at process {node}; {ended_ms} ms "
        )?;
        match ending {
            Ending::Ok { status, outcome } => write!(f, "ok {status} {outcome}"),
            Ending::Fail { status } => write!(f, "fail {status}"),
            Ending::Unknown { status, why } => write!(f, "unknown {status} {why}"),
        }
    }
}

/// What the sender may believe of a message after all its tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Refused each time.
    Fail,
    /// Never promised, and not always refused.
    Unknown,
    /// Promised at least once.
    Ok,
}

/// All tries of a round.
#[derive(Debug, Clone, Default)]
pub struct History {
    tries: Vec<Try>,
}

impl History {
    /// Writes one down.
    pub fn push(&mut self, one: Try) {
        self.tries.push(one);
    }

    /// All, as they ended.
    pub fn tries(&self) -> &[Try] {
        &self.tries
    }

    /// What may be believed of each message that was sent.
    pub fn verdicts(&self) -> BTreeMap<(String, Condition), Verdict> {
        let mut verdicts = BTreeMap::new();
        for one in &self.tries {
            let verdict = match one.ending {
                Ending::Ok { .. } => Verdict::Ok,
                Ending::Fail { .. } => Verdict::Fail,
                Ending::Unknown { .. } => Verdict::Unknown,
            };
            let best = verdicts
                .entry((one.tag.clone(), one.condition))
                .or_insert(verdict);
            *best = (*best).max(verdict);
        }
        verdicts
    }

    /// How often each answer came; 0 is none.
    pub fn answers(&self) -> BTreeMap<(u16, &str), usize> {
        let mut answers = BTreeMap::new();
        for one in &self.tries {
            let answer = match &one.ending {
                Ending::Ok { status, outcome } => (*status, outcome.as_str()),
                Ending::Fail { status } => (*status, "refused"),
                Ending::Unknown { status, why } => (*status, *why),
            };
            *answers.entry(answer).or_insert(0) += 1;
        }
        answers
    }
}
