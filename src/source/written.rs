//! One declaration for each mapping that people write: [`written!`] makes of it the struct, its defaults, the reader that
//! reports all mistakes with their places, the rows of the reference page and the shape of the schema. What may stand at a
//! key is told by the type of its field, by way of [`FromNode`].

use std::num::NonZeroU32;

use super::{Diagnostics, Entry, Node, Span, Spanned};
use crate::value::{Amount, Duration, Type, Value, Version};

/// What people can write at a key.
pub trait FromNode: Sized {
    /// Whether a key of this type must be written, unless it has a default.
    const REQUIRED: bool = true;

    /// What it must be, for messages, reference pages and schemas.
    fn ty() -> Type;

    /// Reads it; what does not fit is reported. `ty` may say more than [`Self::ty`]: other words, or bounds.
    fn from_node(node: &Node, ty: &Type, errors: &mut Diagnostics) -> Option<Self>;

    /// The same, for what has to know its key, too.
    fn from_entry(entry: &Entry, ty: &Type, errors: &mut Diagnostics) -> Option<Self> {
        Self::from_node(&entry.value, ty, errors)
    }

    /// What it is where nothing is written; `None` where that is a mistake.
    fn absent() -> Option<Self> {
        None
    }
}

/// What a default is on a reference page and in a schema.
pub trait AsDefault {
    /// As a constant.
    fn as_default(&self) -> Value;
}

/// Declares a mapping that people write: a struct with a `FromNode` that reads it and a `table()` that describes it.
///
/// ```text
/// written! {
///     /// How a step that failed is tried again.
///     pub struct Retry at "retry", called "`retry`, such as `{ attempts: 3 }`", derive(PartialEq) {
///         /// With the first.
///         attempts: u32 as (Type::Whole { least: 2, most: Some(100) }.called("a count of tries from 2 to 100")),
///         /// For readers.
///         note: Option<String>,
///         /// Before the second try.
///         delay: Duration = Duration::from_secs(10),
///         /// How long it is tried.
///         within ("for"): Duration where (positive) = Duration::from_secs(60),
///     }
/// }
/// ```
///
/// A field without a default must be written, unless its type is an `Option`. `as` says what it must be where the type of the
/// field says less, `where` reads the text of a scalar in place of the type's own way, a literal in parentheses is a key that is
/// no identifier, `struct Name: Default` gives what a mapping without keys gives, and `answers` answers unknown keys, such as those of other tools. The above becomes:
///
/// ```text
/// #[derive(Clone, Debug, PartialEq)]
/// pub struct Retry { pub attempts: u32, pub note: Option<String>, pub delay: Duration, pub within: Duration }
///
/// impl Retry {
///     pub fn table() -> &'static Table {
///         static TABLE: Table = Table {
///             path: "retry",
///             what: "`retry`, such as `{ attempts: 3 }`",
///             doc: "How a step that failed is tried again.",
///             fields: LazyLock::new(|| vec![
///                 Field { name: "attempts", ty: Type::Whole { … }.called(…), required: true, default: None, doc: "With the first." },
///                 Field { name: "note", ty: Type::Str, required: false, default: None, doc: "For readers." },
///                 Field { name: "delay", ty: Type::Duration, required: false, default: Some(10 s), doc: "Before …" },
///                 …
///             ]),
///         };
///         &TABLE
///     }
/// }
///
/// impl FromNode for Retry {
///     fn from_node(node: &Node, _: &Type, errors: &mut Diagnostics) -> Option<Self> {
///         let mut reader = MapReader::open_table(node, Self::table(), errors)?;
///         let attempts = match reader.key("attempts", true, errors) {
///             Some(entry) => u32::from_entry(entry, &Type::Whole { … }.called(…), errors).or_else(u32::absent),
///             None => u32::absent(),
///         };
///         …
///         reader.close(errors, |_, _| false);
///         Some(Self { attempts: attempts?, note: note?, delay: delay?, within: within? })
///     }
/// }
/// ```
macro_rules! written {
    (@name $key:ident) => { stringify!($key) };
    (@name $key:ident $written:literal) => { $written };
    (@ty $ty:ty) => { <$ty as $crate::source::FromNode>::ty() };
    (@ty $ty:ty, $as:expr) => { $as };
    (@required $ty:ty) => { <$ty as $crate::source::FromNode>::REQUIRED };
    (@required $ty:ty, $default:expr) => { false };
    (@absent $ty:ty) => { <$ty as $crate::source::FromNode>::absent() };
    (@absent $ty:ty, $default:expr) => { Some($default) };
    (@default $ty:ty) => { None };
    (@default $ty:ty, $default:expr) => {
        Some(<$ty as $crate::source::AsDefault>::as_default(&$default))
    };
    (@read $ty:ty, $entry:ident, $as:expr, $errors:ident) => {
        <$ty as $crate::source::FromNode>::from_entry($entry, &$as, $errors)
    };
    (@read $ty:ty, $entry:ident, $as:expr, $errors:ident, $by:expr) => {
        $entry.value.parsed(&$as.expected(), $errors, $by)
    };
    (@left_out $ty:ty) => { <$ty>::default() };
    (@left_out $ty:ty, $default:expr) => { $default };
    (@impl [] $name:ident { $($key:ident: $left_out:expr),+ }) => {};
    (@impl [Default] $name:ident { $($key:ident: $left_out:expr),+ }) => {
        impl Default for $name {
            fn default() -> Self {
                Self { $($key: $left_out),+ }
            }
        }
    };
    (@answers) => { |_, _| false };
    (@answers $answers:expr) => { $answers };
    (
        $(#[doc = $doc:literal])+
        $vis:vis struct $name:ident $(: $with_default:ident)? at $path:literal, called $what:literal
        $(, derive($($derive:ident),+))? $(, answers($answers:expr))?
        {
            $(
                $(#[doc = $key_doc:literal])+
                $key:ident $(($written:literal))? : $ty:ty $(as ($as:expr))? $(where ($by:expr))? $(= $default:expr)?
            ),+ $(,)?
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, $($($derive),+)?)]
        $vis struct $name {
            $($(#[doc = $key_doc])+ pub $key: $ty,)+
        }

        impl $name {
            /// What may be written here.
            $vis fn table() -> &'static $crate::value::Table {
                static TABLE: $crate::value::Table = $crate::value::Table {
                    path: $path,
                    what: $what,
                    doc: concat!($($doc),+).trim_ascii_start(),
                    fields: std::sync::LazyLock::new(|| vec![$($crate::value::Field {
                        name: $crate::source::written!(@name $key $($written)?),
                        ty: $crate::source::written!(@ty $ty $(, $as)?),
                        required: $crate::source::written!(@required $ty $(, $default)?),
                        default: $crate::source::written!(@default $ty $(, $default)?),
                        doc: concat!($($key_doc),+).trim_ascii_start(),
                    }),+]),
                };
                &TABLE
            }
        }

        $crate::source::written!(@impl [$($with_default)?] $name {
            $($key: $crate::source::written!(@left_out $ty $(, $default)?)),+
        });

        impl $crate::source::FromNode for $name {
            fn ty() -> $crate::value::Type {
                Self::table().ty()
            }

            fn from_node(
                node: &$crate::source::Node,
                _: &$crate::value::Type,
                errors: &mut $crate::source::Diagnostics,
            ) -> Option<Self> {
                let mut reader = $crate::source::MapReader::open_table(node, Self::table(), errors)?;
                $(
                    let required = $crate::source::written!(@required $ty $(, $default)?);
                    let name = $crate::source::written!(@name $key $($written)?);
                    let $key = reader.key(name, required, errors).and_then(|entry| {
                        let ty = $crate::source::written!(@ty $ty $(, $as)?);
                        $crate::source::written!(@read $ty, entry, ty, errors $(, $by)?)
                    });
                    let $key = $key.or_else(|| $crate::source::written!(@absent $ty $(, $default)?));
                )+
                reader.close(errors, $crate::source::written!(@answers $($answers)?));
                Some(Self { $($key: $key?),+ })
            }
        }
    };
}
pub(crate) use written;

/// Makes an enum of what people write by words: `words!(Mode { "read_only" => ReadOnly, "read_write" => ReadWrite });`.
macro_rules! words {
    ($name:ty { $($word:literal => $value:ident),+ $(,)? }) => {
        impl $name {
            /// Each by its word.
            pub(crate) const WORDS: &[(&str, Self)] = &[$(($word, Self::$value)),+];
        }

        impl $crate::source::FromNode for $name {
            fn ty() -> $crate::value::Type {
                $crate::value::Type::either(&[$($word),+])
            }

            fn from_node(
                node: &$crate::source::Node,
                _: &$crate::value::Type,
                errors: &mut $crate::source::Diagnostics,
            ) -> Option<Self> {
                node.word(Self::WORDS, errors)
            }
        }

        impl $crate::source::AsDefault for $name {
            fn as_default(&self) -> $crate::value::Value {
                match self { $(Self::$value => $crate::value::Value::Str($word.to_owned())),+ }
            }
        }
    };
}
pub(crate) use words;

impl<T: FromNode> FromNode for Option<T> {
    const REQUIRED: bool = false;

    fn ty() -> Type {
        T::ty()
    }

    fn from_node(node: &Node, ty: &Type, errors: &mut Diagnostics) -> Option<Self> {
        Some(T::from_node(node, ty, errors))
    }

    fn from_entry(entry: &Entry, ty: &Type, errors: &mut Diagnostics) -> Option<Self> {
        Some(T::from_entry(entry, ty, errors))
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: FromNode> FromNode for Spanned<T> {
    fn ty() -> Type {
        T::ty()
    }

    fn from_node(node: &Node, ty: &Type, errors: &mut Diagnostics) -> Option<Self> {
        Some(Self { value: T::from_node(node, ty, errors)?, span: node.span })
    }
}

impl FromNode for Node {
    fn ty() -> Type {
        Type::Any
    }

    fn from_node(node: &Node, _: &Type, _: &mut Diagnostics) -> Option<Self> {
        Some(node.clone())
    }
}

/// A value with the place of its key.
#[derive(Clone, Debug)]
pub struct Keyed<T> {
    /// Where the key is written.
    pub key: Span,
    /// What stands there; `None` where it is wrong.
    pub value: Option<T>,
}

impl<T: FromNode> FromNode for Keyed<T> {
    fn ty() -> Type {
        T::ty()
    }

    fn from_node(node: &Node, ty: &Type, errors: &mut Diagnostics) -> Option<Self> {
        Some(Self { key: node.span, value: T::from_node(node, ty, errors) })
    }

    fn from_entry(entry: &Entry, ty: &Type, errors: &mut Diagnostics) -> Option<Self> {
        Some(Self { key: entry.key.span, value: T::from_entry(entry, ty, errors) })
    }
}

impl FromNode for bool {
    fn ty() -> Type {
        Type::Bool.called("`true` or `false`")
    }

    fn from_node(node: &Node, _: &Type, errors: &mut Diagnostics) -> Option<Self> {
        node.boolean(errors)
    }
}

impl FromNode for String {
    fn ty() -> Type {
        Type::Str
    }

    fn from_node(node: &Node, ty: &Type, errors: &mut Diagnostics) -> Option<Self> {
        let fits = |text: &&str| match ty.plain() {
            Type::NotEmpty => !text.is_empty(),
            Type::Word => !text.is_empty() && !text.contains(char::is_whitespace),
            Type::NoFlag => !text.is_empty() && !text.starts_with('-'),
            _ => true,
        };
        node.parsed(&ty.expected(), errors, |text| Some(text).filter(fits)).map(str::to_owned)
    }
}

/// A whole number in digits, within the bounds of its type.
fn whole<T: TryFrom<i64>>(node: &Node, ty: &Type, errors: &mut Diagnostics) -> Option<T> {
    let bounds = match ty.plain() {
        Type::Whole { least, most } => (*least, most.unwrap_or(i64::MAX)),
        _ => (0, i64::MAX),
    };
    node.parsed(&ty.expected(), errors, |text| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let number: i64 = text.parse().ok().filter(|_| digits)?;
        (bounds.0..=bounds.1).contains(&number).then(|| T::try_from(number).ok()).flatten()
    })
}

macro_rules! whole_numbers {
    ($($number:ty),+) => {
        $(impl FromNode for $number {
            fn ty() -> Type {
                Type::Whole { least: 0, most: None }
            }

            fn from_node(node: &Node, ty: &Type, errors: &mut Diagnostics) -> Option<Self> {
                whole(node, ty, errors)
            }
        }

        impl AsDefault for $number {
            fn as_default(&self) -> Value {
                Value::Int(i64::from(*self))
            }
        })+
    };
}
whole_numbers!(u8, u16, u32);

impl FromNode for Version {
    fn ty() -> Type {
        Type::Version
    }

    fn from_node(node: &Node, ty: &Type, errors: &mut Diagnostics) -> Option<Self> {
        node.parsed(&ty.expected(), errors, |text| Self::parse(text).ok())
    }
}

impl FromNode for NonZeroU32 {
    fn ty() -> Type {
        Type::Whole { least: 1, most: None }.called("a count of at least 1")
    }

    fn from_node(node: &Node, ty: &Type, errors: &mut Diagnostics) -> Option<Self> {
        whole(node, ty, errors).and_then(Self::new)
    }
}

impl FromNode for Duration {
    fn ty() -> Type {
        Type::Duration
    }

    fn from_node(node: &Node, ty: &Type, errors: &mut Diagnostics) -> Option<Self> {
        node.parsed(&ty.expected(), errors, Self::parse)
    }
}

impl FromNode for Amount {
    fn ty() -> Type {
        Type::Amount.called("a count such as 2, or a percentage such as 25%")
    }

    fn from_node(node: &Node, ty: &Type, errors: &mut Diagnostics) -> Option<Self> {
        node.parsed(&ty.expected(), errors, Self::parse)
    }
}

impl AsDefault for bool {
    fn as_default(&self) -> Value {
        Value::Bool(*self)
    }
}

impl AsDefault for NonZeroU32 {
    fn as_default(&self) -> Value {
        self.get().as_default()
    }
}

impl AsDefault for String {
    fn as_default(&self) -> Value {
        Value::Str(self.clone())
    }
}

impl AsDefault for Duration {
    fn as_default(&self) -> Value {
        Value::Duration(*self)
    }
}

impl AsDefault for Amount {
    fn as_default(&self) -> Value {
        match *self {
            Self::Count(count) => count.as_default(),
            Self::Percent(percent) => Value::Percent(percent),
        }
    }
}
