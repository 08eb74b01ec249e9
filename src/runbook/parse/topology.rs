//! `topology:` of a rollout.

use std::num::NonZeroU32;

use crate::source::{Spanned, written};
use crate::value::Type;

written! {
    /// Where hosts of the phase may be out of service, including those that others took out. A host goes out only if all
    /// that are out, itself included, then stand in at most `max_domains` places; of the hosts that wait, the first that
    /// fits goes.
    pub struct TopologySpec at "phases[].rollout.topology", called "`topology`", derive(PartialEq, Eq) {
        /// The label whose value is a host's place. Every host of the phase needs it.
        key: Spanned<String> as (Type::Word.called("the name of a label, such as `zone`")),
        /// Most values of the label that may have hosts out of service.
        max_domains: NonZeroU32 = NonZeroU32::MIN,
    }
}
