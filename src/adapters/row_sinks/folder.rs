//! Rows in files: `DIR/ServiceDesk_CL-2026-03-01.ndjson`, one JSON object a line, a file for each day of writing.
//!
//! A batch is on disk when it counts, all of it or none: what a crash has left of one is cut off before the next. Several
//! processes may write; they take turns by the file's lock.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::domain::batch::Batch;
use crate::domain::failure::{CallFailure, Effect, Kind};
use crate::domain::sink_failure::SinkFailure;
use crate::domain::table::Table;
use crate::ports::{Clock, RowSink};

/// How much of a file's end is read at a time, in search of its last whole line.
const TAIL_BYTES: u64 = 64 * 1024;

/// A folder of files of rows.
pub struct FolderSink {
    folder: PathBuf,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for FolderSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FolderSink")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl FolderSink {
    /// In this folder. It is made at the first write, for this user alone: rows have people's names and texts.
    pub fn new(folder: PathBuf, clock: Arc<dyn Clock>) -> Self {
        Self { folder, clock }
    }

    /// The file for rows that are written now.
    fn file(&self, table: Table) -> PathBuf {
        let now = self.clock.now().to_string();
        let day = now.split('T').next().unwrap_or_default();
        self.folder.join(format!("{}-{day}.ndjson", table.name()))
    }

    fn write(&self, path: &Path, batch: &Batch) -> std::io::Result<()> {
        make_folder(&self.folder)?;
        let is_new = !path.exists();
        let mut file = open(path)?;
        file.lock()?;
        let end = end_of_whole_lines(&mut file)?;
        file.set_len(end)?;
        file.seek(SeekFrom::Start(end))?;
        let mut lines = Vec::with_capacity(batch.body_bytes());
        for row in batch.rows() {
            lines.extend_from_slice(row);
            lines.push(b'\n');
        }
        let written = file.write_all(&lines).and_then(|()| file.sync_data());
        if written.is_err() {
            // Half a batch would count as one. If it cannot be cut off now, the next write does.
            let _ = file.set_len(end);
        }
        written?;
        if is_new {
            sync_folder(&self.folder)?;
        }
        Ok(())
    }
}

#[async_trait]
impl RowSink for FolderSink {
    async fn send(&self, table: Table, batch: &Batch, _: Duration) -> Result<(), SinkFailure> {
        let path = self.file(table);
        self.write(&path, batch).map_err(|error| {
            let operation = format!("write rows of {}", table.name());
            let detail = format!("`{}`: {}", path.display(), error.kind());
            let failure = |kind| {
                CallFailure::new(
                    "the folder of rows",
                    &operation,
                    Effect::NotSent,
                    kind,
                    detail,
                )
            };
            match error.kind() {
                std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::NotADirectory => {
                    SinkFailure::Refused(failure(Kind::Unusable))
                }
                _ => SinkFailure::Wait(failure(Kind::Unavailable)),
            }
        })
    }
}

/// Where the last line break is, and all after it is what a crash has left.
fn end_of_whole_lines(file: &mut File) -> std::io::Result<u64> {
    let mut end = file.seek(SeekFrom::End(0))?;
    while end > 0 {
        let start = end.saturating_sub(TAIL_BYTES);
        file.seek(SeekFrom::Start(start))?;
        let mut tail = Vec::new();
        file.take(end - start).read_to_end(&mut tail)?;
        if let Some(at) = tail.iter().rposition(|&byte| byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the owner of the files of rows"
)]
fn open(path: &Path) -> std::io::Result<File> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

fn make_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(folder)
}

/// The name of a new file is in the folder, which has to be on disk too.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the owner of the files of rows"
)]
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::clock::SystemClock;

    fn row(text: &str) -> Batch {
        Batch::of_one(format!("{{\"Text\":\"{text}\"}}").into_bytes())
    }

    fn sink(folder: &Path) -> FolderSink {
        FolderSink::new(folder.to_owned(), Arc::new(SystemClock::default()))
    }

    async fn send(sink: &FolderSink, batch: &Batch) -> Result<(), SinkFailure> {
        sink.send(Table::ServiceDesk, batch, Duration::from_secs(1))
            .await
    }

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "the test is a crash")]
    async fn what_a_crash_has_left_of_a_batch_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let sink = sink(&folder.path().join("rows"));
        send(&sink, &row("a")).await.unwrap();
        let path = sink.file(Table::ServiceDesk);
        let half = format!("{{\"Text\":\"{}", "x".repeat(200_000));
        let whole = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{whole}{half}")).unwrap();
        send(&sink, &row("b")).await.unwrap();
        let found = std::fs::read_to_string(&path).unwrap();
        assert_eq!(found, "{\"Text\":\"a\"}\n{\"Text\":\"b\"}\n");
        std::fs::write(&path, half).unwrap();
        send(&sink, &row("c")).await.unwrap();
        let found = std::fs::read_to_string(&path).unwrap();
        assert_eq!(found, "{\"Text\":\"c\"}\n");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn others_cannot_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let sink = sink(&folder.path().join("rows"));
        send(&sink, &row("a")).await.unwrap();
        for (path, mode) in [
            (sink.folder.clone(), 0o700),
            (sink.file(Table::ServiceDesk), 0o600),
        ] {
            let found = path.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(found, mode, "{}", path.display());
        }
    }

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "a file stands in the way")]
    async fn a_folder_that_is_none_is_told_and_nothing_is_sent() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "x").unwrap();
        let failure = send(&sink(&file.join("rows")), &row("a"))
            .await
            .unwrap_err();
        assert!(matches!(failure, SinkFailure::Refused(_)), "{failure:?}");
        assert!(failure.failure().to_string().contains("was not sent: `"));
    }
}
