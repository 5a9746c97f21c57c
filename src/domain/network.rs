//! Which network addresses are public, and which hosts may be called although they are not.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where clouds hand out credentials and settings to whoever asks, at addresses that their range does not give away: Azure's
/// platform (168.63.129.16), and instance metadata by IPv6 of AWS and Google. Those by IPv4 are link-local.
const METADATA: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

/// Alibaba's instance metadata, inside the shared range that others use for their own.
const METADATA_SHARED: IpAddr = IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200));

/// True if a cloud hands out credentials there. No connection may name such an address.
pub fn is_metadata(address: IpAddr) -> bool {
    let address = address.to_canonical();
    METADATA.contains(&address) || address == METADATA_SHARED
}

/// True if an address may be called without the host being on the allow-list: nothing private, local, shared,
/// documentation, benchmarking, multicast or reserved, no cloud's metadata, and no address of these kinds inside an IPv6 one.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(is_metadata(address.into())
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b)) // carrier-grade NAT, RFC 6598
        || (a == 192 && b == 0 && c == 0) // protocol assignments, RFC 6890
        || (a == 192 && b == 88 && c == 99) // 6to4 relays, RFC 7526
        || (a == 198 && (b == 18 || b == 19))) // benchmarking, RFC 2544
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(v4) = address.to_ipv4_mapped() {
        return is_public_v4(v4);
    }
    let [s0, s1, s2, s3, s4, s5, s6, s7] = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match s0 {
        0x0064 if s1 == 0xff9b => [s2, s3, s4, s5] == [0; 4] && is_public_v4(v4(s6, s7)), // NAT64, RFC 6052; its local prefix is not
        0x2002 => is_public_v4(v4(s1, s2)),                                               // 6to4
        0x2001 if s1 < 0x0200 => false, // protocol assignments, Teredo among them, RFC 2928
        0x2001 if s1 == 0x0db8 => false, // documentation
        0x3fff if s1 < 0x1000 => false, // documentation, RFC 9637
        _ => (s0 & 0xe000) == 0x2000,   // global unicast, and nothing else
    }
}

/// Hosts that may be called although their address is private or they speak no TLS: `ITSMC_ALLOW_HOSTS`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedHosts(BTreeSet<String>);

impl AllowedHosts {
    /// Reads a comma list of `host` or `host:port`. An entry without a port allows every port of that host.
    pub fn parse(list: &str) -> Self {
        Self(
            list.split(',')
                .map(|entry| entry.trim().to_ascii_lowercase())
                .filter(|entry| !entry.is_empty())
                .collect(),
        )
    }

    /// One more entry.
    #[must_use]
    pub fn with(mut self, entry: &str) -> Self {
        self.0.insert(entry.to_ascii_lowercase());
        self
    }

    /// True if `host`, at this port, is on the list. IPv6 hosts are written with or without brackets.
    pub fn contains(&self, host: &str, port: u16) -> bool {
        let bare = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_ascii_lowercase();
        let candidates = [
            bare.clone(),
            format!("[{bare}]"),
            format!("{bare}:{port}"),
            format!("[{bare}]:{port}"),
        ];
        candidates
            .iter()
            .any(|candidate| self.0.contains(candidate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_public_addresses_from_the_rest() {
        for public in [
            "8.8.8.8",
            "52.239.1.1",
            "2a00:1450:4001::1",
            "64:ff9b::808:808",
            "2002:0808:0808::1",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for other in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "192.0.2.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "192.88.99.1",
            "168.63.129.16",
            "100.100.100.200",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "ff02::1",
            "::ffff:169.254.169.254",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::a00:1",
            "2002:a00:1::",
            "2001:db8::1",
            "2001::1",
            "2001:2::1",
            "3fff::1",
            "64:ff9b::a8:3f81:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:0:1::808:808",
            "2002:a9fe:a9fe::",
            "2002:7f00:1::",
            "fd00:ec2::254",
            "::ffff:168.63.129.16",
            "::127.0.0.1",
        ] {
            assert!(!is_public(other.parse().unwrap()), "{other}");
        }
    }

    #[test]
    fn the_allow_list_knows_hosts_and_ports() {
        let allowed = AllowedHosts::parse(" localhost , 127.0.0.1:8443,[::1]:80 ");
        assert!(allowed.contains("LOCALHOST", 1));
        assert!(allowed.contains("127.0.0.1", 8443));
        assert!(!allowed.contains("127.0.0.1", 8444));
        assert!(allowed.contains("[::1]", 80));
        assert!(!allowed.contains("127.0.0.2", 8443));
    }
}
