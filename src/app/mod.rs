//! The use cases: they take requests, do the work and give outcomes or errors. They know no command line and no terminal: what
//! they tell while they work goes to whom the request names.

pub(crate) mod approval;
pub(crate) mod connections;
pub(crate) mod doctor;
pub(crate) mod earlier;
mod error;
pub(crate) mod exec;
pub(crate) mod facts;
pub(crate) mod kube;
pub(crate) mod left;
pub(crate) mod load;
pub(crate) mod lock;
pub(crate) mod missing_secrets;
pub(crate) mod plan;
pub(crate) mod plan_file;
pub(crate) mod records;
mod request;
pub(crate) mod resume;
pub(crate) mod roll;
pub(crate) mod run;
pub(crate) mod same_cluster;
pub(crate) mod stage;
mod stops;
mod swept;
mod tell;
pub(crate) mod undo;

pub(crate) use error::{AppError, Problem};
pub(crate) use request::{Consent, ResumeRequest, RollRequest, RunRequest, RunbookInput, UndoRequest};
pub(crate) use tell::{Audience, Tell};
