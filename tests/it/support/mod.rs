//! What the tests stand on.

pub(crate) mod rollbook;
pub(crate) mod sshd;
