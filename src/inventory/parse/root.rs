//! `become` as it is written: how root is reached on a host.

use crate::inventory::Become;
use crate::source::{Spanned, answers, words, written};

written! {
    /// How root is reached on a host.
    pub(super) struct BecomeKeys at "become", called "`become`, such as `{ method: sudo }`",
        answers(answers("`become`", &BECOME_HABITS))
    {
        /// `sudo -n`, which never asks; or nothing, where the user is root. `sudo` if `become` is not written.
        method: Spanned<Become>,
    }
}

words!(Become { "sudo" => Sudo, "none" => None });

const BECOME_HABITS: [(&str, &str); 2] = [
    ("user", "steps become root; for another user write `sudo -u` in a `command`"),
    ("password", "`sudo -n` never asks"),
];
