//! The command line.

use clap::{Args, Parser, Subcommand, ValueEnum};

const ABOUT: &str = "Oxibase: a database in a directory, with PostgreSQL's dialect";

const LONG_ABOUT: &str = "\
Oxibase: a database in a directory, with PostgreSQL's dialect.

Without a command it is a shell: on a directory, on a database in memory, or on any server that
speaks PostgreSQL's protocol. With `serve` it is such a server.";

const EXAMPLES: &str = "\
Examples:
  oxibase                                   shell on a database in memory
  oxibase ./shop                            shell on the database in ./shop (made if missing)
  oxibase ./shop -c 'SELECT 1' --format csv one statement, for scripts
  oxibase ./shop -Atc 'SELECT 1'            the bare value, as psql -At gives it
  oxibase ./shop -f schema.sql              run a file; stops at the first error
  oxibase postgres://ann@127.0.0.1:5433/app shell on a server
  oxibase serve --data ./shop               serve ./shop on 127.0.0.1:5433
  oxibase check ./shop                      verify every page and log record of ./shop
  oxibase backup ./shop ./backup            copy ./shop's files; also of a server: postgres://…
  oxibase restore ./backup ./new            make a database of a backup again
  oxibase checkpoints ./shop                list the checkpoints that are kept of ./shop
  oxibase ./shop --at 41                    shell on ./shop as checkpoint 41 left it, for reading
  oxibase dump ./shop -o shop.sql           write ./shop as SQL; `oxibase ./new -f shop.sql` restores it

Exit status: 0 all went well, 1 a statement or the database failed, 2 wrong usage,
3 the server cannot be reached, 130 interrupted.";

/// What the user asked for.
#[derive(Parser, Debug)]
#[command(
    name = "oxibase",
    version,
    about = ABOUT,
    long_about = LONG_ABOUT,
    after_help = EXAMPLES,
    args_conflicts_with_subcommands = true
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) shell: ShellArguments,
}

/// The commands besides the shell.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Serve a database to PostgreSQL clients until interrupted
    Serve(ServeArguments),
    /// Verify a database that nobody has open, or a backup
    Check(CheckArguments),
    /// Copy a database's files to a place of their own, while others use it
    Backup(BackupArguments),
    /// Make a database of a backup, as it was at a moment
    Restore(RestoreArguments),
    /// List the checkpoints of a directory that `oxibase DIR --at NUMBER` opens
    Checkpoints(CheckpointsArguments),
    /// Write a database as SQL that builds it again
    Dump(DumpArguments),
}

/// Arguments of the shell.
#[derive(Args, Debug)]
pub(crate) struct ShellArguments {
    /// A directory, `:memory:`, or `postgres://user:password@host:port/database`
    #[arg(value_name = "DATABASE", default_value = ":memory:")]
    pub(crate) target: String,
    /// Open the directory as this checkpoint left it, for reading
    #[arg(long, value_name = "NUMBER")]
    pub(crate) at: Option<u64>,
    /// Run SQL (or one \command) and exit; may be repeated
    #[arg(short = 'c', long = "command", value_name = "SQL")]
    pub(crate) commands: Vec<String>,
    /// Run a file and exit, `-` is standard input; may be repeated, runs after -c
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    pub(crate) files: Vec<String>,
    /// How results are shown
    #[arg(long, value_enum, default_value_t = Format::Box)]
    pub(crate) format: Format,
    /// The same as --format plain
    #[arg(short = 'A', long = "no-align", conflicts_with = "format")]
    pub(crate) no_align: bool,
    /// Show rows only: no names of columns, no number of rows
    #[arg(short, long)]
    pub(crate) tuples_only: bool,
    /// Show results only: no command tags, no notices, no greeting
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// How results are shown.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    /// A table with lines
    Box,
    /// Comma-separated values with a header
    Csv,
    /// One JSON array of objects
    Json,
    /// One JSON object a line
    Jsonl,
    /// One value a line
    Line,
    /// A Markdown table
    Markdown,
    /// One row a line, its values separated by |
    Plain,
}

/// Arguments of `serve`.
#[derive(Args, Debug)]
pub(crate) struct ServeArguments {
    /// The database's directory; made if missing [default: ./oxibase-data]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<String>,
    /// Where PostgreSQL clients connect [default: 127.0.0.1:5433]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) pg: Option<String>,
    /// A TOML file with settings; arguments win over it
    #[arg(long, value_name = "FILE", long_help = CONFIG_HELP)]
    pub(crate) config: Option<String>,
    /// Copy the log there as files of it are complete: a directory, or `s3://bucket/prefix`
    #[arg(long, value_name = "PLACE", long_help = ARCHIVE_HELP)]
    pub(crate) archive: Option<String>,
    /// Archive what was written after this time at the latest, as `1min` [default: when 64 MB are full]
    #[arg(long, value_name = "TIME")]
    pub(crate) archive_timeout: Option<String>,
}

const ARCHIVE_HELP: &str = "\
Copy the log there as files of it are complete: a directory, or `s3://bucket/prefix` (with the usual
AWS_… variables). With a backup and what was archived since, `oxibase restore` brings back any moment.
Each database needs a place of its own. The log is kept here until it is there; pg_stat_archiver tells
how that goes.";

const CONFIG_HELP: &str = "\
A TOML file with settings; arguments win over it:

  data = \"/var/lib/oxibase\"
  pg = \"0.0.0.0:5433\"
  max_connections = 200
  checkpoint_timeout = \"5min\"
  max_wal_size = \"1GB\"
  archive = \"/mnt/archive\"   # see --archive
  archive_timeout = \"1min\"
  memory_limit = \"256MB\"  # what was not used lately goes to disk; without it all stays in memory
  history_retention = \"7d\"  # how far AS OF and UNDROP TABLE reach back; the database remembers it
  retained_checkpoints = 3  # kept for `oxibase DIR --at NUMBER`; the database remembers it
  [tls]
  certificate = \"server.crt\"
  key = \"server.key\"
  [users]                 # with users, all must log in with their password (SCRAM-SHA-256)
  ann = \"secret\"          # or a verifier, as SCRAM-SHA-256$4096:salt$key:key";

/// Arguments of `check`.
#[derive(Args, Debug)]
pub(crate) struct CheckArguments {
    /// The database's directory, or the place of a backup
    #[arg(value_name = "DIR")]
    pub(crate) data: String,
}

const BACKUP_HELP: &str = "\
Examples:
  oxibase backup postgres://ann@host/app /mnt/monday      a server's database; nobody has to wait
  oxibase backup ./shop ./backup                          a directory that nobody has open
  oxibase backup ./shop s3://bucket/shop/monday           to an object store (AWS_… variables)
  oxibase check ./backup                                  verify a backup in depth
  oxibase restore ./backup ./new                          make a database of it again

The backup holds everything that was committed when the copy ended. Every byte is read back. Without
its manifest, which is written last, a backup is not complete, and no command takes it for one.

Exit status: 0 the backup is whole and verified, 1 it is not, 2 wrong usage, 3 the server cannot be
reached.";

/// Arguments of `backup`.
#[derive(Args, Debug)]
#[command(after_help = BACKUP_HELP)]
pub(crate) struct BackupArguments {
    /// A directory that nobody has open, or `postgres://user:password@host:port/database`
    #[arg(value_name = "DATABASE")]
    pub(crate) source: String,
    /// Where the backup goes: a directory that is empty or does not exist, or `s3://bucket/prefix`
    #[arg(value_name = "TARGET")]
    pub(crate) target: String,
}

const RESTORE_HELP: &str = "\
Examples:
  oxibase restore ./backup ./new                                the backup as it is
  oxibase restore ./backup ./new --archive /mnt/archive         and all log that was archived since
  oxibase restore ./backup ./new --archive /mnt/archive --to '2026-03-01 12:00:00+01'
                                                                as it was then

The last commit that is restored is the last one up to the moment; its time zone is UTC unless it says
otherwise. The restored database begins a new timeline: it can go on with the same archive, and the old
log is never mixed with the new one.

Exit status: 0 all went well, 1 it did not, 2 wrong usage.";

/// Arguments of `restore`.
#[derive(Args, Debug)]
#[command(after_help = RESTORE_HELP)]
pub(crate) struct RestoreArguments {
    /// The place of the backup: a directory, or `s3://bucket/prefix`
    #[arg(value_name = "BACKUP")]
    pub(crate) backup: String,
    /// The directory of the new database, empty or not there
    #[arg(value_name = "DIR")]
    pub(crate) data: String,
    /// Restore what was committed up to this moment rather than everything
    #[arg(long, value_name = "TIMESTAMP")]
    pub(crate) to: Option<String>,
    /// The place of the log that was archived since, as given to `serve --archive`
    #[arg(long, value_name = "PLACE")]
    pub(crate) archive: Option<String>,
    /// Follow this timeline rather than the newest that goes on from the backup
    #[arg(long, value_name = "NUMBER")]
    pub(crate) timeline: Option<u32>,
}

/// Arguments of `checkpoints`.
#[derive(Args, Debug)]
pub(crate) struct CheckpointsArguments {
    /// The database's directory
    #[arg(value_name = "DIR")]
    pub(crate) data: String,
}

const DUMP_HELP: &str = "\
Examples:
  oxibase dump ./shop -o shop.sql           all of ./shop
  oxibase ./new -f shop.sql                 build it again in ./new
  oxibase dump postgres://ann@host/app      all of a server's database, on standard output
  oxibase dump ./shop --schema-only         definitions without rows
  oxibase dump ./shop --table 'sales.*'     some tables, with their indexes and sequences

The dump is the state of one moment, whoever writes meanwhile. psql restores it as well, into a
server of Oxibase or, as far as both have the same objects, of PostgreSQL 15.

Exit status: 0 the dump is whole, 1 the database failed or the dump cannot be written,
2 wrong usage, 3 the server cannot be reached.";

/// Arguments of `dump`.
#[derive(Args, Debug)]
#[command(after_help = DUMP_HELP)]
pub(crate) struct DumpArguments {
    /// A directory, or `postgres://user:password@host:port/database`
    #[arg(value_name = "DATABASE", default_value = "./oxibase-data")]
    pub(crate) target: String,
    /// Write definitions only, no rows
    #[arg(long, conflicts_with = "data_only")]
    pub(crate) schema_only: bool,
    /// Write rows only, no definitions
    #[arg(long)]
    pub(crate) data_only: bool,
    /// Write this table, view or sequence only, as `name`, `schema.name`, `schema.*`; may be repeated
    #[arg(short = 't', long = "table", value_name = "NAME")]
    pub(crate) tables: Vec<String>,
    /// Write rows as INSERT statements rather than COPY
    #[arg(long)]
    pub(crate) inserts: bool,
    /// Write to this file rather than standard output
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    pub(crate) output: Option<String>,
}
