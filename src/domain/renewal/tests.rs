//! The renewal step by step, what a crash leaves at each, and all states under all inputs.

use super::announcement::{self, Announcement, Thing};
use super::*;
use crate::domain::failure::Effect as Outcome;

const MINUTE: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_secs(5 * 60);

fn at(minutes: u64) -> Timestamp {
    Timestamp::from_millis(1_772_359_200_000).plus(Duration::from_secs(60 * minutes))
}

fn days(days: u32) -> Timestamp {
    at(u64::from(days) * 24 * 60)
}

/// A set obtained at a minute, whose access token lives an hour.
fn set(n: u64, minute: u64) -> SetFacts {
    SetFacts {
        mark: Mark::of_dice(0, n),
        version: VaultVersion::parse(&format!("v{n}")).unwrap(),
        obtained_at: Some(at(minute)),
        access_ends_at: Some(at(minute + 60)),
        has_refresh: true,
        refresh_ends_at: Some(days(90)),
    }
}

fn rules() -> Rules {
    Rules {
        grant: Grant::Password,
        replaces: true,
        tick: TICK,
        may_call: true,
        holds: false,
        forced: false,
    }
}

fn seen(set: &SetFacts) -> Input {
    Input::Seen(Sight::Set(set.clone()), None)
}

fn failure(kind: Kind) -> CallFailure {
    CallFailure::new("the issuer", "renew", Outcome::Unknown, kind, "test")
}

fn state(phase: Phase, current: &SetFacts) -> Renewal {
    Renewal {
        phase,
        current: Some(current.clone()),
        ..Renewal::default()
    }
}

fn calling(since: u64, calls: u32) -> Phase {
    Phase::Calling {
        since: at(since),
        calls,
    }
}

/// Runs inputs one after the other, all at one moment; the effects.
fn run(state: &mut Renewal, minute: u64, rules: &Rules, inputs: Vec<Input>) -> Vec<Effect> {
    let step = |input| {
        let (after, effect) = next(state, at(minute), rules, input);
        *state = after;
        effect
    };
    inputs.into_iter().map(step).collect()
}

#[test]
fn a_renewal_goes_its_way_step_by_step() {
    let (old, new) = (set(1, 0), set(2, 50));
    let mut state = state(Phase::Idle, &old);
    let disable = Effect::Disable(old.version.clone());
    let effects = run(
        &mut state,
        50,
        &rules(),
        vec![
            Input::Begin,
            seen(&old),
            Input::Issued,
            Input::Stored(new.clone()),
            Input::Proved(Ok(())),
            Input::Disabled(old.version.clone(), Ok(())),
            Input::Revoked(Ok(())),
        ],
    );
    use Effect::{Call, Look, Prove, Rest, Revoke, Store};
    assert_eq!(effects, [Look, Call, Store, Prove, disable, Revoke, Rest]);
    assert_eq!(state.phase, Phase::Idle);
    assert_eq!(state.current, Some(new));
    assert_eq!(state.due_at, Some(at(50 + 60 - 12)), "a fifth of its life");
    assert!(!state.is_due(at(97), None) && state.is_due(at(98), None));
}

#[test]
fn whoever_comes_after_a_crash_at_any_step_goes_on_from_there() {
    let (old, new) = (set(1, 0), set(2, 50));
    let with_old = |phase| Renewal {
        replaced: vec![old.version.clone()],
        ..state(phase, &new)
    };
    let since = at(50);
    let rows = [
        // The intent is there, the call may have been made: the old one once more.
        (state(calling(50, 1), &old), &old, Effect::Call),
        // It was stored, and nobody lived to say so.
        (state(calling(50, 1), &old), &new, Effect::Prove),
        (with_old(Phase::Stored { since }), &new, Effect::Prove),
        (
            with_old(Phase::Proved { since }),
            &new,
            Effect::Disable(old.version.clone()),
        ),
        (state(Phase::Proved { since }, &new), &new, Effect::Revoke),
        (state(Phase::Disabled { since }, &new), &new, Effect::Revoke),
    ];
    for (before, in_vault, expected) in rows {
        let (_, begin) = next(&before, at(51), &rules(), Input::Begin);
        assert_eq!(begin, Effect::Look, "{before:?}");
        let (after, effect) = next(&before, at(51), &rules(), seen(in_vault));
        assert_eq!(effect, expected, "{before:?}");
        assert_eq!(after.current.as_ref(), Some(in_vault));
    }
}

#[test]
fn what_a_crash_left_enabled_is_taken_out_of_use_later() {
    let (old, new) = (set(1, 0), set(2, 50));
    let (after, _) = next(&state(calling(50, 1), &old), at(55), &rules(), seen(&new));
    assert_eq!(after.replaced, [old.version]);
}

#[test]
fn a_login_in_any_phase_is_taken_up_and_proven() {
    let (old, login) = (set(1, 0), set(9, 20));
    let since = at(10);
    for phase in [
        Phase::Idle,
        calling(10, 3),
        Phase::Unstored { since },
        Phase::Stored { since },
        Phase::Proved { since },
        Phase::Disabled { since },
        Phase::NeedsLogin { asked_at: since },
    ] {
        let mut before = state(phase, &old);
        before.login = Some(LoginNeeded {
            since,
            because: Reason::Refused,
        });
        let (after, effect) = next(&before, at(21), &rules(), seen(&login));
        assert_eq!(effect, Effect::Prove, "{before:?}");
        assert_eq!(after.phase, Phase::Stored { since: at(21) });
        assert_eq!(
            (after.login, &after.replaced),
            (None, &vec![old.version.clone()])
        );
    }
}

#[test]
fn a_vault_without_versions_has_none_taken_out_of_use() {
    let only = |n| SetFacts {
        version: VaultVersion::only(),
        ..set(n, 50)
    };
    let (after, _) = next(
        &state(calling(50, 1), &only(1)),
        at(50),
        &rules(),
        Input::Stored(only(2)),
    );
    let (_, effect) = next(&after, at(50), &rules(), Input::Proved(Ok(())));
    assert_eq!(effect, Effect::Revoke);
}

#[test]
fn a_refused_refresh_token_needs_a_person_unless_the_vault_has_another() {
    let (old, new) = (set(1, 0), set(2, 50));
    let before = state(calling(50, 1), &old);
    let same = Input::Refused(Sight::Set(old.clone()));
    let (after, effect) = next(&before, at(50), &rules(), same.clone());
    assert_eq!(effect, Effect::Rest);
    let needed = |because| {
        Some(LoginNeeded {
            since: at(50),
            because,
        })
    };
    assert_eq!(after.login, needed(Reason::Refused));
    let (after, _) = next(&state(calling(40, 2), &old), at(50), &rules(), same);
    assert_eq!(after.login, needed(Reason::AnswerLost));
    let other = Input::Refused(Sight::Set(new));
    assert_eq!(next(&before, at(50), &rules(), other).1, Effect::Prove);
}

#[test]
fn where_a_person_is_needed_the_issuer_is_asked_once_an_hour_and_the_vault_every_ten_minutes() {
    let set = set(1, 0);
    let mut state = state(calling(60, 1), &set);
    run(
        &mut state,
        60,
        &rules(),
        vec![Input::Refused(Sight::Set(set.clone()))],
    );
    let (mut looks, mut calls) = (0, 0);
    for minute in (65..60 + 24 * 60).step_by(5) {
        if run(&mut state, minute, &rules(), vec![Input::Begin])[0] == Effect::Rest {
            continue;
        }
        looks += 1;
        if run(&mut state, minute, &rules(), vec![seen(&set)])[0] == Effect::Call {
            calls += 1;
            let refused = Input::Refused(Sight::Set(set.clone()));
            run(&mut state, minute, &rules(), vec![refused]);
        }
    }
    assert_eq!((looks, calls), (143, 23));
    let login = state.login.unwrap();
    assert_eq!(login.since, at(60), "it has been needed since then");
}

#[test]
fn a_set_that_could_not_be_stored_is_stored_first_by_whoever_has_it() {
    let old = set(1, 0);
    let (unstored, effect) = next(
        &state(calling(50, 1), &old),
        at(50),
        &rules(),
        Input::NotStored(failure(Kind::Unavailable)),
    );
    assert_eq!(effect, Effect::Rest);
    let holds = Rules {
        holds: true,
        ..rules()
    };
    assert_eq!(next(&unstored, at(55), &holds, seen(&old)).1, Effect::Store);
    // Another process waits before it tries a token that the issuer has replaced.
    assert_eq!(
        next(&unstored, at(55), &rules(), seen(&old)).1,
        Effect::Rest
    );
    assert_eq!(
        next(&unstored, at(80), &rules(), seen(&old)).1,
        Effect::Call
    );
    // Where it is not replaced there is nothing to wait for.
    let kept = Rules {
        replaces: false,
        ..rules()
    };
    assert_eq!(next(&unstored, at(55), &kept, seen(&old)).1, Effect::Call);
}

#[test]
fn nothing_is_taken_away_before_the_new_token_is_proven() {
    let (old, new) = (set(1, 0), set(2, 50));
    let mut state = Renewal {
        replaced: vec![old.version],
        ..state(Phase::Stored { since: at(50) }, &new)
    };
    for kind in Kind::ALL {
        let accepted = matches!(kind, Kind::NoRights | Kind::NotFound);
        let (after, effect) = next(&state, at(50), &rules(), Input::Proved(Err(failure(kind))));
        assert_eq!(matches!(effect, Effect::Disable(_)), accepted, "{kind:?}");
        assert_eq!(after.trouble.is_none(), accepted);
    }
    // An hour of maintenance: the token ends unproven, and is renewed.
    let effects: Vec<Effect> = (55..120)
        .step_by(5)
        .flat_map(|minute| {
            let down = Input::Proved(Err(failure(Kind::Maintenance)));
            let looked = run(&mut state, minute, &rules(), vec![Input::Begin, seen(&new)]);
            if looked[1] == Effect::Prove {
                run(&mut state, minute, &rules(), vec![down]);
            }
            looked
        })
        .collect();
    assert!(
        !effects
            .iter()
            .any(|effect| matches!(effect, Effect::Disable(_) | Effect::Revoke))
    );
    assert_eq!(
        effects.iter().position(|effect| *effect == Effect::Call),
        Some(19)
    );
}

/// Taking it out of use may fail for hours, or a long maintenance has left more versions than a run has time for.
#[test]
fn a_token_that_is_due_is_renewed_before_anything_is_put_away() {
    let (old, new) = (set(1, 0), set(2, 50));
    for phase in [
        Phase::Proved { since: at(50) },
        Phase::Disabled { since: at(50) },
    ] {
        let mut left = Renewal {
            replaced: vec![old.version.clone()],
            ..state(phase, &new)
        };
        let again = next(&left, at(90), &rules(), seen(&new)).1;
        assert_eq!(again, Effect::Disable(old.version.clone()), "not due yet");
        let effects = run(&mut left, 100, &rules(), vec![seen(&new)]);
        assert_eq!(effects, [Effect::Call]);
        run(&mut left, 100, &rules(), vec![Input::Stored(set(3, 100))]);
        assert_eq!(left.replaced, [old.version.clone(), new.version.clone()]);
        let short = Rules {
            may_call: false,
            ..rules()
        };
        left.phase = Phase::Proved { since: at(100) };
        let third = set(3, 100);
        let effect = next(&left, at(150), &short, seen(&third)).1;
        assert_eq!(
            effect,
            Effect::Disable(old.version.clone()),
            "there is time for that"
        );
    }
}

#[test]
fn a_step_that_fails_is_tried_at_the_next_tick_and_one_that_can_never_work_is_left() {
    let (old, new) = (set(1, 0), set(2, 50));
    let proved = Renewal {
        replaced: vec![old.version.clone()],
        ..state(Phase::Proved { since: at(50) }, &new)
    };
    let disabled = |kind| Input::Disabled(old.version.clone(), Err(failure(kind)));
    let (after, effect) = next(&proved, at(50), &rules(), disabled(Kind::Unavailable));
    assert_eq!((effect, &after.replaced), (Effect::Rest, &proved.replaced));
    let (after, effect) = next(&proved, at(50), &rules(), disabled(Kind::NoRights));
    assert_eq!((effect, after.replaced.len()), (Effect::Revoke, 0));
    let revoked = |kind| Input::Revoked(Err(failure(kind)));
    let phase = after.phase.clone();
    let (waits, _) = next(&after, at(50), &rules(), revoked(Kind::TimedOut));
    assert_eq!((waits.phase, waits.due_at), (phase, None));
    let (left, _) = next(&after, at(50), &rules(), revoked(Kind::Invalid));
    assert_eq!(left.phase, Phase::Idle);
    assert!(left.trouble.is_some(), "and it is told");
}

#[test]
fn a_run_without_time_for_it_does_not_ask_the_issuer() {
    let short = Rules {
        may_call: false,
        ..rules()
    };
    let old = set(1, 0);
    let before = state(Phase::Idle, &old);
    let (after, effect) = next(&before, at(55), &short, seen(&old));
    assert_eq!((effect, after.phase), (Effect::Rest, Phase::Idle));
    assert_eq!(after.due_at, None, "the next tick looks again");
}

#[test]
fn a_wish_is_heeded_once_and_not_in_a_loop() {
    let old = set(1, 0);
    let mut state = state(Phase::Idle, &old);
    state.due_at = Some(at(48));
    assert!(!state.is_due(at(10), None));
    assert!(state.is_due(at(10), Some(at(9))));
    assert!(
        !state.heeds(at(10), Some(at(0).minus(MINUTE))),
        "it was served"
    );
    let forced = Rules {
        forced: true,
        ..rules()
    };
    let new = set(2, 10);
    run(
        &mut state,
        10,
        &forced,
        vec![
            Input::Begin,
            seen(&old),
            Input::Issued,
            Input::Stored(new),
            Input::Proved(Ok(())),
            Input::Disabled(old.version, Ok(())),
            Input::Revoked(Ok(())),
        ],
    );
    assert_eq!(state.phase, Phase::Idle);
    assert!(!state.heeds(at(15), Some(at(14))), "a while after the last");
    assert!(state.heeds(at(20), Some(at(14))));
}

#[test]
fn client_credentials_need_nothing_but_a_look_at_their_end() {
    let by_client = Rules {
        grant: Grant::ClientCredentials,
        ..rules()
    };
    let mut state = state(Phase::NeedsLogin { asked_at: at(0) }, &set(1, 0));
    let input = Input::Seen(Sight::Nothing, Some(days(10)));
    let (after, effect) = next(&state, at(0), &by_client, input);
    assert_eq!((effect, &after.phase), (Effect::Rest, &Phase::Idle));
    assert_eq!(after.due_at, Some(at(0).plus(LOOK_EVERY)));
    state = after;
    let (news, announced) = announcement::due(&state, days(0));
    let ends = Announcement::Ends {
        thing: Thing::Credentials,
        at: days(10),
        days: 14,
    };
    assert_eq!(news, [ends]);
    state.announced = announced;
    assert!(announcement::due(&state, days(2)).0.is_empty());
}

#[test]
fn every_end_is_announced_at_each_milestone_and_once() {
    let mut renewal = state(Phase::Idle, &set(1, 0));
    let mut told = Vec::new();
    let tell = |renewal: &mut Renewal, now: Timestamp| {
        let (news, announced) = announcement::due(renewal, now);
        renewal.announced = announced;
        news
    };
    for hour in 0..100 * 24 {
        let now = at(hour * 60);
        for news in tell(&mut renewal, now) {
            let Announcement::Ends { days, .. } = news else {
                panic!("{news:?}")
            };
            told.push((hour / 24, days));
        }
    }
    assert_eq!(told, [(76, 14), (83, 7), (87, 3), (89, 1), (90, 0)]);
    // A login prolongs it: all begins anew.
    renewal.current.as_mut().unwrap().refresh_ends_at = Some(days(190));
    assert!(tell(&mut renewal, days(100)).is_empty());
    let news = tell(&mut renewal, days(180));
    let ends = |days_left| Announcement::Ends {
        thing: Thing::RefreshToken,
        at: days(190),
        days: days_left,
    };
    assert_eq!(news, [ends(14)]);
    // A refresher that was away for days tells the milestone that counts now, not all that it missed.
    assert_eq!(tell(&mut renewal, days(188)), [ends(3)]);
}

#[test]
fn a_refresh_token_that_each_renewal_prolongs_ends_only_if_the_renewal_does_not_come() {
    // It lives two days, and an access token of an hour is renewed 12 minutes ahead.
    let set = SetFacts {
        refresh_ends_at: Some(days(2)),
        ..set(1, 0)
    };
    let mut renewal = state(Phase::Idle, &set);
    run(&mut renewal, 0, &rules(), vec![seen(&set)]);
    let mut told = Vec::new();
    for minute in 0..120 {
        let (news, announced) = announcement::due(&renewal, at(minute));
        renewal.announced = announced;
        told.extend(news.into_iter().map(|_| minute));
        // What the health page and the rows of the log say.
        let shown = renewal.refresh_ends_at(at(minute));
        assert_eq!(shown.is_some(), minute >= 48 + 10, "{minute}");
    }
    assert_eq!(told, [48 + 10], "two ticks after it was due");
    // Where it stays what it is, the end is real.
    let stays = Rules {
        replaces: false,
        ..rules()
    };
    run(&mut renewal, 0, &stays, vec![seen(&set)]);
    renewal.announced = announcement::Announced::default();
    assert_eq!(announcement::due(&renewal, at(0)).0.len(), 1);
}

#[test]
fn a_refresh_token_is_used_right_before_its_end_once() {
    let ends_at = at(100);
    let day = |obtained| SetFacts {
        obtained_at: Some(at(obtained)),
        access_ends_at: Some(at(obtained + 24 * 60)),
        refresh_ends_at: Some(ends_at),
        ..set(1, 0)
    };
    assert_eq!(day(0).renew_at(TICK), Some(at(90)), "two ticks ahead");
    // What it gave then serves for a whole life: whoever logs in late has so much time.
    let fifth = 24 * 60 / 5;
    assert_eq!(day(90).renew_at(TICK), Some(at(90 + 24 * 60 - fifth)));
    let without = SetFacts {
        has_refresh: false,
        ..day(0)
    };
    assert_eq!(without.renew_at(TICK), Some(at(24 * 60 - fifth)));
}

/// Of two refreshers each tells by its own clock, and one that is behind finds that nothing is to be told yet.
#[test]
fn what_was_announced_by_a_clock_that_is_ahead_is_not_announced_again() {
    let set = SetFacts {
        refresh_ends_at: Some(at(120)),
        access_ends_at: Some(days(2)),
        ..set(1, 0)
    };
    let mut renewed = state(Phase::Idle, &set);
    run(&mut renewed, 0, &rules(), vec![seen(&set)]);
    assert_eq!(renewed.ends_from, Some(at(120)), "it ends where it is due");
    let lasting = SetFacts {
        refresh_ends_at: Some(days(14).plus(MINUTE * 120)),
        ..set
    };
    let kept = state(Phase::Idle, &lasting);
    for (mut renewal, milestone) in [(renewed, 0), (kept, 14)] {
        let mut told = Vec::new();
        for minute in [120, 119, 125, 124, 130] {
            let (news, announced) = announcement::due(&renewal, at(minute));
            renewal.announced = announced;
            told.extend(news.iter().map(|news| match news {
                Announcement::Ends { days, .. } => (minute, *days),
                other => panic!("{other:?}"),
            }));
        }
        assert_eq!(told, [(120, milestone)]);
    }
}

#[test]
fn that_a_person_is_needed_is_announced_once_each_time() {
    let set = set(1, 0);
    let mut renewal = state(calling(60, 1), &set);
    let refused = Input::Refused(Sight::Set(set.clone()));
    run(&mut renewal, 60, &rules(), vec![refused.clone()]);
    let (news, announced) = announcement::due(&renewal, at(60));
    assert!(
        matches!(news[..], [Announcement::NeedsLogin(_)]),
        "{news:?}"
    );
    renewal.announced = announced;
    run(&mut renewal, 120, &rules(), vec![seen(&set), refused]);
    assert!(announcement::due(&renewal, at(120)).0.is_empty());
}

#[test]
fn short_tokens_are_remarked_on_once() {
    let mut renewal = state(Phase::Idle, &set(0, 0));
    let mut said = Vec::new();
    for n in 1..200 {
        let minute = n * 20;
        run(
            &mut renewal,
            minute,
            &rules(),
            vec![Input::Stored(set(n, minute))],
        );
        let (news, announced) = announcement::due(&renewal, at(minute));
        renewal.announced = announced;
        said.extend(news.into_iter().map(|_| n));
    }
    assert_eq!(said, [u64::from(MANY_A_DAY) + 1]);
}

/// All phases, inputs and rules: no step that takes something away comes before its time, and nothing goes unwritten.
#[test]
fn in_every_state_and_for_every_input_the_order_holds() {
    let (old, new) = (set(1, 0), set(2, 50));
    let since = at(40);
    let phases = [
        Phase::Idle,
        calling(40, 1),
        calling(40, 2),
        Phase::Unstored { since },
        Phase::Stored { since },
        Phase::Proved { since },
        Phase::Disabled { since },
        Phase::NeedsLogin { asked_at: since },
    ];
    let no_refresh = SetFacts {
        has_refresh: false,
        ..set(3, 0)
    };
    let sights = [
        Sight::Nothing,
        Sight::Unreadable,
        Sight::Set(old.clone()),
        Sight::Set(new.clone()),
        Sight::Set(no_refresh),
    ];
    let mut inputs = vec![Input::Begin, Input::Issued, Input::Stored(new.clone())];
    for sight in sights {
        inputs.push(Input::Seen(sight.clone(), Some(days(3))));
        inputs.push(Input::Refused(sight.clone()));
        inputs.push(Input::Overtaken(sight));
    }
    for kind in Kind::ALL {
        inputs.push(Input::NotCalled(failure(kind)));
        inputs.push(Input::NotStored(failure(kind)));
        inputs.push(Input::Proved(Err(failure(kind))));
        inputs.push(Input::Disabled(old.version.clone(), Err(failure(kind))));
        inputs.push(Input::Revoked(Err(failure(kind))));
    }
    inputs.push(Input::Proved(Ok(())));
    inputs.push(Input::Disabled(old.version.clone(), Ok(())));
    inputs.push(Input::Revoked(Ok(())));

    let mut seen = 0;
    for bits in 0..64u32 {
        let bit = |n: u32| bits & (1 << n) != 0;
        let rules = Rules {
            grant: match bit(0) {
                true => Grant::Password,
                false => Grant::ClientCredentials,
            },
            replaces: bit(1),
            tick: TICK,
            may_call: bit(2),
            holds: bit(3),
            forced: bit(4),
        };
        for phase in &phases {
            for current in [Some(&old), Some(&new), None] {
                let before = Renewal {
                    phase: phase.clone(),
                    current: current.cloned(),
                    replaced: if bit(5) {
                        vec![old.version.clone()]
                    } else {
                        Vec::new()
                    },
                    ..Renewal::default()
                };
                for input in &inputs {
                    for minute in [41, 55, 80, 200] {
                        let (after, effect) = next(&before, at(minute), &rules, input.clone());
                        let told =
                            || format!("{before:?} {input:?} {rules:?}: {after:?} {effect:?}");
                        match &effect {
                            Effect::Call => {
                                assert!(rules.may_call, "{}", told());
                                assert!(matches!(after.phase, Phase::Calling { .. }), "{}", told());
                                assert!(after.current.as_ref().unwrap().has_refresh, "{}", told());
                            }
                            Effect::Prove => {
                                assert!(matches!(after.phase, Phase::Stored { .. }), "{}", told());
                            }
                            Effect::Disable(version) => {
                                assert!(matches!(after.phase, Phase::Proved { .. }), "{}", told());
                                let current = after.current.as_ref().map(|set| &set.version);
                                assert!(current != Some(version), "{}", told());
                            }
                            Effect::Revoke => {
                                assert!(
                                    matches!(after.phase, Phase::Disabled { .. }),
                                    "{}",
                                    told()
                                );
                                assert!(after.replaced.is_empty(), "{}", told());
                            }
                            Effect::Look | Effect::Store | Effect::Rest => {}
                        }
                        let needs_login = matches!(after.phase, Phase::NeedsLogin { .. });
                        let was_so = matches!(before.phase, Phase::NeedsLogin { .. });
                        assert!(
                            !needs_login || was_so || after.login.is_some(),
                            "{}",
                            told()
                        );
                        seen += 1;
                    }
                }
            }
        }
    }
    assert!(seen > 500_000, "{seen}");
}
