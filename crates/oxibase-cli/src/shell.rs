//! The shell: statements and \commands from arguments, files, standard input, or the keyboard.

mod complete;
mod describe;
mod execute;
mod meta;
mod prompt;
mod script;
mod split;

use std::io::{self, IsTerminal as _, Write};

use oxi_base::Error;

use crate::args::{Format, ShellArguments};
use crate::client::{Client, Refusal};
use crate::connect::Connector;
use crate::diagnose;
use crate::render::Renderer;
use crate::{FAILED, NO_CONNECTION, fail};

/// Interrupted by the user.
const INTERRUPTED: u8 = 130;

/// Where results go.
enum Output {
    Terminal(io::Stdout),
    File(crate::files::Writer),
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Output::Terminal(out) => out.write(bytes),
            Output::File(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Output::Terminal(out) => out.flush(),
            Output::File(file) => file.flush(),
        }
    }
}

/// Why a script does not go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stop {
    /// A statement or a command failed; it has been reported.
    Failed,
    /// The connection is lost; it has been reported.
    Lost,
    /// The user interrupted.
    Interrupted,
    /// `\q`.
    Quit,
}

impl Stop {
    fn status(self) -> u8 {
        match self {
            Stop::Failed => FAILED,
            Stop::Lost => NO_CONNECTION,
            Stop::Interrupted => INTERRUPTED,
            Stop::Quit => 0,
        }
    }
}

/// A shell on one session.
pub(crate) struct Shell {
    connector: Connector,
    client: Client,
    renderer: Renderer,
    output: io::BufWriter<Output>,
    quiet: bool,
    timing: bool,
    /// A result has started and not ended.
    in_result: bool,
    /// Someone sits at the keyboard.
    interactive: bool,
    /// File and line of the statement, in front of errors; empty at the keyboard.
    place: String,
    /// The directory of the running file, for `\ir`.
    folder: String,
    /// How deep `\i` is nested.
    depth: usize,
    /// The word that ends a part of a script without \commands; empty outside of such parts.
    restricted: String,
}

fn renderer(arguments: &ShellArguments) -> Renderer {
    let format = if arguments.no_align { Format::Plain } else { arguments.format };
    let mut renderer = Renderer::new(format);
    renderer.tuples_only = arguments.tuples_only;
    renderer
}

/// Runs the shell; the result is the exit status.
pub(crate) async fn run(arguments: &ShellArguments) -> u8 {
    let connector = match Connector::open_at(&arguments.target, arguments.at) {
        Ok(connector) => connector,
        Err(error) => return fail(&error),
    };
    let client = match connector.connect().await {
        Ok(client) => client,
        Err(Refusal::Server(error)) => {
            say(&format!("oxibase: {}", diagnose::describe(&error, "", "")));
            return NO_CONNECTION;
        }
        Err(Refusal::Broken(error)) => {
            fail(&error);
            return NO_CONNECTION;
        }
    };
    let scripted = !arguments.commands.is_empty() || !arguments.files.is_empty();
    let interactive = !scripted && io::stdin().is_terminal() && io::stdout().is_terminal();
    let mut shell = Shell {
        connector,
        client,
        renderer: renderer(arguments),
        output: io::BufWriter::new(Output::Terminal(io::stdout())),
        quiet: arguments.quiet,
        timing: false,
        in_result: false,
        interactive,
        place: String::new(),
        folder: String::new(),
        depth: 0,
        restricted: String::new(),
    };
    let outcome = shell.work(arguments).await;
    let _ = shell.output.flush();
    let status = match outcome {
        Ok(()) => 0,
        Err(stop) => stop.status(),
    };
    shell.client.close().await;
    match shell.connector.close().await {
        Ok(()) => status,
        Err(error) => fail(&error),
    }
}

impl Shell {
    async fn work(&mut self, arguments: &ShellArguments) -> Result<(), Stop> {
        if self.interactive {
            return self.converse().await;
        }
        for command in &arguments.commands {
            self.run_command(command).await?;
        }
        for file in &arguments.files {
            self.run_file(file).await?;
        }
        if arguments.commands.is_empty() && arguments.files.is_empty() {
            self.run_file("-").await?;
        }
        Ok(())
    }

    /// Reports an error of the shell itself.
    pub(crate) fn complain(&mut self, error: &Error) -> Stop {
        let _ = self.output.flush();
        let hint = error.hint().map(|hint| format!("HINT:  {hint}\n")).unwrap_or_default();
        say(&format!("{}{}\n{hint}", self.place, error.message()));
        Stop::Failed
    }

    /// Reports that the server does not answer any more.
    pub(crate) fn lost(&mut self, error: &io::Error) -> Stop {
        let _ = self.output.flush();
        say(&format!("connection to the server lost: {error}\n"));
        Stop::Lost
    }

    /// Whether tags, notices and the like are shown beside results.
    pub(crate) fn chatty(&self) -> bool {
        !self.quiet && matches!(self.renderer.format, Format::Box | Format::Plain)
    }
}

/// Writes to standard error.
pub(crate) fn say(text: &str) {
    // A closed standard error leaves nobody to tell.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
