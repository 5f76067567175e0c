//! Vector kernels for the hot native cases. A kernel may decline (`None`), also because of an
//! error: the row-wise function then runs and raises exactly PostgreSQL's error.

use arrow_array::{Array, ArrayRef, Float32Array, Float64Array, cast::AsArray, types::*};
use arrow_schema::{ArrowError, DataType};
use datafusion::{
    arrow::compute::{cast, kernels::numeric},
    common::ScalarValue,
    logical_expr::ColumnarValue,
};
use oxi_model::PhysicalType;

/// Computes a whole column, or declines.
pub type Kernel = fn(&[ColumnarValue], usize) -> Option<ColumnarValue>;

/// The kernel of a function by PostgreSQL's name of it.
pub fn by_name(name: &str, args: &[PhysicalType]) -> Option<Kernel> {
    use PhysicalType::{Float32, Float64, Int16, Int32, Int64};
    if name == "numeric_key" {
        return Some(crate::function::key::numeric_key);
    }
    let native = args.len() == 2
        && args.iter().all(|arg| matches!(arg, Int16 | Int32 | Int64 | Float32 | Float64));
    if !native {
        return None;
    }
    let bare = name.strip_prefix("int").or_else(|| name.strip_prefix("float"))?;
    let operation = bare.trim_start_matches(|c: char| c.is_ascii_digit());
    let float = args.iter().any(|arg| matches!(arg, Float32 | Float64));
    match (operation, float) {
        ("pl", false) => Some(|args, rows| integer(args, rows, numeric::add)),
        ("mi", false) => Some(|args, rows| integer(args, rows, numeric::sub)),
        ("mul", false) => Some(|args, rows| integer(args, rows, numeric::mul)),
        ("div", false) => Some(|args, rows| integer(args, rows, numeric::div)),
        ("mod", false) => Some(|args, rows| integer(args, rows, numeric::rem)),
        ("pl", true) => Some(|args, rows| float_op(args, rows, numeric::add)),
        ("mi", true) => Some(|args, rows| float_op(args, rows, numeric::sub)),
        ("mul", true) => Some(|args, rows| float_op(args, rows, numeric::mul)),
        ("div", true) => Some(|args, rows| float_op(args, rows, numeric::div)),
        _ => None,
    }
}

type Operation =
    fn(&dyn arrow_array::Datum, &dyn arrow_array::Datum) -> Result<ArrayRef, ArrowError>;

fn integer(args: &[ColumnarValue], rows: usize, operation: Operation) -> Option<ColumnarValue> {
    apply(args, rows, operation)
}

/// Floats: a result that is infinite or NaN may be an overflow or a division by zero, which the
/// row-wise function tells apart.
fn float_op(args: &[ColumnarValue], rows: usize, operation: Operation) -> Option<ColumnarValue> {
    let result = apply(args, rows, operation)?;
    let ColumnarValue::Array(array) = &result else { return None };
    let finite = match array.data_type() {
        DataType::Float64 => {
            array.as_any().downcast_ref::<Float64Array>()?.values().iter().all(|v| v.is_finite())
        }
        DataType::Float32 => {
            array.as_any().downcast_ref::<Float32Array>()?.values().iter().all(|v| v.is_finite())
        }
        _ => false,
    };
    let underflow = |zero: bool| zero;
    let has_zero = match array.data_type() {
        DataType::Float64 => {
            array.as_primitive::<Float64Type>().values().iter().any(|v| underflow(*v == 0.0))
        }
        _ => array.as_primitive::<Float32Type>().values().iter().any(|v| underflow(*v == 0.0)),
    };
    (finite && !has_zero).then_some(result)
}

fn apply(args: &[ColumnarValue], rows: usize, operation: Operation) -> Option<ColumnarValue> {
    let [left, right] = args else { return None };
    let target = wider(&left.data_type(), &right.data_type())?;
    let both_scalar = matches!((left, right), (ColumnarValue::Scalar(_), ColumnarValue::Scalar(_)));
    if both_scalar && rows != 1 {
        return None;
    }
    let left = operand(left, &target)?;
    let right = operand(right, &target)?;
    operation(left.get(), right.get()).ok().map(ColumnarValue::Array)
}

enum Operand {
    Array(ArrayRef),
    Scalar(arrow_array::Scalar<ArrayRef>),
}

impl Operand {
    fn get(&self) -> &dyn arrow_array::Datum {
        match self {
            Operand::Array(array) => array,
            Operand::Scalar(scalar) => scalar,
        }
    }
}

fn operand(value: &ColumnarValue, target: &DataType) -> Option<Operand> {
    Some(match value {
        ColumnarValue::Array(array) if array.data_type() == target => Operand::Array(array.clone()),
        ColumnarValue::Array(array) => Operand::Array(cast(array, target).ok()?),
        ColumnarValue::Scalar(scalar) => Operand::Scalar(scalar_operand(scalar, target)?),
    })
}

fn scalar_operand(
    scalar: &ScalarValue,
    target: &DataType,
) -> Option<arrow_array::Scalar<ArrayRef>> {
    let array = scalar.to_array_of_size(1).ok()?;
    let array = if array.data_type() == target { array } else { cast(&array, target).ok()? };
    Some(arrow_array::Scalar::new(array))
}

fn wider(left: &DataType, right: &DataType) -> Option<DataType> {
    let rank = |t: &DataType| match t {
        DataType::Int16 => Some(0),
        DataType::Int32 => Some(1),
        DataType::Int64 => Some(2),
        DataType::Float32 => Some(3),
        DataType::Float64 => Some(4),
        _ => None,
    };
    let (left_rank, right_rank) = (rank(left)?, rank(right)?);
    Some(if left_rank >= right_rank { left.clone() } else { right.clone() })
}
