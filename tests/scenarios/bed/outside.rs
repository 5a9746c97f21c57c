//! Store, vault and transport as the bed gives them to the connector: the real ones, once their fate has been asked.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use futures_util::stream::{BoxStream, StreamExt as _};
use itsm_connector::adapters::http::HttpTransport;
use itsm_connector::domain::failure::{CallFailure, Effect, Kind};
use itsm_connector::domain::kept::{Kept, VaultVersion, VersionSeen};
use itsm_connector::domain::network::AllowedHosts;
use itsm_connector::domain::secret::Secret;
use itsm_connector::domain::timestamp::Timestamp;
use itsm_connector::ports::{Transport, TransportFailure, TransportTrouble, Vault};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result as Stored,
};

use serde_json::Value;

use super::fates::{Failed, Fates, Service, Step};

/// The state store.
#[derive(Debug, Clone)]
pub(crate) struct FatedStore {
    pub(crate) inner: Arc<dyn ObjectStore>,
    pub(crate) fates: Arc<Fates>,
}

impl std::fmt::Display for FatedStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.inner)
    }
}

fn step(operation: &'static str, path: Option<&Path>) -> Step {
    Step {
        service: Service::Store,
        operation,
        path: path.map(Path::to_string).unwrap_or_default(),
    }
}

fn out_of_order() -> object_store::Error {
    object_store::Error::Generic {
        store: "fated",
        source: "the story put this failure in".into(),
    }
}

fn flat<T>(answer: Result<Stored<T>, Failed>) -> Stored<T> {
    answer.unwrap_or_else(|_| Err(out_of_order()))
}

#[async_trait]
impl ObjectStore for FatedStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Stored<PutResult> {
        let put = self.inner.put_opts(location, payload, options);
        flat(
            self.fates
                .carry_out(step("create", Some(location)), put)
                .await,
        )
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Stored<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Stored<GetResult> {
        let get = self.inner.get_opts(location, options);
        flat(self.fates.carry_out(step("get", Some(location)), get).await)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Stored<Path>>,
    ) -> BoxStream<'static, Stored<Path>> {
        let this = self.clone();
        locations
            .then(move |location| {
                let this = this.clone();
                async move {
                    let location = location?;
                    let one = futures_util::stream::iter([Ok(location.clone())]).boxed();
                    let delete = this.inner.delete_stream(one).try_collect::<Vec<Path>>();
                    flat(
                        this.fates
                            .carry_out(step("delete", Some(&location)), delete)
                            .await,
                    )?;
                    Ok(location)
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Stored<ObjectMeta>> {
        let (this, step) = (self.clone(), step("list", prefix));
        let listing = self.inner.list(prefix);
        futures_util::stream::once(async move {
            match this.fates.carry_out(step, async { listing }).await {
                Ok(listing) => listing,
                Err(_) => futures_util::stream::iter([Err(out_of_order())]).boxed(),
            }
        })
        .flatten()
        .boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Stored<ListResult> {
        let list = self.inner.list_with_delimiter(prefix);
        flat(self.fates.carry_out(step("list", prefix), list).await)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Stored<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// The vault.
pub(crate) struct FatedVault {
    pub(crate) inner: Arc<dyn Vault>,
    pub(crate) fates: Arc<Fates>,
}

impl FatedVault {
    async fn ask<T: Send>(
        &self,
        operation: &'static str,
        name: &str,
        call: impl Future<Output = Result<T, CallFailure>> + Send,
    ) -> Result<T, CallFailure> {
        let step = Step {
            service: Service::Vault,
            operation,
            path: name.to_owned(),
        };
        self.fates
            .carry_out(step, call)
            .await
            .unwrap_or_else(|failed| {
                let (effect, kind) = match failed {
                    Failed::Before => (Effect::NotSent, Kind::Unavailable),
                    Failed::After => (Effect::Unknown, Kind::ConnectionLost),
                };
                Err(CallFailure::new(
                    "the vault",
                    operation,
                    effect,
                    kind,
                    "put in by the story",
                ))
            })
    }
}

#[async_trait]
impl Vault for FatedVault {
    async fn get(&self, name: &str) -> Result<Option<Kept>, CallFailure> {
        self.ask("get", name, self.inner.get(name)).await
    }

    async fn set(
        &self,
        name: &str,
        value: &Secret,
        expires: Option<Timestamp>,
    ) -> Result<VaultVersion, CallFailure> {
        let set = self.inner.set(name, value, expires);
        self.ask("set", name, set).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, CallFailure> {
        self.ask("list", prefix, self.inner.list(prefix)).await
    }

    async fn versions(&self, name: &str) -> Result<Vec<VersionSeen>, CallFailure> {
        self.ask("versions", name, self.inner.versions(name)).await
    }

    async fn disable(&self, name: &str, version: &VaultVersion) -> Result<(), CallFailure> {
        let disable = self.inner.disable(name, version);
        self.ask("disable", name, disable).await
    }

    async fn remove(&self, name: &str) -> Result<(), CallFailure> {
        self.ask("remove", name, self.inner.remove(name)).await
    }
}

/// One HTTP client for all stories: making one reads every root certificate of the machine, which takes longer than most
/// stories. Each instance has a port of its own, so that nobody meets another's connections.
fn http() -> &'static HttpTransport {
    static HTTP: OnceLock<HttpTransport> = OnceLock::new();
    HTTP.get_or_init(|| HttpTransport::new(AllowedHosts::default().with("127.0.0.1")))
}

/// The way to the product. In a hurry, calls may take a fraction of the time that they are given.
pub(crate) struct FatedTransport {
    pub(crate) fates: Arc<Fates>,
    pub(crate) hurry: u32,
}

#[async_trait]
impl Transport for FatedTransport {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        within: Duration,
    ) -> Result<http::Response<Bytes>, TransportFailure> {
        let step = Step {
            service: Service::Product,
            operation: match request.method().as_str() {
                "POST" => "post",
                "PATCH" => "patch",
                _ => "get",
            },
            path: request.uri().path().to_owned(),
        };
        if let Some(token) = bearer(&request) {
            self.fates.saw_secret(token);
        }
        let send = async {
            let answer = http().send(request, within / self.hurry).await;
            if let Ok(answer) = &answer {
                tokens(answer.body()).for_each(|token| self.fates.saw_secret(&token));
            }
            answer
        };
        self.fates
            .carry_out(step, send)
            .await
            .unwrap_or_else(|failed| {
                Err(match failed {
                    Failed::Before => TransportFailure::NotSent(TransportTrouble::Unreachable),
                    Failed::After => TransportFailure::Unknown(TransportTrouble::Broken),
                })
            })
    }
}

fn bearer(request: &http::Request<Bytes>) -> Option<&str> {
    let header = request.headers().get(http::header::AUTHORIZATION)?;
    header.to_str().ok()?.strip_prefix("Bearer ")
}

/// The tokens in an answer, if it is one of an issuer.
fn tokens(body: &[u8]) -> impl Iterator<Item = String> {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    ["access_token", "refresh_token"]
        .into_iter()
        .filter_map(move |name| Some(answer.get(name)?.as_str()?.to_owned()))
}
