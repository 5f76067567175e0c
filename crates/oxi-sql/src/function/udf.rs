//! One PostgreSQL function, operator or cast as a DataFusion scalar function.

use std::{
    any::Any,
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use arrow_schema::DataType;
use datafusion::{
    common::Result as DfResult,
    logical_expr::{
        ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
        TypeSignature, Volatility, expr::ScalarFunction,
    },
};
use oxi_base::Result;
use oxi_model::{
    Datum, PhysicalType,
    array::{ArrayBuilder, arrow_type},
    descriptor::TypeRef,
};
use oxi_types::{EvalContext, builtin};

use crate::function::{
    context::eval_context,
    error::to_datafusion,
    kernel::{self, Kernel},
    value::{Argument, to_scalar},
};

/// Computes a value from the arguments' values.
pub type Closure = Arc<dyn Fn(&EvalContext, &[Datum]) -> Result<Datum> + Send + Sync>;

/// What computes a value.
#[derive(Clone)]
pub enum Implementation {
    /// A row of the tables of built-ins, with the actual types of the arguments.
    Static(builtin::Implementation, Arc<[TypeRef]>),
    /// Something made at bind time (a cast with its modifier, say).
    Closure(Closure),
}

/// A function with its argument and result types fixed at binding.
#[derive(Clone)]
pub struct BuiltinUdf {
    name: String,
    identity: String,
    args: Vec<PhysicalType>,
    returns: PhysicalType,
    strict: bool,
    volatility: Volatility,
    implementation: Implementation,
    kernel: Option<Kernel>,
    signature: Signature,
}

/// What a [`BuiltinUdf`] is made from.
pub struct Definition {
    /// What plans show.
    pub name: String,
    /// What distinguishes it from every other function of the same name: equal identities must
    /// mean equal behaviour.
    pub identity: String,
    /// Physical types of the arguments.
    pub args: Vec<PhysicalType>,
    /// Physical type of the result.
    pub returns: PhysicalType,
    /// NULL if any argument is.
    pub strict: bool,
    /// May it be folded?
    pub volatility: Volatility,
    /// What computes it.
    pub implementation: Implementation,
}

impl BuiltinUdf {
    /// Makes the function.
    pub fn new(definition: Definition) -> Self {
        let Definition { name, identity, args, returns, strict, volatility, implementation } =
            definition;
        let signature = if args.is_empty() {
            Signature::new(TypeSignature::Nullary, volatility)
        } else {
            Signature::new(TypeSignature::VariadicAny, volatility)
        };
        let kernel = kernel::by_name(&name, &args);
        BuiltinUdf {
            name,
            identity,
            args,
            returns,
            strict,
            volatility,
            implementation,
            kernel,
            signature,
        }
    }

    /// A call of it.
    pub fn call_expr(self, args: Vec<Expr>) -> Expr {
        Expr::ScalarFunction(ScalarFunction::new_udf(
            Arc::new(ScalarUDF::new_from_impl(self)),
            args,
        ))
    }

    /// The adapter behind a DataFusion function, if it is one of ours.
    pub fn of(udf: &ScalarUDF) -> Option<&Self> {
        let inner: &dyn Any = udf.inner().as_ref();
        inner.downcast_ref::<Self>()
    }

    /// Computes one row: the door for executors that do without batches.
    pub fn call(&self, context: &EvalContext, args: &[Datum]) -> Result<Datum> {
        if self.strict && args.iter().any(Datum::is_null) {
            return Ok(Datum::Null);
        }
        match &self.implementation {
            Implementation::Static(function, types) => function.call(context, types, args),
            Implementation::Closure(function) => function(context, args),
        }
    }

    /// Physical types of the arguments.
    pub fn arg_types(&self) -> &[PhysicalType] {
        &self.args
    }

    /// Physical type of the result.
    pub fn return_physical(&self) -> &PhysicalType {
        &self.returns
    }

    /// Whether NULL arguments mean NULL.
    pub fn strict(&self) -> bool {
        self.strict
    }

    fn rows(
        &self,
        context: &EvalContext,
        args: &[ColumnarValue],
        rows: usize,
    ) -> DfResult<ArrayBuilder> {
        let arguments = args
            .iter()
            .zip(&self.args)
            .map(|(value, physical)| Argument::new(value, physical))
            .collect::<DfResult<Vec<_>>>()?;
        let mut builder = ArrayBuilder::new(&self.returns, rows);
        let mut values = vec![Datum::Null; arguments.len()];
        for row in 0..rows {
            for (slot, argument) in values.iter_mut().zip(&arguments) {
                *slot = argument.get(row).map_err(to_datafusion)?;
            }
            let result = self.call(context, &values).map_err(to_datafusion)?;
            builder.push(&result).map_err(to_datafusion)?;
        }
        Ok(builder)
    }

    fn scalar(&self, context: &EvalContext, args: &[ColumnarValue]) -> Result<ColumnarValue> {
        let values = args
            .iter()
            .zip(&self.args)
            .map(|(value, physical)| {
                Argument::new(value, physical)
                    .map_err(crate::function::error::from_datafusion)?
                    .get(0)
            })
            .collect::<Result<Vec<_>>>()?;
        let result = self.call(context, &values)?;
        Ok(ColumnarValue::Scalar(to_scalar(&result, &self.returns)?))
    }
}

impl fmt::Debug for BuiltinUdf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BuiltinUdf({})", self.identity)
    }
}

impl PartialEq for BuiltinUdf {
    fn eq(&self, other: &Self) -> bool {
        self.identity == other.identity && self.args == other.args && self.returns == other.returns
    }
}

impl Eq for BuiltinUdf {}

impl Hash for BuiltinUdf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity.hash(state);
        self.args.hash(state);
        self.returns.hash(state);
    }
}

impl ScalarUDFImpl for BuiltinUdf {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _args: &[DataType]) -> DfResult<DataType> {
        Ok(arrow_type(&self.returns))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        if let Some(kernel) = &self.kernel
            && let Some(result) = kernel(&args.args, args.number_rows)
        {
            return Ok(result);
        }
        let context = eval_context(&args.config_options, self.volatility)?;
        let all_scalar = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        if all_scalar && self.volatility != Volatility::Volatile {
            return self.scalar(&context, &args.args).map_err(to_datafusion);
        }
        let mut builder = self.rows(&context, &args.args, args.number_rows)?;
        Ok(ColumnarValue::Array(builder.finish()))
    }
}
