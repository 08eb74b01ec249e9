//! The points where a test may break a rule, to see that a property notices. Outside of tests every rule holds, and
//! asking costs nothing.

/// A deliberate bug. Each has a property that catches it; `model.rs` holds the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bug {
    /// The budget gives one slot too many.
    OneSlotTooMany,
    /// Hosts that failed do not count against the budget.
    FailuresDoNotSpend,
    /// Hosts in work do not count against the budget.
    WorkDoesNotSpend,
    /// Hosts that others took out do not count against the budget.
    OthersDoNotSpend,
    /// Slots are given one after the other without looking again.
    OneLookForManySlots,
    /// Slots are given while the API is silent or etcd is not healthy.
    IgnoresBlocked,
    /// Control planes go as far as `max_unavailable` lets them.
    ControlPlanesTogether,
    /// Hosts start although the run stops.
    StartsHostsWhileStopping,
    /// More failures than `max_failures` do not halt.
    IgnoresMaxFailures,
    /// One failure halts, whatever `max_failures` says.
    HaltsTooEarly,
    /// `on_failure: freeze` lets hosts that are out finish.
    FreezeLetsHostsFinish,
    /// `on_failure: halt` leaves hosts out where they stand.
    HaltFreezes,
    /// A failed batch does not halt.
    GoesOnAfterFailedBatch,
    /// A batch of one that failed ends the phase, although all are of one and `max_failures` lets it go on.
    LoneFailuresEndThePhase,
    /// Batches follow each other without soak and checks.
    SkipsSoak,
    /// A red check at the end of a soak is forgotten.
    IgnoresRedChecks,
    /// The next attempt does not wait for its time.
    RetriesAtOnce,
    /// More hosts start than `parallel` lets.
    IgnoresParallel,
    /// "Stop now" lets hosts finish.
    NowLetsHostsFinish,
    /// A host that came back counts as in service before anybody has looked.
    TrustsReleasedHosts,
    /// A budget that others hold is not waited for.
    DoesNotWaitForOthers,
    /// Slots are given and hosts started in the same round in which others fail.
    DecidesPastEvents,
    /// A host takes its slot before its goal is looked at.
    SlotBeforeLook,
    /// A disrupting task starts without a slot, whatever it is.
    StartsWithoutSlot,
    /// A bracket is opened on a look from before a long wait.
    TrustsOldLooks,
    /// Failures that have spent the budget are waited for like others.
    WaitsForFailures,
    /// A command that its own checks refused counts as a change.
    CountsRefusedOps,
    /// Batches follow each other as if there were no gates.
    SkipsGates,
    /// A gate that was not passed is forgotten.
    PassesRefusedGates,
    /// A pause that nobody confirmed stops nobody else.
    GoesOnAfterPause,
    /// Hosts go out in as many domains as there are.
    IgnoresTopology,
    /// Members of one etcd cluster go out together, and while another one is not well.
    IgnoresEtcd,
    /// Domains count only where the run itself is at work.
    TopologyOfOwnWorkOnly,
    /// A host whose domain does not fit holds up those behind it.
    OnlyTheFirstMayGo,
    /// Domains that failures hold for good are waited for like others.
    WaitsForLostDomains,
    /// A host that no rescue can save counts as failed only at its end.
    CountsFailuresAtTheEnd,
    /// Hosts start and go out although a rescue decides whether they may.
    GoesOnDuringRescue,
    /// Hosts that failed before they took a slot do not count while they are rescued.
    RescuesDoNotSpend,
    /// "Stop now" lets a rescue go on.
    NowRescues,
    /// A graceful stop takes rescues away, and what is done in the end.
    StopsRescues,
    /// A host that stops answering has failed.
    SilenceFails,
    /// A host that answers again is in service, whatever the last look saw.
    AnswersAreService,
    /// A task may end in any way while an op of it has no end.
    EndsInDoubt,
    /// The end of an op is taken twice.
    TakesEndsTwice,
    /// Hosts wait for others as long as it takes where none is at work, whatever `wait_for_budget` says.
    WaitsIdly,
    /// Nodes that the run left cordoned do not count against the budget.
    CordonsDoNotSpend,
    /// Nodes that the run left cordoned are waited for, though nobody uncordons them.
    WaitsForCordons,
    /// A condition is asked anew by every task that has it.
    AsksAgain,
    /// What closes a bracket is skipped by its own condition, although the bracket is open.
    LeavesBracketsOpen,
    /// A task under another condition disrupts a node that was not cordoned.
    DisruptsApart,
    /// What disrupts relies on the cordon that was set once.
    TrustsOldCordons,
    /// A task whose cordon is gone is tried again as it stands.
    SkipsDrainingAgain,
    /// A cordon is set again as often as somebody takes it away.
    CordonsForEver,
    /// A worker sends its op although the lock was lost.
    #[cfg(test)]
    SendsWithoutLock,
    /// A worker sends ops of which the plan said that there is nothing to do.
    #[cfg(test)]
    SendsUnannounced,
}

/// Which rules hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    #[cfg(test)]
    pub(super) bug: Option<Bug>,
}

impl Rules {
    /// All of them.
    pub(super) const SOUND: Self = Self {
        #[cfg(test)]
        bug: None,
    };

    /// Whether a test broke this one.
    #[cfg(test)]
    pub(super) fn broken(self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    /// Never.
    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "has the signature that tests need")]
    pub(super) const fn broken(self, _: Bug) -> bool {
        false
    }
}
