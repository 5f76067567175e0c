//! Functions over jsonpath.

use oxi_base::{Error, Result, SqlState};
use oxi_model::Datum;

use crate::{
    builtin::args::{arg, list},
    context::EvalContext,
    json::{
        Json,
        path::{Failure, Query, Vars, parse},
    },
};

/// What is asked of a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ask {
    Exists,
    Match,
    Query,
    Array,
    First,
}

/// Runs a path: value, path, variables, and whether errors give NULL.
fn run(context: &EvalContext, args: &[Datum], ask: Ask, use_zone: bool) -> Result<Datum> {
    let json = Json::from_datum(args.first().unwrap_or(&Datum::Null))?;
    let path = parse(arg::<&str>(args, 1)?)?;
    let vars = match args.get(2) {
        Some(vars) => Json::from_datum(vars)?,
        None => Json::Object(Vec::new()),
    };
    let vars = Vars::new(&vars)?;
    let silent = args.len() < 4 || arg::<bool>(args, 3)?;
    let query = Query::new(context, &path, &json, &vars, use_zone);
    if ask == Ask::Exists {
        return match query.exists() {
            Ok(found) => Ok(Datum::Bool(found)),
            Err(failure) => pass(failure, silent).map(|()| Datum::Null),
        };
    }
    let items = match query.run() {
        Ok(items) => items,
        Err(failure) => {
            pass(failure, silent)?;
            Vec::new()
        }
    };
    Ok(match ask {
        Ask::Query => list(items.iter().map(Json::to_datum).collect()),
        Ask::Array => Json::Array(items).to_datum(),
        Ask::First => items.first().map_or(Datum::Null, Json::to_datum),
        _ => match items.as_slice() {
            [Json::Bool(value)] => Datum::Bool(*value),
            [Json::Null] => Datum::Null,
            _ if silent => Datum::Null,
            _ => {
                return Err(Error::new(
                    SqlState::SINGLETON_SQL_JSON_ITEM_REQUIRED,
                    "single boolean result is expected",
                ));
            }
        },
    })
}

fn pass(failure: Failure, silent: bool) -> Result<()> {
    if silent && failure.soft { Ok(()) } else { Err(failure.error) }
}

macro_rules! path_functions {
    ($($name:ident $ask:ident $use_zone:literal;)*) => {$(
        #[doc = concat!("`", stringify!($name), "` of `pg_proc.prosrc`.")]
        ///
        /// # Errors
        /// What the path runs into.
        pub fn $name(context: &EvalContext, args: &[Datum]) -> Result<Datum> {
            run(context, args, Ask::$ask, $use_zone)
        }
    )*};
}

path_functions! {
    jsonb_path_exists Exists false;
    jsonb_path_match Match false;
    jsonb_path_query Query false;
    jsonb_path_query_array Array false;
    jsonb_path_query_first First false;
    jsonb_path_exists_tz Exists true;
    jsonb_path_match_tz Match true;
    jsonb_path_query_tz Query true;
    jsonb_path_query_array_tz Array true;
    jsonb_path_query_first_tz First true;
}
