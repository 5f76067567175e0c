//! What a path finds in a value.

use oxi_base::{Error, Result, SqlState};

use super::{Node, Path, Step, moment::Moment};
use crate::{context::EvalContext, json::Json, numeric::Numeric};

/// Why a path cannot go on.
#[derive(Debug)]
pub struct Failure {
    /// The error.
    pub error: Error,
    /// Whether `silent`, `@?`, `@@` and predicates pass over it.
    pub soft: bool,
}

impl Failure {
    pub(super) fn hard(error: Error) -> Self {
        Failure { error, soft: false }
    }

    pub(super) fn soft(code: SqlState, message: impl Into<String>) -> Self {
        Failure { error: Error::new(code, message), soft: true }
    }
}

/// An item of a sequence.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Item {
    Json(Json),
    Moment(Moment),
}

/// The values of `$name`.
#[derive(Debug)]
pub struct Vars<'a>(&'a [(String, Json)]);

impl<'a> Vars<'a> {
    /// From an object.
    ///
    /// # Errors
    /// `22023` if it is none.
    pub fn new(json: &'a Json) -> Result<Self> {
        match json {
            Json::Object(members) => Ok(Vars(members)),
            _ => Err(Error::new(
                SqlState::INVALID_PARAMETER_VALUE,
                "\"vars\" argument is not an object",
            )
            .with_detail(
                "Jsonpath parameters should be encoded as key-value pairs of \"vars\" object.",
            )),
        }
    }
}

/// A path to be run on a value.
pub struct Query<'a> {
    pub(super) context: &'a EvalContext,
    pub(super) path: &'a Path,
    root: &'a Json,
    vars: &'a Vars<'a>,
    pub(super) use_zone: bool,
}

/// Where in the value a node is evaluated.
pub(super) struct Scope<'s> {
    /// `@`
    current: &'s Item,
    /// The length of the array being subscripted.
    size: Option<i64>,
    /// Missing parts are no errors here.
    ignore: bool,
}

impl<'a> Query<'a> {
    /// The run of a path on a value; `use_zone` allows what depends on the time zone.
    pub fn new(
        context: &'a EvalContext,
        path: &'a Path,
        root: &'a Json,
        vars: &'a Vars<'a>,
        use_zone: bool,
    ) -> Self {
        Query { context, path, root, vars, use_zone }
    }

    /// Everything the path finds.
    ///
    /// # Errors
    /// What the path runs into.
    pub fn items(&self) -> Result<Vec<Json>> {
        self.run().map_err(|failure| failure.error)
    }

    /// As [`Query::items`], with soft errors told from others.
    ///
    /// # Errors
    /// What the path runs into.
    pub fn run(&self) -> Result<Vec<Json>, Failure> {
        let mut found = Vec::new();
        self.start(&mut found)?;
        found.into_iter().map(|item| self.json(item)).collect()
    }

    /// Whether the path finds anything. In lax mode the first item decides.
    ///
    /// # Errors
    /// What the path runs into.
    pub fn exists(&self) -> Result<bool, Failure> {
        let mut found = Vec::new();
        let result = self.start(&mut found);
        if self.path.lax && !found.is_empty() {
            return Ok(true);
        }
        result.map(|()| !found.is_empty())
    }

    fn start(&self, found: &mut Vec<Item>) -> Result<(), Failure> {
        let root = Item::Json(self.root.clone());
        let scope = Scope { current: &root, size: None, ignore: self.path.lax };
        self.execute(&self.path.root, &scope, found)
    }

    fn json(&self, item: Item) -> Result<Json, Failure> {
        match item {
            Item::Json(json) => Ok(json),
            Item::Moment(moment) => {
                moment.text(self.context).map(Json::String).map_err(Failure::hard)
            }
        }
    }

    /// The sequence of a node, with arrays spread in lax mode if asked for.
    pub(super) fn operands(
        &self,
        node: &Node,
        scope: &Scope<'_>,
        unwrap: bool,
        found: &mut Vec<Item>,
    ) -> Result<(), Failure> {
        if !(unwrap && self.path.lax) {
            return self.execute(node, scope, found);
        }
        let mut items = Vec::new();
        self.execute(node, scope, &mut items)?;
        for item in items {
            match item {
                Item::Json(Json::Array(elements)) => {
                    found.extend(elements.into_iter().map(Item::Json));
                }
                item => found.push(item),
            }
        }
        Ok(())
    }

    pub(super) fn execute(
        &self,
        node: &Node,
        scope: &Scope<'_>,
        found: &mut Vec<Item>,
    ) -> Result<(), Failure> {
        let item = match node {
            Node::Chain(start, steps) => {
                let mut items = Vec::new();
                let result = self.execute(start, scope, &mut items);
                for item in items {
                    self.follow(&item, steps, scope, self.path.lax, found)?;
                }
                return result;
            }
            Node::Arithmetic(op, left, right) => self.arithmetic(*op, left, right, scope)?,
            Node::Sign(sign, inner) => return self.sign(*sign, inner, scope, found),
            Node::Root => Item::Json(self.root.clone()),
            Node::Current => scope.current.clone(),
            Node::Last => match scope.size {
                Some(size) => Item::Json(Json::Number((size - 1).to_string())),
                None => {
                    return Err(Failure::hard(Error::bug(
                        "evaluating jsonpath LAST outside of array subscript",
                    )));
                }
            },
            Node::Null => Item::Json(Json::Null),
            Node::Bool(value) => Item::Json(Json::Bool(*value)),
            Node::Number(text) => Item::Json(Json::Number(text.clone())),
            Node::String(text) => Item::Json(Json::String(text.clone())),
            Node::Variable(name) => {
                let found = self.vars.0.iter().find(|(known, _)| known == name);
                let (_, value) = found.ok_or_else(|| {
                    Failure::hard(Error::new(
                        SqlState::UNDEFINED_OBJECT,
                        format!("could not find jsonpath variable \"{name}\""),
                    ))
                })?;
                Item::Json(value.clone())
            }
            predicate => {
                let truth = self.truth(predicate, scope)?;
                Item::Json(truth.map_or(Json::Null, Json::Bool))
            }
        };
        found.push(item);
        Ok(())
    }

    fn numeric(text: &str) -> Result<Numeric, Failure> {
        Numeric::parse(text).map_err(Failure::hard)
    }

    fn arithmetic(
        &self,
        op: char,
        left: &Node,
        right: &Node,
        scope: &Scope<'_>,
    ) -> Result<Item, Failure> {
        let single = |node: &Node, side: &str| {
            let mut items = Vec::new();
            self.operands(node, scope, true, &mut items)?;
            match items.as_slice() {
                [Item::Json(Json::Number(text))] => Self::numeric(text),
                _ => Err(Failure::soft(
                    SqlState::SINGLETON_SQL_JSON_ITEM_REQUIRED,
                    format!(
                        "{side} operand of jsonpath operator {op} is not a single numeric value"
                    ),
                )),
            }
        };
        let (a, b) = (single(left, "left")?, single(right, "right")?);
        let result = match op {
            '+' => Ok(a.add(&b)),
            '-' => Ok(a.sub(&b)),
            '*' => Ok(a.mul(&b)),
            '/' => a.div(&b),
            _ => a.rem(&b),
        };
        let result = result.map_err(|error| Failure { error, soft: true })?;
        Ok(Item::Json(Json::Number(result.to_string())))
    }

    fn sign(
        &self,
        sign: char,
        inner: &Node,
        scope: &Scope<'_>,
        found: &mut Vec<Item>,
    ) -> Result<(), Failure> {
        let mut items = Vec::new();
        let result = self.operands(inner, scope, true, &mut items);
        for item in items {
            let Item::Json(Json::Number(text)) = item else {
                return Err(Failure::soft(
                    SqlState::SQL_JSON_NUMBER_NOT_FOUND,
                    format!("operand of unary jsonpath operator {sign} is not a numeric value"),
                ));
            };
            let number = Self::numeric(&text)?;
            let number = if sign == '-' { number.neg() } else { number };
            found.push(Item::Json(Json::Number(number.to_string())));
        }
        result
    }

    /// Goes the steps from an item. `unwrap`: a step that wants no array takes each element.
    pub(super) fn follow(
        &self,
        item: &Item,
        steps: &[Step],
        scope: &Scope<'_>,
        unwrap: bool,
        found: &mut Vec<Item>,
    ) -> Result<(), Failure> {
        let Some((step, rest)) = steps.split_first() else {
            found.push(item.clone());
            return Ok(());
        };
        let lax = self.path.lax;
        if unwrap
            && step.spreads()
            && let Item::Json(Json::Array(elements)) = item
        {
            return self.each(elements.iter(), steps, scope, false, found);
        }
        match (step, item) {
            (Step::Member(name), Item::Json(object @ Json::Object(_))) => match object.get(name) {
                Some(value) => self.follow(&Item::Json(value.clone()), rest, scope, lax, found),
                None if scope.ignore => Ok(()),
                None => Err(Failure::soft(
                    SqlState::SQL_JSON_MEMBER_NOT_FOUND,
                    format!("JSON object does not contain key \"{name}\""),
                )),
            },
            (Step::AnyMember, Item::Json(Json::Object(members))) => {
                let values = members.iter().map(|(_, value)| value);
                self.each(values, rest, scope, lax, found)
            }
            (Step::AnyElement, Item::Json(Json::Array(elements))) => {
                self.each(elements.iter(), rest, scope, lax, found)
            }
            (Step::AnyElement, _) if lax => self.follow(item, rest, scope, lax, found),
            (Step::Elements(ranges), Item::Json(Json::Array(_))) => {
                self.elements(item, ranges, rest, scope, found)
            }
            (Step::Elements(ranges), _) if lax => self.elements(item, ranges, rest, scope, found),
            (Step::Deep(from, to), _) => {
                let inner = Scope { ignore: true, ..*scope };
                if *from == Some(0) {
                    self.follow(item, rest, &inner, true, found)?;
                }
                self.deep(item, (1, *from, *to), rest, &inner, found)
            }
            (Step::Filter(test), _) => {
                let inner = Scope { current: item, ..*scope };
                match self.truth(test, &inner)? {
                    Some(true) => self.follow(item, rest, scope, lax, found),
                    _ => Ok(()),
                }
            }
            (Step::Method("keyvalue"), Item::Json(Json::Object(members))) => {
                let pairs = members.iter().map(|(key, value)| pair(key, value));
                self.each(pairs.collect::<Vec<_>>().iter(), rest, scope, lax, found)
            }
            (Step::Method(name), _) if *name != "keyvalue" => {
                let value = self.method(name, item, scope)?;
                value.map_or(Ok(()), |value| self.follow(&value, rest, scope, lax, found))
            }
            (Step::Datetime(template), _) => {
                let value = self.datetime(template.as_deref(), item)?;
                self.follow(&value, rest, scope, lax, found)
            }
            _ if scope.ignore && step.is_structural() => Ok(()),
            _ => Err(step.misfit()),
        }
    }

    /// Goes the steps from each value.
    fn each<'j>(
        &self,
        mut values: impl Iterator<Item = &'j Json>,
        steps: &[Step],
        scope: &Scope<'_>,
        unwrap: bool,
        found: &mut Vec<Item>,
    ) -> Result<(), Failure> {
        values.try_for_each(|value| {
            self.follow(&Item::Json(value.clone()), steps, scope, unwrap, found)
        })
    }

    fn elements(
        &self,
        item: &Item,
        ranges: &[(Node, Option<Node>)],
        rest: &[Step],
        scope: &Scope<'_>,
        found: &mut Vec<Item>,
    ) -> Result<(), Failure> {
        let single = std::slice::from_ref(item);
        let elements = match item {
            Item::Json(Json::Array(elements)) => Some(elements),
            _ => None,
        };
        let size = elements.map_or(single.len(), Vec::len) as i64;
        let inner = Scope { current: scope.current, size: Some(size), ignore: scope.ignore };
        for (from, to) in ranges {
            let first = self.index(from, &inner)?;
            let last = match to {
                Some(to) => self.index(to, &inner)?,
                None => first,
            };
            if !scope.ignore && (first < 0 || first > last || last >= size) {
                return Err(Failure::soft(
                    SqlState::INVALID_SQL_JSON_SUBSCRIPT,
                    "jsonpath array subscript is out of bounds",
                ));
            }
            for index in first.max(0)..=last.min(size - 1) {
                let element = elements.and_then(|elements| elements.get(index as usize));
                match element {
                    Some(element) => {
                        let element = Item::Json(element.clone());
                        self.follow(&element, rest, scope, self.path.lax, found)?;
                    }
                    None => self.follow(item, rest, scope, self.path.lax, found)?,
                }
            }
        }
        Ok(())
    }

    fn index(&self, node: &Node, scope: &Scope<'_>) -> Result<i64, Failure> {
        let mut items = Vec::new();
        self.execute(node, scope, &mut items)?;
        let [Item::Json(Json::Number(text))] = items.as_slice() else {
            return Err(Failure::soft(
                SqlState::INVALID_SQL_JSON_SUBSCRIPT,
                "jsonpath array subscript is not a single numeric value",
            ));
        };
        let whole = Self::numeric(text)?.trunc(0).to_i128();
        whole.and_then(|index| i32::try_from(index).ok()).map(i64::from).ok_or_else(|| {
            Failure::soft(
                SqlState::INVALID_SQL_JSON_SUBSCRIPT,
                "jsonpath array subscript is out of integer range",
            )
        })
    }

    /// What lies so many levels below; the levels are where we are, the first and the last wanted.
    fn deep(
        &self,
        item: &Item,
        (level, from, to): (u32, Option<u32>, Option<u32>),
        rest: &[Step],
        scope: &Scope<'_>,
        found: &mut Vec<Item>,
    ) -> Result<(), Failure> {
        if to.is_some_and(|to| level > to) {
            return Ok(());
        }
        let children: Vec<&Json> = match item {
            Item::Json(Json::Array(elements)) => elements.iter().collect(),
            Item::Json(Json::Object(members)) => members.iter().map(|(_, value)| value).collect(),
            _ => return Ok(()),
        };
        for child in children {
            let leaf = !matches!(child, Json::Array(_) | Json::Object(_));
            let child = Item::Json(child.clone());
            let wanted = match from {
                Some(from) => level >= from,
                None => leaf,
            };
            if wanted {
                self.follow(&child, rest, scope, self.path.lax, found)?;
            }
            if !leaf {
                self.deep(&child, (level + 1, from, to), rest, scope, found)?;
            }
        }
        Ok(())
    }

    fn datetime(&self, template: Option<&str>, item: &Item) -> Result<Item, Failure> {
        let code = SqlState::INVALID_ARGUMENT_FOR_SQL_JSON_DATETIME_FUNCTION;
        let Item::Json(Json::String(text)) = item else {
            return Err(Failure::soft(
                code,
                "jsonpath item method .datetime() can only be applied to a string",
            ));
        };
        if template.is_some() {
            return Err(Failure::hard(Error::unsupported(
                "a template for the jsonpath item method .datetime() is not supported",
            )));
        }
        Moment::read(self.context, text).map(Item::Moment).ok_or_else(|| {
            let message = format!("datetime format is not recognized: \"{text}\"");
            let error = Error::new(code, message)
                .with_hint("Use a datetime template argument to specify the input data format.");
            Failure { error, soft: true }
        })
    }

    /// A method that gives one value, or none where parts may be missing.
    fn method(&self, name: &str, item: &Item, scope: &Scope<'_>) -> Result<Option<Item>, Failure> {
        let json = match (name, item) {
            ("type", Item::Moment(moment)) => Json::String(moment.type_name().to_owned()),
            ("type", Item::Json(json)) => Json::String(json.type_name().to_owned()),
            ("size", Item::Json(Json::Array(elements))) => Json::Number(elements.len().to_string()),
            ("size", _) if self.path.lax => Json::Number("1".to_owned()),
            ("size", _) if scope.ignore => return Ok(None),
            ("size", _) => {
                return Err(Failure::soft(
                    SqlState::SQL_JSON_ARRAY_NOT_FOUND,
                    "jsonpath item method .size() can only be applied to an array",
                ));
            }
            ("double", _) => double(item)?,
            (_, Item::Json(Json::Number(text))) => {
                let number = Self::numeric(text)?;
                let number = match name {
                    "abs" => number.abs(),
                    "floor" => number.floor(),
                    _ => number.ceil(),
                };
                Json::Number(number.to_string())
            }
            _ => {
                return Err(Failure::soft(
                    SqlState::NON_NUMERIC_SQL_JSON_ITEM,
                    format!(
                        "jsonpath item method .{name}() can only be applied to a numeric value"
                    ),
                ));
            }
        };
        Ok(Some(Item::Json(json)))
    }
}

fn double(item: &Item) -> Result<Json, Failure> {
    let (text, what) = match item {
        Item::Json(Json::Number(text)) => (text, "numeric"),
        Item::Json(Json::String(text)) => (text, "string"),
        _ => {
            return Err(Failure::soft(
                SqlState::NON_NUMERIC_SQL_JSON_ITEM,
                "jsonpath item method .double() can only be applied to a string or numeric value",
            ));
        }
    };
    let parsed = crate::float::float8_in(text).ok().filter(|value| value.is_finite());
    match parsed {
        Some(_) if what == "numeric" => Ok(Json::Number(text.clone())),
        Some(value) => Ok(Json::Number(Numeric::from_f64(value).to_string())),
        None => Err(Failure::soft(
            SqlState::NON_NUMERIC_SQL_JSON_ITEM,
            format!(
                "{what} argument of jsonpath item method .double() is not a valid representation of a double precision number"
            ),
        )),
    }
}

/// A member as `.keyvalue()` gives it.
fn pair(key: &str, value: &Json) -> Json {
    Json::object(vec![
        ("key".to_owned(), Json::String(key.to_owned())),
        ("value".to_owned(), value.clone()),
        ("id".to_owned(), Json::Number("0".to_owned())),
    ])
}

impl Step {
    /// Whether in lax mode an array in its place stands for its elements.
    fn spreads(&self) -> bool {
        match self {
            Step::Member(_) | Step::AnyMember | Step::Filter(_) | Step::Datetime(_) => true,
            Step::Method(name) => !matches!(*name, "type" | "size"),
            _ => false,
        }
    }

    /// Whether lax mode passes over a value it cannot be applied to.
    fn is_structural(&self) -> bool {
        matches!(self, Step::Member(_) | Step::AnyMember | Step::AnyElement | Step::Elements(_))
    }

    fn misfit(&self) -> Failure {
        let (code, message) = match self {
            Step::Member(_) => (
                SqlState::SQL_JSON_MEMBER_NOT_FOUND,
                "jsonpath member accessor can only be applied to an object",
            ),
            Step::AnyMember => (
                SqlState::SQL_JSON_OBJECT_NOT_FOUND,
                "jsonpath wildcard member accessor can only be applied to an object",
            ),
            Step::AnyElement => (
                SqlState::SQL_JSON_ARRAY_NOT_FOUND,
                "jsonpath wildcard array accessor can only be applied to an array",
            ),
            Step::Elements(_) => (
                SqlState::SQL_JSON_ARRAY_NOT_FOUND,
                "jsonpath array accessor can only be applied to an array",
            ),
            _ => (
                SqlState::SQL_JSON_OBJECT_NOT_FOUND,
                "jsonpath item method .keyvalue() can only be applied to an object",
            ),
        };
        Failure::soft(code, message)
    }
}
