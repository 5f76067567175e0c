//! The calls with grammar of their own, turned into ordinary calls as PostgreSQL does.

use oxi_base::Result;

use super::cursor::Parser;
use super::expr::{string_expr, system_call};
use super::lexer::TokenKind;
use crate::ast::*;

impl Parser<'_> {
    /// `EXTRACT(…)` and its like; the cursor is at the word.
    pub(super) fn special_call(&mut self, word: &str, span: Span) -> Result<ExprKind> {
        self.advance();
        self.expect_sym("(")?;
        let kind = match word {
            "extract" => self.extract(span)?,
            "position" => {
                let part = self.restricted_expr()?;
                self.expect("in")?;
                let whole = self.restricted_expr()?;
                system_call("position", vec![whole, part], span)
            }
            "substring" => self.substring(span)?,
            "overlay" => self.overlay(span)?,
            "trim" => self.trim(span)?,
            _ => {
                let mut args = vec![self.expr()?];
                if self.eat_sym(",") {
                    if !self.is_any(&["nfc", "nfd", "nfkc", "nfkd"]) {
                        return Err(self.syntax_error());
                    }
                    let form = self.take_ident();
                    args.push(string_expr(&form.value.to_ascii_uppercase(), form.span));
                }
                system_call("normalize", args, span)
            }
        };
        self.expect_sym(")")?;
        Ok(kind)
    }

    fn extract(&mut self, span: Span) -> Result<ExprKind> {
        if !matches!(self.kind(), TokenKind::Word | TokenKind::Quoted | TokenKind::String) {
            return Err(self.syntax_error());
        }
        let field = self.take_ident();
        self.expect("from")?;
        let value = self.expr()?;
        Ok(system_call("extract", vec![string_expr(&field.value, field.span), value], span))
    }

    fn substring(&mut self, span: Span) -> Result<ExprKind> {
        if self.sym(")") {
            return Ok(ordinary("substring", Vec::new(), span));
        }
        let first = self.argument()?;
        let mut args = vec![first.value];
        if first.name.is_none() && self.eat("from") {
            args.push(self.expr()?);
            if self.eat("for") {
                args.push(self.expr()?);
            }
        } else if first.name.is_none() && self.eat("for") {
            let length = self.expr()?;
            if self.eat("from") {
                args.push(self.expr()?);
                args.push(length);
            } else {
                args.push(Expr::new(ExprKind::Literal(Literal::Int4(1)), length.span));
                args.push(cast_to_int4(length));
            }
        } else if first.name.is_none() && self.eat("similar") {
            args.push(self.expr()?);
            self.expect("escape")?;
            args.push(self.expr()?);
        } else {
            let value = args.remove(0);
            return self.rest_of_arguments("substring", Argument { name: first.name, value }, span);
        }
        Ok(system_call("substring", args, span))
    }

    fn overlay(&mut self, span: Span) -> Result<ExprKind> {
        if self.sym(")") {
            return Ok(ordinary("overlay", Vec::new(), span));
        }
        let first = self.argument()?;
        if first.name.is_some() || !self.eat("placing") {
            return self.rest_of_arguments("overlay", first, span);
        }
        let mut args = vec![first.value, self.expr()?];
        self.expect("from")?;
        args.push(self.expr()?);
        if self.eat("for") {
            args.push(self.expr()?);
        }
        Ok(system_call("overlay", args, span))
    }

    /// The call is an ordinary one after all, of the function that the word names.
    fn rest_of_arguments(&mut self, name: &str, first: Argument, span: Span) -> Result<ExprKind> {
        let mut args = vec![first];
        while self.eat_sym(",") {
            args.push(self.argument()?);
        }
        Ok(ordinary(name, args, span))
    }

    fn trim(&mut self, span: Span) -> Result<ExprKind> {
        let name = match () {
            () if self.eat("leading") => "ltrim",
            () if self.eat("trailing") => "rtrim",
            () => {
                self.eat("both");
                "btrim"
            }
        };
        if self.eat("from") {
            let args = self.list(Self::expr)?;
            return Ok(system_call(name, args, span));
        }
        let mut args = self.list(Self::expr)?;
        if args.len() == 1 && self.eat("from") {
            let characters = args;
            args = self.list(Self::expr)?;
            args.extend(characters);
        }
        Ok(system_call(name, args, span))
    }
}

fn ordinary(name: &str, args: Vec<Argument>, span: Span) -> ExprKind {
    let mut kind = system_call(name, Vec::new(), span);
    if let ExprKind::Call(call) = &mut kind {
        call.args = args;
        call.syntax = CallSyntax::Call;
        call.name = ObjectName::unqualified(Ident { value: name.to_owned(), quoted: false, span });
    }
    kind
}

fn cast_to_int4(operand: Expr) -> Expr {
    let span = operand.span;
    let target = Box::new(super::primary::named_type(ObjectName::system("int4", span), Vec::new()));
    Expr::new(
        ExprKind::Cast { operand: Box::new(operand), target, syntax: CastSyntax::Colons },
        span,
    )
}
