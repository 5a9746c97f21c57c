//! The command as a person and a script use it: the real binary, a folder of its own, real HTTP.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails where it cannot go on, and looks at the files that the command leaves"
)]

mod alert;
mod bed;
mod connection;
mod connection_add;
mod connection_import;
mod connection_import_mistakes;
mod connection_login;
mod dead;
mod elsewhere;
mod instance;
mod key_vault;
mod record;
mod schema;
mod status;
mod tokens;
mod up;
