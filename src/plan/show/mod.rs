//! Shows a plan: text and Markdown for people, JSON for programs. Decides nothing; every word comes from the plan.

mod bodies;
mod diff;
mod labels;
mod markdown;
mod rest;
mod saved;
mod terms;
mod text;

pub use diff::diff;
pub use markdown::markdown;
pub use saved::{Saved, SavedError, json, open, saved};
pub use text::{Detail, PlanStyle, text};

use sha2::{Digest, Sha256};

use super::Plan;
use crate::value::reveal;

/// The plan's body as it is saved and digested: the same plan gives the same bytes.
pub fn bytes(plan: &Plan) -> Vec<u8> {
    serde_json::to_vec(plan).expect("invariant: a plan serialises")
}

/// A saved plan, its words made fit for people, or why the bytes are none.
pub fn parse(bytes: &[u8]) -> Result<Plan, String> {
    read(bytes).map_err(|why| reveal(&why))
}

fn read(bytes: &[u8]) -> Result<Plan, String> {
    let mut plan: Plan = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if plan.format != Plan::FORMAT {
        return Err(format!("its format is {}, this version reads {}", plan.format, Plan::FORMAT));
    }
    super::sound::check(&plan)?;
    super::older::complete(&mut plan);
    labels::make_plain(&mut plan);
    Ok(plan)
}

/// The digest over the exact bytes of a plan's body: `sha256:…`.
pub fn digest(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let hash = Sha256::digest(bytes);
    hash.iter().fold("sha256:".to_owned(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("invariant: writing to a string works");
        text
    })
}
