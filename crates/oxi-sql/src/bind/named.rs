//! Named arguments (`make_interval(days => 10)`).

use oxi_base::{Error, Result};
use oxi_model::descriptor::TypeRef;
use oxi_types::io;

use crate::{
    ast::{FunctionCall, Ident},
    bind::{Binder, call::undefined_function, candidate::functions, typed::Typed},
    function::value::literal_of,
};

/// The argument names of the functions that have some, in order.
fn argument_names(function: &str) -> &'static [&'static str] {
    match function {
        "make_date" => &["year", "month", "day"],
        "make_time" => &["hour", "min", "sec"],
        "make_timestamp" => &["year", "month", "mday", "hour", "min", "sec"],
        "make_timestamptz" => &["year", "month", "mday", "hour", "min", "sec", "timezone"],
        "make_interval" => &["years", "months", "weeks", "days", "hours", "mins", "secs"],
        "jsonb_set" => &["jsonb_in", "path", "replacement", "create_if_missing"],
        "jsonb_set_lax" => {
            &["jsonb_in", "path", "replacement", "create_if_missing", "null_value_treatment"]
        }
        "jsonb_insert" => &["jsonb_in", "path", "replacement", "insert_after"],
        "jsonb_path_exists"
        | "jsonb_path_exists_tz"
        | "jsonb_path_match"
        | "jsonb_path_match_tz"
        | "jsonb_path_query"
        | "jsonb_path_query_tz"
        | "jsonb_path_query_array"
        | "jsonb_path_query_array_tz"
        | "jsonb_path_query_first"
        | "jsonb_path_query_first_tz" => &["target", "path", "vars", "silent"],
        "json_populate_record" | "json_populate_recordset" => {
            &["base", "from_json", "use_json_as_text"]
        }
        "parse_ident" => &["str", "strict"],
        _ => &[],
    }
}

impl Binder<'_> {
    /// Puts named arguments where they belong; those left out between take their defaults.
    pub(super) fn place_named(
        &mut self,
        call: &FunctionCall,
        mut args: Vec<Typed>,
        named: Vec<(&Ident, Typed)>,
    ) -> Result<Vec<Typed>> {
        let name = call.name.last();
        let names = argument_names(name);
        let undefined = || {
            let given = args.iter().chain(named.iter().map(|(_, value)| value));
            let types = given.map(|value| value.ty.oid).collect::<Vec<_>>();
            undefined_function(&call.name.texts().join("."), &types, call.span)
        };
        let mut places: Vec<Option<Typed>> = vec![None; names.len()];
        for (argument, value) in &named {
            let place = names.iter().position(|known| *known == argument.value);
            match place {
                Some(place) if place >= args.len() && places[place].is_none() => {
                    places[place] = Some(value.clone());
                }
                _ => return Err(undefined()),
            }
        }
        let width = places.iter().rposition(Option::is_some).map_or(args.len(), |last| last + 1);
        let function = functions(name)
            .iter()
            .find(|function| {
                let required = function.args.len() - function.defaults.len();
                function.args.len() >= width
                    && (args.len()..required)
                        .all(|place| places.get(place).is_some_and(Option::is_some))
            })
            .ok_or_else(undefined)?;
        let required = function.args.len() - function.defaults.len();
        for (place, given) in places.into_iter().enumerate().take(width).skip(args.len()) {
            let value = if let Some(value) = given {
                value
            } else {
                let declared = function.args[place];
                let text = function
                    .defaults
                    .get(place.wrapping_sub(required))
                    .ok_or_else(|| Error::bug("an argument without default"))?;
                let datum = io::text_in(self.context.eval, TypeRef::plain(declared), text)?;
                Typed::plain(literal_of(&datum, declared)?, declared, call.span)
            };
            args.push(value);
        }
        Ok(args)
    }
}
