//! The value of a subquery used as an expression: NULL for no row, an error for several.

use std::mem::size_of_val;

use arrow_array::{Array, ArrayRef, cast::AsArray, types::UInt64Type};
use arrow_schema::{DataType, Field, FieldRef};
use datafusion::{
    common::{Result as DfResult, ScalarValue},
    logical_expr::{
        Accumulator, AggregateUDF, AggregateUDFImpl, Expr, Signature, TypeSignature, Volatility,
        function::{AccumulatorArgs, StateFieldsArgs},
    },
};
use oxi_base::{Error, SqlState};
use std::sync::Arc;

use crate::function::error::to_datafusion;

/// The aggregate of that name.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SingleUdaf {
    data_type: DataType,
    signature: Signature,
}

impl SingleUdaf {
    /// A call of it.
    pub fn call_expr(arg: Expr, data_type: DataType) -> Expr {
        let udaf = SingleUdaf {
            data_type,
            signature: Signature::new(TypeSignature::VariadicAny, Volatility::Immutable),
        };
        Arc::new(AggregateUDF::new_from_impl(udaf)).call(vec![arg])
    }
}

impl AggregateUDFImpl for SingleUdaf {
    fn name(&self) -> &'static str {
        "single_value"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _args: &[DataType]) -> DfResult<DataType> {
        Ok(self.data_type.clone())
    }

    fn accumulator(&self, _args: AccumulatorArgs<'_>) -> DfResult<Box<dyn Accumulator>> {
        Ok(Box::new(State { value: ScalarValue::try_from(&self.data_type)?, rows: 0 }))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> DfResult<Vec<FieldRef>> {
        Ok(vec![
            Arc::new(Field::new(format!("{}[value]", args.name), self.data_type.clone(), true)),
            Arc::new(Field::new(format!("{}[rows]", args.name), DataType::UInt64, true)),
        ])
    }
}

#[derive(Debug)]
struct State {
    value: ScalarValue,
    rows: u64,
}

impl State {
    fn add(&mut self, rows: u64, value: impl FnOnce() -> DfResult<ScalarValue>) -> DfResult<()> {
        if rows == 0 {
            return Ok(());
        }
        self.rows += rows;
        if self.rows > 1 {
            return Err(to_datafusion(Error::new(
                SqlState::CARDINALITY_VIOLATION,
                "more than one row returned by a subquery used as an expression",
            )));
        }
        self.value = value()?;
        Ok(())
    }
}

impl Accumulator for State {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        let Some(array) = values.first() else { return Ok(()) };
        self.add(array.len() as u64, || ScalarValue::try_from_array(array, 0))
    }

    fn evaluate(&mut self) -> DfResult<ScalarValue> {
        Ok(self.value.clone())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.value.size()
    }

    fn state(&mut self) -> DfResult<Vec<ScalarValue>> {
        Ok(vec![self.value.clone(), ScalarValue::UInt64(Some(self.rows))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DfResult<()> {
        let [values, rows] = states else { return Ok(()) };
        let counts = rows.as_primitive::<UInt64Type>();
        for index in 0..counts.len() {
            self.add(counts.value(index), || ScalarValue::try_from_array(values, index))?;
        }
        Ok(())
    }
}
