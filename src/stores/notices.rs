//! Notices: what is to become a row of `ServiceDeskLog_CL`, left by whoever has no way there, until a sync has sent it.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::objects::{Objects, StoreFailure};
use super::stored::{self, WithVersion};
use crate::domain::log_row::notice::Notice;

/// Where they are.
const FOLDER: &str = "notices";

/// Notices that one process leaves in its life at most, by their names: a sender may ask for any connection.
const LEFT_MAX: usize = 200;

/// Notices that wait at most: where no sync runs nobody takes them along.
const WAITING_MAX: usize = 500;

/// The notices.
#[derive(Debug)]
pub struct Notices {
    objects: Objects,
    /// What this process has left already.
    left: Mutex<BTreeSet<String>>,
}

impl Notices {
    /// In this store.
    pub fn new(objects: Objects) -> Self {
        Self {
            objects,
            left: Mutex::default(),
        }
    }

    /// Leaves one. The first of its name stands.
    pub async fn leave(&self, notice: &Notice) -> Result<(), StoreFailure> {
        let name = notice.name();
        {
            let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
            if left.contains(&name) || left.len() >= LEFT_MAX {
                return Ok(());
            }
        }
        let waiting = self.objects.list_first(FOLDER, None, WAITING_MAX).await?;
        if waiting.len() >= WAITING_MAX {
            return Ok(());
        }
        let path = format!("{FOLDER}/{name}");
        let content = stored::content(&path, &WithVersion::new(notice))?;
        self.objects.create(&path, content).await?;
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.insert(name);
        Ok(())
    }

    /// The first `max` of them.
    pub async fn waiting(&self, max: usize) -> Result<Vec<Notice>, StoreFailure> {
        let mut notices = Vec::new();
        for name in self.objects.list(FOLDER).await?.into_iter().take(max) {
            let path = format!("{FOLDER}/{name}");
            if let Some(content) = self.objects.get(&path).await? {
                let read: WithVersion<Notice> = stored::read(&path, &content)?;
                notices.push(read.content);
            }
        }
        Ok(notices)
    }

    /// It was sent.
    pub async fn remove(&self, notice: &Notice) -> Result<(), StoreFailure> {
        let path = format!("{FOLDER}/{}", notice.name());
        self.objects.delete(&path).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::name::ConnectionName;
    use crate::domain::timestamp::Timestamp;

    fn missing(name: &str, minute: i64) -> Notice {
        let name = ConnectionName::parse(name).unwrap();
        Notice::missing(Timestamp::from_millis(minute * 60_000), &name)
    }

    #[tokio::test]
    async fn what_is_said_again_within_the_hour_is_one_notice_until_it_was_sent() {
        let objects = crate::stores::test_clock::in_memory();
        let (one, other) = (Notices::new(objects.clone()), Notices::new(objects));
        for (notices, minute) in [(&one, 1), (&one, 2), (&other, 3)] {
            notices.leave(&missing("a", minute)).await.unwrap();
        }
        one.leave(&missing("b", 4)).await.unwrap();
        other.leave(&missing("a", 61)).await.unwrap();
        let waiting = one.waiting(10).await.unwrap();
        let minutes: Vec<i64> = (waiting.iter())
            .map(|notice| notice.at.as_millis() / 60_000)
            .collect();
        assert_eq!(minutes, [1, 61, 4]);
        for notice in &waiting {
            one.remove(notice).await.unwrap();
        }
        assert_eq!(one.waiting(10).await.unwrap(), []);
    }

    #[tokio::test]
    async fn nobody_fills_the_store_by_asking_for_names() {
        let notices = Notices::new(crate::stores::test_clock::in_memory());
        for n in 0..LEFT_MAX + 5 {
            notices.leave(&missing(&format!("a{n}"), 1)).await.unwrap();
        }
        assert_eq!(notices.waiting(1000).await.unwrap().len(), LEFT_MAX);
        for process in 0..3 {
            let another = Notices::new(notices.objects.clone());
            for n in 0..LEFT_MAX {
                let notice = missing(&format!("b{process}{n}"), 1);
                another.leave(&notice).await.unwrap();
            }
        }
        assert_eq!(notices.waiting(1000).await.unwrap().len(), WAITING_MAX);
    }
}
