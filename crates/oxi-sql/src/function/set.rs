//! Set-returning functions: a scalar function that gives a list, which an Unnest above it spreads
//! into rows.

use std::{
    any::Any,
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use arrow_array::{Array, ArrayRef, ListArray, StructArray, cast::AsArray};
use arrow_buffer::{BooleanBufferBuilder, NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, Field, Fields};
use datafusion::{
    common::{DataFusionError, Result as DfResult},
    logical_expr::{
        ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
        TypeSignature, Volatility, expr::ScalarFunction,
    },
};
use oxi_base::{Error, Result};
use oxi_model::{
    Datum, PhysicalType,
    array::{ArrayBuilder, arrow_type},
    descriptor::TypeRef,
};
use oxi_types::builtin::Function;

use crate::function::{
    context::eval_context,
    error::to_datafusion,
    value::{Argument, physical_of},
};

/// What the elements of the list are.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Element {
    /// One value.
    Value(PhysicalType),
    /// A row of named columns.
    Row(Vec<(String, PhysicalType)>),
}

impl Element {
    fn data_type(&self) -> DataType {
        match self {
            Element::Value(physical) => arrow_type(physical),
            Element::Row(columns) => DataType::Struct(row_fields(columns)),
        }
    }
}

fn row_fields(columns: &[(String, PhysicalType)]) -> Fields {
    columns.iter().map(|(name, physical)| Field::new(name, arrow_type(physical), true)).collect()
}

/// A set-returning function with its types fixed at binding.
#[derive(Clone)]
pub struct SetUdf {
    row: &'static Function,
    types: Vec<TypeRef>,
    physical: Vec<PhysicalType>,
    element: Element,
    signature: Signature,
}

impl SetUdf {
    /// Makes the function. `types` are the arguments' actual types.
    pub fn new(row: &'static Function, types: Vec<TypeRef>, element: Element) -> Self {
        let volatility = crate::bind::operator::df_volatility(row.volatility);
        let shape =
            if types.is_empty() { TypeSignature::Nullary } else { TypeSignature::VariadicAny };
        SetUdf {
            row,
            physical: types.iter().map(|ty| physical_of(ty.oid)).collect(),
            types,
            element,
            signature: Signature::new(shape, volatility),
        }
    }

    /// A call of it: of a list type.
    pub fn call_expr(self, args: Vec<Expr>) -> Expr {
        Expr::ScalarFunction(ScalarFunction::new_udf(
            Arc::new(ScalarUDF::new_from_impl(self)),
            args,
        ))
    }

    fn list_type(&self) -> DataType {
        DataType::List(Arc::new(Field::new("item", self.element.data_type(), true)))
    }

    fn lists(
        &self,
        arguments: &[Argument<'_>],
        rows: usize,
        context: &oxi_types::EvalContext,
    ) -> Result<ArrayRef> {
        let mut items = Items::new(&self.element);
        let mut lengths = Vec::with_capacity(rows);
        let mut valid = BooleanBufferBuilder::new(rows);
        for row in 0..rows {
            let args = arguments.iter().map(|a| a.get(row)).collect::<Result<Vec<_>>>()?;
            let null = self.row.strict && args.iter().any(Datum::is_null);
            let result = if null {
                Datum::Null
            } else {
                self.row.implementation.call(context, &self.types, &args)?
            };
            match result {
                Datum::List(list) => {
                    for element in &list.elements {
                        items.push(element)?;
                    }
                    lengths.push(list.elements.len());
                    valid.append(true);
                }
                Datum::Null => {
                    lengths.push(0);
                    valid.append(false);
                }
                _ => return Err(Error::bug("a set-returning function gave no list")),
            }
        }
        let field = Arc::new(Field::new("item", self.element.data_type(), true));
        let list = ListArray::try_new(
            field,
            OffsetBuffer::from_lengths(lengths),
            items.finish(),
            Some(NullBuffer::new(valid.finish())),
        )
        .map_err(Error::bug)?;
        Ok(Arc::new(list))
    }
}

enum Items {
    Value(ArrayBuilder),
    Row(Fields, Vec<ArrayBuilder>, usize),
}

impl Items {
    fn new(element: &Element) -> Self {
        match element {
            Element::Value(physical) => Items::Value(ArrayBuilder::new(physical, 0)),
            Element::Row(columns) => Items::Row(
                row_fields(columns),
                columns.iter().map(|(_, physical)| ArrayBuilder::new(physical, 0)).collect(),
                0,
            ),
        }
    }

    fn push(&mut self, element: &Datum) -> Result<()> {
        match (self, element) {
            (Items::Value(builder), value) => builder.push(value),
            (Items::Row(_, builders, count), Datum::List(row)) => {
                *count += 1;
                for (index, builder) in builders.iter_mut().enumerate() {
                    builder.push(row.elements.get(index).unwrap_or(&Datum::Null))?;
                }
                Ok(())
            }
            _ => Err(Error::bug("a row that is no list")),
        }
    }

    fn finish(self) -> ArrayRef {
        match self {
            Items::Value(mut builder) => builder.finish(),
            Items::Row(fields, mut builders, count) => {
                let columns = builders.iter_mut().map(ArrayBuilder::finish).collect::<Vec<_>>();
                match StructArray::try_new_with_length(fields.clone(), columns, None, count) {
                    Ok(array) => Arc::new(array),
                    Err(_) => Arc::new(StructArray::new_null(fields, count)),
                }
            }
        }
    }
}

impl fmt::Debug for SetUdf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SetUdf({}, {:?})", self.row.name, self.types)
    }
}

impl PartialEq for SetUdf {
    fn eq(&self, other: &Self) -> bool {
        self.row.oid == other.row.oid && self.types == other.types && self.element == other.element
    }
}

impl Eq for SetUdf {}

impl Hash for SetUdf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.row.oid.hash(state);
        self.types.hash(state);
    }
}

impl ScalarUDFImpl for SetUdf {
    fn name(&self) -> &str {
        self.row.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _args: &[DataType]) -> DfResult<DataType> {
        Ok(self.list_type())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let context = eval_context(&args.config_options, self.signature.volatility)?;
        let arguments = args
            .args
            .iter()
            .zip(&self.physical)
            .map(|(value, physical)| Argument::new(value, physical))
            .collect::<DfResult<Vec<_>>>()?;
        let lists = self.lists(&arguments, args.number_rows, &context).map_err(to_datafusion)?;
        Ok(ColumnarValue::Array(lists))
    }
}

/// Numbers the elements of a list from 1: WITH ORDINALITY.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct OrdinalityUdf {
    signature: Signature,
}

impl OrdinalityUdf {
    /// A call of it.
    pub fn call_expr(lists: Vec<Expr>) -> Expr {
        let udf = OrdinalityUdf {
            signature: Signature::new(TypeSignature::VariadicAny, Volatility::Immutable),
        };
        Expr::ScalarFunction(ScalarFunction::new_udf(
            Arc::new(ScalarUDF::new_from_impl(udf)),
            lists,
        ))
    }
}

impl ScalarUDFImpl for OrdinalityUdf {
    fn name(&self) -> &'static str {
        "ordinality"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _args: &[DataType]) -> DfResult<DataType> {
        Ok(DataType::List(Arc::new(Field::new("item", DataType::Int64, true))))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        // With several functions side by side the longest one counts.
        let lists = arrays.iter().map(AsArray::as_list::<i32>).collect::<Vec<_>>();
        let rows = lists.first().map_or(0, Array::len);
        let mut builder = ArrayBuilder::new(&PhysicalType::Int64, 0);
        let mut lengths = Vec::with_capacity(rows);
        for row in 0..rows {
            let length = lists
                .iter()
                .map(|list| if list.is_null(row) { 0 } else { list.value_length(row) })
                .max()
                .unwrap_or(0);
            for number in 1..=i64::from(length) {
                builder.push(&Datum::Int64(number)).map_err(to_datafusion)?;
            }
            lengths.push(length as usize);
        }
        let field = Arc::new(Field::new("item", DataType::Int64, true));
        let list =
            ListArray::try_new(field, OffsetBuffer::from_lengths(lengths), builder.finish(), None)?;
        Ok(ColumnarValue::Array(Arc::new(list)))
    }
}

/// Picks a column of a row (a struct).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FieldUdf {
    position: usize,
    data_type: DataType,
    signature: Signature,
}

impl FieldUdf {
    /// A call of it.
    pub fn call_expr(row: Expr, position: usize, physical: &PhysicalType) -> Expr {
        let udf = FieldUdf {
            position,
            data_type: arrow_type(physical),
            signature: Signature::new(TypeSignature::VariadicAny, Volatility::Immutable),
        };
        Expr::ScalarFunction(ScalarFunction::new_udf(
            Arc::new(ScalarUDF::new_from_impl(udf)),
            vec![row],
        ))
    }
}

impl ScalarUDFImpl for FieldUdf {
    fn name(&self) -> &'static str {
        "field"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _args: &[DataType]) -> DfResult<DataType> {
        Ok(self.data_type.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let any: Option<&dyn Any> = arrays.first().map(Array::as_any);
        let array = any
            .and_then(<dyn Any>::downcast_ref::<StructArray>)
            .and_then(|array| Some((array, array.columns().get(self.position)?)));
        let Some((parent, column)) = array else {
            return Err(DataFusionError::Internal("field of no row".to_owned()));
        };
        // A row that is NULL as a whole (padding) has NULL columns.
        let nulls = NullBuffer::union(parent.nulls(), column.nulls());
        let data = column.to_data().into_builder().nulls(nulls).build()?;
        Ok(ColumnarValue::Array(arrow_array::make_array(data)))
    }
}

/// A value as a list of one element: a plain function in FROM.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SingleUdf {
    data_type: DataType,
    signature: Signature,
}

impl SingleUdf {
    /// A call of it.
    pub fn call_expr(value: Expr, physical: &PhysicalType) -> Expr {
        let udf = SingleUdf {
            data_type: arrow_type(physical),
            signature: Signature::new(TypeSignature::VariadicAny, Volatility::Immutable),
        };
        Expr::ScalarFunction(ScalarFunction::new_udf(
            Arc::new(ScalarUDF::new_from_impl(udf)),
            vec![value],
        ))
    }
}

impl ScalarUDFImpl for SingleUdf {
    fn name(&self) -> &'static str {
        "single"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _args: &[DataType]) -> DfResult<DataType> {
        Ok(DataType::List(Arc::new(Field::new("item", self.data_type.clone(), true))))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let values = match args.args.into_iter().next() {
            Some(value) => value.into_array(args.number_rows)?,
            None => return Err(DataFusionError::Internal("a list of nothing".to_owned())),
        };
        let field = Arc::new(Field::new("item", self.data_type.clone(), true));
        let offsets = OffsetBuffer::from_lengths(vec![1usize; values.len()]);
        Ok(ColumnarValue::Array(Arc::new(ListArray::try_new(field, offsets, values, None)?)))
    }
}
