//! What a failed call of the HTTP client proves, and what was in its way.

use std::error::Error;

use super::resolver::ForbiddenAddress;
use crate::ports::{TransportFailure, TransportTrouble};

/// Only what is proven not sent is told so.
pub(super) fn failure(error: &reqwest::Error) -> TransportFailure {
    if error.is_builder() {
        return TransportFailure::NotSent(TransportTrouble::Malformed);
    }
    if error.is_connect() {
        return TransportFailure::NotSent(while_connecting(error));
    }
    let trouble = if error.is_timeout() {
        TransportTrouble::TimedOut
    } else {
        TransportTrouble::Broken
    };
    TransportFailure::Unknown(trouble)
}

fn while_connecting(error: &reqwest::Error) -> TransportTrouble {
    let mut source = error.source();
    while let Some(cause) = source {
        if cause.is::<ForbiddenAddress>() {
            return TransportTrouble::Forbidden;
        }
        if is_tls(cause) {
            return TransportTrouble::Certificate;
        }
        source = cause.source();
    }
    if error.is_timeout() {
        TransportTrouble::TimedOut
    } else {
        TransportTrouble::Unreachable
    }
}

/// TLS tells of its troubles inside I/O errors, one in the other, whose own `source` passes over what is in them.
fn is_tls(mut cause: &(dyn Error + 'static)) -> bool {
    loop {
        if cause.is::<rustls::Error>() {
            return true;
        }
        let inside = cause
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        match inside {
            Some(inner) => cause = inner,
            None => return false,
        }
    }
}
