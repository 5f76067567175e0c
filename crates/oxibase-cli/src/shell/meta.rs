//! The \commands.

use std::io::{self, Write as _};

use oxi_base::{Error, SqlState};

use super::execute::CopyFile;
use super::script::Lines;
use super::{Output, Shell, Stop, describe};
use crate::args::Format;
use crate::files;

/// The commands with what they do, for `\?` and completion.
pub(crate) const COMMANDS: &[(&str, &str)] = &[
    ("\\?", "this list"),
    ("\\c", "show what the shell is connected to"),
    ("\\copy TABLE FROM|TO 'FILE' [OPTIONS]", "COPY with a file of this machine"),
    ("\\d[+] [NAME]", "describe a table, view, index or sequence; or list them"),
    ("\\dt[+] \\di \\ds \\dv [PATTERN]", "list tables, indexes, sequences, views; + with comments"),
    ("\\df [PATTERN]", "list functions"),
    ("\\dn", "list schemas"),
    ("\\du", "list roles"),
    ("\\l", "list databases"),
    ("\\a", "switch between the formats box and plain"),
    ("\\echo TEXT", "write text to the output"),
    ("\\format NAME", "box, csv, json, jsonl, line, markdown or plain"),
    ("\\g \\gx", "end a statement as ; does; \\gx shows one value a line"),
    ("\\i FILE", "run a file"),
    ("\\ir FILE", "run a file beside the one that runs"),
    ("\\o [FILE]", "send results to a file; back to the screen"),
    ("\\pset null|format|tuples_only|expanded [VALUE]", "set how results are shown"),
    ("\\q", "leave"),
    ("\\t [on|off]", "show rows only"),
    ("\\timing [on|off]", "show how long statements take"),
    ("\\x [on|off]", "show one value a line"),
];

impl Shell {
    /// Runs a \command, given with its backslash.
    pub(crate) async fn meta(&mut self, line: &str) -> Result<(), Stop> {
        let line = line.trim().trim_end_matches(';');
        let (name, rest) = match line.find(char::is_whitespace) {
            Some(at) => (&line[..at], line[at..].trim()),
            None => (line, ""),
        };
        let argument = unquote(rest);
        if name == "\\unrestrict" || !self.restricted.is_empty() {
            return self.unrestrict(name, &argument);
        }
        match name {
            "\\restrict" if !argument.is_empty() => self.restricted = argument,
            "\\q" | "\\quit" => return Err(Stop::Quit),
            "\\?" | "\\h" | "\\help" => self.help(),
            "\\c" | "\\conninfo" => {
                let login = &self.connector.login;
                let text = format!("database \"{}\" as user \"{}\"", login.database, login.user);
                self.write(&format!("Connected to {text}.\n"));
            }
            "\\timing" => {
                self.timing = switched(&argument, self.timing).ok_or_else(|| self.usage(name))?;
                self.tell(&format!("Timing is {}.", on(self.timing)));
            }
            "\\encoding" => self.write("UTF8\n"),
            "\\x" => return self.set_option("expanded", &argument, name),
            "\\t" => return self.set_option("tuples_only", &argument, name),
            "\\format" | "\\mode" => return self.set_option("format", &argument, name),
            "\\a" => {
                let plain = self.renderer.format == Format::Plain;
                self.renderer.format = if plain { Format::Box } else { Format::Plain };
            }
            "\\pset" => {
                let (option, value) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
                return self.set_option(option, &unquote(value.trim()), name);
            }
            "\\echo" | "\\qecho" => self.write(&format!("{argument}\n")),
            "\\i" | "\\include" => {
                if argument.is_empty() {
                    return Err(self.usage(name));
                }
                return Box::pin(self.run_file(&argument)).await;
            }
            "\\ir" | "\\include_relative" => {
                if argument.is_empty() {
                    return Err(self.usage(name));
                }
                return Box::pin(self.run_beside(&argument)).await;
            }
            "\\o" | "\\out" => return self.redirect(&argument),
            "\\copy" => return self.copy(rest).await,
            _ => return self.catalog_command(name, &argument).await,
        }
        Ok(())
    }

    /// `\unrestrict WORD` ends what `\restrict WORD` began: dumps of PostgreSQL are written so,
    /// in order that nothing in them is taken for a \command.
    fn unrestrict(&mut self, name: &str, word: &str) -> Result<(), Stop> {
        let message = if name != "\\unrestrict" {
            "backslash commands are restricted; only \\unrestrict is allowed"
        } else if self.restricted.is_empty() {
            "\\unrestrict: not currently in restricted mode"
        } else if self.restricted != word {
            "\\unrestrict: wrong key"
        } else {
            self.restricted.clear();
            return Ok(());
        };
        Err(self.complain(&Error::new(SqlState::SYNTAX_ERROR, message)))
    }

    /// `\d` and its family.
    async fn catalog_command(&mut self, name: &str, argument: &str) -> Result<(), Stop> {
        let (plain, comments) = name.strip_suffix('+').map_or((name, false), |name| (name, true));
        if plain == "\\d" && !argument.is_empty() {
            return self.describe(argument, comments).await;
        }
        if let Some(sql) = describe::list_query(plain, argument, comments) {
            return Box::pin(self.execute(&sql, &mut Lines::default())).await;
        }
        let error = Error::new(SqlState::SYNTAX_ERROR, format!("invalid command {name}"));
        Err(self.complain(&error.with_hint("Try \\? for help.")))
    }

    /// `\pset` and its short forms.
    fn set_option(&mut self, option: &str, value: &str, name: &str) -> Result<(), Stop> {
        match option {
            "null" => value.clone_into(&mut self.renderer.null),
            "format" => {
                let value = match value {
                    "aligned" => "box",
                    "unaligned" => "plain",
                    other => other,
                };
                let format = <Format as clap::ValueEnum>::from_str(value, true);
                self.renderer.format = format.map_err(|_| self.usage(name))?;
            }
            "expanded" | "x" => {
                let expanded = switched(value, self.renderer.expanded);
                self.renderer.expanded = expanded.ok_or_else(|| self.usage(name))?;
                self.tell(&format!("Expanded display is {}.", on(self.renderer.expanded)));
            }
            "tuples_only" | "t" => {
                let rows_only = switched(value, self.renderer.tuples_only);
                self.renderer.tuples_only = rows_only.ok_or_else(|| self.usage(name))?;
                self.tell(&format!("Tuples only is {}.", on(self.renderer.tuples_only)));
            }
            _ => return Err(self.usage(name)),
        }
        Ok(())
    }

    fn usage(&mut self, name: &str) -> Stop {
        let usage = COMMANDS.iter().find(|(usage, _)| usage.split(' ').next() == Some(name));
        let usage = usage.map_or(name, |(usage, _)| usage);
        let error = Error::new(SqlState::SYNTAX_ERROR, format!("{name}: wrong argument"));
        self.complain(&error.with_hint(format!("Usage: {usage}")))
    }

    fn write(&mut self, text: &str) {
        let _ = self.output.write_all(text.as_bytes());
        let _ = self.output.flush();
    }

    fn tell(&mut self, text: &str) {
        if !self.quiet {
            self.write(&format!("{text}\n"));
        }
    }

    fn help(&mut self) {
        use std::fmt::Write as _;
        let mut text = String::from("Statements end with a semicolon. Commands of the shell:\n");
        for (usage, meaning) in COMMANDS {
            let _ = writeln!(text, "  {usage:<38} {meaning}");
        }
        self.write(&text);
    }

    fn redirect(&mut self, path: &str) -> Result<(), Stop> {
        let _ = self.output.flush();
        let output = if path.is_empty() {
            Output::Terminal(io::stdout())
        } else {
            match files::Writer::create(path) {
                Ok(file) => Output::File(file),
                Err(error) => return Err(self.complain(&error)),
            }
        };
        self.output = io::BufWriter::new(output);
        Ok(())
    }

    /// `\copy`: COPY whose file is here and not on the server.
    async fn copy(&mut self, rest: &str) -> Result<(), Stop> {
        let Some(parts) = copy_parts(rest) else {
            return Err(self.usage("\\copy"));
        };
        let opened = match (parts.from, parts.file.as_str()) {
            (_, "stdin" | "stdout" | "pstdin" | "pstdout") => Ok(CopyFile::Inline),
            (true, path) => files::Reader::open(path).map(CopyFile::From),
            (false, path) => files::Writer::create(path).map(CopyFile::To),
        };
        let file = match opened {
            Ok(file) => file,
            Err(error) => return Err(self.complain(&error)),
        };
        let side = if parts.from { "FROM STDIN" } else { "TO STDOUT" };
        let sql = format!("COPY {} {side} {}", parts.what, parts.options);
        Box::pin(self.execute_with(&sql, &mut Lines::default(), file)).await
    }
}

/// The parts of a `\copy`.
struct CopyParts {
    what: String,
    from: bool,
    file: String,
    options: String,
}

/// Finds FROM or TO outside of parentheses and quotes, then the file's name behind it.
fn copy_parts(text: &str) -> Option<CopyParts> {
    let mut depth = 0usize;
    let mut quote = None;
    let mut word_start = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if !c.is_whitespace() {
            word_start.get_or_insert(at);
            continue;
        }
        let Some(start) = word_start.take() else {
            continue;
        };
        let word = &text[start..at];
        let from = word.eq_ignore_ascii_case("from");
        if depth > 0 || quote.is_some() || !(from || word.eq_ignore_ascii_case("to")) {
            continue;
        }
        let rest = text[at..].trim_start();
        let end = match rest.strip_prefix('\'') {
            Some(inner) => inner.find('\'')? + 2,
            None => rest.find(char::is_whitespace).unwrap_or(rest.len()),
        };
        let file = unquote(&rest[..end]);
        let options = rest[end..].trim().to_owned();
        let what = text[..start].trim().to_owned();
        return (!file.is_empty() && !what.is_empty()).then_some(CopyParts {
            what,
            from,
            file,
            options,
        });
    }
    None
}

fn unquote(text: &str) -> String {
    match text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')) {
        Some(inner) => inner.replace("''", "'"),
        None => text.to_owned(),
    }
}

fn switched(argument: &str, now: bool) -> Option<bool> {
    match argument.to_ascii_lowercase().as_str() {
        "" => Some(!now),
        "on" | "true" | "1" => Some(true),
        "off" | "false" | "0" => Some(false),
        _ => None,
    }
}

fn on(value: bool) -> &'static str {
    if value { "on" } else { "off" }
}
