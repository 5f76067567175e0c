//! Aggregates that make json and jsonb.

use oxi_base::{Error, Result, SqlState};
use oxi_model::{Datum, descriptor::TypeRef};

use super::Accumulator;
use crate::{
    builtin::json::key_text,
    context::EvalContext,
    json::{Json, datum_to_json, put_json_datum, quote},
    oid,
};

fn type_at(types: &[TypeRef], at: usize) -> TypeRef {
    types.get(at).copied().unwrap_or(TypeRef::plain(oid::TEXT))
}

struct JsonAgg {
    types: Vec<TypeRef>,
    object: bool,
    out: Option<String>,
}

impl Accumulator for JsonAgg {
    fn update(&mut self, context: &EvalContext, args: &[Datum]) -> Result<()> {
        let value_at = usize::from(self.object);
        let first = self.out.is_none();
        let out = self.out.get_or_insert_with(|| if value_at == 1 { "{ " } else { "[" }.to_owned());
        if !first {
            let lines = !self.object && type_at(&self.types, 0).oid == oid::RECORD;
            out.push_str(if lines { ", \n " } else { ", " });
        }
        if self.object {
            let key = args.first().unwrap_or(&Datum::Null);
            if key.is_null() {
                return Err(Error::new(
                    SqlState::INVALID_PARAMETER_VALUE,
                    "field name must not be null",
                ));
            }
            quote(&key_text(context, type_at(&self.types, 0), key)?, out);
            out.push_str(" : ");
        }
        let value = args.get(value_at).unwrap_or(&Datum::Null);
        put_json_datum(context, type_at(&self.types, value_at), value, false, out)
    }
    fn finish(&mut self, _: &EvalContext) -> Result<Datum> {
        let close = if self.object { " }" } else { "]" };
        Ok(self.out.as_ref().map_or(Datum::Null, |out| Datum::text(format!("{out}{close}"))))
    }
    fn size(&self) -> usize {
        64 + self.out.as_ref().map_or(0, String::capacity)
    }
}

struct JsonbAgg {
    types: Vec<TypeRef>,
    items: Option<Vec<Json>>,
}

impl Accumulator for JsonbAgg {
    fn update(&mut self, context: &EvalContext, args: &[Datum]) -> Result<()> {
        let value = args.first().unwrap_or(&Datum::Null);
        let item = datum_to_json(context, type_at(&self.types, 0), value)?;
        self.items.get_or_insert_default().push(item);
        Ok(())
    }
    fn finish(&mut self, _: &EvalContext) -> Result<Datum> {
        Ok(self.items.as_ref().map_or(Datum::Null, |items| Json::Array(items.clone()).to_datum()))
    }
}

struct JsonbObjectAgg {
    types: Vec<TypeRef>,
    members: Option<Vec<(String, Json)>>,
}

impl Accumulator for JsonbObjectAgg {
    fn update(&mut self, context: &EvalContext, args: &[Datum]) -> Result<()> {
        let (key, value) = match args {
            [key, value, ..] if !key.is_null() => (key, value),
            _ => {
                return Err(Error::new(
                    SqlState::INVALID_PARAMETER_VALUE,
                    "field name must not be null",
                ));
            }
        };
        let key = key_text(context, type_at(&self.types, 0), key)?;
        let value = datum_to_json(context, type_at(&self.types, 1), value)?;
        self.members.get_or_insert_default().push((key, value));
        Ok(())
    }
    fn finish(&mut self, _: &EvalContext) -> Result<Datum> {
        Ok(self
            .members
            .as_ref()
            .map_or(Datum::Null, |members| Json::object(members.clone()).to_datum()))
    }
}

/// Makes `json_agg`.
pub(super) fn json_agg(types: &[TypeRef]) -> Result<Box<dyn Accumulator>> {
    Ok(Box::new(JsonAgg { types: types.to_vec(), object: false, out: None }))
}

/// Makes `json_object_agg`.
pub(super) fn json_object_agg(types: &[TypeRef]) -> Result<Box<dyn Accumulator>> {
    Ok(Box::new(JsonAgg { types: types.to_vec(), object: true, out: None }))
}

/// Makes `jsonb_agg`.
pub(super) fn jsonb_agg(types: &[TypeRef]) -> Result<Box<dyn Accumulator>> {
    Ok(Box::new(JsonbAgg { types: types.to_vec(), items: None }))
}

/// Makes `jsonb_object_agg`.
pub(super) fn jsonb_object_agg(types: &[TypeRef]) -> Result<Box<dyn Accumulator>> {
    Ok(Box::new(JsonbObjectAgg { types: types.to_vec(), members: None }))
}
