//! Azure Blob and S3, by `object_store`. Opening one asks nobody anything and reads nothing.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};

use super::NotOpened;
use super::client::LazyConnector;
use crate::domain::secret::Secret;

/// How often a request is sent again that met a broken connection, 408, 429 or a 5xx. A call to the store has two seconds
/// in all (`STORE_CALL_MAX`), the intake makes two of them, and Azure asks again after that: two more tries, a tenth and
/// a fifth of a second apart, outlast the fault of one server of the store, and more would only add to its load.
const RETRIES_MAX: usize = 2;

/// After which none is sent again: it would not be answered within the two seconds.
const RETRY_FOR: Duration = Duration::from_millis(1500);

/// The first pause before a request is sent again; each further one is twice as long at most, with jitter.
const PAUSE: Duration = Duration::from_millis(100);

/// Opens a container or bucket: where it is for people, its name, the folder in it (empty for all of it), and what
/// `object_store` is told, by the names of its environment variables.
pub struct Opening<'a> {
    /// For errors.
    pub location: String,
    /// The container or bucket.
    pub container: &'a str,
    /// The folder in it.
    pub prefix: &'a str,
    /// Account, region, server, identity.
    pub options: &'a [(&'static str, Secret)],
}

impl Opening<'_> {
    /// Azure Blob.
    pub fn azure(&self) -> Result<Arc<dyn ObjectStore>, NotOpened> {
        let builder = MicrosoftAzureBuilder::new()
            .with_http_connector(LazyConnector::default())
            .with_client_options(self.client())
            .with_retry(retries());
        let store = self
            .told(builder, MicrosoftAzureBuilder::with_config)?
            .with_container_name(self.container)
            .build();
        self.below_prefix(store)
    }

    /// S3. Objects are removed one by one: the call for many asks for a further right and is missing in some servers.
    pub fn s3(&self) -> Result<Arc<dyn ObjectStore>, NotOpened> {
        let builder = AmazonS3Builder::new()
            .with_http_connector(LazyConnector::default())
            .with_client_options(self.client())
            .with_retry(retries())
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            .with_disable_bulk_delete(true);
        let store = self
            .told(builder, AmazonS3Builder::with_config)?
            .with_bucket_name(self.container)
            .build();
        self.below_prefix(store)
    }

    /// Tells the builder what the settings say, in the names that it knows.
    fn told<B, K: FromStr<Err = object_store::Error>>(
        &self,
        builder: B,
        with: fn(B, K, String) -> B,
    ) -> Result<B, NotOpened> {
        self.options
            .iter()
            .try_fold(builder, |builder, (name, value)| {
                let key = name.to_ascii_lowercase().parse();
                let key =
                    key.map_err(|_| self.not_opened(format!("`{name}` is no option of it")))?;
                Ok(with(builder, key, value.expose().to_owned()))
            })
    }

    /// The settings have seen to it that only those are asked without TLS that may be.
    fn client(&self) -> ClientOptions {
        let is_plain = |(name, value): &(&str, Secret)| {
            matches!(*name, "AZURE_STORAGE_ENDPOINT" | "AWS_ENDPOINT_URL_S3")
                && value.expose().starts_with("http://")
        };
        ClientOptions::new().with_allow_http(self.options.iter().any(is_plain))
    }

    fn below_prefix(
        &self,
        store: object_store::Result<impl ObjectStore>,
    ) -> Result<Arc<dyn ObjectStore>, NotOpened> {
        // Its words may repeat what it was told, and that may be a key.
        let store = store.map_err(|error| {
            tracing::debug!(kind = ?std::mem::discriminant(&error), "object_store refused its options");
            self.not_opened("a key, token or address in its variables has not the form that it must have".to_owned())
        })?;
        if self.prefix.is_empty() {
            return Ok(Arc::new(store));
        }
        Ok(Arc::new(PrefixStore::new(store, self.prefix)))
    }

    fn not_opened(&self, reason: String) -> NotOpened {
        NotOpened {
            location: format!("`{}`", self.location),
            reason,
        }
    }
}

fn retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: PAUSE,
            max_backoff: PAUSE * 4,
            base: 2.0,
        },
        max_retries: RETRIES_MAX,
        retry_timeout: RETRY_FOR,
    }
}
