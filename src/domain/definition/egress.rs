//! Where the instance stands, and whose certificate it has.

use super::problem::{Problem, Problems};
use crate::domain::egress::{Authorities, NETWORKS_MAX, Networks};
use crate::domain::redact;

/// `allow_networks`.
pub(super) fn networks(list: &[String], problems: &mut Problems) -> Networks {
    if list.len() > NETWORKS_MAX {
        problems.push(Problem::new(
            "allow_networks",
            format!("{} networks", list.len()),
            format!("at most {NETWORKS_MAX}"),
            "name the networks in which the instance stands, no others",
        ));
        return Networks::default();
    }
    match Networks::parse(list) {
        Ok(networks) => networks,
        Err((at, reason)) => {
            let path = format!("allow_networks[{at}]");
            let written = list.get(at).map_or("", String::as_str);
            problems.push(Problem::new(
                &path,
                format!("{}: {reason}", redact::echo(&path, written)),
                "a private network, as its first address and the number of bits that count",
                reason.hint(),
            ));
            Networks::default()
        }
    }
}

/// `ca_certificate`. What stands there is never shown.
pub(super) fn authorities(pem: Option<&str>, problems: &mut Problems) -> Authorities {
    match pem.map_or_else(|| Ok(Authorities::default()), Authorities::parse) {
        Ok(authorities) => authorities,
        Err(reason) => {
            problems.push(Problem::new(
                "ca_certificate",
                reason.to_string(),
                "the certificate of an authority, in PEM",
                reason.hint(),
            ));
            Authorities::default()
        }
    }
}
