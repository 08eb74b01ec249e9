//! The rules in tables, and one property over random holders and contenders with a list of deliberate bugs that it catches.

use super::*;

const TTL: u64 = 1000;

fn ms(millis: u64) -> MonotonicTime {
    Duration::from_millis(millis)
}

fn unfinished(run: &str, state: Progress) -> Unfinished {
    let (journal, machine) = ("bastion:/r/a".to_owned(), "m1".to_owned());
    Unfinished { run: run.to_owned(), state, journal, machine, ..Unfinished::default() }
}

/// Held by run `a` in version 1.
fn held() -> Lease {
    Lease {
        version: "1".to_owned(),
        holder: "a's process".to_owned(),
        ttl: ms(TTL),
        unfinished: Some(unfinished("a", Progress::Running)),
        ..Lease::new()
    }
}

fn version(version: u64, lease: Lease) -> Lease {
    Lease { version: version.to_string(), ..lease }
}

fn go_on(run: &str, journal: &str, machine: &str) -> LockRequest {
    LockRequest::GoOn { run: run.to_owned(), journal: journal.to_owned(), machine: machine.to_owned() }
}

const BEGIN: LockRequest = LockRequest::Begin { over: None };

fn clear(run: &str) -> LockRequest {
    LockRequest::Clear { run: Some(run.to_owned()), dead: false }
}

#[test]
fn who_may_take_the_lock_at_first_sight() {
    let paused =
        Lease { holder: String::new(), unfinished: Some(unfinished("a", Progress::Paused)), ..held() };
    let over = Lease { holder: String::new(), unfinished: None, superseded: vec!["a".to_owned()], ..held() };
    let by_hand = Lease { unfinished: None, ..held() };
    let let_go = Lease { holder: String::new(), ..held() };
    let over_here = LockRequest::Begin { over: Some("a".to_owned()) };
    let dead = LockRequest::Clear { run: Some("a".to_owned()), dead: true };
    let here = go_on("a", "bastion:/r/a", "m1");
    let cases = [
        ("there is none", BEGIN, None, "take"),
        ("nobody has it", BEGIN, Some(&over), "take"),
        ("a run is going on or was cut off", BEGIN, Some(&held()), "watch"),
        ("a run goes on and nobody holds the lock", BEGIN, Some(&let_go), "cut off"),
        ("a run is paused", BEGIN, Some(&paused), "unfinished"),
        ("its record says that it is over", over_here, Some(&held()), "take"),
        ("somebody took it without a run", BEGIN, Some(&by_hand), "watch"),
        ("our run is paused", go_on("a", "elsewhere:/r", "m2"), Some(&paused), "take"),
        ("our run's process is dead", here.clone(), Some(&held()), "take"),
        ("its record was copied here", go_on("a", "bastion:/copy", "m1"), Some(&held()), "watch"),
        ("it ran elsewhere", go_on("a", "bastion:/r/a", "m2"), Some(&held()), "watch"),
        ("machines have no id", go_on("a", "bastion:/r/a", ""), Some(&held()), "watch"),
        ("another run is going on or was cut off", go_on("b", "bastion:/r/a", "m1"), Some(&held()), "watch"),
        ("our run was given up", here.clone(), Some(&over), "superseded"),
        ("its Lease is gone", here, None, "take"),
        ("a run is given up", clear("a"), Some(&held()), "watch"),
        ("a run is given up that is dead", dead, Some(&held()), "take"),
        ("it is given up once more", clear("a"), Some(&over), "take"),
        ("a paused run is given up", clear("a"), Some(&paused), "take"),
        ("another run is given up", clear("b"), Some(&held()), "unfinished"),
        (
            "a run that did not end is no leftover",
            LockRequest::Clear { run: None, dead: false },
            Some(&held()),
            "unfinished",
        ),
    ];
    for (what, request, lease, expected) in cases {
        let word = match Contender::new(request).decide(lease, ms(5)) {
            LockDecision::Take => "take",
            LockDecision::Watch { .. } => "watch",
            LockDecision::Refuse(LockRefusal::Unfinished(_)) => "unfinished",
            LockDecision::Refuse(LockRefusal::CutOff(_)) => "cut off",
            LockDecision::Refuse(LockRefusal::Superseded { .. }) => "superseded",
            LockDecision::Refuse(LockRefusal::Alive { .. }) => "alive",
        };
        assert_eq!(word, expected, "{what}");
    }
}

#[test]
fn a_holder_is_dead_when_it_wrote_nothing_for_one_ttl_while_it_was_watched() {
    let mut contender = Contender::new(clear("a"));
    let left = |left| LockDecision::Watch { holder: "a's process".to_owned(), left: ms(left) };
    assert_eq!(contender.decide(Some(&held()), ms(7_000)), left(1000));
    assert_eq!(contender.decide(Some(&held()), ms(7_999)), left(1));
    assert_eq!(contender.decide(Some(&held()), ms(8_000)), LockDecision::Take);
}

#[test]
fn another_run_is_told_as_cut_off_only_when_its_controller_is_known_to_be_dead() {
    let running = unfinished("a", Progress::Running);
    let stopped = Unfinished { left: "w1".to_owned(), ..unfinished("a", Progress::Paused) };
    let (alive, dead) = (LockRefusal::Unfinished(running.clone()), LockRefusal::CutOff(running));
    for request in [BEGIN, go_on("b", "bastion:/r/b", "m1")] {
        // This machine has its record.
        let mut contender = Contender::new(request.clone());
        for (known, refusal) in [
            (HolderState::Alive, alive.clone()),
            (HolderState::Dead, dead.clone()),
            (HolderState::Stopped(stopped.clone()), LockRefusal::Unfinished(stopped.clone())),
        ] {
            contender.hears(Some(known));
            assert_eq!(contender.decide(Some(&held()), ms(0)), LockDecision::Refuse(refusal));
        }
        // What was known at one look says nothing of the next.
        let watch = |left| LockDecision::Watch { holder: "a's process".to_owned(), left: ms(left) };
        assert_eq!(contender.decide(Some(&held()), ms(0)), watch(1000));
        assert_eq!(contender.decide(Some(&held()), ms(999)), watch(1));
        let again = contender.decide(Some(&version(2, held())), ms(1_000));
        assert_eq!(again, LockDecision::Refuse(alive.clone()), "it was renewed");
        assert_eq!(contender.decide(Some(&version(2, held())), ms(1_500)), watch(500));
        contender.forget();
        assert_eq!(contender.decide(Some(&version(2, held())), ms(2_000)), watch(1000));
        let end = contender.decide(Some(&version(2, held())), ms(3_000));
        assert_eq!(end, LockDecision::Refuse(dead.clone()));
    }
}

#[test]
fn time_in_which_the_api_was_silent_is_not_held_against_the_holder() {
    let mut contender = Contender::new(clear("a"));
    let left = LockDecision::Watch { holder: "a's process".to_owned(), left: ms(1000) };
    assert_eq!(contender.decide(Some(&held()), ms(0)), left);
    contender.forget();
    assert_eq!(contender.decide(Some(&held()), ms(1_000)), left);
}

#[test]
fn a_holder_that_writes_while_it_is_watched_is_alive() {
    let mut contender = Contender::new(clear("a"));
    let _ = contender.decide(Some(&held()), ms(0));
    let alive = LockRefusal::Alive { holder: "a's process".to_owned() };
    assert_eq!(contender.decide(Some(&version(2, held())), ms(2_000)), LockDecision::Refuse(alive));
    // Who only waits for the lock to be free waits on.
    let by_hand = Lease { unfinished: None, ..held() };
    let mut contender = Contender::new(BEGIN);
    let _ = contender.decide(Some(&by_hand), ms(0));
    let left = LockDecision::Watch { holder: "a's process".to_owned(), left: ms(1000) };
    assert_eq!(contender.decide(Some(&version(2, by_hand)), ms(2_000)), left);
}

#[test]
fn half_a_ttl_after_its_last_renewal_was_sent_the_holder_starts_nothing() {
    let mut holder = Holder::of("a".to_owned(), held(), ms(100));
    assert_eq!(holder.may_start(ms(599)), Permission::Start);
    assert_eq!(holder.may_start(ms(600)), Permission::NotYet { age: ms(500) });
    holder.landed(version(2, held()), ms(550));
    assert_eq!(holder.may_start(ms(1_000)), Permission::Start);
    // The answer to an older renewal that comes late makes nothing older.
    holder.landed(version(3, held()), ms(200));
    assert_eq!(holder.may_start(ms(1_000)), Permission::Start);
}

#[test]
fn a_write_whose_answer_was_lost_keeps_the_lock_and_makes_it_no_younger() {
    let mut holder = Holder::of("a".to_owned(), held(), ms(100));
    holder.saw(Some(version(2, held())));
    assert_eq!((holder.lost(), holder.lease().version.as_str()), (None, "2"));
    assert_eq!(holder.may_start(ms(600)), Permission::NotYet { age: ms(500) });
}

#[test]
fn a_lock_that_is_lost_says_to_whom_and_stays_lost() {
    let nobody = Lease { holder: String::new(), unfinished: None, ..held() };
    let given_up = Lease {
        superseded: vec!["a".to_owned()],
        superseded_why: "eve@desk: the disk is gone".to_owned(),
        ..nobody.clone()
    };
    let other = Unfinished {
        by: "eve@desk".to_owned(),
        since: "noon".to_owned(),
        ..unfinished("b", Progress::Running)
    };
    let cases = [
        (None, "somebody deleted its Lease"),
        (Some(nobody), "somebody released it"),
        (Some(given_up), "the run was given up by eve@desk: the disk is gone"),
        (
            Some(Lease { holder: "b's".to_owned(), unfinished: Some(other), ..held() }),
            "run b of eve@desk has it, since noon",
        ),
        (Some(Lease { holder: "a's second".to_owned(), ..held() }), "a's second has taken the run over"),
    ];
    for (seen, why) in cases {
        let mut holder = Holder::of("a".to_owned(), held(), ms(0));
        holder.saw(seen);
        holder.landed(held(), ms(10));
        assert_eq!(holder.may_start(ms(11)), Permission::Never { why: why.to_owned() });
    }
}

/// What the rim could do wrong, each of which the property must catch.
#[derive(Clone, Copy, Debug, PartialEq)]
enum LockBug {
    /// A renewal counts from its answer.
    CountsFromAnswer,
    /// A look that finds the lock held counts as a renewal.
    LooksRenew,
    /// The holder starts things for a whole ttl.
    WholeTtl,
    /// The contender believes what the Lease says and does not watch.
    DoesNotWatch,
    /// The contender writes whatever is there by then.
    WritesBlindly,
    /// The holder takes whatever it finds for a write of its own.
    AdoptsAnything,
}

/// A holder that is slow, stopped and cut off, and a contender that gives its run up: after the contender's write
/// nothing may be started by the holder, also where it was stopped for half a ttl between asking and starting.
fn first_violation(bug: Option<LockBug>, seed: u64) -> Option<String> {
    let mut random = LockRandom::new(seed);
    let broken = |one| bug == Some(one);
    let mut store = held();
    let mut holder = Holder::of("a".to_owned(), held(), ms(0));
    let mut contender = Contender::new(clear("a"));
    let (mut now, mut awake_at, mut look_at) = (0, 0, random.below(2 * TTL));
    for _ in 0..400 {
        now += random.below(TTL / 10);
        // Each write takes its time to land, and its answer to come back, or nothing comes back.
        if now >= awake_at && holder.lost().is_none() {
            let sent = now;
            let lands = random.percent(80);
            if lands && store.version == holder.lease().version {
                now += random.below(TTL);
                store = version(now + 10_000, store);
                if random.percent(70) {
                    let answered = now + random.below(TTL / 2);
                    holder.landed(
                        store.clone(),
                        ms(if broken(LockBug::CountsFromAnswer) { answered } else { sent }),
                    );
                }
            } else if random.percent(70) {
                let found = store.clone();
                if broken(LockBug::AdoptsAnything) {
                    holder.landed(found, ms(sent));
                } else {
                    holder.saw(Some(found));
                }
                if broken(LockBug::LooksRenew) && holder.lost().is_none() {
                    holder.landed(store.clone(), ms(now));
                }
            }
            awake_at = now + random.pick(&[10, 100, TTL / 2, 3 * TTL]);
        }
        // A power cut or a slow link between the look and the write gives the holder time to come back.
        if now >= look_at && store.holder == "a's process" {
            let found = store.clone();
            let decision = contender.decide(Some(&found), ms(now));
            let takes = decision == LockDecision::Take || broken(LockBug::DoesNotWatch);
            match decision {
                LockDecision::Refuse(_) if !takes => contender = Contender::new(clear("a")),
                _ if takes => {
                    if random.percent(50) && holder.lost().is_none() {
                        store = version(now + 50_000, store);
                        holder.landed(store.clone(), ms(now));
                    }
                    if store.version == found.version || broken(LockBug::WritesBlindly) {
                        let over = vec!["a".to_owned()];
                        let empty = Lease { holder: String::new(), unfinished: None, ..store };
                        store = version(now + 90_000, Lease { superseded: over, ..empty });
                    }
                }
                _ => {}
            }
            look_at = now + random.below(TTL / 4);
        }
        let may = holder.may_start(ms(now));
        let starts = match &may {
            Permission::Start => true,
            Permission::NotYet { age } => broken(LockBug::WholeTtl) && age.as_millis() < TTL,
            Permission::Never { .. } => false,
        };
        let taken = store.holder.is_empty();
        if starts && taken {
            return Some(format!("seed {seed}: at {now} the holder starts something, and the lock is taken"));
        }
        if starts {
            // It asked, and is stopped before it starts.
            let stopped = now + TTL / 2;
            if let LockDecision::Take = contender_after(&contender, &store, stopped) {
                return Some(format!("seed {seed}: at {stopped} it starts what it asked for at {now}"));
            }
        }
    }
    None
}

/// What the contender would decide at this time, were nothing written until then.
fn contender_after(contender: &Contender, store: &Lease, at: u64) -> LockDecision {
    let copy =
        Contender { request: contender.request.clone(), watched: contender.watched.clone(), known: None };
    { copy }.decide(Some(store), ms(at - 1))
}

#[test]
fn after_the_lock_is_taken_its_old_holder_starts_nothing() {
    for seed in 0..3_000 {
        assert_eq!(first_violation(None, seed), None);
    }
    let bugs = [
        LockBug::CountsFromAnswer,
        LockBug::LooksRenew,
        LockBug::WholeTtl,
        LockBug::DoesNotWatch,
        LockBug::WritesBlindly,
        LockBug::AdoptsAnything,
    ];
    for bug in bugs {
        let caught = (0..3_000).any(|seed| first_violation(Some(bug), seed).is_some());
        assert!(caught, "nothing notices {bug:?}");
    }
}

/// SplitMix64, by Sebastiano Vigna's public-domain description (https://prng.di.unimi.it/splitmix64.c).
struct LockRandom(u64);

impl LockRandom {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_F491_4F6C_DD1D).wrapping_add(1))
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }

    fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn pick(&mut self, of: &[u64]) -> u64 {
        of[usize::try_from(self.below(of.len() as u64)).expect("small")]
    }
}
