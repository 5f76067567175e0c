//! Queries as text.

use oxi_base::{Error, Result};

use super::Writer;
use crate::ast::*;
use crate::parse::quote_identifier;

impl Writer<'_> {
    /// A new line, moved right by the query's indentation and `columns` more.
    fn line(&mut self, columns: usize) {
        self.out.push('\n');
        for _ in 0..self.indent + columns {
            self.out.push(' ');
        }
    }

    /// `( SELECT …)`.
    pub(super) fn subquery(&mut self, query: &Query) -> Result<()> {
        self.push("( ");
        self.indent += 8;
        self.query(query)?;
        self.indent -= 8;
        self.push(")");
        Ok(())
    }

    pub(super) fn query(&mut self, query: &Query) -> Result<()> {
        let around = self.ctes.len();
        let written =
            stacker::maybe_grow(128 * 1024, 2 * 1024 * 1024, || self.query_clauses(query));
        self.ctes.truncate(around);
        written
    }

    fn query_clauses(&mut self, query: &Query) -> Result<()> {
        if let Some(with) = &query.with {
            self.with(with)?;
            self.line(1);
        }
        match &query.body {
            QueryBody::Select(select) => self.select(select)?,
            QueryBody::Values(rows) => {
                self.push("VALUES ");
                self.list(rows, |w, row| {
                    w.push("(");
                    w.exprs(&row.values)?;
                    w.push(")");
                    Ok(())
                })?;
            }
            QueryBody::Set { op, all, left, right } => {
                self.set_operand(left)?;
                self.line(0);
                self.push(match op {
                    SetOperator::Union => "UNION",
                    SetOperator::Intersect => "INTERSECT",
                    SetOperator::Except => "EXCEPT",
                });
                self.push(if *all { " ALL" } else { "" });
                self.line(1);
                self.set_operand(right)?;
            }
        }
        if !query.order_by.is_empty() {
            self.line(2);
            self.push("ORDER BY ");
            self.order_items(&query.order_by)?;
        }
        if let Some(offset) = &query.offset {
            self.line(1);
            self.push("OFFSET ");
            self.expr(offset)?;
        }
        if let Some(limit) = &query.limit {
            self.line(1);
            if query.with_ties {
                self.push("FETCH FIRST (");
                self.expr(limit)?;
                self.push(") ROWS WITH TIES");
            } else {
                self.push("LIMIT ");
                self.expr(limit)?;
            }
        }
        for locking in &query.locking {
            self.locking(locking);
        }
        Ok(())
    }

    /// An operand of UNION and its like: in parentheses unless it is a plain one.
    fn set_operand(&mut self, query: &Query) -> Result<()> {
        let plain = !matches!(query.body, QueryBody::Set { .. })
            && query.with.is_none()
            && query.order_by.is_empty()
            && query.limit.is_none()
            && query.offset.is_none()
            && query.locking.is_empty();
        if plain { self.query(query) } else { self.subquery(query) }
    }

    fn with(&mut self, with: &With) -> Result<()> {
        self.push("WITH ");
        self.push(if with.recursive { "RECURSIVE " } else { "" });
        if with.recursive {
            self.ctes.extend(with.ctes.iter().map(|cte| cte.name.value.clone()));
        }
        self.list(&with.ctes, |w, cte| {
            w.name(&cte.name.value);
            if !cte.columns.is_empty() {
                w.names(&cte.columns);
            }
            w.push(match cte.materialized {
                None => " AS (",
                Some(true) => " AS MATERIALIZED (",
                Some(false) => " AS NOT MATERIALIZED (",
            });
            let StatementKind::Query(query) = &cte.statement.kind else {
                return Err(Error::unsupported(
                    "a text of a data-modifying statement in WITH is not supported",
                ));
            };
            w.indent += 8;
            w.line(1);
            w.query(query)?;
            w.line(0);
            w.indent -= 8;
            w.push(")");
            w.ctes.push(cte.name.value.clone());
            Ok(())
        })
    }

    /// A relation's name, unless that of a WITH.
    fn relation(&mut self, name: &ObjectName) {
        let is_cte = matches!(name.parts.as_slice(), [only] if self.ctes.contains(&only.value));
        let called = self.names.filter(|_| !is_cte).and_then(|names| names(name));
        // A plain name would mean the query of a WITH that is called the same.
        let is_hidden =
            |called: &String| self.ctes.iter().any(|cte| quote_identifier(cte) == *called);
        match called.filter(|called| !is_hidden(called)) {
            Some(called) => self.push(&called),
            None => self.dotted(&name.parts),
        }
    }

    fn select(&mut self, select: &Select) -> Result<()> {
        self.push("SELECT");
        match &select.distinct {
            None => {}
            Some(Distinct::All) => self.push(" DISTINCT"),
            Some(Distinct::On(exprs)) => {
                self.push(" DISTINCT ON (");
                self.exprs(exprs)?;
                self.push(")");
            }
        }
        self.select_items(&select.items)?;
        if !select.from.is_empty() {
            self.line(3);
            self.push("FROM ");
            for (n, table) in select.from.iter().enumerate() {
                if n > 0 {
                    self.push(",");
                    self.line(4);
                }
                self.table(table)?;
            }
        }
        if let Some(filter) = &select.filter {
            self.line(2);
            self.push("WHERE ");
            self.expr(filter)?;
        }
        if let Some(group_by) = &select.group_by {
            self.line(2);
            self.push(if group_by.distinct { "GROUP BY DISTINCT " } else { "GROUP BY " });
            self.list(&group_by.items, Self::grouping)?;
        }
        if let Some(having) = &select.having {
            self.line(1);
            self.push("HAVING ");
            self.expr(having)?;
        }
        if !select.windows.is_empty() {
            self.line(2);
            self.push("WINDOW ");
            self.list(&select.windows, |w, named| {
                w.name(&named.name.value);
                w.push(" AS ");
                w.window(&named.window)
            })?;
        }
        Ok(())
    }

    fn select_items(&mut self, items: &[SelectItem]) -> Result<()> {
        let mut is_first = true;
        for item in items {
            let columns = match &item.expr.kind {
                ExprKind::Star(_) => self.stars.and_then(|stars| stars.get(&item.expr.span.start)),
                _ => None,
            };
            for column in columns.into_iter().flatten() {
                self.separate_item(&mut is_first);
                let column: Vec<Ident> = column.iter().cloned().map(Ident::new).collect();
                self.dotted(&column);
            }
            if columns.is_some() {
                continue;
            }
            self.separate_item(&mut is_first);
            self.expr(&item.expr)?;
            if let Some(alias) = &item.alias {
                self.push(" AS ");
                self.name(&alias.value);
            }
        }
        Ok(())
    }

    fn separate_item(&mut self, is_first: &mut bool) {
        if std::mem::take(is_first) {
            self.push(" ");
        } else {
            self.push(",");
            self.line(4);
        }
    }

    fn grouping(&mut self, element: &GroupingElement) -> Result<()> {
        let (word, list) = match element {
            GroupingElement::Expr(expr) => return self.group(expr),
            GroupingElement::Empty(_) => {
                self.push("()");
                return Ok(());
            }
            GroupingElement::Sets(elements, _) => {
                self.push("GROUPING SETS (");
                self.list(elements, Self::grouping)?;
                self.push(")");
                return Ok(());
            }
            GroupingElement::Rollup(list, _) => ("ROLLUP(", list),
            GroupingElement::Cube(list, _) => ("CUBE(", list),
        };
        self.push(word);
        self.list(list, Self::group)?;
        self.push(")");
        Ok(())
    }

    /// An expression of GROUP BY; a group of columns must not become a value of type row.
    fn group(&mut self, expr: &Expr) -> Result<()> {
        let ExprKind::Row { fields, explicit: false } = &expr.kind else { return self.expr(expr) };
        self.push("(");
        self.exprs(fields)?;
        self.push(")");
        Ok(())
    }

    pub(super) fn order_items(&mut self, items: &[OrderItem]) -> Result<()> {
        self.list(items, |w, item| {
            w.expr(&item.expr)?;
            match &item.direction {
                Direction::Default | Direction::Asc => {}
                Direction::Desc => w.push(" DESC"),
                Direction::Using(op) => {
                    w.push(" USING ");
                    w.operator(op);
                }
            }
            w.push(match item.nulls_first {
                None => "",
                Some(true) => " NULLS FIRST",
                Some(false) => " NULLS LAST",
            });
            Ok(())
        })
    }

    pub(super) fn window(&mut self, window: &Window) -> Result<()> {
        self.push("(");
        let mut space = "";
        if let Some(base) = &window.base {
            self.name(&base.value);
            space = " ";
        }
        if !window.partition_by.is_empty() {
            self.push(space);
            self.push("PARTITION BY ");
            self.exprs(&window.partition_by)?;
            space = " ";
        }
        if !window.order_by.is_empty() {
            self.push(space);
            self.push("ORDER BY ");
            self.order_items(&window.order_by)?;
            space = " ";
        }
        if let Some(frame) = &window.frame {
            self.push(space);
            self.frame(frame)?;
        }
        self.push(")");
        Ok(())
    }

    fn frame(&mut self, frame: &Frame) -> Result<()> {
        self.push(match frame.unit {
            FrameUnit::Rows => "ROWS BETWEEN ",
            FrameUnit::Range => "RANGE BETWEEN ",
            FrameUnit::Groups => "GROUPS BETWEEN ",
        });
        self.bound(&frame.start)?;
        self.push(" AND ");
        self.bound(&frame.end)?;
        self.push(match frame.exclude {
            FrameExclude::NoOthers => "",
            FrameExclude::CurrentRow => " EXCLUDE CURRENT ROW",
            FrameExclude::Group => " EXCLUDE GROUP",
            FrameExclude::Ties => " EXCLUDE TIES",
        });
        Ok(())
    }

    fn bound(&mut self, bound: &FrameBound) -> Result<()> {
        match bound {
            FrameBound::UnboundedPreceding => self.push("UNBOUNDED PRECEDING"),
            FrameBound::CurrentRow => self.push("CURRENT ROW"),
            FrameBound::UnboundedFollowing => self.push("UNBOUNDED FOLLOWING"),
            FrameBound::Preceding(offset) => {
                self.expr(offset)?;
                self.push(" PRECEDING");
            }
            FrameBound::Following(offset) => {
                self.expr(offset)?;
                self.push(" FOLLOWING");
            }
        }
        Ok(())
    }

    fn alias(&mut self, alias: Option<&TableAlias>) {
        let Some(alias) = alias else { return };
        if let Some(name) = &alias.name {
            self.push(" ");
            self.name(&name.value);
        }
        if !alias.columns.is_empty() {
            self.names(&alias.columns);
        }
    }

    fn table(&mut self, table: &TableExpr) -> Result<()> {
        stacker::maybe_grow(128 * 1024, 2 * 1024 * 1024, || match &table.kind {
            TableExprKind::Table { name, only, as_of, alias } => {
                self.push(if *only { "ONLY " } else { "" });
                self.relation(name);
                if let Some(as_of) = as_of {
                    self.push(match as_of.kind {
                        MomentKind::Timestamp => " AS OF TIMESTAMP ",
                        MomentKind::Transaction => " AS OF TRANSACTION ",
                    });
                    self.push("(");
                    self.expr(&as_of.expr)?;
                    self.push(")");
                }
                self.alias(alias.as_ref());
                Ok(())
            }
            TableExprKind::Subquery { query, lateral, alias } => {
                self.push(if *lateral { "LATERAL " } else { "" });
                self.subquery(query)?;
                self.alias(alias.as_ref());
                Ok(())
            }
            TableExprKind::Functions { functions, rows_from, lateral, ordinality, alias } => {
                self.push(if *lateral { "LATERAL " } else { "" });
                self.push(if *rows_from { "ROWS FROM(" } else { "" });
                self.list(functions, |w, function| {
                    w.expr(&function.call)?;
                    if *rows_from && !function.columns.is_empty() {
                        w.push(" AS ");
                        w.definitions(&function.columns)?;
                    }
                    Ok(())
                })?;
                self.push(if *rows_from { ")" } else { "" });
                self.push(if *ordinality { " WITH ORDINALITY" } else { "" });
                let columns =
                    functions.first().filter(|first| !rows_from && !first.columns.is_empty());
                self.push(if columns.is_some() { " AS" } else { "" });
                self.alias(alias.as_ref());
                if let Some(function) = columns {
                    self.push(" ");
                    self.definitions(&function.columns)?;
                }
                Ok(())
            }
            TableExprKind::Join { left, right, kind, condition, alias } => {
                self.join(left, right, *kind, condition, alias.as_ref())
            }
        })
    }

    fn definitions(&mut self, columns: &[ColumnDefinition]) -> Result<()> {
        self.push("(");
        self.list(columns, |w, column| {
            w.name(&column.name.value);
            w.push(" ");
            w.type_name(&column.data_type)?;
            if let Some(collation) = &column.collation {
                w.push(" COLLATE ");
                w.dotted(&collation.parts);
            }
            Ok(())
        })?;
        self.push(")");
        Ok(())
    }

    fn join(
        &mut self,
        left: &TableExpr,
        right: &TableExpr,
        kind: JoinKind,
        condition: &JoinCondition,
        alias: Option<&TableAlias>,
    ) -> Result<()> {
        self.push(if alias.is_some() { "(" } else { "" });
        self.table(left)?;
        self.line(5);
        self.push(if *condition == JoinCondition::Natural { "NATURAL " } else { "" });
        self.push(match (kind, condition) {
            (_, JoinCondition::Cross) => "CROSS JOIN ",
            (JoinKind::Inner, _) => "JOIN ",
            (JoinKind::Left, _) => "LEFT JOIN ",
            (JoinKind::Right, _) => "RIGHT JOIN ",
            (JoinKind::Full, _) => "FULL JOIN ",
        });
        let nested = matches!(&right.kind, TableExprKind::Join { alias: None, .. });
        self.push(if nested { "(" } else { "" });
        self.table(right)?;
        self.push(if nested { ")" } else { "" });
        match condition {
            JoinCondition::Cross | JoinCondition::Natural => {}
            JoinCondition::On(expr) => {
                self.push(" ON (");
                self.expr(expr)?;
                self.push(")");
            }
            JoinCondition::Using { columns, alias } => {
                self.push(" USING ");
                self.names(columns);
                if let Some(alias) = alias {
                    self.push(" AS ");
                    self.name(&alias.value);
                }
            }
        }
        self.push(if alias.is_some() { ")" } else { "" });
        self.alias(alias);
        Ok(())
    }

    fn locking(&mut self, locking: &Locking) {
        self.line(1);
        self.push(match locking.strength {
            LockStrength::KeyShare => "FOR KEY SHARE",
            LockStrength::Share => "FOR SHARE",
            LockStrength::NoKeyUpdate => "FOR NO KEY UPDATE",
            LockStrength::Update => "FOR UPDATE",
        });
        for (n, name) in locking.of.iter().enumerate() {
            self.push(if n > 0 { ", " } else { " OF " });
            self.dotted(&name.parts);
        }
        self.push(match locking.wait {
            LockWait::Block => "",
            LockWait::NoWait => " NOWAIT",
            LockWait::SkipLocked => " SKIP LOCKED",
        });
    }
}
