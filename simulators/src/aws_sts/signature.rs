//! Signature Version 4, checked: whose key signed a request, and that nothing of it was changed.

use std::collections::BTreeMap;

use aws_lc_rs::{digest, hmac};
use bytes::Bytes;
use data_encoding::HEXLOWER;
use http::Request;

use super::{Refusal, SessionKeys, refusal};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// How far the signer's clock may be off, in seconds.
const CLOCK_SECONDS_MAX: i64 = 300;

/// What the `Authorization` header says.
struct Claimed<'a> {
    key_id: &'a str,
    date: &'a str,
    scope: String,
    signed_headers: Vec<&'a str>,
    signature: &'a str,
}

fn incomplete(message: &str) -> Refusal {
    refusal(400, "IncompleteSignature", message)
}

fn header<'a>(request: &'a Request<Bytes>, name: &str) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok()
}

fn claimed<'a>(request: &'a Request<Bytes>, region: &str) -> Result<Claimed<'a>, Refusal> {
    let text = header(request, "authorization").ok_or_else(|| {
        refusal(
            403,
            "MissingAuthenticationToken",
            "Request is missing Authentication Token",
        )
    })?;
    let rest = text
        .strip_prefix(ALGORITHM)
        .ok_or_else(|| incomplete("another algorithm"))?;
    let mut parts = BTreeMap::new();
    for part in rest.split(',') {
        let (name, value) = part
            .trim()
            .split_once('=')
            .ok_or_else(|| incomplete("a part without a value"))?;
        parts.insert(name, value);
    }
    let part = |name: &str| {
        parts
            .get(name)
            .copied()
            .ok_or_else(|| incomplete("a part is missing"))
    };
    let credential: Vec<&str> = part("Credential")?.split('/').collect();
    let [key_id, date, of_region, "sts", "aws4_request"] = credential.as_slice() else {
        return Err(refusal(
            403,
            "SignatureDoesNotMatch",
            "Credential should be scoped to sts",
        ));
    };
    if *of_region != region {
        return Err(refusal(
            403,
            "SignatureDoesNotMatch",
            "Credential should be scoped to a valid region",
        ));
    }
    Ok(Claimed {
        key_id,
        date,
        scope: format!("{date}/{region}/sts/aws4_request"),
        signed_headers: part("SignedHeaders")?.split(';').collect(),
        signature: part("Signature")?,
    })
}

/// Seconds since 1970 of `20260301T100000Z`.
fn seconds(stamp: &str) -> Option<i64> {
    let moment = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", stamp).ok()?;
    let moment = moment.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(moment.timestamp().as_second())
}

fn sha256(bytes: &[u8]) -> String {
    HEXLOWER.encode(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn keyed(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

/// The request in the form that is signed. The query is empty here, and the path is `/`.
fn canonical(request: &Request<Bytes>, signed_headers: &[&str]) -> Result<String, Refusal> {
    let mut headers = String::new();
    for name in signed_headers {
        let value = match *name {
            "host" => request.uri().authority().map(|host| host.as_str()),
            name => header(request, name),
        };
        let value = value.ok_or_else(|| incomplete("a signed header is missing"))?;
        let words: Vec<&str> = value.split_ascii_whitespace().collect();
        headers.push_str(&format!("{name}:{}\n", words.join(" ")));
    }
    Ok(format!(
        "{}\n{}\n{}\n{headers}\n{}\n{}",
        request.method(),
        request.uri().path(),
        request.uri().query().unwrap_or_default(),
        signed_headers.join(";"),
        sha256(request.body()),
    ))
}

/// The session whose key has signed the request.
pub(super) fn signer<'a>(
    request: &Request<Bytes>,
    region: &str,
    sessions: &'a BTreeMap<String, SessionKeys>,
    now_ms: i64,
) -> Result<&'a SessionKeys, Refusal> {
    let claimed = claimed(request, region)?;
    let token = header(request, "x-amz-security-token");
    let session = sessions
        .get(claimed.key_id)
        .filter(|session| token == Some(&session.session_token))
        .ok_or_else(|| {
            refusal(
                403,
                "InvalidClientTokenId",
                "The security token included in the request is invalid.",
            )
        })?;
    for must in ["host", "x-amz-date", "x-amz-security-token"] {
        if !claimed.signed_headers.contains(&must) {
            return Err(incomplete("a header that must be signed is not"));
        }
    }
    if !claimed.signed_headers.is_sorted() {
        return Err(incomplete("the signed headers are not in order"));
    }
    let stamp = header(request, "x-amz-date").unwrap_or_default();
    let signed_at = seconds(stamp).ok_or_else(|| incomplete("X-Amz-Date is no date"))?;
    if !stamp.starts_with(claimed.date) {
        return Err(refusal(
            403,
            "SignatureDoesNotMatch",
            "Date in Credential scope does not match",
        ));
    }
    if (now_ms.div_euclid(1000) - signed_at).abs() > CLOCK_SECONDS_MAX {
        return Err(refusal(403, "SignatureDoesNotMatch", "Signature expired"));
    }
    if let Some(told) = header(request, "x-amz-content-sha256")
        && told != sha256(request.body())
    {
        return Err(refusal(
            400,
            "XAmzContentSHA256Mismatch",
            "The body is another one.",
        ));
    }
    let text = canonical(request, &claimed.signed_headers)?;
    let to_sign = format!(
        "{ALGORITHM}\n{stamp}\n{}\n{}",
        claimed.scope,
        sha256(text.as_bytes())
    );
    let by_date = keyed(format!("AWS4{}", session.secret).as_bytes(), claimed.date);
    let by_service = keyed(&keyed(&by_date, region), "sts");
    let expected = keyed(&keyed(&by_service, "aws4_request"), &to_sign);
    match HEXLOWER.encode(&expected) == claimed.signature {
        true => Ok(session),
        false => Err(refusal(
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.",
        )),
    }
}
