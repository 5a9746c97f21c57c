//! Why a call to the store did not succeed, and what to do about it.

use std::fmt;

/// A call to the store that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreFailure {
    /// What was tried: `create`, `get`, `list`, `delete`.
    pub operation: &'static str,
    /// The object's name.
    pub path: String,
    /// Why.
    pub trouble: StoreTrouble,
}

/// Why a call to the store did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreTrouble {
    /// It did not answer in time; it may have been done.
    TimedOut,
    /// It failed; it may have been done.
    Unavailable,
    /// We may not.
    Denied,
    /// What is stored cannot be read. That is not the same as missing.
    Corrupt,
    /// A newer version of this program wrote it, in a form that this one does not know.
    Newer,
    /// Nobody has seen yet that it honours create-only writes.
    NotProven,
    /// It takes a create for a replace: every claim would be granted twice.
    IgnoresConditions,
}

impl StoreFailure {
    /// True if the store is well, and it is the object that is not as it should be.
    pub fn is_about_content(&self) -> bool {
        matches!(self.trouble, StoreTrouble::Corrupt | StoreTrouble::Newer)
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self.trouble {
            StoreTrouble::TimedOut | StoreTrouble::Unavailable => {
                "check that the store in `ITSMC_STATE` exists and can be reached from here; alerts are answered 503 until then, and sent again by Azure"
            }
            StoreTrouble::Denied => {
                "give the function's identity the right to read, write and delete in the store of `ITSMC_STATE`"
            }
            StoreTrouble::Corrupt => {
                "this object was not written by this program or is damaged; move it aside, and the alert is taken up again from the journal"
            }
            StoreTrouble::NotProven => {
                "the function's timer probes the store within a minute, and so does `itsmc connection test NAME`; alerts are answered 503 until then, and sent again by Azure"
            }
            StoreTrouble::IgnoresConditions => {
                "use S3, Azure Blob or a folder, or a server that honours `If-None-Match`; alerts are answered 503 until `itsmc connection test NAME` finds that it does"
            }
            StoreTrouble::Newer => {
                "an older version of the program met what a newer one has written; run the newest version everywhere, functions and `itsmc`"
            }
        }
    }
}

impl fmt::Display for StoreFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.trouble {
            StoreTrouble::TimedOut => "no answer in time",
            StoreTrouble::Unavailable => "the store failed",
            StoreTrouble::Denied => "permission denied",
            StoreTrouble::Corrupt => "what is stored cannot be read",
            StoreTrouble::Newer => "it was written by a newer version of this program",
            StoreTrouble::NotProven => {
                "nobody has seen yet that it refuses to create what is there"
            }
            StoreTrouble::IgnoresConditions => "it creates what is there already",
        };
        write!(
            f,
            "state store: `{}` of `{}`: {why}",
            self.operation, self.path
        )
    }
}

impl std::error::Error for StoreFailure {}
