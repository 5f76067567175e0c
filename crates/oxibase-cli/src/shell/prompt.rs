//! The conversation at the keyboard.

use std::borrow::Cow;

use oxi_base::{Error, SqlState};
use oxi_world::process;
use reedline::{
    ColumnarMenu, DefaultHinter, Emacs, FileBackedHistory, KeyCode, KeyModifiers, MenuBuilder as _,
    Prompt, PromptEditMode, PromptHistorySearch, Reedline, ReedlineEvent, ReedlineMenu, Signal,
    default_emacs_keybindings,
};

use super::complete::{NameCompleter, StatementValidator};
use super::script::Lines;
use super::{Shell, Stop, split};

/// How many entries the history keeps.
const HISTORY: usize = 10_000;

/// Database and state of the transaction.
struct StatePrompt {
    database: String,
    status: u8,
}

impl Prompt for StatePrompt {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.database)
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_indicator(&self, _mode: PromptEditMode) -> Cow<'_, str> {
        Cow::Borrowed(match self.status {
            b'T' => "*> ",
            b'E' => "!> ",
            _ => "> ",
        })
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        Cow::Borrowed("... ")
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        Cow::Owned(format!("(search: {}) ", search.term))
    }
}

impl Shell {
    /// Reads and runs until the user leaves.
    pub(super) async fn converse(&mut self) -> Result<(), Stop> {
        if !self.quiet {
            let version = env!("CARGO_PKG_VERSION");
            self.greet(&format!("Oxibase {version}. Type \\? for help, \\q to leave."));
        }
        let mut editor = self.editor().await;
        loop {
            let prompt = StatePrompt {
                database: self.connector.login.database.clone(),
                status: self.client.status,
            };
            let text = match editor.read_line(&prompt) {
                Ok(Signal::Success(text)) => text,
                Ok(Signal::CtrlC) => continue,
                Ok(Signal::CtrlD) => return Ok(()),
                Err(error) => {
                    let message = format!("the terminal cannot be read: {error}");
                    return Err(self.complain(&Error::new(SqlState::IO_ERROR, message)));
                }
            };
            match self.entered(&text).await {
                Ok(()) | Err(Stop::Failed | Stop::Interrupted) => {}
                Err(Stop::Quit) => return Ok(()),
                Err(Stop::Lost) => return Err(Stop::Lost),
            }
            if changes_names(&text) {
                editor = editor.with_completer(Box::new(self.completer().await));
            }
        }
    }

    fn greet(&mut self, text: &str) {
        use std::io::Write as _;
        let _ = writeln!(self.output, "{text}");
        let _ = self.output.flush();
    }

    /// One entry: a \command, or statements.
    async fn entered(&mut self, text: &str) -> Result<(), Stop> {
        let trimmed = text.trim();
        match trimmed {
            "" => return Ok(()),
            "quit" | "exit" => return Err(Stop::Quit),
            "help" => return self.meta("\\?").await,
            command if command.starts_with('\\') => return self.meta(command).await,
            _ => {}
        }
        let pieces = split::split(trimmed);
        for statement in pieces.statements {
            self.execute_piece(&statement, &mut Lines::default()).await?;
        }
        Ok(())
    }

    async fn editor(&mut self) -> Reedline {
        let mut keys = default_emacs_keybindings();
        keys.add_binding(
            KeyModifiers::NONE,
            KeyCode::Tab,
            ReedlineEvent::UntilFound(vec![
                ReedlineEvent::Menu("completion".to_owned()),
                ReedlineEvent::MenuNext,
            ]),
        );
        let menu = ColumnarMenu::default().with_name("completion");
        let mut editor = Reedline::create()
            .with_completer(Box::new(self.completer().await))
            .with_validator(Box::new(StatementValidator))
            .with_hinter(Box::new(DefaultHinter::default()))
            .with_menu(ReedlineMenu::EngineCompleter(Box::new(menu)))
            .with_edit_mode(Box::new(Emacs::new(keys)));
        let home = process::env_var("HOME").unwrap_or_else(|| ".".to_owned());
        let file = std::path::Path::new(&home).join(".oxibase_history");
        // A history that cannot be kept is no reason not to start.
        if let Ok(history) = FileBackedHistory::with_file(HISTORY, file) {
            editor = editor.with_history(Box::new(history));
        }
        editor
    }

    /// A completer that knows the names in the database now.
    async fn completer(&mut self) -> NameCompleter {
        let sql = "SELECT c.relname FROM pg_catalog.pg_class c \
                   JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                   WHERE c.relkind IN ('r', 'v', 'm', 'p', 'S') AND n.nspname <> 'pg_catalog' \
                   UNION SELECT a.attname FROM pg_catalog.pg_attribute a \
                   JOIN pg_catalog.pg_class c ON c.oid = a.attrelid \
                   JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                   WHERE a.attnum > 0 AND n.nspname NOT IN ('pg_catalog', 'information_schema')";
        // In a failed transaction nothing can be asked; names come back with the next change.
        let rows = if self.client.status == b'E' {
            Vec::new()
        } else {
            self.fetch(sql).await.unwrap_or_default()
        };
        let names = rows.into_iter().filter_map(|row| row.into_iter().next().flatten());
        NameCompleter { names: names.collect() }
    }
}

/// Whether a text may have made or removed names.
fn changes_names(text: &str) -> bool {
    let upper = text.to_uppercase();
    ["CREATE", "ALTER", "DROP", "ROLLBACK", "\\I"].iter().any(|word| upper.contains(word))
}
