//! Window definitions and frames.

use oxi_base::{Error, Result, SqlState};

use super::cursor::Parser;
use crate::ast::*;

impl Parser<'_> {
    /// `name AS (…)` of the WINDOW clause.
    pub(super) fn named_window(&mut self) -> Result<NamedWindow> {
        let name = self.col_id()?;
        self.expect("as")?;
        Ok(NamedWindow { name, window: self.window()? })
    }

    /// A window in parentheses.
    pub(super) fn window(&mut self) -> Result<Window> {
        self.nested(|p| {
            let start = p.start();
            p.expect_sym("(")?;
            let base = if p.is_col_id(0) && !p.is_any(&["partition", "range", "rows", "groups"]) {
                Some(p.take_ident())
            } else {
                None
            };
            let mut partition_by = Vec::new();
            if p.eat("partition") {
                p.expect("by")?;
                partition_by = p.list(Self::expr)?;
            }
            let order_by = p.optional_order_by()?;
            let frame = p.optional_frame()?;
            p.expect_sym(")")?;
            Ok(Window { base, partition_by, order_by, frame, span: p.since(start) })
        })
    }

    fn optional_frame(&mut self) -> Result<Option<Frame>> {
        let start = self.start();
        let unit = match () {
            () if self.eat("rows") => FrameUnit::Rows,
            () if self.eat("range") => FrameUnit::Range,
            () if self.eat("groups") => FrameUnit::Groups,
            () => return Ok(None),
        };
        let between = self.eat("between");
        let first_at = self.start();
        let first = self.frame_bound()?;
        let mut last = FrameBound::CurrentRow;
        let mut last_at = first_at;
        if between {
            self.expect("and")?;
            last_at = self.start();
            last = self.frame_bound()?;
        }
        check_bounds(&first, &last, between, first_at, last_at)?;
        let exclude = self.frame_exclude()?;
        Ok(Some(Frame { unit, start: first, end: last, exclude, span: self.since(start) }))
    }

    fn frame_bound(&mut self) -> Result<FrameBound> {
        if self.is("unbounded") && (self.is_at(1, "preceding") || self.is_at(1, "following")) {
            self.advance();
            let preceding = self.expect_any(&["preceding", "following"])? == "preceding";
            return Ok(if preceding {
                FrameBound::UnboundedPreceding
            } else {
                FrameBound::UnboundedFollowing
            });
        }
        if self.eat_all(&["current", "row"]) {
            return Ok(FrameBound::CurrentRow);
        }
        let offset = Box::new(self.expr()?);
        Ok(match self.expect_any(&["preceding", "following"])? {
            "preceding" => FrameBound::Preceding(offset),
            _ => FrameBound::Following(offset),
        })
    }

    fn frame_exclude(&mut self) -> Result<FrameExclude> {
        if !self.eat("exclude") {
            return Ok(FrameExclude::NoOthers);
        }
        Ok(match self.expect_any(&["no", "current", "group", "ties"])? {
            "no" => {
                self.expect("others")?;
                FrameExclude::NoOthers
            }
            "current" => {
                self.expect("row")?;
                FrameExclude::CurrentRow
            }
            "group" => FrameExclude::Group,
            _ => FrameExclude::Ties,
        })
    }
}

fn check_bounds(
    first: &FrameBound,
    last: &FrameBound,
    between: bool,
    first_at: u32,
    last_at: u32,
) -> Result<()> {
    use FrameBound::*;
    let (message, at) = match (first, last) {
        (UnboundedFollowing, _) => ("frame start cannot be UNBOUNDED FOLLOWING", first_at),
        (Following(_), _) if !between => {
            ("frame starting from following row cannot end with current row", first_at)
        }
        (_, UnboundedPreceding) => ("frame end cannot be UNBOUNDED PRECEDING", last_at),
        (CurrentRow, Preceding(_)) => {
            ("frame starting from current row cannot have preceding rows", last_at)
        }
        (Following(_), Preceding(_)) => {
            ("frame starting from following row cannot have preceding rows", last_at)
        }
        (Following(_), CurrentRow) => {
            ("frame starting from following row cannot have preceding rows", last_at)
        }
        _ => return Ok(()),
    };
    Err(Error::new(SqlState::WINDOWING_ERROR, message).at(at as usize))
}
