//! Whether a store honours create-only writes. Some that speak S3 ignore the condition in silence, and then every claim
//! is granted twice (reliability-security §0.5); such a store is refused.

use bytes::Bytes;

use super::objects::{Creation, Objects, StoreFailure};

/// What a probe showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probed {
    /// A second create of the same object was refused, as it must be.
    Sound,
    /// A second create of the same object went through.
    IgnoresConditions,
    /// The store could not be probed.
    Failed(StoreFailure),
}

/// Writes an object twice, and races eight writers for another. `id` must be new for each probe.
pub async fn probe(objects: &Objects, id: &str) -> Probed {
    match run(objects, id).await {
        Ok(true) => Probed::Sound,
        Ok(false) => Probed::IgnoresConditions,
        Err(failure) => Probed::Failed(failure),
    }
}

async fn run(objects: &Objects, id: &str) -> Result<bool, StoreFailure> {
    let (twice, raced) = (format!("probe/{id}-twice"), format!("probe/{id}-raced"));
    let first = objects.create(&twice, Bytes::from_static(b"1")).await?;
    let second = objects.create(&twice, Bytes::from_static(b"2")).await?;
    let kept = objects.get(&twice).await?;
    let racers = (0..8).map(|n: u8| objects.create(&raced, Bytes::from(vec![b'0' + n])));
    let mut winners = 0;
    for outcome in futures_util::future::join_all(racers).await {
        winners += usize::from(outcome? == Creation::Made);
    }
    objects.delete(&twice).await?;
    objects.delete(&raced).await?;
    Ok(first == Creation::Made
        && second == Creation::Existed
        && kept.as_deref() == Some(b"1")
        && winners == 1)
}
