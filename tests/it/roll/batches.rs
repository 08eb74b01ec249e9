//! Order and budget: who is worked on, when, and with whom.

use super::fleet::{Fleet, most_at_once};

// Long enough that the second host of a slow machine begins before the first one has ended.
const TWO_STEPS: &str = r#"
- command: { argv: ["@work", "{{ host.name }}", first, "2"] }
- command: { argv: ["@work", "{{ host.name }}", second, "0.2"] }
"#;
const BOTH: [&str; 4] = ["first begin", "first end", "second begin", "second end"];

#[test]
fn batches_go_in_order_and_the_canary_goes_alone() {
    let fleet = Fleet::of(5);
    fleet.runbook("", "batches: [1, 2], max_unavailable: 2", TWO_STEPS);
    fleet.run(&[]).run().exits(0);
    let spans: Vec<_> = (1..=5).map(|host| fleet.span(host)).collect();
    for host in 1..=5 {
        assert_eq!(fleet.steps(host), BOTH, "h{host}");
    }
    for (earlier, later) in [(0..1, 1..3), (1..3, 3..5)] {
        let ended = spans[earlier].iter().map(|span| span.1).max().unwrap();
        assert!(spans[later].iter().all(|span| span.0 > ended), "{spans:?}");
    }
    assert_eq!(most_at_once(&spans), 2, "{spans:?}");
}

#[test]
fn a_wide_batch_never_takes_more_than_its_budget() {
    let fleet = Fleet::of(5);
    fleet.runbook("", "batches: [5], max_unavailable: 2", TWO_STEPS);
    fleet.run(&[]).run().exits(0);
    let spans: Vec<_> = (1..=5).map(|host| fleet.span(host)).collect();
    assert_eq!(most_at_once(&spans), 2, "{spans:?}");
    for host in 1..=5 {
        assert_eq!(fleet.steps(host), BOTH, "h{host}");
    }
}
