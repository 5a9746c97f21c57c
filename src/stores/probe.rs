//! Whether a store honours create-only writes. Some that speak S3 ignore the condition in silence, and then every claim
//! is granted twice (reliability-security §0.5); such a store is refused.

use bytes::Bytes;

use super::objects::{Creation, Objects, StoreFailure, StoreTrouble};

/// Writers that race for one object.
const RACERS: u8 = 8;

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
    // A create whose answer was lost, and that was sent again, finds itself there: that the first was not "made" and that
    // none of the racers won says nothing against the store.
    objects.create(&twice, Bytes::from_static(b"1")).await?;
    let second = objects.create(&twice, Bytes::from_static(b"2")).await?;
    let kept = objects.get(&twice).await?;
    let racers = (0..RACERS).map(|n| objects.create(&raced, Bytes::from(vec![n])));
    let outcomes = futures_util::future::join_all(racers).await;
    let kept_of_race = objects.get(&raced).await?;
    objects.delete(&twice).await?;
    objects.delete(&raced).await?;
    let mut winners = Vec::new();
    for (n, outcome) in (0..RACERS).zip(outcomes) {
        if outcome? == Creation::Made {
            winners.push(Bytes::from(vec![n]));
        }
    }
    let (Some(kept), Some(kept_of_race)) = (kept, kept_of_race) else {
        // What was just written is not there: that is no store for us, but it is another fault.
        return Err(StoreFailure {
            operation: "get",
            path: twice,
            trouble: StoreTrouble::Unavailable,
        });
    };
    let is_kept = winners.iter().all(|winner| *winner == kept_of_race);
    Ok(second == Creation::Existed && kept == "1" && winners.len() <= 1 && is_kept)
}
