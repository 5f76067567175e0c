//! Queries. FROM is in `from`.

use oxi_base::Result;

use super::cursor::Parser;
use super::expr::Paren;
use super::lexer::TokenKind;
use crate::ast::*;

impl Parser<'_> {
    /// A query, not in parentheses or with more after them.
    pub(crate) fn query(&mut self) -> Result<Query> {
        self.nested(|p| {
            let start = p.start();
            let with = p.optional_with()?;
            let first = p.query_operand()?;
            let mut query = p.query_after(first, start)?;
            if let Some(with) = with {
                if let Some(second) = &query.with {
                    return Err(Self::grammar(
                        "multiple WITH clauses not allowed",
                        second.span.start,
                    ));
                }
                query.with = Some(with);
            }
            Ok(query)
        })
    }

    /// What follows the first operand of a query.
    pub(super) fn query_after(&mut self, first: Query, start: u32) -> Result<Query> {
        let mut query = self.set_operations(first, start, 1)?;
        self.query_options(&mut query)?;
        query.span = self.since(start);
        Ok(query)
    }

    fn set_operations(&mut self, mut left: Query, start: u32, min: u8) -> Result<Query> {
        loop {
            let (op, level) = match () {
                () if self.is("union") => (SetOperator::Union, 1),
                () if self.is("except") => (SetOperator::Except, 1),
                () if self.is("intersect") => (SetOperator::Intersect, 2),
                () => return Ok(left),
            };
            if level < min {
                return Ok(left);
            }
            self.advance();
            let all = self.eat("all");
            if !all {
                self.eat("distinct");
            }
            let right_start = self.start();
            let height = self.height;
            let right = self.query_operand()?;
            let right = self.set_operations(right, right_start, level + 1)?;
            self.height = self.height.max(height);
            self.grow()?;
            let body = QueryBody::Set { op, all, left: Box::new(left), right: Box::new(right) };
            left = bare_query(body, self.since(start));
        }
    }

    /// One operand of UNION and its like.
    fn query_operand(&mut self) -> Result<Query> {
        let start = self.start();
        if self.sym("(") {
            if !self.leads_to_query() {
                return Err(self.syntax_error());
            }
            return match self.paren()? {
                Paren::Query(query) => Ok(*query),
                Paren::Exprs(_) => {
                    self.at -= 1;
                    Err(self.syntax_error())
                }
            };
        }
        let body = if self.is("select") {
            QueryBody::Select(Box::new(self.select()?))
        } else if self.eat("values") {
            QueryBody::Values(self.list(Self::values_row)?)
        } else if self.eat("table") {
            QueryBody::Select(Box::new(self.table_command(start)?))
        } else {
            return Err(self.syntax_error());
        };
        Ok(bare_query(body, self.since(start)))
    }

    fn values_row(&mut self) -> Result<ValuesRow> {
        let start = self.start();
        let values = self.in_parens(Self::expr)?;
        Ok(ValuesRow { values, span: self.since(start) })
    }

    /// `TABLE t`, after the word.
    fn table_command(&mut self, start: u32) -> Result<Select> {
        let from_start = self.start();
        let (name, only) = self.relation()?;
        let table = TableExpr {
            kind: TableExprKind::Table { name, only, as_of: None, alias: None },
            span: self.since(from_start),
        };
        let span = self.since(start);
        let star =
            SelectItem { expr: Expr::new(ExprKind::Star(Vec::new()), span), alias: None, span };
        Ok(Select {
            distinct: None,
            items: vec![star],
            into: None,
            from: vec![table],
            filter: None,
            group_by: None,
            having: None,
            windows: Vec::new(),
            span,
        })
    }

    fn select(&mut self) -> Result<Select> {
        let start = self.start();
        self.expect("select")?;
        let mut distinct = None;
        if self.eat("distinct") {
            distinct = Some(if self.eat("on") {
                Distinct::On(self.in_parens(Self::expr)?)
            } else {
                Distinct::All
            });
        } else {
            self.eat("all");
        }
        let items = if distinct.is_none() && self.is_end_of_items() {
            Vec::new()
        } else {
            self.select_items()?
        };
        let into = if self.is("into") { Some(self.select_into()?) } else { None };
        let from = if self.eat("from") { self.list(Self::table_expr)? } else { Vec::new() };
        let filter = self.optional_where()?;
        let group_by = self.optional_group_by()?;
        let having = if self.eat("having") { Some(self.expr()?) } else { None };
        let windows = if self.eat("window") { self.list(Self::named_window)? } else { Vec::new() };
        let span = self.since(start);
        Ok(Select { distinct, items, into, from, filter, group_by, having, windows, span })
    }

    /// The select list is empty.
    fn is_end_of_items(&self) -> bool {
        matches!(self.kind(), TokenKind::End)
            || self.sym(")")
            || self.sym(";")
            || self.is_any(&[
                "into",
                "from",
                "where",
                "group",
                "having",
                "window",
                "union",
                "intersect",
                "except",
                "order",
                "limit",
                "offset",
                "fetch",
                "for",
            ])
    }

    /// A select list or RETURNING's.
    pub(super) fn select_items(&mut self) -> Result<Vec<SelectItem>> {
        self.list(|p| {
            let start = p.start();
            if p.eat_sym("*") {
                let span = p.since(start);
                return Ok(SelectItem {
                    expr: Expr::new(ExprKind::Star(Vec::new()), span),
                    alias: None,
                    span,
                });
            }
            let expr = p.expr()?;
            let alias = if p.eat("as") {
                Some(p.col_label()?)
            } else if p.is_bare_label() {
                Some(p.take_ident())
            } else {
                None
            };
            Ok(SelectItem { expr, alias, span: p.since(start) })
        })
    }

    fn select_into(&mut self) -> Result<SelectInto> {
        self.expect("into")?;
        let persistence = self.persistence();
        self.eat("table");
        Ok(SelectInto { name: self.object_name()?, persistence })
    }

    /// `TEMP`, `UNLOGGED`, ….
    pub(super) fn persistence(&mut self) -> Persistence {
        if self.is_any(&["local", "global"])
            && (self.is_at(1, "temp") || self.is_at(1, "temporary"))
        {
            self.advance();
        }
        if self.eat("temporary") || self.eat("temp") {
            Persistence::Temporary
        } else if self.eat("unlogged") {
            Persistence::Unlogged
        } else {
            Persistence::Permanent
        }
    }

    pub(super) fn optional_where(&mut self) -> Result<Option<Expr>> {
        if self.eat("where") { self.expr().map(Some) } else { Ok(None) }
    }

    pub(super) fn optional_with(&mut self) -> Result<Option<With>> {
        let start = self.start();
        if !self.eat("with") {
            return Ok(None);
        }
        let recursive = self.eat("recursive");
        let ctes = self.list(Self::cte)?;
        Ok(Some(With { recursive, ctes, span: self.since(start) }))
    }

    fn cte(&mut self) -> Result<Cte> {
        let start = self.start();
        let name = self.col_id()?;
        let columns = self.optional_columns()?;
        self.expect("as")?;
        let materialized = if self.eat_all(&["not", "materialized"]) {
            Some(false)
        } else if self.eat("materialized") {
            Some(true)
        } else {
            None
        };
        self.expect_sym("(")?;
        let statement = self.nested(Self::row_statement)?;
        self.expect_sym(")")?;
        if self.is("search") {
            return Err(self.unsupported("SEARCH in WITH"));
        }
        if self.is("cycle") {
            return Err(self.unsupported("CYCLE in WITH"));
        }
        Ok(Cte {
            name,
            columns,
            materialized,
            statement: Box::new(statement),
            span: self.since(start),
        })
    }

    fn optional_group_by(&mut self) -> Result<Option<GroupBy>> {
        let start = self.start();
        if !self.eat_all(&["group", "by"]) {
            return Ok(None);
        }
        let distinct = self.eat("distinct");
        if !distinct {
            self.eat("all");
        }
        let items = self.list(Self::grouping_element)?;
        Ok(Some(GroupBy { distinct, items, span: self.since(start) }))
    }

    fn grouping_element(&mut self) -> Result<GroupingElement> {
        let start = self.start();
        if self.sym("(") && self.sym_at(1, ")") {
            self.advance();
            self.advance();
            return Ok(GroupingElement::Empty(self.since(start)));
        }
        if self.is_any(&["rollup", "cube"]) && self.sym_at(1, "(") {
            let rollup = self.is("rollup");
            self.advance();
            let list = self.in_parens(Self::expr)?;
            let span = self.since(start);
            return Ok(if rollup {
                GroupingElement::Rollup(list, span)
            } else {
                GroupingElement::Cube(list, span)
            });
        }
        if self.are(&["grouping", "sets"]) {
            self.expect_all(&["grouping", "sets"])?;
            let list = self.nested(|p| p.in_parens(Self::grouping_element))?;
            return Ok(GroupingElement::Sets(list, self.since(start)));
        }
        Ok(GroupingElement::Expr(self.expr()?))
    }

    pub(super) fn optional_order_by(&mut self) -> Result<Vec<OrderItem>> {
        if !self.is("order") {
            return Ok(Vec::new());
        }
        self.expect_all(&["order", "by"])?;
        self.list(|p| {
            let start = p.start();
            let expr = p.expr()?;
            let direction = if p.eat("using") {
                Direction::Using(p.any_operator()?)
            } else if p.eat("asc") {
                Direction::Asc
            } else if p.eat("desc") {
                Direction::Desc
            } else {
                Direction::Default
            };
            let nulls_first = p.nulls_order()?;
            Ok(OrderItem { expr, direction, nulls_first, span: p.since(start) })
        })
    }

    /// `NULLS FIRST`, `NULLS LAST`.
    pub(super) fn nulls_order(&mut self) -> Result<Option<bool>> {
        if !self.is("nulls") || !(self.is_at(1, "first") || self.is_at(1, "last")) {
            return Ok(None);
        }
        self.advance();
        Ok(Some(self.expect_any(&["first", "last"])? == "first"))
    }

    /// ORDER BY, LIMIT, OFFSET, FETCH and FOR after a query; twice the same is an error even when the
    /// first stood within the parentheses of the query.
    fn query_options(&mut self, query: &mut Query) -> Result<()> {
        let start = self.start();
        let order_by = self.optional_order_by()?;
        if !order_by.is_empty() {
            if !query.order_by.is_empty() {
                return Err(Self::grammar("multiple ORDER BY clauses not allowed", start));
            }
            query.order_by = order_by;
        }
        loop {
            let start = self.start();
            if self.eat("limit") {
                let value = self.limit_value()?;
                if self.sym(",") {
                    return Err(Self::grammar("LIMIT #,# syntax is not supported", start)
                        .with_hint("Use separate LIMIT and OFFSET clauses."));
                }
                set_limit(query, value, false, start)?;
            } else if self.eat("offset") {
                let value = self.expr()?;
                if !self.eat("rows") {
                    self.eat("row");
                }
                if query.offset.is_some() {
                    return Err(Self::grammar("multiple OFFSET clauses not allowed", start));
                }
                query.offset = Some(value);
            } else if self.eat("fetch") {
                self.fetch_first(query, start)?;
            } else if self.is("for") {
                self.locking(query)?;
            } else {
                return Ok(());
            }
        }
    }

    fn limit_value(&mut self) -> Result<Option<Expr>> {
        if self.eat("all") { Ok(None) } else { self.expr().map(Some) }
    }

    fn fetch_first(&mut self, query: &mut Query, start: u32) -> Result<()> {
        self.expect_any(&["first", "next"])?;
        let value = if self.is_any(&["row", "rows"]) && !self.sym_at(1, "(") {
            Expr::new(ExprKind::Literal(Literal::Int4(1)), self.token().span)
        } else if self.sym("+") || self.sym("-") {
            let at = self.start();
            let text = self.signed_number()?;
            Expr::new(ExprKind::Literal(super::expr::number(&text)), self.since(at))
        } else {
            self.nested(Self::primary)?
        };
        self.expect_any(&["row", "rows"])?;
        let ties = self.is("with");
        if ties {
            self.expect_all(&["with", "ties"])?;
        } else {
            self.expect("only")?;
        }
        if ties && query.order_by.is_empty() {
            return Err(Self::grammar(
                "WITH TIES cannot be specified without ORDER BY clause",
                start,
            ));
        }
        set_limit(query, Some(value), ties, start)
    }

    fn locking(&mut self, query: &mut Query) -> Result<()> {
        let start = self.start();
        self.expect("for")?;
        if self.eat("read") {
            return self.expect("only");
        }
        let strength = if self.eat("update") {
            LockStrength::Update
        } else if self.eat("share") {
            LockStrength::Share
        } else if self.eat("no") {
            self.expect_all(&["key", "update"])?;
            LockStrength::NoKeyUpdate
        } else {
            self.expect_all(&["key", "share"])?;
            LockStrength::KeyShare
        };
        let of = if self.eat("of") { self.list(Self::object_name)? } else { Vec::new() };
        let wait = if self.eat("nowait") {
            LockWait::NoWait
        } else if self.eat("skip") {
            self.expect("locked")?;
            LockWait::SkipLocked
        } else {
            LockWait::Block
        };
        query.locking.push(Locking { strength, of, wait, span: self.since(start) });
        Ok(())
    }
}

fn set_limit(query: &mut Query, value: Option<Expr>, ties: bool, at: u32) -> Result<()> {
    if query.limit.is_some() {
        return Err(Parser::grammar("multiple LIMIT clauses not allowed", at));
    }
    query.limit = value;
    query.with_ties = ties;
    Ok(())
}

fn bare_query(body: QueryBody, span: Span) -> Query {
    Query {
        with: None,
        body,
        order_by: Vec::new(),
        limit: None,
        with_ties: false,
        offset: None,
        locking: Vec::new(),
        span,
    }
}
