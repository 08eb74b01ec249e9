//! A step kind over its own arguments. Whoever has a step of any kind sees it as a [`StepKind`], which reads them first.

use super::ahead::SourcesUse;
use super::arguments::Arguments;
use super::{
    AssessError, Assessment, Cordons, Doc, LowerCx, LowerError, Lowered, StepKind, Subject, Touches,
};
use crate::op::{Effect, ProbeOutput};
use crate::value::{Duration, Field, Value};

/// As [`StepKind`], method by method, with the arguments as the kind declares them.
pub(crate) trait Kind: Sync {
    /// What may be written below its key.
    type Args: Arguments;

    /// Its key.
    const NAME: &'static str;

    /// The reference page's text.
    fn doc(&self) -> Doc;

    /// Rules between fields that types cannot say.
    fn check(&self, written: &[&str]) -> Vec<String> {
        let _ = written;
        Vec::new()
    }

    /// What a step changes and reads; `None` where what must be written is not known yet.
    fn touches(&self, args: Option<&Self::Args>) -> Touches {
        let _ = args;
        Touches::default()
    }

    /// What it has to do with package sources; `None` as above.
    fn sources(&self, args: Option<&Self::Args>) -> SourcesUse {
        let _ = args;
        SourcesUse::Nothing
    }

    /// The field that names a template file, and the one that takes its text.
    fn template_file(&self) -> Option<(&'static str, &'static str)> {
        None
    }

    /// Whether a refusal is about packages that no source offers.
    fn is_out_of_reach(&self, args: &Self::Args, answers: &[ProbeOutput]) -> bool {
        let _ = (args, answers);
        false
    }

    /// Whether what the probe sees stays as it is while nobody touches the host.
    fn is_steady(&self, args: &Self::Args) -> bool {
        let _ = args;
        true
    }

    /// Why a failure may pass by itself.
    fn transient(&self, stderr: &str) -> Option<String> {
        let _ = stderr;
        None
    }

    /// What the output of an op adds to the title.
    fn outcome(&self, stdout: &str, stderr: &str) -> Option<String> {
        let _ = (stdout, stderr);
        None
    }

    /// How a cordon is looked at again that it sets.
    fn cordons(&self) -> Option<&'static dyn Cordons> {
        None
    }

    /// Whether it takes this run's cordon away.
    fn uncordons(&self) -> bool {
        false
    }

    /// The strongest effect that it can have.
    fn effect(&self) -> Effect;

    /// How long it usually takes.
    fn usual(&self) -> Duration {
        Duration::from_secs(2)
    }

    /// Arguments to data.
    fn lower(&self, args: &Self::Args, cx: &LowerCx<'_>) -> Result<Lowered, LowerError>;

    /// What the probe's answers mean.
    fn assess(
        &self,
        args: &Self::Args,
        subject: &Subject,
        answers: &[ProbeOutput],
    ) -> Result<Assessment, AssessError>;

    /// What the verification's answers mean.
    fn assess_verify(
        &self,
        args: &Self::Args,
        subject: &Subject,
        answers: &[ProbeOutput],
    ) -> Result<Assessment, AssessError> {
        self.assess(args, subject, answers)
    }
}

/// An argument that must be there had no value when its turn came.
fn no_value<K: Kind>(name: &str) -> LowerError {
    let field = K::Args::fields().iter().find(|field| field.name == name);
    let expected = field.map(|field| format!("write {}", field.ty.expected()));
    LowerError { message: format!("`{name}` has no value"), hint: expected }
}

/// The arguments of a step that is lowered.
pub(super) fn given<K: Kind>(args: &Value) -> Result<K::Args, LowerError> {
    K::Args::read(args).map_err(no_value::<K>)
}

/// The arguments of a step that was lowered.
pub(super) fn lowered<K: Kind>(args: &Value) -> Result<K::Args, AssessError> {
    K::Args::read(args)
        .map_err(|name| AssessError { command: K::NAME.to_owned(), reason: no_value::<K>(name).message })
}

impl<K: Kind> StepKind for K {
    fn name(&self) -> &'static str {
        K::NAME
    }

    fn doc(&self) -> Doc {
        Kind::doc(self)
    }

    fn fields(&self) -> &'static [Field] {
        K::Args::fields()
    }

    fn check(&self, written: &[&str]) -> Vec<String> {
        Kind::check(self, written)
    }

    fn touches(&self, args: &Value) -> Touches {
        Kind::touches(self, K::Args::read(args).ok().as_ref())
    }

    fn sources(&self, args: &Value) -> SourcesUse {
        Kind::sources(self, K::Args::read(args).ok().as_ref())
    }

    fn template_file(&self) -> Option<(&'static str, &'static str)> {
        Kind::template_file(self)
    }

    fn is_out_of_reach(&self, args: &Value, answers: &[ProbeOutput]) -> bool {
        K::Args::read(args).is_ok_and(|args| Kind::is_out_of_reach(self, &args, answers))
    }

    fn is_steady(&self, args: &Value) -> bool {
        K::Args::read(args).map_or(true, |args| Kind::is_steady(self, &args))
    }

    fn transient(&self, stderr: &str) -> Option<String> {
        Kind::transient(self, stderr)
    }

    fn outcome(&self, stdout: &str, stderr: &str) -> Option<String> {
        Kind::outcome(self, stdout, stderr)
    }

    fn cordons(&self) -> Option<&'static dyn Cordons> {
        Kind::cordons(self)
    }

    fn uncordons(&self) -> bool {
        Kind::uncordons(self)
    }

    fn effect(&self) -> Effect {
        Kind::effect(self)
    }

    fn usual(&self) -> Duration {
        Kind::usual(self)
    }

    fn lower(&self, args: &Value, cx: &LowerCx<'_>) -> Result<Lowered, LowerError> {
        Kind::lower(self, &given::<K>(args)?, cx)
    }

    fn assess(
        &self,
        args: &Value,
        subject: &Subject,
        answers: &[ProbeOutput],
    ) -> Result<Assessment, AssessError> {
        Kind::assess(self, &lowered::<K>(args)?, subject, answers)
    }

    fn assess_verify(
        &self,
        args: &Value,
        subject: &Subject,
        answers: &[ProbeOutput],
    ) -> Result<Assessment, AssessError> {
        Kind::assess_verify(self, &lowered::<K>(args)?, subject, answers)
    }
}
