//! The inventory: hosts, groups, labels, variables, connections, and the selectors that choose among them.

mod host;
mod parse;
mod range;
mod selector;
mod shared;

pub(crate) use host::is_open_to_all;
pub use host::{
    Become, Connection, EtcdHosts, Group, Host, HostKeyPolicy, HostName, Inventory, Reconnect, TransportKind,
};
pub use parse::{INVENTORY, parse, parse_leniently, tables};
pub use range::expand;
pub use selector::{Selector, SelectorError};
pub use shared::refuse_doubtful;
