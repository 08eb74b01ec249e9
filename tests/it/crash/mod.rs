//! Controllers that die: at every event of a run, on simulated hosts for all of them, on real ones for a sample. The
//! run is resumed each time, and must leave the same hosts and have sent the same commands as an undisturbed one.

mod cordon;
mod doubt;
mod drill;
mod gates;
mod links;
mod record;
mod rescue;
mod secrets;
mod simulated;
mod undone;
