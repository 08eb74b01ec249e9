//! Texts that are no templates.

use crate::source::{AsDefault, Diagnostics, FromNode, Node};
use crate::value::{Type, Value};

/// A text as it is: what a host prints may well look like a template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Raw(pub String);

impl From<&str> for Raw {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl FromNode for Raw {
    fn ty() -> Type {
        Type::Str
    }

    fn from_node(node: &Node, ty: &Type, errors: &mut Diagnostics) -> Option<Self> {
        let text = node.scalar().map(str::to_owned);
        if text.is_none() {
            errors.wrong_type(node, &ty.expected());
        }
        text.map(Self)
    }
}

impl AsDefault for Raw {
    fn as_default(&self) -> Value {
        Value::Str(self.0.clone())
    }
}
