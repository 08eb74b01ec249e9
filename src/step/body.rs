//! What an op is given beside its arguments: the text of a script, standard input, the content of a file. For people, so
//! that a plan shows everything that will run.

use crate::op::{Op, OpKind, SYMBOL_OPEN};
use crate::value::push_shown;

/// A text that an op is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpBody<'a> {
    /// "script", "standard input", "content".
    pub what: &'static str,
    /// The text, with symbols in place of what is known only later; `None` where it is not for everybody's eyes.
    pub text: Option<&'a str>,
}

impl Op {
    /// What it is given, where it is given anything.
    pub fn body(&self) -> Option<OpBody<'_>> {
        if self.stdin.is_empty() {
            return None;
        }
        Some(match &self.kind {
            OpKind::Write { path, mode, .. } => {
                let is_public = super::copy::is_public(path, mode, &self.stdin);
                OpBody { what: "content", text: is_public.then_some(self.stdin.as_str()) }
            }
            _ => match super::script::unwrapped(&self.stdin) {
                Some(text) => OpBody { what: "script", text: Some(text) },
                None => OpBody { what: "standard input", text: Some(&self.stdin) },
            },
        })
    }

    /// Whether a part of what it is given is known only later; its length and its digest would tell of that part.
    pub fn body_holds_symbols(&self) -> bool {
        self.stdin.contains(SYMBOL_OPEN)
    }
}

/// A line as it can be printed: nothing in it moves a cursor or hides, and it ends after so many characters.
pub fn shown_line(line: &str, widest: usize) -> String {
    let mut out = String::with_capacity(line.len());
    for (index, character) in line.chars().enumerate() {
        if index == widest {
            out.push('…');
            break;
        }
        match character {
            '\t' => out.push('\t'),
            other => push_shown(&mut out, other),
        }
    }
    out
}
