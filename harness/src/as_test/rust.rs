//! Values as Rust expressions, made from what serde and `Debug` say of them.

use std::fmt::{self, Debug, Display};

use serde::ser::{self, Serialize};

/// The expression that a value is made by, as far as its type has nothing that is not seen from
/// outside; none where it may have. serde tells the names of types and fields; where `Debug`
/// prints just what it prints for types that are plain in both, the two agree that it is so.
pub(super) fn expression<T: Serialize + Debug>(value: &T) -> Option<String> {
    let Both { rust, debug } = value.serialize(Writer).ok()?;
    (debug == format!("{value:?}")).then_some(rust)
}

/// A value as Rust and as derived `Debug` writes it.
struct Both {
    rust: String,
    debug: String,
}

impl Both {
    fn alike(text: impl Display) -> Self {
        let rust = text.to_string();
        Self { debug: rust.clone(), rust }
    }
}

/// There is no expression for it.
#[derive(Debug)]
struct NoExpression;

impl Display for NoExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no expression")
    }
}

impl std::error::Error for NoExpression {}

impl ser::Error for NoExpression {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

type Written = Result<Both, NoExpression>;

/// A number, of which `Debug` tells the infinite ones and those that are none by a word.
fn float(name: &str, debug: String) -> Both {
    let constant = match debug.as_str() {
        "NaN" => "NAN",
        "inf" => "INFINITY",
        "-inf" => "NEG_INFINITY",
        _ => return Both::alike(debug),
    };
    Both { rust: format!("{name}::{constant}"), debug }
}

struct Writer;

/// Several values in one.
struct Parts {
    /// What stands before and after them, in Rust and for `Debug`.
    rust: (String, &'static str),
    debug: (String, &'static str),
    rust_parts: Vec<String>,
    debug_parts: Vec<String>,
}

impl Parts {
    fn new(rust: (String, &'static str), debug: (String, &'static str)) -> Self {
        Self { rust, debug, rust_parts: Vec::new(), debug_parts: Vec::new() }
    }

    fn tuple(path: String, name: &str) -> Self {
        Self::new((format!("{path}("), ")"), (format!("{name}("), ")"))
    }

    fn fields(path: &str, name: &str) -> Self {
        Self::new((format!("{path} {{ "), " }"), (format!("{name} {{ "), " }"))
    }

    fn add<T: Serialize + ?Sized>(&mut self, name: Option<&str>, value: &T) -> Result<(), NoExpression> {
        let Both { rust, debug } = value.serialize(Writer)?;
        let named = |text: String| name.map_or_else(|| text.clone(), |name| format!("{name}: {text}"));
        self.rust_parts.push(named(rust));
        self.debug_parts.push(named(debug));
        Ok(())
    }

    fn finish(self) -> Written {
        let join = |(before, after): (String, &str), parts: Vec<String>| {
            format!("{before}{}{after}", parts.join(", "))
        };
        Ok(Both { rust: join(self.rust, self.rust_parts), debug: join(self.debug, self.debug_parts) })
    }
}

macro_rules! literals {
    ($($method:ident: $type:ty),*) => {
        $(fn $method(self, value: $type) -> Written {
            Ok(Both::alike(format_args!("{value:?}")))
        })*
    };
}

impl ser::Serializer for Writer {
    type Ok = Both;
    type Error = NoExpression;
    type SerializeSeq = Parts;
    type SerializeTuple = Parts;
    type SerializeTupleStruct = Parts;
    type SerializeTupleVariant = Parts;
    type SerializeMap = Map;
    type SerializeStruct = Parts;
    type SerializeStructVariant = Parts;

    literals! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_i128: i128, serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64,
        serialize_u128: u128, serialize_char: char
    }

    fn serialize_f32(self, value: f32) -> Written {
        Ok(float("f32", format!("{value:?}")))
    }

    fn serialize_f64(self, value: f64) -> Written {
        Ok(float("f64", format!("{value:?}")))
    }

    fn serialize_str(self, value: &str) -> Written {
        Ok(Both { rust: format!("{value:?}.into()"), debug: format!("{value:?}") })
    }

    fn serialize_bytes(self, _: &[u8]) -> Written {
        Err(NoExpression)
    }

    fn serialize_none(self) -> Written {
        Ok(Both::alike("None"))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        self.serialize_newtype_struct("Some", value)
    }

    fn serialize_unit(self) -> Written {
        Ok(Both::alike("()"))
    }

    fn serialize_unit_struct(self, name: &'static str) -> Written {
        Ok(Both::alike(name))
    }

    fn serialize_unit_variant(self, name: &'static str, _: u32, variant: &'static str) -> Written {
        Ok(Both { rust: format!("{name}::{variant}"), debug: variant.to_owned() })
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Written {
        let mut parts = Parts::tuple(name.to_owned(), name);
        parts.add(None, value)?;
        parts.finish()
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Written {
        let mut parts = Parts::tuple(format!("{name}::{variant}"), variant);
        parts.add(None, value)?;
        parts.finish()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts, NoExpression> {
        // Every collection of std can be made from an array.
        Ok(Parts::new(("[".to_owned(), "].into()"), ("[".to_owned(), "]")))
    }

    fn serialize_tuple(self, length: usize) -> Result<Parts, NoExpression> {
        let end = if length == 1 { ",)" } else { ")" };
        Ok(Parts::new(("(".to_owned(), end), ("(".to_owned(), end)))
    }

    fn serialize_tuple_struct(self, name: &'static str, _: usize) -> Result<Parts, NoExpression> {
        Ok(Parts::tuple(name.to_owned(), name))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts, NoExpression> {
        Ok(Parts::tuple(format!("{name}::{variant}"), variant))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Map, NoExpression> {
        let parts = Parts::new(("[".to_owned(), "].into()"), ("{".to_owned(), "}"));
        Ok(Map { parts, key: None })
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Parts, NoExpression> {
        Ok(Parts::fields(name, name))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts, NoExpression> {
        Ok(Parts::fields(&format!("{name}::{variant}"), variant))
    }
}

macro_rules! parts {
    ($($kind:ident: $method:ident),*) => {
        $(impl ser::$kind for Parts {
            type Ok = Both;
            type Error = NoExpression;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NoExpression> {
                self.add(None, value)
            }

            fn end(self) -> Written {
                self.finish()
            }
        })*
    };
}

parts! {
    SerializeSeq: serialize_element, SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field, SerializeTupleVariant: serialize_field
}

macro_rules! fields {
    ($($kind:ident),*) => {
        $(impl ser::$kind for Parts {
            type Ok = Both;
            type Error = NoExpression;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), NoExpression> {
                self.add(Some(name), value)
            }

            fn end(self) -> Written {
                self.finish()
            }
        })*
    };
}

fields!(SerializeStruct, SerializeStructVariant);

struct Map {
    parts: Parts,
    key: Option<Both>,
}

impl ser::SerializeMap for Map {
    type Ok = Both;
    type Error = NoExpression;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), NoExpression> {
        self.key = Some(key.serialize(Writer)?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NoExpression> {
        let (key, value) = (self.key.take().ok_or(NoExpression)?, value.serialize(Writer)?);
        self.parts.rust_parts.push(format!("({}, {})", key.rust, value.rust));
        self.parts.debug_parts.push(format!("{}: {}", key.debug, value.debug));
        Ok(())
    }

    fn end(self) -> Written {
        self.parts.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Serialize;

    use super::expression;

    #[derive(Debug, Serialize)]
    enum Command {
        Read,
        Write(u8),
        Copy(u8, Option<i64>),
        Send { to: String, parts: Vec<(u8, f32)> },
    }

    #[derive(Debug, Serialize)]
    struct Point(u8);

    #[derive(Debug, Serialize)]
    #[serde(rename_all = "snake_case")]
    enum Renamed {
        Once,
    }

    #[derive(Serialize)]
    struct Hidden(u8);

    impl std::fmt::Debug for Hidden {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Hidden")
        }
    }

    #[test]
    fn plain_values_become_what_they_are_written_as() {
        assert_eq!(expression(&Command::Read).as_deref(), Some("Command::Read"));
        assert_eq!(expression(&Command::Write(7)).as_deref(), Some("Command::Write(7)"));
        assert_eq!(expression(&Command::Copy(1, Some(-2))).as_deref(), Some("Command::Copy(1, Some(-2))"));
        let send = Command::Send { to: "a\"b".to_owned(), parts: vec![(1, 0.5)] };
        let said = "Command::Send { to: \"a\\\"b\".into(), parts: [(1, 0.5)].into() }";
        assert_eq!(expression(&send).as_deref(), Some(said));
        assert_eq!(expression(&(f64::NAN, 0.1_f32)).as_deref(), Some("(f64::NAN, 0.1)"));
        assert_eq!(expression(&f32::NEG_INFINITY).as_deref(), Some("f32::NEG_INFINITY"));
        let map = BTreeMap::from([(1, Point(2)), (3, Point(4))]);
        assert_eq!(expression(&map).as_deref(), Some("[(1, Point(2)), (3, Point(4))].into()"));
    }

    #[test]
    fn what_is_not_what_it_looks_like_has_no_expression() {
        assert_eq!(expression(&Renamed::Once), None);
        assert_eq!(expression(&Hidden(1)), None);
        assert_eq!(expression(&vec![Hidden(1)]), None);
        assert_eq!(expression(&[1, 2]), None, "an array is no collection");
    }
}
