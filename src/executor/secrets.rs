//! Secret values: read where they are needed, kept out of everything else.

use indexmap::IndexMap;
use secrecy::{ExposeSecret, SecretString};

use super::redact::{Redactor, SHORTEST};
use crate::op::resolve_symbols;
use crate::runbook::SecretSource;

/// Every secret of a runbook, read once at the start of a run.
pub struct Secrets {
    values: IndexMap<String, SecretString>,
}

/// A secret that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The environment variable is not set.
    #[error("secret `{name}`: the environment variable `{variable}` is not set")]
    NoVariable {
        /// The secret.
        name: String,
        /// The variable.
        variable: String,
    },
    /// The file cannot be read.
    #[error("secret `{name}`: cannot read {path}")]
    Read {
        /// The secret.
        name: String,
        /// The file.
        path: camino::Utf8PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Too short to be told apart from ordinary text when output is redacted.
    #[error("secret `{name}` has fewer than 8 bytes: it could not be kept out of logs")]
    TooShort {
        /// The secret.
        name: String,
    },
}

impl Secrets {
    /// No secrets.
    pub fn none() -> Self {
        Self { values: IndexMap::new() }
    }

    /// Reads them all. `variable` looks up an environment variable.
    pub fn read(
        sources: &IndexMap<String, SecretSource>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, SecretError> {
        let each = sources
            .iter()
            .map(|(name, source)| Ok((name.clone(), SecretString::from(read_one(name, source, &variable)?))));
        Ok(Self { values: each.collect::<Result<_, _>>()? })
    }

    /// Those that can be read now: a plan needs no secret, but what hosts print of one has no business in it.
    pub fn at_hand(
        sources: &IndexMap<String, SecretSource>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let read = |(name, source): (&String, _)| {
            Some((name.clone(), SecretString::from(read_one(name, source, &variable).ok()?)))
        };
        Self { values: sources.iter().filter_map(read).collect() }
    }

    /// Those that cannot be read now, and why.
    pub fn unreadable(
        sources: &IndexMap<String, SecretSource>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Vec<(String, SecretError)> {
        let unread =
            |(name, source): (&String, _)| Some((name.clone(), read_one(name, source, &variable).err()?));
        sources.iter().filter_map(unread).collect()
    }

    /// The filter before every sink.
    pub fn redactor(&self) -> Redactor {
        Redactor::new(self.values.values().map(ExposeSecret::expose_secret))
    }

    /// Text with its secret symbols resolved; the others stay.
    pub(super) fn resolve(&self, text: &str, mut other: impl FnMut(&str) -> String) -> String {
        let resolve = |symbol: &str| {
            let secret = symbol.strip_prefix("secret:").and_then(|name| self.values.get(name));
            Ok::<_, std::convert::Infallible>(
                secret.map_or_else(|| other(symbol), |value| value.expose_secret().to_owned()),
            )
        };
        let Ok(text) = resolve_symbols(text, resolve);
        text
    }
}

fn read_one(
    name: &str,
    source: &SecretSource,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<String, SecretError> {
    let name = || name.to_owned();
    let value = match source {
        SecretSource::Env(key) => {
            variable(key).ok_or_else(|| SecretError::NoVariable { name: name(), variable: key.clone() })?
        }
        SecretSource::File(path) => {
            let text = std::fs::read_to_string(path).map_err(|source| SecretError::Read {
                name: name(),
                path: path.clone(),
                source,
            })?;
            text.strip_suffix('\n').map(str::to_owned).unwrap_or(text)
        }
    };
    if value.len() < SHORTEST {
        return Err(SecretError::TooShort { name: name() });
    }
    Ok(value)
}
