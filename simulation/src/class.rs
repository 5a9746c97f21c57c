//! The classes of faults: what they are called, and how often one strikes at most.

macro_rules! classes {
    ($($(#[$doc:meta])* $name:ident $word:literal $most:literal,)*) => {
        /// A class of fault.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Class { $($(#[$doc])* $name,)* }

        impl Class {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its name in reports, and the counter of its strikes.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// The highest probability that is usually drawn for it, per call that it may hit.
            pub fn most(self) -> f64 {
                match self { $(Self::$name => $most,)* }
            }
        }
    };
}

classes! {
    /// The store fails before it has done anything.
    StoreFails "store: fails" 0.08,
    /// The store does it, and the answer is an error.
    StoreLosesAnswer "store: done, answer lost" 0.08,
    /// The store does it, and no answer comes.
    StoreFallsSilent "store: done, no answer" 0.04,
    /// The store neither does it nor answers.
    StoreHangs "store: hangs" 0.03,
    /// The store does it after its caller has given up.
    StoreActsLate "store: done late" 0.03,
    /// The store says that it is there already, and it is not: S3's 409 while another write of that name goes on.
    StoreConflicts "store: 409" 0.05,
    /// The store takes its time.
    StoreSlow "store: slow" 0.10,
    /// The store is away for a while.
    StoreDown "store: down" 1.0,
    /// The vault fails.
    VaultFails "vault: fails" 0.3,
    /// The vault does not answer.
    VaultHangs "vault: hangs" 0.2,
    /// The vault is away for a while.
    VaultDown "vault: down" 1.0,
    /// No connection to the product.
    NotSent "product: not sent" 0.15,
    /// The connection is reset before the request is read.
    Reset "product: reset" 0.1,
    /// Not executed, and no answer.
    LostBefore "product: lost before" 0.15,
    /// Executed, and no answer.
    LostAfter "product: lost after" 0.25,
    /// Executed up to a minute later, and no answer.
    Late "product: late" 0.2,
    /// Takes longer than anybody waits, or nearly.
    Slow "product: slow" 0.15,
    /// The answer comes byte by byte.
    Drips "product: drips" 0.08,
    /// The answer is cut.
    Cut "product: cut" 0.1,
    /// 429 for some seconds.
    LimitedBriefly "product: 429 short" 0.15,
    /// 429 for an hour or two.
    LimitedLong "product: 429 long" 0.01,
    /// 429 by too many calls at once.
    TooManyAtOnce "product: 429 bare" 0.1,
    /// A maintenance page with status 200.
    Page "product: page" 0.1,
    /// The page of a sleeping instance.
    Hibernating "product: hibernating" 0.04,
    /// 500, not executed.
    Fails "product: 500" 0.1,
    /// 500, executed and committed.
    FailsCommitted "product: 500 committed" 0.15,
    /// 503.
    Unavailable "product: 503" 0.1,
    /// Executed; the answer is no JSON.
    BrokenJson "product: broken JSON" 0.1,
    /// Not executed; 200 with an error in it, or 202 with nothing.
    ErrorWithSuccess "product: error in a 2xx" 0.08,
    /// Executed; the result is empty, or without its envelope.
    EmptyResult "product: empty result" 0.08,
    /// Executed; the answer is labelled as something else than JSON.
    WrongType "product: wrong content type" 0.08,
    /// Executed; the answer is about another record.
    Foreign "product: foreign record" 0.08,
    /// Executed; the record in the answer has another key, or no correlation id.
    WrongKey "product: wrong key" 0.08,
    /// Executed by a clock that is hours off.
    ClockOff "product: clock off" 0.1,
    /// The access token is revoked.
    TokenRevoked "product: token revoked" 0.1,
    /// 401 although the token is good.
    Unauthorized "product: 401" 0.04,
    /// The client's credentials are refused for a while.
    SignInRefused "product: sign-in refused" 1.0,
    /// 403 by a rule.
    Forbidden "product: 403" 0.01,
    /// An error that repeats every secret that came in.
    Echo "product: echoes secrets" 0.05,
    /// A search that is two minutes behind.
    Stale "product: stale search" 0.3,
    /// A process dies at a port call.
    Crash "crash" 0.03,
    /// A process stands still right before it sends.
    Freeze "freeze before a send" 0.12,
    /// A process stands still at any port call.
    Stall "freeze at any call" 0.004,
    /// A timer does not fire.
    MissedTick "timer: missed" 0.15,
    /// A timer fires twice.
    DoubledTick "timer: doubled" 0.15,
    /// Azure does not see the answer.
    AnswerLost "sender: answer lost" 0.15,
    /// A person closes a work item.
    PersonCloses "person: closes" 1.0,
    /// A person edits a work item.
    PersonEdits "person: edits" 1.0,
    /// A person reopens a work item that was done.
    PersonReopens "person: reopens" 1.0,
    /// A person deletes a work item.
    PersonDeletes "person: deletes" 0.5,
    /// A person gives a work item to another system: it carries that one's correlation id now.
    PersonTakesOver "person: takes over" 0.5,
}

impl Class {
    /// Beyond this nothing would ever get through, or the work of a whole run would be lost.
    pub fn utmost(self) -> f64 {
        match self {
            Self::LimitedLong | Self::Forbidden | Self::Stall => self.most() * 2.0,
            Self::Crash => 0.06,
            Self::StoreDown | Self::VaultDown | Self::SignInRefused => 1.0,
            Self::PersonCloses | Self::PersonEdits | Self::PersonReopens => 1.0,
            Self::PersonDeletes | Self::PersonTakesOver => 1.0,
            Self::Freeze | Self::Stale | Self::LostAfter => 0.6,
            _ => 0.35,
        }
    }
}
