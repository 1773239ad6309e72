//! A serializer that writes nothing and leaves a number.

use std::fmt;

use rustc_hash::{FxHashMap, FxHashSet};
use serde::ser::{self, Serialize, Serializer};

use super::hash;

/// What is left of a value.
#[derive(Clone, Copy)]
pub(super) struct Sum {
    /// With the order of its sequences, but for sets.
    pub(super) exact: u64,
    /// Without any order.
    pub(super) content: u64,
}

impl Sum {
    fn of(number: u64) -> Self {
        let number = mix(number);
        Self { exact: number, content: number }
    }

    /// This and then another one.
    fn then(self, other: Self) -> Self {
        Self { exact: chain(self.exact, other.exact), content: chain(self.content, other.content) }
    }
}

/// What digesting takes note of.
pub(super) struct Notes<'a> {
    /// The ways that lead to sets.
    pub(super) sets: &'a FxHashSet<u64>,
    /// For each way that leads to sequences, their orders; only where somebody asks.
    pub(super) orders: Option<FxHashMap<u64, u64>>,
    /// About how many bytes the value has.
    pub(super) length: usize,
}

impl<'a> Notes<'a> {
    pub(super) fn new(sets: &'a FxHashSet<u64>) -> Self {
        Self { sets, orders: None, length: 0 }
    }
}

/// Digests the value that a way leads to from the whole: fields and variants by their places,
/// entries of maps and sequences all alike.
pub(super) struct Digest<'n, 'a> {
    notes: &'n mut Notes<'a>,
    way: u64,
}

impl<'n, 'a> Digest<'n, 'a> {
    pub(super) fn root(notes: &'n mut Notes<'a>) -> Self {
        Self { notes, way: 0 }
    }

    fn number(self, number: u64) -> Sum {
        self.notes.length += size_of::<u64>();
        Sum::of(number)
    }

    fn bytes(self, bytes: &[u8]) -> Sum {
        self.notes.length += bytes.len();
        Sum::of(hash(bytes))
    }

    fn parts(self, start: u64) -> Parts<'n, 'a> {
        Parts { notes: self.notes, way: chain(self.way, start), place: 0, sum: Sum::of(start) }
    }

    fn entries(self) -> Entries<'n, 'a> {
        Entries {
            notes: self.notes,
            way: self.way,
            key: Sum::of(0),
            many: 0,
            sum: Sum { exact: 0, content: 0 },
            order: 0,
        }
    }
}

/// What is in a fixed order: fields.
pub(super) struct Parts<'n, 'a> {
    notes: &'n mut Notes<'a>,
    way: u64,
    place: u64,
    sum: Sum,
}

impl Parts<'_, '_> {
    fn add<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unwritable> {
        self.place += 1;
        let sum = value.serialize(Digest { notes: self.notes, way: chain(self.way, self.place) })?;
        self.sum = self.sum.then(sum);
        Ok(())
    }
}

/// What there may be any number of: the entries of a sequence or a map.
pub(super) struct Entries<'n, 'a> {
    notes: &'n mut Notes<'a>,
    way: u64,
    key: Sum,
    many: u64,
    /// Without the order of the entries.
    sum: Sum,
    /// With it.
    order: u64,
}

const ENTRY: u64 = 1 << 32;
const KEY: u64 = 2 << 32;
const VALUE: u64 = 3 << 32;

impl Entries<'_, '_> {
    fn digest<T: Serialize + ?Sized>(&mut self, value: &T, what: u64) -> Result<Sum, Unwritable> {
        value.serialize(Digest { notes: self.notes, way: chain(self.way, what) })
    }

    fn add(&mut self, entry: Sum) {
        self.many += 1;
        self.sum.exact = self.sum.exact.wrapping_add(mix(entry.exact));
        self.sum.content = self.sum.content.wrapping_add(mix(entry.content));
    }

    fn unordered(self) -> Sum {
        Sum::of(self.many).then(self.sum)
    }
}

impl ser::SerializeSeq for Entries<'_, '_> {
    type Ok = Sum;
    type Error = Unwritable;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unwritable> {
        let entry = self.digest(value, ENTRY)?;
        // What is noted of an order is that of these entries alone, not of what is in them.
        self.order = chain(self.order, if self.notes.orders.is_some() { entry.content } else { entry.exact });
        self.add(entry);
        Ok(())
    }

    fn end(mut self) -> Result<Sum, Unwritable> {
        if let Some(orders) = &mut self.notes.orders {
            let noted = orders.entry(self.way).or_default();
            *noted = noted.wrapping_add(mix(self.order));
        }
        // Of fewer than two there is only one order.
        if self.many > 1 && !self.notes.sets.contains(&self.way) {
            self.sum.exact = self.order;
        }
        Ok(self.unordered())
    }
}

impl ser::SerializeMap for Entries<'_, '_> {
    type Ok = Sum;
    type Error = Unwritable;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Unwritable> {
        self.key = self.digest(key, KEY)?;
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unwritable> {
        let value = self.digest(value, VALUE)?;
        self.add(self.key.then(value));
        Ok(())
    }

    fn end(self) -> Result<Sum, Unwritable> {
        Ok(self.unordered())
    }
}

macro_rules! parts {
    ($($trait:ident $method:ident($($name:ident)?);)*) => {$(
        impl ser::$trait for Parts<'_, '_> {
            type Ok = Sum;
            type Error = Unwritable;

            fn $method<T: Serialize + ?Sized>(&mut self, $($name: &'static str,)? value: &T) -> Result<(), Unwritable> {
                self.add(value)
            }

            $(
                fn skip_field(&mut self, $name: &'static str) -> Result<(), Unwritable> {
                    // What is skipped keeps its place.
                    self.place += 1;
                    self.sum = self.sum.then(Sum::of(self.place));
                    Ok(())
                }
            )?

            fn end(self) -> Result<Sum, Unwritable> {
                Ok(self.sum)
            }
        }
    )*};
}

parts! {
    SerializeTuple serialize_element();
    SerializeTupleStruct serialize_field();
    SerializeTupleVariant serialize_field();
    SerializeStruct serialize_field(_name);
    SerializeStructVariant serialize_field(_name);
}

macro_rules! numbers {
    ($($method:ident($type:ty);)*) => {$(
        fn $method(self, number: $type) -> Result<Sum, Unwritable> {
            #[expect(clippy::allow_attributes, reason = "it is not every type's")]
            #[allow(clippy::cast_sign_loss, clippy::cast_lossless, reason = "only what differs has to differ")]
            Ok(self.number(number as u64))
        }
    )*};
}

impl<'n, 'a> Serializer for Digest<'n, 'a> {
    type Ok = Sum;
    type Error = Unwritable;
    type SerializeSeq = Entries<'n, 'a>;
    type SerializeTuple = Parts<'n, 'a>;
    type SerializeTupleStruct = Parts<'n, 'a>;
    type SerializeTupleVariant = Parts<'n, 'a>;
    type SerializeMap = Entries<'n, 'a>;
    type SerializeStruct = Parts<'n, 'a>;
    type SerializeStructVariant = Parts<'n, 'a>;

    numbers! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_char(char);
    }

    fn serialize_i128(self, number: i128) -> Result<Sum, Unwritable> {
        Ok(self.bytes(&number.to_ne_bytes()))
    }

    fn serialize_u128(self, number: u128) -> Result<Sum, Unwritable> {
        Ok(self.bytes(&number.to_ne_bytes()))
    }

    fn serialize_f32(self, number: f32) -> Result<Sum, Unwritable> {
        self.serialize_f64(number.into())
    }

    fn serialize_f64(self, number: f64) -> Result<Sum, Unwritable> {
        // The two zeros are equal.
        Ok(self.number(if number == 0.0 { 0 } else { number.to_bits() }))
    }

    fn serialize_str(self, text: &str) -> Result<Sum, Unwritable> {
        Ok(self.bytes(text.as_bytes()))
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<Sum, Unwritable> {
        Ok(self.bytes(bytes))
    }

    fn serialize_none(self) -> Result<Sum, Unwritable> {
        Ok(self.number(0))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Sum, Unwritable> {
        Ok(Sum::of(1).then(value.serialize(self)?))
    }

    fn serialize_unit(self) -> Result<Sum, Unwritable> {
        Ok(Sum::of(0))
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Sum, Unwritable> {
        Ok(Sum::of(0))
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        variant: u32,
        _: &'static str,
    ) -> Result<Sum, Unwritable> {
        Ok(self.number(variant.into()))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Sum, Unwritable> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        variant: u32,
        _: &'static str,
        value: &T,
    ) -> Result<Sum, Unwritable> {
        let mut parts = self.parts(variant.into());
        parts.add(value)?;
        Ok(parts.sum)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Entries<'n, 'a>, Unwritable> {
        Ok(self.entries())
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts<'n, 'a>, Unwritable> {
        Ok(self.parts(0))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Parts<'n, 'a>, Unwritable> {
        Ok(self.parts(0))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        variant: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Parts<'n, 'a>, Unwritable> {
        Ok(self.parts(variant.into()))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Entries<'n, 'a>, Unwritable> {
        Ok(self.entries())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parts<'n, 'a>, Unwritable> {
        Ok(self.parts(0))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        variant: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Parts<'n, 'a>, Unwritable> {
        Ok(self.parts(variant.into()))
    }
}

/// A value's own serialization refuses to go on.
#[derive(Debug)]
pub(super) struct Unwritable;

impl fmt::Display for Unwritable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the value cannot be written")
    }
}

impl std::error::Error for Unwritable {}

impl ser::Error for Unwritable {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

/// One number, then another.
fn chain(one: u64, other: u64) -> u64 {
    mix(one.rotate_left(23).wrapping_add(other).wrapping_add(0x9e37_79b9_7f4a_7c15))
}

/// Spreads what numbers differ in over all of their bits: the finalizer of `SplitMix64` (Steele,
/// Lea and Flood, *Fast splittable pseudorandom number generators*, 2014).
fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
