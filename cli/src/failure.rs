//! Why a command did not do what it was asked: a message, what to do about it, and the exit code.

use std::process::ExitCode;

use itsm_connector::adapters::state_store::NotOpened;
use itsm_connector::domain::definition::problem::{Problem, Problems};
use itsm_connector::domain::failure::CallFailure;
use itsm_connector::flows::refresh_tokens::NotRefreshed;
use itsm_connector::settings::SettingsError;
use itsm_connector::stores::objects::StoreFailure;
use serde::Serialize;

/// What the shell is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It was understood, and it does not work or is not there.
    DoesNotWork = 1,
    /// The command line, a definition or a setting is wrong.
    WrongUsage = 2,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Trouble {
    /// What.
    pub(crate) error: String,
    /// What to do.
    pub(crate) hint: String,
}

/// Why a command did not do it.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What the shell is told.
    pub(crate) exit: Exit,
    /// What the person is told. Empty if they were told already.
    pub(crate) troubles: Vec<Trouble>,
}

impl Failure {
    /// One trouble.
    pub(crate) fn new(exit: Exit, error: impl Into<String>, hint: impl Into<String>) -> Self {
        let (error, hint) = (error.into(), hint.into());
        Self {
            exit,
            troubles: vec![Trouble { error, hint }],
        }
    }

    /// It does not work, or is not there.
    pub(crate) fn does_not_work(error: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Exit::DoesNotWork, error, hint)
    }

    /// The person can do it right by another command line, file or setting.
    pub(crate) fn wrong_usage(error: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Exit::WrongUsage, error, hint)
    }

    /// It does not work, and what was printed before says why.
    pub(crate) fn told() -> Self {
        Self {
            exit: Exit::DoesNotWork,
            troubles: Vec::new(),
        }
    }

    /// The same with another thing to do.
    #[must_use]
    pub(crate) fn with_hint(mut self, hint: &str) -> Self {
        for trouble in &mut self.troubles {
            hint.clone_into(&mut trouble.hint);
        }
        self
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self::wrong_usage(
            format!(
                "{}: found {}, expected {}",
                error.variable, error.found, error.expected
            ),
            error.hint,
        )
    }
}

impl From<CallFailure> for Failure {
    fn from(failure: CallFailure) -> Self {
        Self::does_not_work(failure.to_string(), failure.hint())
    }
}

impl From<StoreFailure> for Failure {
    fn from(failure: StoreFailure) -> Self {
        Self::does_not_work(failure.to_string(), failure.hint())
    }
}

impl From<NotRefreshed> for Failure {
    fn from(why: NotRefreshed) -> Self {
        Self::does_not_work(why.to_string(), why.hint())
    }
}

impl From<NotOpened> for Failure {
    fn from(error: NotOpened) -> Self {
        Self::does_not_work(
            error.to_string(),
            "the folder of `ITSMC_STATE`, or `state` below `--data`, must be yours to write",
        )
    }
}

impl From<&Problems> for Failure {
    fn from(problems: &Problems) -> Self {
        let troubles = problems.iter().map(|problem| Trouble {
            error: format!(
                "{}: found {}, expected {}",
                place(problem),
                problem.found,
                problem.expected
            ),
            hint: problem.hint.clone(),
        });
        Self {
            exit: Exit::WrongUsage,
            troubles: troubles.collect(),
        }
    }
}

/// Where a mistake is.
pub(crate) fn place(problem: &Problem) -> &str {
    match problem.path.as_str() {
        "" => "the definition",
        path => path,
    }
}
