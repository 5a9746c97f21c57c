//! Tells the command how it was compiled: figures taken with an unoptimised client say so.

use std::io::Write as _;

#[expect(
    clippy::disallowed_methods,
    reason = "this is how cargo talks to a build script"
)]
fn main() -> std::io::Result<()> {
    let level = std::env::var("OPT_LEVEL").unwrap_or_default();
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "cargo::rustc-env=XTASK_OPT_LEVEL={level}")?;
    writeln!(stdout, "cargo::rerun-if-changed=build.rs")
}
