//! The lock of a cluster: of several controllers exactly one works, and one that lost the lock works no more. What
//! happened is told by what the hosts wrote down.

mod binary;
mod claim;
mod controllers;
mod cordon;
mod lost;
mod outage;
mod starting;
