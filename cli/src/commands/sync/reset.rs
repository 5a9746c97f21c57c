//! `itsmc sync reset`: the cursors of a connection are forgotten, and the next run begins anew.

use std::path::Path;

use clap::Args;
use itsm_connector::domain::name::ConnectionName;
use itsm_connector::domain::sync_window::Stream;
use itsm_connector::stores::cursors::Cursors;
use itsm_connector::stores::ledgers::Ledgers;
use itsm_connector::stores::set_aside::SetAsides;

use crate::commands::connection_name;
use crate::desk::Desk;
use crate::failure::Failure;
use crate::output::Output;

/// Forget how far the sync of a connection is: the next run sends its past days once more
#[derive(Debug, Args)]
#[command(after_help = "Example:\n\n  itsmc sync reset contoso --yes")]
pub(crate) struct Reset {
    /// The connection
    #[arg(value_parser = connection_name)]
    connection: ConnectionName,
    /// Yes, send everything again: readers of the table collapse the repeats
    #[arg(long)]
    yes: bool,
}

impl Reset {
    /// Forgets it.
    pub(crate) async fn run(&self, data: &Path, output: &Output) -> Result<(), Failure> {
        let name = &self.connection;
        if !self.yes {
            return Err(Failure::wrong_usage(
                format!("the next run would send the past days of `{name}` once more"),
                "add `--yes` if that is what you want; `itsmc sync run --since` sends a part of it",
            ));
        }
        let desk = Desk::open(data)?;
        desk.existing_state()?;
        let core = desk.core()?;
        let cursors = Cursors::new(core.objects.clone());
        let ledgers = Ledgers::new(core.objects.clone());
        let mut snapshots = 0;
        for stream in Stream::ALL {
            snapshots += cursors.reset(name, stream).await?;
            ledgers.reset(name, stream).await?;
        }
        let set_aside = SetAsides::new(core.objects.clone()).clear(name).await?;
        if output.is_json() {
            output.document(&serde_json::json!({ "snapshots": snapshots, "set_aside": set_aside }));
        } else {
            output.words(format!("{name}: the next run begins anew; {set_aside} rows that were set aside are forgotten"));
        }
        Ok(())
    }
}
