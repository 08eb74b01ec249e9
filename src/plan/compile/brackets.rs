//! Finds a host's outermost brackets: from the first cordon or unhold to the step after which nothing is open.

use crate::plan::Bracket;
use crate::step::BracketKey;

/// What one task opens and closes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Marks<'a> {
    /// Brackets that it opens.
    pub(super) opens: &'a [BracketKey],
    /// Brackets that it closes.
    pub(super) closes: &'a [BracketKey],
}

/// The outermost brackets of tasks in order; `None` marks a task that will not run. A bracket that is left open on
/// purpose (`leave_cordoned`), or for `always` to close, ends with the last task. `from` is the index of the first one.
pub(super) fn outermost<'a>(from: u16, tasks: impl IntoIterator<Item = Option<Marks<'a>>>) -> Vec<Bracket> {
    let mut brackets = Vec::new();
    let mut open: Vec<&BracketKey> = Vec::new();
    let mut first: Option<(u16, &BracketKey)> = None;
    let mut last = from;
    for (index, marks) in (from..).zip(tasks) {
        last = index;
        let Some(marks) = marks else { continue };
        for key in marks.opens {
            // Cordon and drain may both stand in front of one uncordon.
            if !open.contains(&key) {
                open.push(key);
            }
            first.get_or_insert((last, key));
        }
        open.retain(|key| !marks.closes.contains(*key));
        if open.is_empty()
            && let Some((first, key)) = first.take()
        {
            brackets.push(Bracket { key: key.clone(), first, last });
        }
    }
    if let Some((first, key)) = first {
        brackets.push(Bracket { key: key.clone(), first, last });
    }
    brackets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(tasks: &[(&[BracketKey], &[BracketKey])]) -> Vec<(u16, u16)> {
        let marks = tasks.iter().map(|(opens, closes)| Some(Marks { opens, closes }));
        outermost(0, marks).into_iter().map(|bracket| (bracket.first, bracket.last)).collect()
    }

    #[test]
    fn an_inner_bracket_belongs_to_the_outer_one() {
        let cordon = [BracketKey::Cordon];
        let hold = [BracketKey::Hold("kubelet".to_owned())];
        let nested: [(&[BracketKey], &[BracketKey]); 5] =
            [(&cordon, &[]), (&hold, &[]), (&[], &hold), (&[], &[]), (&[], &cordon)];
        assert_eq!(spans(&nested), [(0, 4)]);
    }

    #[test]
    fn brackets_apart_stay_apart_and_an_open_one_reaches_the_end() {
        let cordon = [BracketKey::Cordon];
        let hold = [BracketKey::Hold("kubeadm".to_owned())];
        let tasks: [(&[BracketKey], &[BracketKey]); 5] =
            [(&hold, &[]), (&[], &hold), (&[], &[]), (&cordon, &[]), (&[], &[])];
        assert_eq!(spans(&tasks), [(0, 1), (3, 4)]);
    }

    #[test]
    fn a_task_that_will_not_run_opens_nothing() {
        let cordon = [BracketKey::Cordon];
        assert_eq!(outermost(3, [None, Some(Marks { opens: &[], closes: &cordon })]), []);
    }
}
