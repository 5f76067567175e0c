//! `oxibase serve`: the database behind PostgreSQL's protocol.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use oxi_base::{Error, Result, SqlState};
use oxi_pgwire::{Options, Server};
use oxi_world::World;
use oxi_world::net::Listener;
use oxibase::{Authentication, Database, units};

use crate::args::ServeArguments;
use crate::config::Config;
use crate::files;

/// How long running statements may go on after the request to stop.
const PATIENCE_US: u64 = 5_000_000;

/// Serves until a signal asks to stop.
pub(crate) async fn run(arguments: &ServeArguments) -> Result<()> {
    let config = Config::load(arguments)?;
    let filter = tracing_subscriber::EnvFilter::new("info,datafusion=warn");
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();

    // Asked for before anything is opened, so that an early signal is not lost.
    let stop = oxi_world::net::spawn(oxi_world::net::shutdown_requested());
    let world = World::real(".")?;
    let authentication = authentication(&config);
    let listener = Listener::bind(&config.pg).await?;
    let address = listener.local_addr()?;
    refuse_open_door(address, &authentication)?;

    let database = Database::open_with(
        Some(Path::new(&config.data)),
        oxibase::Options {
            connections_max: config.max_connections,
            authentication,
            checkpoint_timeout_us: checkpoint_timeout(&config)?,
            max_wal_bytes: units::bytes("max_wal_size", &config.max_wal_size)?.max(1 << 20),
            memory_limit: memory_limit(&config)?,
            archive: config.archive.clone(),
            archive_timeout_us: archive_timeout(&config)?,
            history_retention_us: history_retention(&config)?,
            retained_checkpoints: config.retained_checkpoints,
            ..oxibase::Options::default()
        },
    )?;
    tracing::info!("{}", database.recovery_summary());
    let server = Server::new(database.sessions().clone(), options(&config, &world)?);
    announce(address)?;
    tracing::info!(%address, data = config.data, "accepting connections");

    let door = {
        let server = Arc::clone(&server);
        oxi_world::net::spawn(async move { server.listen(listener).await })
    };
    let stopped = stop.await;
    tracing::info!("stopping");
    server.stop(PATIENCE_US).await;
    door.abort();
    database.close()?;
    tracing::info!("stopped");
    match stopped {
        Ok(outcome) => outcome,
        Err(error) => Err(Error::bug(error)),
    }
}

/// At least a second, as checkpoints themselves take time.
fn checkpoint_timeout(config: &Config) -> Result<u64> {
    let timeout = units::microseconds("checkpoint_timeout", &config.checkpoint_timeout)?;
    Ok(timeout.max(1_000_000))
}

/// 0 if there is none: what is written is archived when a file of the log is full.
fn archive_timeout(config: &Config) -> Result<u64> {
    let Some(text) = &config.archive_timeout else { return Ok(0) };
    units::microseconds("archive_timeout", text)
}

/// As it was, unless it is asked for.
fn history_retention(config: &Config) -> Result<Option<u64>> {
    let text = config.history_retention.as_ref();
    text.map(|text| units::microseconds("history_retention", text)).transpose()
}

/// At least what a few blocks take.
fn memory_limit(config: &Config) -> Result<Option<u64>> {
    let Some(text) = &config.memory_limit else { return Ok(None) };
    let limit = units::bytes("memory_limit", text)?;
    if limit < 8 << 20 {
        return Err(Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("{text} is outside the valid range for parameter \"memory_limit\" (8MB ..)"),
        ));
    }
    Ok(Some(limit))
}

/// Options of the door.
fn options(config: &Config, world: &World) -> Result<Options> {
    let tls = match &config.tls {
        Some(tls) => {
            let certificate = files::read_bytes(&tls.certificate)?;
            Some(oxi_pgwire::tls::acceptor(&certificate, &files::read_bytes(&tls.key)?)?)
        }
        None => None,
    };
    let rng = Arc::clone(&world.rng);
    Ok(Options {
        max_connections: config.max_connections,
        authentication_timeout_us: 60_000_000,
        tls,
        random: Arc::new(move |bytes| rng.fill(bytes)),
    })
}

/// Passwords if the configuration names users, else trust.
fn authentication(config: &Config) -> Authentication {
    if config.users.is_empty() {
        Authentication::Trust
    } else {
        Authentication::Scram(config.users.clone())
    }
}

/// Others than this machine may only come in with a password.
fn refuse_open_door(address: SocketAddr, authentication: &Authentication) -> Result<()> {
    if address.ip().is_loopback() || *authentication != Authentication::Trust {
        return Ok(());
    }
    Err(Error::new(
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
        format!("refusing to serve {address} without authentication"),
    )
    .with_hint("Name users and their passwords in a file given by --config, or use 127.0.0.1."))
}

/// The one line on standard output that says clients can come.
fn announce(address: SocketAddr) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "ready postgres://{address}")
        .and_then(|()| out.flush())
        .map_err(|error| Error::new(SqlState::IO_ERROR, format!("standard output: {error}")))
}
