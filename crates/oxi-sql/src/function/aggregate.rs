//! PostgreSQL's aggregates as DataFusion aggregate functions.

use std::{
    any::Any,
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    mem::size_of,
    sync::{Arc, Mutex, PoisonError},
};

use arrow_array::{Array, ArrayRef, cast::AsArray};
use arrow_schema::{DataType, Field, FieldRef};
use datafusion::{
    common::{DataFusionError, Result as DfResult, ScalarValue},
    logical_expr::{
        Accumulator as DfAccumulator, AggregateUDF, AggregateUDFImpl, Signature, TypeSignature,
        Volatility,
        function::{AccumulatorArgs, StateFieldsArgs},
    },
};
use oxi_base::{Error, Result, codec};
use oxi_model::{
    Datum, PhysicalType,
    array::{arrow_type, datum_at, decode_datum, encode_datum},
    descriptor::TypeRef,
};
use oxi_types::{
    EvalContext,
    builtin::{Accumulator, Aggregate},
    compare,
};
use rustc_hash::FxHashSet;

use crate::function::{
    error::to_datafusion,
    key,
    state::{decode_state, encode_state},
    value::{physical_of, to_scalar},
};

/// How the rows of an aggregate are sorted by one of its hidden arguments.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ArgumentOrder {
    /// The value's type.
    pub type_oid: u32,
    /// DESC.
    pub descending: bool,
    /// NULLS FIRST.
    pub nulls_first: bool,
}

impl ArgumentOrder {
    /// Ascending, NULLs last.
    pub fn ascending(type_oid: u32) -> Self {
        ArgumentOrder { type_oid, descending: false, nulls_first: false }
    }

    fn compare(self, left: &Datum, right: &Datum) -> Ordering {
        match (left.is_null(), right.is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) if self.nulls_first => Ordering::Less,
            (true, false) => Ordering::Greater,
            (false, true) if self.nulls_first => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => {
                let order = compare::compare(self.type_oid, left, right);
                if self.descending { order.reverse() } else { order }
            }
        }
    }
}

/// An aggregate with its argument types fixed at binding. The arguments of its own come first, then
/// those of its ORDER BY.
#[derive(Clone)]
pub struct BuiltinUdaf {
    row: &'static Aggregate,
    types: Vec<TypeRef>,
    order: Vec<ArgumentOrder>,
    distinct: bool,
    physical: Vec<PhysicalType>,
    returns: PhysicalType,
    return_oid: u32,
    context: Arc<EvalContext>,
    signature: Signature,
}

impl BuiltinUdaf {
    /// Makes the function. `types` are the arguments' actual types.
    pub fn new(
        row: &'static Aggregate,
        types: Vec<TypeRef>,
        order: Vec<ArgumentOrder>,
        return_oid: u32,
        distinct: bool,
        context: Arc<EvalContext>,
    ) -> Self {
        let signature = Signature::new(TypeSignature::VariadicAny, Volatility::Immutable);
        let ordered = order.iter().map(|order| physical_of(order.type_oid));
        BuiltinUdaf {
            row,
            physical: types.iter().map(|ty| physical_of(ty.oid)).chain(ordered).collect(),
            types,
            order,
            distinct,
            returns: physical_of(return_oid),
            return_oid,
            context,
            signature,
        }
    }

    /// As a DataFusion function.
    pub fn into_udaf(self) -> Arc<AggregateUDF> {
        Arc::new(AggregateUDF::new_from_impl(self))
    }

    /// The adapter behind a DataFusion function, if it is one of ours.
    pub fn of(udaf: &AggregateUDF) -> Option<&Self> {
        let inner: &dyn Any = udaf.inner().as_ref();
        inner.downcast_ref::<Self>()
    }

    fn start(&self, sliding: bool) -> DfResult<State> {
        let inner = (self.row.factory)(&self.types).map_err(to_datafusion)?;
        Ok(State {
            function: self.clone(),
            inner: Mutex::new(inner),
            collects: self.distinct || sliding || !self.order.is_empty() || !self.row.mergeable,
            seen: FxHashSet::default(),
            rows: Vec::new(),
            first: 0,
            bytes: 0,
        })
    }
}

impl fmt::Debug for BuiltinUdaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BuiltinUdaf({}, {:?})", self.row.name, self.types)
    }
}

impl PartialEq for BuiltinUdaf {
    fn eq(&self, other: &Self) -> bool {
        self.row.oid == other.row.oid
            && self.types == other.types
            && self.order == other.order
            && self.distinct == other.distinct
            && self.return_oid == other.return_oid
    }
}

impl Eq for BuiltinUdaf {}

impl Hash for BuiltinUdaf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.row.oid.hash(state);
        self.types.hash(state);
        self.order.hash(state);
        self.distinct.hash(state);
    }
}

impl AggregateUDFImpl for BuiltinUdaf {
    fn name(&self) -> &str {
        self.row.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _args: &[DataType]) -> DfResult<DataType> {
        Ok(arrow_type(&self.returns))
    }

    fn accumulator(&self, _args: AccumulatorArgs<'_>) -> DfResult<Box<dyn DfAccumulator>> {
        Ok(Box::new(self.start(false)?))
    }

    fn create_sliding_accumulator(
        &self,
        _args: AccumulatorArgs<'_>,
    ) -> DfResult<Box<dyn DfAccumulator>> {
        Ok(Box::new(self.start(true)?))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> DfResult<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format!("{}[state]", args.name), DataType::Binary, true))])
    }
}

/// One group's state: PostgreSQL's state machine, or the rows themselves where the machine cannot
/// combine partial states, drop duplicates or forget rows.
struct State {
    function: BuiltinUdaf,
    // Never locked by two: it only makes the state shareable between threads.
    inner: Mutex<Box<dyn Accumulator>>,
    collects: bool,
    seen: FxHashSet<Vec<u8>>,
    rows: Vec<Vec<Datum>>,
    first: usize,
    bytes: usize,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "State({})", self.function.row.name)
    }
}

impl State {
    fn machine(&mut self) -> &mut dyn Accumulator {
        self.inner.get_mut().unwrap_or_else(PoisonError::into_inner).as_mut()
    }

    fn take(&mut self, args: Vec<Datum>) -> Result<()> {
        if !self.collects {
            let context = Arc::clone(&self.function.context);
            return self.machine().update(&context, &args);
        }
        if self.function.distinct {
            let mut bytes = Vec::new();
            for (datum, ty) in args.iter().zip(&self.function.types) {
                encode_datum(&mut bytes, &key::value(ty.oid, datum));
            }
            if !self.seen.insert(bytes) {
                return Ok(());
            }
        }
        self.bytes += 32 * args.len() + size_of::<Vec<Datum>>();
        self.rows.push(args);
        Ok(())
    }

    fn rows_of(&self, values: &[ArrayRef]) -> Result<Vec<Vec<Datum>>> {
        let count = values.first().map_or(0, Array::len);
        let mut rows = Vec::with_capacity(count);
        for row in 0..count {
            let mut args = Vec::with_capacity(values.len());
            // A call without arguments has a dummy one, which `physical` does not count.
            for (array, physical) in values.iter().zip(&self.function.physical) {
                args.push(datum_at(array.as_ref(), physical, row)?);
            }
            rows.push(args);
        }
        Ok(rows)
    }

    fn finish(&mut self) -> Result<Datum> {
        if !self.collects {
            let context = Arc::clone(&self.function.context);
            return self.machine().finish(&context);
        }
        let mut machine = (self.function.row.factory)(&self.function.types)?;
        let own = self.function.types.len();
        let mut rows = self.rows[self.first..].iter().collect::<Vec<_>>();
        if !self.function.order.is_empty() {
            rows.sort_by(|left, right| {
                self.function
                    .order
                    .iter()
                    .zip(left[own..].iter().zip(&right[own..]))
                    .map(|(order, (left, right))| order.compare(left, right))
                    .find(|order| *order != Ordering::Equal)
                    .unwrap_or(Ordering::Equal)
            });
        }
        for args in rows {
            machine.update(&self.function.context, &args[..own])?;
        }
        machine.finish(&self.function.context)
    }

    fn save(&mut self) -> Result<Vec<u8>> {
        if !self.collects {
            let context = Arc::clone(&self.function.context);
            let state = self.machine().state(&context)?;
            return Ok(encode_state(&state));
        }
        let mut bytes = Vec::new();
        codec::put_varint(&mut bytes, (self.rows.len() - self.first) as u64);
        for datum in self.rows[self.first..].iter().flatten() {
            encode_datum(&mut bytes, datum);
        }
        Ok(bytes)
    }

    fn load(&mut self, bytes: &[u8]) -> Result<()> {
        let malformed = || Error::bug("malformed aggregate state");
        if !self.collects {
            let state = decode_state(bytes).ok_or_else(malformed)?;
            let context = Arc::clone(&self.function.context);
            return self.machine().merge(&context, &state);
        }
        let mut reader = codec::Reader::new(bytes);
        let count = reader.varint().ok_or_else(malformed)?;
        for _ in 0..count {
            let mut args = Vec::with_capacity(self.function.physical.len());
            for physical in &self.function.physical {
                args.push(decode_datum(&mut reader, physical).ok_or_else(malformed)?);
            }
            self.take(args)?;
        }
        Ok(())
    }
}

impl DfAccumulator for State {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        for args in self.rows_of(values).map_err(to_datafusion)? {
            self.take(args).map_err(to_datafusion)?;
        }
        Ok(())
    }

    fn evaluate(&mut self) -> DfResult<ScalarValue> {
        let result = self.finish().map_err(to_datafusion)?;
        to_scalar(&result, &self.function.returns).map_err(to_datafusion)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.bytes + self.inner.lock().map_or(0, |inner| inner.size())
    }

    fn state(&mut self) -> DfResult<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::Binary(Some(self.save().map_err(to_datafusion)?))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DfResult<()> {
        let [states] = states else {
            return Err(DataFusionError::Internal("one state column expected".to_owned()));
        };
        for bytes in states.as_binary::<i32>().iter().flatten() {
            self.load(bytes).map_err(to_datafusion)?;
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        // Frames forget from the front, in the order of arrival.
        self.first += values.first().map_or(0, Array::len);
        if self.first > 1024 && self.first * 2 > self.rows.len() {
            self.rows.drain(..self.first);
            self.first = 0;
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        self.collects && !self.function.distinct
    }
}
