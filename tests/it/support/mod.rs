//! What the tests stand on.

pub(crate) mod announced;
pub(crate) mod apiserver;
pub(crate) mod cluster;
pub(crate) mod disk;
pub(crate) mod ports;
pub(crate) mod proxy;
pub(crate) mod rollbook;
pub(crate) mod root;
pub(crate) mod sent;
pub(crate) mod sshd;
