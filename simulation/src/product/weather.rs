//! What goes wrong with the product's answers: the simulator's rules for the classes of fault that are on, and back.

use std::time::Duration;

use simulators::fault::{Fault, FaultBody, FaultRule, Forbidden};
use simulators::journal::Kind;

use crate::swarm::{Class, Swarm};

/// A `Retry-After` of a day: it is cut to two hours.
const A_DAY: &str = "86400";

/// The rules of the simulator for the classes that are on.
pub(super) fn rules(swarm: &Swarm) -> Vec<FaultRule> {
    let seconds = Duration::from_secs;
    let status = |code, retry_after: Option<&str>, rate_headers| Fault::Status {
        code,
        retry_after: retry_after.map(str::to_owned),
        rate_headers,
        body: FaultBody::Json,
    };
    let hours = |n: i64| Fault::ClockOff { by: n * 3_600_000 };
    let any = |class: Class, fault| (class, Kind::Any, 1.0, fault);
    let part = |class: Class, share, fault| (class, Kind::Any, share, fault);
    let only = |class: Class, kind, fault| (class, kind, 1.0, fault);
    let faults = [
        any(Class::Reset, Fault::ResetBeforeRead),
        any(Class::LostBefore, Fault::DropReplyBeforeWrite),
        any(Class::LostAfter, Fault::DropReplyAfterWrite),
        part(Class::Late, 0.2, Fault::ExecuteLate { after: seconds(1) }),
        part(Class::Late, 0.2, Fault::ExecuteLate { after: seconds(5) }),
        part(Class::Late, 0.3, Fault::ExecuteLate { after: seconds(25) }),
        part(Class::Late, 0.3, Fault::ExecuteLate { after: seconds(60) }),
        part(Class::Slow, 0.6, Fault::Slow { by: seconds(4) }),
        part(Class::Slow, 0.4, Fault::Slow { by: seconds(40) }),
        part(Class::Drips, 0.5, Fault::Drip { every: seconds(1) }),
        part(
            Class::Drips,
            0.5,
            Fault::Drip {
                every: Duration::from_millis(3),
            },
        ),
        any(Class::Cut, Fault::CutBody { after_bytes: 40 }),
        part(Class::LimitedBriefly, 0.6, status(429, Some("7"), false)),
        part(Class::LimitedBriefly, 0.2, status(429, Some("soon"), true)),
        part(Class::LimitedBriefly, 0.2, status(429, Some("0"), true)),
        part(Class::LimitedLong, 0.5, Fault::RateLimit429),
        part(Class::LimitedLong, 0.5, status(429, Some(A_DAY), true)),
        any(Class::TooManyAtOnce, Fault::Semaphore429),
        any(Class::Page, Fault::Html200),
        part(Class::Hibernating, 0.5, Fault::Hibernating),
        part(Class::Hibernating, 0.5, Fault::HibernatingRedirect),
        any(Class::Fails, status(500, None, false)),
        any(Class::FailsCommitted, Fault::CommitThen500),
        any(Class::Unavailable, status(503, Some("30"), false)),
        part(Class::BrokenJson, 0.5, Fault::BrokenJsonWith200),
        part(Class::BrokenJson, 0.5, Fault::Null200),
        part(Class::ErrorWithSuccess, 0.5, Fault::ErrorBodyWith200),
        part(Class::ErrorWithSuccess, 0.5, Fault::Empty202),
        // An empty search is a stale one: that class has its own excuse.
        only(Class::EmptyResult, Kind::Create, Fault::EmptyResult),
        only(Class::EmptyResult, Kind::Read, Fault::EmptyResult),
        only(Class::EmptyResult, Kind::Update, Fault::EmptyResult),
        only(Class::EmptyResult, Kind::Query, Fault::BareList200),
        any(Class::Foreign, Fault::ForeignRecord),
        part(Class::WrongKey, 0.5, Fault::WrongSysId),
        part(Class::WrongKey, 0.5, Fault::NoCorrelationEcho),
        part(Class::ClockOff, 0.5, hours(-5)),
        part(Class::ClockOff, 0.5, hours(5)),
        any(Class::TokenRevoked, Fault::TokenExpiredEarly),
        any(Class::Unauthorized, Fault::Unauthorized401),
        any(
            Class::Forbidden,
            Fault::Forbidden403(Forbidden::BusinessRule),
        ),
        any(Class::Echo, Fault::EchoSecrets),
        only(
            Class::Stale,
            Kind::Query,
            Fault::StaleSearch { by: seconds(120) },
        ),
    ];
    faults
        .into_iter()
        .filter(|(class, ..)| swarm.rate(*class) > 0.0)
        .map(|(class, kind, share, fault)| {
            FaultRule::always(kind, fault).probability(swarm.rate(class) * share)
        })
        .collect()
}

/// The class of a fault, by the simulator's name for it and the answer that it made.
pub(super) fn class_of(fault: &str, answer: &http::Response<bytes::Bytes>) -> Option<Class> {
    let retry_after = answer.headers().get(http::header::RETRY_AFTER);
    Some(match fault {
        "reset_before_read" => Class::Reset,
        "drop_reply_before_write" => Class::LostBefore,
        "drop_reply_after_write" => Class::LostAfter,
        "execute_late" => Class::Late,
        "slow" => Class::Slow,
        "drip" => Class::Drips,
        "cut_body" => Class::Cut,
        "rate_limit429" => Class::LimitedLong,
        "semaphore429" => Class::TooManyAtOnce,
        "status" => match answer.status().as_u16() {
            429 if retry_after.is_some_and(|value| value == A_DAY) => Class::LimitedLong,
            429 => Class::LimitedBriefly,
            503 => Class::Unavailable,
            _ => Class::Fails,
        },
        "html200" => Class::Page,
        "hibernating" | "hibernating_redirect" => Class::Hibernating,
        "commit_then500" => Class::FailsCommitted,
        "broken_json_with200" | "null200" => Class::BrokenJson,
        "error_body_with200" | "empty202" => Class::ErrorWithSuccess,
        "empty_result" | "bare_list200" => Class::EmptyResult,
        "foreign_record" => Class::Foreign,
        "wrong_sys_id" | "no_correlation_echo" => Class::WrongKey,
        "clock_off" => Class::ClockOff,
        "token_expired_early" => Class::TokenRevoked,
        "unauthorized401" => Class::Unauthorized,
        "forbidden403" => Class::Forbidden,
        "stale_search" => Class::Stale,
        "echo_secrets" => Class::Echo,
        _ => return None,
    })
}
