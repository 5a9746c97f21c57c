//! `itsmc record send`: a work item of any log record, by the way that every alert goes.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::failure::Failure;
use crate::files;
use crate::log_record::{self, Columns, LogRecord};
use crate::output::{Output, harmless};
use crate::webhook::{To, show};

/// Longest export that is read. Log Analytics exports at most 30,000 rows; of this command's use nobody needs more.
const EXPORT_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Make a work item of a log record.
///
/// The record is an object or an array of objects in JSON, an answer of the Log Analytics query API, or CSV with a line of
/// headings, as the portal exports it. It goes to the webhook as an alert: the same record sent twice makes one work
/// item.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples: the only record; the second row, with columns named; all rows of a query\n\n  \
        itsmc record send record.json\n  \
        itsmc record send query_data.csv --row 2 --title EventID --description RenderedDescription\n  \
        az monitor log-analytics query -w ID --analytics-query 'Event | take 3' | itsmc record send - --all"
)]
pub(crate) struct Send {
    /// The record or records, as JSON or CSV; `-` is standard input
    file: PathBuf,
    /// Which of several records, counted from 1
    #[arg(long, value_name = "N", conflicts_with = "all")]
    row: Option<usize>,
    /// Each of several records
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    columns: Columns,
    #[command(flatten)]
    to: To,
}

impl Send {
    /// Sends it.
    pub(crate) async fn run(&self, data: &Path, output: &Output) -> Result<(), Failure> {
        let webhook = self.to.webhook(data, &self.file)?;
        let hint = "narrow the query, or export fewer columns";
        let bytes = files::read_up_to(&self.file, EXPORT_BYTES_MAX, hint)?;
        let records = log_record::read(&bytes).map_err(|found| {
            Failure::wrong_usage(
                format!("`{}`: {found}", self.file.display()),
                "a record is a JSON object, or a row of CSV below a line of headings",
            )
        })?;
        let alerts: Vec<_> = self
            .chosen(&records)?
            .iter()
            .map(|record| self.columns.alert(record))
            .collect::<Result<_, _>>()?;
        for alert in alerts {
            show(&webhook.post(alert, output).await?, output)?;
        }
        Ok(())
    }

    fn chosen<'a>(&self, records: &'a [LogRecord]) -> Result<&'a [LogRecord], Failure> {
        let place = self.file.display();
        match (self.row, records) {
            (_, []) => Err(Failure::wrong_usage(
                format!("`{place}` holds no record"),
                "the query may have found nothing",
            )),
            (Some(row), _) => row
                .checked_sub(1)
                .and_then(|at| records.get(at..=at))
                .ok_or_else(|| {
                    Failure::wrong_usage(
                        format!("--row: found {row}, expected 1 to {}", records.len()),
                        "rows are counted from 1, without the line of headings",
                    )
                }),
            (None, [_]) => Ok(records),
            (None, _) if self.all => Ok(records),
            (None, [first, ..]) => Err(Failure::wrong_usage(
                format!("`{place}` holds {} records", records.len()),
                format!(
                    "`--row 1` is the one with {}; `--all` makes a work item of each",
                    harmless(&first.in_words())
                ),
            )),
        }
    }
}
