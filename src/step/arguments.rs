//! One declaration for the arguments of a step kind: [`arguments!`] makes of it the struct that the kind works with, and the
//! fields from which the reader of runbooks, the reference page and the schema are made. An argument may be a template, so
//! that it is read twice: as it is written, by the type of its field, and here, once it has a value.

use crate::value::{Duration, Field, Type, Value, Version};

/// The arguments of a step kind.
pub(crate) trait Arguments: Sized {
    /// What may be written.
    fn fields() -> &'static [Field];

    /// Reads values that have the types of the fields; the name of the first that has to be there and is not.
    fn read(args: &Value) -> Result<Self, &'static str>;
}

/// What an argument can be.
pub(crate) trait FromValue: Sized {
    /// Whether it must be written, unless it has a default.
    const REQUIRED: bool = true;

    /// What it must be, for the reader of runbooks, reference pages and schemas.
    fn ty() -> Type;

    /// From a value of that type.
    fn from_value(value: &Value) -> Option<Self>;

    /// What it is where nothing is written; `None` where that is a mistake.
    fn absent() -> Option<Self> {
        None
    }
}

/// Declares the arguments of a step kind, in the words of [`written!`](crate::source::written): a field without a default must
/// be written, unless its type is an `Option`; `as` says what it must be where the type of the field says less; a literal in
/// parentheses is a key that is no identifier; `with` takes the arguments in that several kinds share.
///
/// ```text
/// arguments! {
///     /// What a pause waits for.
///     pub(super) struct PauseArgs {
///         /// What a person has to do, and then confirms.
///         manual: Option<String>,
///         /// How long to wait.
///         time ("for"): Option<Duration>,
///     }
/// }
/// ```
macro_rules! arguments {
    (@name $key:ident) => { stringify!($key) };
    (@name $key:ident $written:literal) => { $written };
    (@ty $ty:ty) => { <$ty as $crate::step::arguments::FromValue>::ty() };
    (@ty $ty:ty, $as:expr) => { $as };
    (@required $ty:ty) => { <$ty as $crate::step::arguments::FromValue>::REQUIRED };
    (@required $ty:ty, $default:expr) => { false };
    (@absent $ty:ty) => { <$ty as $crate::step::arguments::FromValue>::absent() };
    (@absent $ty:ty, $default:expr) => { Some($default) };
    (@default $ty:ty) => { None };
    (@default $ty:ty, $default:expr) => { Some($crate::source::AsDefault::as_default(&$default)) };
    (
        $(#[doc = $doc:literal])+
        $vis:vis struct $name:ident $(with $shared:ident: $shared_ty:ident)? {
            $(
                $(#[doc = $key_doc:literal])+
                $key:ident $(($written:literal))? : $ty:ty $(as ($as:expr))? $(= $default:expr)?
            ),+ $(,)?
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug)]
        $vis struct $name {
            $($(#[doc = $key_doc])+ $vis $key: $ty,)+
            $($vis $shared: $shared_ty,)?
        }

        impl $crate::step::arguments::Arguments for $name {
            fn fields() -> &'static [$crate::value::Field] {
                static FIELDS: std::sync::LazyLock<Vec<$crate::value::Field>> = std::sync::LazyLock::new(|| {
                    let own = vec![$($crate::value::Field {
                        name: $crate::step::arguments::arguments!(@name $key $($written)?),
                        ty: $crate::step::arguments::arguments!(@ty $ty $(, $as)?),
                        required: $crate::step::arguments::arguments!(@required $ty $(, $default)?),
                        default: $crate::step::arguments::arguments!(@default $ty $(, $default)?),
                        doc: concat!($($key_doc),+).trim_ascii_start(),
                    }),+];
                    $(let own = [&own, <$shared_ty as $crate::step::arguments::Arguments>::fields()].concat();)?
                    own
                });
                &FIELDS
            }

            fn read(args: &$crate::value::Value) -> Result<Self, &'static str> {
                $(
                    let name = $crate::step::arguments::arguments!(@name $key $($written)?);
                    let written = args.get(name).and_then(<$ty as $crate::step::arguments::FromValue>::from_value);
                    let $key = written
                        .or_else(|| $crate::step::arguments::arguments!(@absent $ty $(, $default)?))
                        .ok_or(name)?;
                )+
                $(let $shared = <$shared_ty as $crate::step::arguments::Arguments>::read(args)?;)?
                Ok(Self { $($key,)+ $($shared)? })
            }
        }
    };
}
pub(crate) use arguments;

/// Makes an enum of what people write by words, for arguments: `word_arguments!(OnNotReady { "skip" => Skip, "fail" => Fail });`.
macro_rules! word_arguments {
    ($name:ty { $($word:literal => $value:ident),+ $(,)? }) => {
        impl $crate::step::arguments::FromValue for $name {
            fn ty() -> $crate::value::Type {
                $crate::value::Type::words(&[$($word),+])
            }

            fn from_value(value: &$crate::value::Value) -> Option<Self> {
                match value.as_str()? {
                    $($word => Some(Self::$value),)+
                    _ => None,
                }
            }
        }

        impl $crate::source::AsDefault for $name {
            fn as_default(&self) -> $crate::value::Value {
                match self { $(Self::$value => $crate::value::Value::Str($word.to_owned())),+ }
            }
        }
    };
}
pub(crate) use word_arguments;

impl<T: FromValue> FromValue for Option<T> {
    const REQUIRED: bool = false;

    fn ty() -> Type {
        T::ty()
    }

    fn from_value(value: &Value) -> Option<Self> {
        T::from_value(value).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

/// A list. One item may stand for it where the field says so; what is no item of it is left out.
impl<T: FromValue> FromValue for Vec<T> {
    fn ty() -> Type {
        T::ty().listed()
    }

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Null => None,
            Value::List(items) => Some(items.iter().filter_map(T::from_value).collect()),
            one => Some(T::from_value(one).into_iter().collect()),
        }
    }
}

impl FromValue for String {
    fn ty() -> Type {
        Type::Str
    }

    fn from_value(value: &Value) -> Option<Self> {
        value.as_str().map(str::to_owned)
    }
}

impl FromValue for bool {
    fn ty() -> Type {
        Type::Bool
    }

    fn from_value(value: &Value) -> Option<Self> {
        value.as_bool()
    }
}

impl FromValue for i64 {
    fn ty() -> Type {
        Type::Int
    }

    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Int(number) = value { Some(*number) } else { None }
    }
}

impl FromValue for Duration {
    fn ty() -> Type {
        Type::Duration
    }

    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Duration(duration) = value { Some(*duration) } else { None }
    }
}

impl FromValue for Version {
    fn ty() -> Type {
        Type::Version
    }

    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Version(version) = value { Some(version.clone()) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    arguments! {
        /// Of no kind.
        struct Given {
            /// A text
            /// in two lines.
            text: String,
            /// How long.
            time ("for"): Duration = Duration::from_secs(5),
            /// Some.
            names: Option<Vec<String>> as (Type::Str.one_or_many()),
        }
    }

    fn map(entries: &[(&str, Value)]) -> Value {
        Value::Map(entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
    }

    fn text(text: &str) -> Value {
        Value::Str(text.to_owned())
    }

    #[test]
    fn one_declaration_gives_the_fields_and_their_reader() {
        let five = Value::Duration(Duration::from_secs(5));
        let fields = [
            Field::required("text", Type::Str, "A text in two lines."),
            Field::with_default("for", Type::Duration, five, "How long."),
            Field::optional("names", Type::Str.one_or_many(), "Some."),
        ];
        assert_eq!(Given::fields(), fields);
        let given = Given::read(&map(&[("text", text("a")), ("names", text("x"))])).expect("complete");
        assert_eq!((given.text.as_str(), given.time), ("a", Duration::from_secs(5)));
        assert_eq!(given.names, Some(vec!["x".to_owned()]));
    }

    #[test]
    fn a_null_is_left_out_and_what_must_be_there_is_named() {
        let given = map(&[("text", text("a")), ("for", Value::Null), ("names", Value::Null)]);
        let given = Given::read(&given).expect("complete");
        assert_eq!((given.time, given.names), (Duration::from_secs(5), None));
        assert_eq!(Given::read(&map(&[("text", Value::Null)])).err(), Some("text"));
    }
}
