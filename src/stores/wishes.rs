//! Wishes for another token, of processes that may not obtain it themselves: using the refresh token would replace it, and
//! only the `token-refresher` may do that (DESIGN §8).

use serde::{Deserialize, Serialize};

use super::objects::{Objects, StoreFailure};
use super::stored::{self, WithVersion};
use crate::domain::name::ConnectionName;
use crate::domain::timestamp::Timestamp;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Wish {
    at: Timestamp,
}

/// The wishes.
#[derive(Debug, Clone)]
pub struct Wishes {
    objects: Objects,
}

impl Wishes {
    /// In this store.
    pub fn new(objects: Objects) -> Self {
        Self { objects }
    }

    fn path(connection: &ConnectionName) -> String {
        format!("refresh-wanted/{connection}")
    }

    /// Wishes for another token than the one that did not serve at `now`. One wish of a connection is enough for everybody:
    /// whoever comes second changes nothing.
    pub async fn make(
        &self,
        connection: &ConnectionName,
        now: Timestamp,
    ) -> Result<(), StoreFailure> {
        let path = Self::path(connection);
        let content = stored::content(&path, &WithVersion::new(Wish { at: now }))?;
        self.objects.create(&path, content).await?;
        Ok(())
    }

    /// When somebody wished; `None` if nobody does.
    pub async fn read(
        &self,
        connection: &ConnectionName,
    ) -> Result<Option<Timestamp>, StoreFailure> {
        let path = Self::path(connection);
        let Some(content) = self.objects.get(&path).await? else {
            return Ok(None);
        };
        let wish: WithVersion<Wish> = stored::read(&path, &content)?;
        Ok(Some(wish.content.at))
    }

    /// The wish was served.
    pub async fn remove(&self, connection: &ConnectionName) -> Result<(), StoreFailure> {
        self.objects.delete(&Self::path(connection)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_wish_stands_until_it_is_served() {
        let wishes = Wishes::new(crate::stores::test_clock::in_memory());
        let contoso = ConnectionName::parse("contoso").unwrap();
        let at = Timestamp::from_millis;
        assert_eq!(wishes.read(&contoso).await.unwrap(), None);
        wishes.make(&contoso, at(5)).await.unwrap();
        wishes.make(&contoso, at(9)).await.unwrap();
        assert_eq!(wishes.read(&contoso).await.unwrap(), Some(at(5)));
        wishes.remove(&contoso).await.unwrap();
        assert_eq!(wishes.read(&contoso).await.unwrap(), None);
    }
}
