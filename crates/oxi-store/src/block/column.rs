//! One column of a block: a typed vector, or 16-byte views with chunks of bytes behind them.

use arrow_buffer::Buffer;
use oxi_base::{
    ColumnId,
    codec::{self, Reader},
};
use oxi_model::{
    Datum, Interval, PhysicalType,
    array::{self, TypedArray, Values},
};

/// Chunks are sealed (made shareable with scans) when they reach this size.
const CHUNK_BYTES: usize = 64 << 10;
/// Longest value that lives inside its view.
pub(crate) const INLINE: usize = 12;

/// The values of one column for all slots of a block.
pub(crate) struct Column {
    pub(crate) id: ColumnId,
    pub(crate) physical: PhysicalType,
    pub(crate) data: Data,
    /// One bit per slot, set where there is a value; `None` while all slots have one.
    pub(crate) validity: Option<Vec<u64>>,
}

/// The vectors.
pub(crate) enum Data {
    /// Every slot holds this value: a column added after the rows were written.
    Constant(Datum),
    Bool(Vec<bool>),
    Int16(Vec<i16>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    UInt32(Vec<u32>),
    Float32(Vec<f32>),
    Float64(Vec<f64>),
    Interval(Vec<Interval>),
    Uuid(Vec<[u8; 16]>),
    View(Views),
}

/// Arrow's view layout: length, then the bytes if they fit, else prefix, chunk and offset.
#[derive(Default)]
pub(crate) struct Views {
    pub(crate) entries: Vec<u128>,
    /// Immutable chunks, shared with scans without copying.
    pub(crate) sealed: Vec<Buffer>,
    /// The chunk being filled; its number is `sealed.len()`.
    pub(crate) tail: Vec<u8>,
    used: usize,
    garbage: usize,
}

pub(crate) fn view_len(view: u128) -> usize {
    (view as u32) as usize
}

pub(crate) fn view_place(view: u128) -> (usize, usize) {
    ((view >> 64) as u32 as usize, (view >> 96) as u32 as usize)
}

fn inline_view(bytes: &[u8]) -> u128 {
    let mut raw = [0u8; 16];
    raw[..4].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
    raw[4..4 + bytes.len()].copy_from_slice(bytes);
    u128::from_le_bytes(raw)
}

pub(crate) fn far_view(bytes: &[u8], chunk: usize, offset: usize) -> u128 {
    let prefix = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    u128::from(bytes.len() as u32)
        | u128::from(prefix) << 32
        | (chunk as u128) << 64
        | (offset as u128) << 96
}

impl Views {
    fn store(&mut self, bytes: &[u8]) -> u128 {
        if bytes.len() <= INLINE {
            return inline_view(bytes);
        }
        if !self.tail.is_empty() && self.tail.len() + bytes.len() > CHUNK_BYTES {
            self.seal();
        }
        let view = far_view(bytes, self.sealed.len(), self.tail.len());
        self.tail.extend_from_slice(bytes);
        self.used += bytes.len();
        view
    }

    fn seal(&mut self) {
        if !self.tail.is_empty() {
            let mut tail = std::mem::take(&mut self.tail);
            tail.shrink_to_fit();
            self.sealed.push(Buffer::from_vec(tail));
        }
    }

    pub(crate) fn bytes_of<'a>(&'a self, view: &'a u128, scratch: &'a mut [u8; 16]) -> &'a [u8] {
        let length = view_len(*view);
        if length <= INLINE {
            *scratch = view.to_le_bytes();
            return &scratch[4..4 + length];
        }
        let (chunk, offset) = view_place(*view);
        let chunk: &[u8] = self.sealed.get(chunk).map_or(&self.tail, Buffer::as_slice);
        &chunk[offset..offset + length]
    }

    fn forget(&mut self, view: u128) {
        if view_len(view) > INLINE {
            self.garbage += view_len(view);
        }
    }

    /// Rewrites the chunks when more than half of them is garbage.
    fn compact(&mut self) {
        if self.garbage * 2 <= self.used || self.used < 4096 {
            return;
        }
        let old = std::mem::take(self);
        self.entries.reserve_exact(old.entries.len());
        for view in &old.entries {
            let view = if view_len(*view) <= INLINE {
                *view
            } else {
                self.store(old.bytes_of(view, &mut [0; 16]))
            };
            self.entries.push(view);
        }
    }

    fn extend<'a>(
        &mut self,
        range: std::ops::Range<usize>,
        value: impl Fn(usize) -> &'a [u8],
        array: &TypedArray<'_>,
    ) {
        self.entries.reserve(range.len());
        for at in range {
            let view = if array.is_null(at) { 0 } else { self.store(value(at)) };
            self.entries.push(view);
        }
    }

    fn put(&mut self, slot: usize, bytes: &[u8]) {
        self.forget(self.entries[slot]);
        self.entries[slot] = 0;
        self.compact();
        self.entries[slot] = self.store(bytes);
    }
}

/// Runs `$body` with `$values` bound to the vector, whatever its type; not for `Constant`.
macro_rules! each_vector {
    ($data:expr, $values:ident => $body:expr, $constant:expr) => {
        match $data {
            Data::Constant(_) => $constant,
            Data::Bool($values) => $body,
            Data::Int16($values) => $body,
            Data::Int32($values) => $body,
            Data::Int64($values) => $body,
            Data::UInt32($values) => $body,
            Data::Float32($values) => $body,
            Data::Float64($values) => $body,
            Data::Interval($values) => $body,
            Data::Uuid($values) => $body,
            Data::View(Views { entries: $values, .. }) => $body,
        }
    };
}

fn push_default<T: Default>(values: &mut Vec<T>) {
    values.push(T::default());
}

impl Data {
    fn empty(physical: &PhysicalType) -> Self {
        match physical {
            PhysicalType::Bool => Data::Bool(Vec::new()),
            PhysicalType::Int16 => Data::Int16(Vec::new()),
            PhysicalType::Int32 | PhysicalType::Date => Data::Int32(Vec::new()),
            PhysicalType::Int64
            | PhysicalType::Time
            | PhysicalType::Timestamp
            | PhysicalType::TimestampTz => Data::Int64(Vec::new()),
            PhysicalType::UInt32 => Data::UInt32(Vec::new()),
            PhysicalType::Float32 => Data::Float32(Vec::new()),
            PhysicalType::Float64 => Data::Float64(Vec::new()),
            PhysicalType::Interval => Data::Interval(Vec::new()),
            PhysicalType::Uuid => Data::Uuid(Vec::new()),
            PhysicalType::Text
            | PhysicalType::Numeric
            | PhysicalType::Bytes
            | PhysicalType::List(_) => Data::View(Views::default()),
        }
    }
}

impl Column {
    /// An empty column.
    pub(crate) fn new(id: ColumnId, physical: PhysicalType) -> Self {
        let data = Data::empty(&physical);
        Column { id, physical, data, validity: None }
    }

    /// A column whose every slot reads `value`.
    pub(crate) fn constant(id: ColumnId, physical: PhysicalType, value: Datum) -> Self {
        Column { id, physical, data: Data::Constant(value), validity: None }
    }

    pub(crate) fn is_null(&self, slot: usize) -> bool {
        if let Data::Constant(value) = &self.data {
            return value.is_null();
        }
        // Words at the end that nobody had to write are missing: all valid.
        let bits = self.validity.as_ref().and_then(|bits| bits.get(slot / 64));
        bits.is_some_and(|word| word >> (slot % 64) & 1 == 0)
    }

    /// The value of a slot.
    pub(crate) fn get(&self, slot: usize) -> Datum {
        if self.is_null(slot) {
            return Datum::Null;
        }
        match &self.data {
            Data::Constant(value) => value.clone(),
            Data::Bool(values) => Datum::Bool(values[slot]),
            Data::Int16(values) => Datum::Int16(values[slot]),
            Data::Int32(values) => Datum::Int32(values[slot]),
            Data::Int64(values) => Datum::Int64(values[slot]),
            Data::UInt32(values) => Datum::UInt32(values[slot]),
            Data::Float32(values) => Datum::Float32(values[slot]),
            Data::Float64(values) => Datum::Float64(values[slot]),
            Data::Interval(values) => Datum::Interval(values[slot]),
            Data::Uuid(values) => Datum::Uuid(values[slot]),
            Data::View(views) => {
                let mut scratch = [0; 16];
                self.datum_of_bytes(views.bytes_of(&views.entries[slot], &mut scratch))
            }
        }
    }

    fn datum_of_bytes(&self, bytes: &[u8]) -> Datum {
        match &self.physical {
            // Text entered as `str`, so the fallback is never taken.
            PhysicalType::Text => match std::str::from_utf8(bytes) {
                Ok(text) => Datum::text(text),
                Err(_) => Datum::text(String::from_utf8_lossy(bytes)),
            },
            PhysicalType::List(element) => array::decode_list(bytes, element)
                .map_or(Datum::Null, |list| Datum::List(list.into())),
            _ => Datum::bytes(bytes),
        }
    }

    fn set_valid(&mut self, slot: usize, len: usize, valid: bool) {
        if valid && self.validity.is_none() {
            return;
        }
        let bits = self.validity.get_or_insert_with(|| vec![u64::MAX; len.div_ceil(64)]);
        if bits.len() <= slot / 64 {
            bits.resize(slot / 64 + 1, u64::MAX);
        }
        if valid {
            bits[slot / 64] |= 1 << (slot % 64);
        } else {
            bits[slot / 64] &= !(1 << (slot % 64));
        }
    }

    /// Gives a constant column a vector of its own.
    pub(crate) fn materialise(&mut self, len: usize) {
        if let Data::Constant(value) = &self.data {
            let value = value.clone();
            self.data = Data::empty(&self.physical);
            for slot in 0..len {
                self.put(slot, &value);
            }
        }
    }

    /// Sets slot `slot`, which is an existing one or the next. `datum` fits the physical type
    /// (callers check); another one is stored as NULL.
    pub(crate) fn put(&mut self, slot: usize, datum: &Datum) {
        if matches!(self.data, Data::Constant(_)) {
            self.materialise(slot);
        }
        macro_rules! put {
            ($values:expr, $value:expr) => {
                match $values.get_mut(slot) {
                    Some(place) => *place = $value,
                    None => $values.push($value),
                }
            };
        }
        let mut valid = true;
        match (&mut self.data, datum) {
            (Data::Bool(values), Datum::Bool(value)) => put!(values, *value),
            (Data::Int16(values), Datum::Int16(value)) => put!(values, *value),
            (Data::Int32(values), Datum::Int32(value)) => put!(values, *value),
            (Data::Int64(values), Datum::Int64(value)) => put!(values, *value),
            (Data::UInt32(values), Datum::UInt32(value)) => put!(values, *value),
            (Data::Float32(values), Datum::Float32(value)) => put!(values, *value),
            (Data::Float64(values), Datum::Float64(value)) => put!(values, *value),
            (Data::Interval(values), Datum::Interval(value)) => put!(values, *value),
            (Data::Uuid(values), Datum::Uuid(value)) => put!(values, *value),
            (Data::View(views), datum) => {
                if slot == views.entries.len() {
                    views.entries.push(0);
                }
                match datum {
                    Datum::Text(text) => views.put(slot, text.as_bytes()),
                    Datum::Bytes(bytes) => views.put(slot, bytes),
                    Datum::List(list) => views.put(slot, &array::encode_list(list)),
                    _ => {
                        views.put(slot, &[]);
                        valid = false;
                    }
                }
            }
            (data, _) => {
                valid = false;
                each_vector!(data, values => if slot == values.len() { push_default(values); }, ());
            }
        }
        self.set_valid(slot, slot, valid);
    }

    /// Sets slot `slot`, which is an existing one or the next, to a value as
    /// [`oxi_model::array::encode_datum`] wrote it; `None` on malformed bytes.
    pub(crate) fn read(&mut self, slot: usize, reader: &mut Reader<'_>) -> Option<()> {
        let is_vector = !matches!(self.data, Data::Constant(_) | Data::Bool(_));
        if !is_vector || reader.rest().first() != Some(&1) {
            let datum = array::decode_datum(reader, &self.physical)?;
            self.put(slot, &datum);
            return Some(());
        }
        reader.u8()?;
        macro_rules! put {
            ($values:expr, $value:expr) => {{
                let value = $value;
                match $values.get_mut(slot) {
                    Some(place) => *place = value,
                    None => $values.push(value),
                }
            }};
        }
        match &mut self.data {
            Data::Int16(values) => put!(values, i16::from_le_bytes(reader.array()?)),
            Data::Int32(values) => put!(values, i32::from_le_bytes(reader.array()?)),
            Data::Int64(values) => put!(values, i64::from_le_bytes(reader.array()?)),
            Data::UInt32(values) => put!(values, reader.u32()?),
            Data::Float32(values) => put!(values, f32::from_bits(reader.u32()?)),
            Data::Float64(values) => put!(values, f64::from_bits(reader.u64()?)),
            Data::Interval(values) => put!(
                values,
                Interval {
                    months: i32::from_le_bytes(reader.array()?),
                    days: i32::from_le_bytes(reader.array()?),
                    micros: i64::from_le_bytes(reader.array()?),
                }
            ),
            Data::Uuid(values) => put!(values, reader.array()?),
            Data::View(views) => {
                let bytes = reader.bytes()?;
                let is_sound = match &self.physical {
                    PhysicalType::Text => str::from_utf8(bytes).is_ok(),
                    PhysicalType::List(element) => array::decode_list(bytes, element).is_some(),
                    _ => true,
                };
                if !is_sound {
                    return None;
                }
                if slot == views.entries.len() {
                    views.entries.push(0);
                }
                views.put(slot, bytes);
            }
            Data::Constant(_) | Data::Bool(_) => return None,
        }
        self.set_valid(slot, slot, true);
        Some(())
    }

    /// Appends the value of a slot as [`oxi_model::array::encode_datum`] does.
    pub(crate) fn write(&self, slot: usize, out: &mut Vec<u8>) {
        if self.is_null(slot) {
            out.push(0);
            return;
        }
        if let Data::Constant(value) = &self.data {
            array::encode_datum(out, value);
            return;
        }
        out.push(1);
        match &self.data {
            Data::Constant(_) => {}
            Data::Bool(values) => out.push(u8::from(values[slot])),
            Data::Int16(values) => out.extend_from_slice(&values[slot].to_le_bytes()),
            Data::Int32(values) => out.extend_from_slice(&values[slot].to_le_bytes()),
            Data::Int64(values) => out.extend_from_slice(&values[slot].to_le_bytes()),
            Data::UInt32(values) => out.extend_from_slice(&values[slot].to_le_bytes()),
            Data::Float32(values) => out.extend_from_slice(&values[slot].to_bits().to_le_bytes()),
            Data::Float64(values) => out.extend_from_slice(&values[slot].to_bits().to_le_bytes()),
            Data::Interval(values) => {
                let Interval { months, days, micros } = values[slot];
                out.extend_from_slice(&months.to_le_bytes());
                out.extend_from_slice(&days.to_le_bytes());
                out.extend_from_slice(&micros.to_le_bytes());
            }
            Data::Uuid(values) => out.extend_from_slice(&values[slot]),
            Data::View(views) => {
                let mut scratch = [0; 16];
                codec::put_bytes(out, views.bytes_of(&views.entries[slot], &mut scratch));
            }
        }
    }

    /// Appends `count` values of an array, from `start` on, to a column of `len` slots.
    pub(crate) fn extend(
        &mut self,
        len: usize,
        array: &TypedArray<'_>,
        start: usize,
        count: usize,
    ) {
        self.materialise(len);
        let range = start..start + count;
        match (&mut self.data, array.values()) {
            (Data::Bool(out), Values::Bool(from)) => out.extend(range.map(|at| from.value(at))),
            (Data::Int16(out), Values::Int16(from)) => out.extend_from_slice(&from[range]),
            (Data::Int32(out), Values::Int32(from)) => out.extend_from_slice(&from[range]),
            (Data::Int64(out), Values::Int64(from)) => out.extend_from_slice(&from[range]),
            (Data::UInt32(out), Values::UInt32(from)) => out.extend_from_slice(&from[range]),
            (Data::Float32(out), Values::Float32(from)) => out.extend_from_slice(&from[range]),
            (Data::Float64(out), Values::Float64(from)) => out.extend_from_slice(&from[range]),
            (Data::Interval(out), Values::Interval(from)) => {
                out.extend(from[range].iter().map(|value| array::interval(*value)));
            }
            (Data::Uuid(out), Values::Uuid(from)) => {
                out.extend(range.map(|at| array::uuid(from, at)));
            }
            (Data::View(views), Values::Text(from)) => {
                views.extend(range, |at| from.value(at).as_bytes(), array);
            }
            (Data::View(views), Values::Bytes(from)) => {
                views.extend(range, |at| from.value(at), array);
            }
            // Layout and array were compared by the caller; another type reads as NULL.
            _ => {
                for slot in len..len + count {
                    self.put(slot, &Datum::Null);
                }
                return;
            }
        }
        if array.has_nulls() || self.validity.is_some() {
            for at in 0..count {
                self.set_valid(len + at, len, !array.is_null(start + at));
            }
        }
    }

    /// Sets a slot of a column that may be constant while the block has `len` slots.
    pub(crate) fn replace(&mut self, slot: usize, len: usize, datum: &Datum) {
        self.materialise(len);
        self.put(slot, datum);
    }

    /// Makes the column exactly `len` long: cut, or filled with NULL (or the constant).
    pub(crate) fn resize(&mut self, len: usize) {
        let now = each_vector!(&self.data, values => values.len(), len);
        for slot in now..len {
            self.put(slot, &Datum::Null);
        }
        if now > len {
            if let Data::View(views) = &mut self.data {
                for slot in len..now {
                    let view = views.entries[slot];
                    views.forget(view);
                }
            }
            each_vector!(&mut self.data, values => values.truncate(len), ());
        }
    }

    /// Gives back what growth left over, once the block is full.
    pub(crate) fn shrink(&mut self) {
        each_vector!(&mut self.data, values => values.shrink_to_fit(), ());
        if let Data::View(views) = &mut self.data {
            views.compact();
            views.seal();
        }
        if let Some(bits) = &mut self.validity {
            bits.shrink_to_fit();
        }
    }

    /// Bytes of memory.
    pub(crate) fn memory(&self) -> usize {
        let vector = each_vector!(&self.data, values => {
            values.capacity() * values.first().map_or(0, size_of_val)
        }, 0);
        let chunks = match &self.data {
            Data::View(views) => {
                views.tail.capacity() + views.sealed.iter().map(Buffer::capacity).sum::<usize>()
            }
            _ => 0,
        };
        vector + chunks + self.validity.as_ref().map_or(0, |bits| bits.capacity() * 8)
    }
}
