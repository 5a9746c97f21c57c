//! The private networks that a connection may reach: `allow_networks` of its definition (row C4).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Most networks of one connection: an instance stands in one, or a few after a move.
pub const NETWORKS_MAX: usize = 16;

/// Networks of private addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Networks(Vec<Network>);

/// The first address and how many of its bits count. IPv4 is kept as IPv6-mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Network {
    first: u128,
    prefix: u8,
}

/// What may be allowed at all: private (RFC 1918), shared (RFC 6598) and unique local (RFC 4193) addresses. Never loopback, and
/// never link-local ones, where the clouds hand out credentials.
const PRIVATE: [Network; 5] = [
    v4(Ipv4Addr::new(10, 0, 0, 0), 8),
    v4(Ipv4Addr::new(172, 16, 0, 0), 12),
    v4(Ipv4Addr::new(192, 168, 0, 0), 16),
    v4(Ipv4Addr::new(100, 64, 0, 0), 10),
    Network {
        first: Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0).to_bits(),
        prefix: 7,
    },
];

/// Why a text is no network that may be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotANetwork {
    /// Not `ADDRESS/BITS`.
    #[error("no network")]
    NoNetwork,
    /// Bits after the prefix.
    #[error("an address inside a network")]
    BitsBelowPrefix,
    /// Not wholly inside the private ranges.
    #[error("a network that is not private")]
    NotPrivate,
}

impl NotANetwork {
    /// What to do about it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::NoNetwork => "such as `10.20.0.0/16`, or `10.20.30.40/32` for one address",
            Self::BitsBelowPrefix => "write its first address, such as `10.20.0.0/16`",
            Self::NotPrivate => {
                "public addresses need no permission; loopback and link-local ones, where clouds hand out credentials, get none"
            }
        }
    }
}

impl Networks {
    /// Reads a list; the place of the first that is none comes with its reason.
    pub fn parse(list: &[String]) -> Result<Self, (usize, NotANetwork)> {
        list.iter()
            .enumerate()
            .map(|(at, text)| network(text).map_err(|reason| (at, reason)))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True if one of them has this address, also where it is written as an IPv6 address.
    pub fn contain(&self, address: IpAddr) -> bool {
        let bits = bits(address);
        self.0.iter().any(|network| network.has(bits))
    }
}

impl Network {
    fn has(self, address: u128) -> bool {
        (self.first ^ address) & mask(self.prefix) == 0
    }
}

const fn v4(first: Ipv4Addr, prefix: u8) -> Network {
    Network {
        first: first.to_ipv6_mapped().to_bits(),
        prefix: 96 + prefix,
    }
}

fn mask(prefix: u8) -> u128 {
    u128::MAX
        .checked_shl(128 - u32::from(prefix))
        .unwrap_or_default()
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn network(text: &str) -> Result<Network, NotANetwork> {
    let (address, prefix) = text.split_once('/').ok_or(NotANetwork::NoNetwork)?;
    let address: IpAddr = address.parse().map_err(|_| NotANetwork::NoNetwork)?;
    let digits = (1..=3).contains(&prefix.len()) && prefix.bytes().all(|b| b.is_ascii_digit());
    let prefix: u8 = prefix
        .parse()
        .ok()
        .filter(|_| digits)
        .ok_or(NotANetwork::NoNetwork)?;
    let prefix = match address {
        IpAddr::V4(_) if prefix <= 32 => 96 + prefix,
        IpAddr::V6(_) if prefix <= 128 => prefix,
        _ => return Err(NotANetwork::NoNetwork),
    };
    let first = bits(address);
    if first & !mask(prefix) != 0 {
        return Err(NotANetwork::BitsBelowPrefix);
    }
    let private = PRIVATE
        .iter()
        .any(|private| prefix >= private.prefix && private.has(first));
    private
        .then_some(Network { first, prefix })
        .ok_or(NotANetwork::NotPrivate)
}
