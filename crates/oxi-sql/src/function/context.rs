//! How functions learn of the session and the time: an extension of DataFusion's options, set anew
//! for each execution, so that a cached plan never holds an old `now()`.

use std::{any::Any, fmt, sync::Arc};

use datafusion::{
    common::{
        DataFusionError, Result,
        config::{ConfigEntry, ConfigExtension, ConfigOptions, ExtensionOptions},
    },
    logical_expr::Volatility,
};
use oxi_types::EvalContext;

/// Carries the [`EvalContext`] of one execution. Optimizing without it keeps calls of functions
/// that are not immutable in the plan, which is what a plan cache needs.
#[derive(Clone)]
pub struct EvalExtension(pub Arc<EvalContext>);

impl fmt::Debug for EvalExtension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EvalExtension")
    }
}

impl ConfigExtension for EvalExtension {
    const PREFIX: &'static str = "oxibase";
}

impl ExtensionOptions for EvalExtension {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(self.clone())
    }

    fn set(&mut self, key: &str, _value: &str) -> Result<()> {
        Err(DataFusionError::Configuration(format!("oxibase.{key} cannot be set")))
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        Vec::new()
    }
}

/// The context of this execution; immutable functions make do with a neutral one when there is
/// none (constant folding at plan time).
pub(crate) fn eval_context(
    options: &ConfigOptions,
    volatility: Volatility,
) -> Result<Arc<EvalContext>> {
    if let Some(extension) = options.extensions.get::<EvalExtension>() {
        return Ok(Arc::clone(&extension.0));
    }
    if volatility == Volatility::Immutable {
        return Ok(Arc::new(EvalContext::fixed(0)));
    }
    Err(DataFusionError::Execution("no evaluation context at plan time".to_owned()))
}
