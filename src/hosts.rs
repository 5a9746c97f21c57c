//! Where a function runs: on AWS Lambda, as an Azure Functions custom handler, or at the desk. The function does not know;
//! this looks and picks.

pub mod azure_functions;
mod function;
pub mod health;
mod http_server;
pub mod intake;
pub mod lambda;
pub mod local;
pub mod refresher;
pub mod reply;
pub mod route;
pub mod syncer;

use std::process::ExitCode;
use std::sync::Arc;

use crate::settings::{Platform, Settings, SettingsError};
use crate::telemetry::{self, Lines};
pub use function::{Function, NotListed, Rhythm, TakesAlerts};

/// Runs a function to its end: logging, a runtime of one thread, the settings, then the host. Everything that goes wrong
/// before alerts can be taken ends here, in one line for the person who deploys.
pub fn run<E: std::error::Error>(
    build: impl FnOnce(&Settings) -> Result<Arc<dyn Function>, E>,
) -> ExitCode {
    run_with(Settings::from_env, build)
}

/// The same for a function that has no webhook.
pub fn run_timer<E: std::error::Error>(
    build: impl FnOnce(&Settings) -> Result<Arc<dyn Function>, E>,
) -> ExitCode {
    run_with(Settings::of_timer_from_env, build)
}

fn run_with<E: std::error::Error>(
    settings: impl FnOnce() -> Result<Settings, SettingsError>,
    build: impl FnOnce(&Settings) -> Result<Arc<dyn Function>, E>,
) -> ExitCode {
    telemetry::start(&crate::settings::log_filter(), Lines::Stdout);
    let settings = match settings() {
        Ok(settings) => settings,
        Err(error) => return refuse(&error.to_string(), error.hint),
    };
    // The Functions host asks at the port from the process's start on, so that it is bound before anything else is done.
    let custom_handler = match settings.platform {
        Platform::AzureFunctions { port } => match azure_functions::bind(port) {
            Ok(listener) => Some(listener),
            Err(error) => {
                return refuse(
                    &format!("port {port}: {error}"),
                    "the Functions host chooses the port; it starts the process again with another",
                );
            }
        },
        Platform::Lambda | Platform::Local => None,
    };
    let function = match build(&settings) {
        Ok(function) => function,
        Err(error) => {
            return refuse(
                &error.to_string(),
                "check the settings; docs/settings.md lists them",
            );
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&error.to_string(), "the operating system refused a runtime"),
    };
    let served = runtime.block_on(async {
        match (settings.platform, custom_handler) {
            (Platform::Lambda, _) => lambda::serve(function)
                .await
                .map_err(|error| error.to_string()),
            (_, Some(listener)) => azure_functions::serve(function, listener)
                .await
                .map_err(|error| error.to_string()),
            (_, None) => local::serve(function, settings.listen)
                .await
                .map_err(|error| format!("{}: {error}", settings.listen)),
        }
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(
            &error,
            "is the address in use, or the platform's endpoint gone?",
        ),
    }
}

fn refuse(error: &str, hint: &str) -> ExitCode {
    tracing::error!(error, hint, "the function does not start");
    ExitCode::from(2)
}
