//! The certificate authorities of a connection: `ca_certificate` of its definition. Public things, no secrets.

use std::fmt;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// Most certificates of one connection: an authority, the one before it, and those between.
pub const AUTHORITIES_MAX: usize = 8;

/// Certificates (DER) of authorities. None: those that the system trusts.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Authorities(Vec<Vec<u8>>);

/// Why a text holds no certificates of authorities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAuthorities {
    /// No `BEGIN CERTIFICATE`.
    #[error("a text without a certificate in it")]
    None,
    /// A private key beside it.
    #[error("a private key")]
    PrivateKey,
    /// Base64 that is none, or no end.
    #[error("a certificate that is cut off or damaged")]
    Damaged,
    /// Not X.509.
    #[error("what is no X.509 certificate, although it is labelled as one")]
    NoCertificate,
    /// More than [`AUTHORITIES_MAX`].
    #[error("more than 8 certificates")]
    TooMany,
}

impl NotAuthorities {
    /// What to do about it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::None | Self::NoCertificate => {
                "export it as Base64 (PEM); `openssl x509 -in FILE -noout -subject` must be able to read it"
            }
            Self::PrivateKey => {
                "remove the key, and replace it where it was used: it stood where it must not"
            }
            Self::Damaged => {
                "copy the whole file, its first and last line too, with `\\n` for each line break"
            }
            Self::TooMany => "name the authority that signed the instance's certificate, no others",
        }
    }
}

impl Authorities {
    /// Reads one certificate or several in PEM.
    pub fn parse(pem: &str) -> Result<Self, NotAuthorities> {
        if pem.contains("PRIVATE KEY") {
            return Err(NotAuthorities::PrivateKey);
        }
        let mut found = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            let certificate = certificate.map_err(|_| NotAuthorities::Damaged)?;
            webpki::anchor_from_trusted_cert(&certificate)
                .map_err(|_| NotAuthorities::NoCertificate)?;
            if found.len() == AUTHORITIES_MAX {
                return Err(NotAuthorities::TooMany);
            }
            found.push(certificate.to_vec());
        }
        if found.is_empty() {
            return Err(NotAuthorities::None);
        }
        Ok(Self(found))
    }

    /// True if there is none: the system's count.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each, as DER.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(Vec::as_slice)
    }
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authorities({})", self.0.len())
    }
}
