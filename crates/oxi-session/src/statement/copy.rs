//! COPY: options, columns, and files of the server.

mod options;

use std::sync::Arc;

use oxi_base::{Error, Result, SqlState};
use oxi_exec::copy::{CopyEncoder, CopyFormat as Format, CopyLoad, options::CopyColumn};
use oxi_model::{descriptor::RelationDescriptor, engine::TableLock};
use oxi_sql::ast::{self, Copy, CopyEndpoint, CopySource, Ident, ObjectName};
use oxi_world::disk::OpenMode;

use crate::{
    copy::{CopyFormat, CopyIn, CopyOut, OutState, Ready},
    outcome::{CommandTag, Outcome, OutputField},
    request::Parsed,
    session::Session,
    statement::{lock, query},
    transaction::require_writable,
};

/// Bytes read from a file at once.
const FILE_PIECE_BYTES: usize = 256 * 1024;

/// COPY.
pub(crate) async fn run(
    session: &mut Session,
    parsed: &Parsed,
    copy: &Copy,
    commits: bool,
) -> Result<Outcome> {
    refuse_without_right(session, copy)?;
    if copy.from {
        let input = copy_from(session, copy, commits).await?;
        return match &copy.endpoint {
            CopyEndpoint::File(path) => load_file(input, path).await,
            _ => Ok(Outcome::CopyIn(input)),
        };
    }
    let output = copy_to(session, parsed, copy, commits).await?;
    match &copy.endpoint {
        CopyEndpoint::File(path) => write_file(session, output, path).await,
        _ => Ok(Outcome::CopyOut(output)),
    }
}

/// Files and programs of the server are open to those only whom the configuration trusts.
fn refuse_without_right(session: &Session, copy: &Copy) -> Result<()> {
    let at = copy.span.position();
    let denied = |verb: &str, role: &str| {
        Error::new(
            SqlState::INSUFFICIENT_PRIVILEGE,
            format!("permission denied to COPY {verb}"),
        )
        .with_detail(format!("The server does not allow what \"{role}\" may do."))
        .with_hint(
            "Anyone can COPY to stdout or from stdin. psql's \\copy command also works for anyone.",
        )
        .at(at)
    };
    match &copy.endpoint {
        CopyEndpoint::Client => Ok(()),
        CopyEndpoint::Program(_) => {
            Err(denied("to or from an external program", "pg_execute_server_program"))
        }
        CopyEndpoint::File(_) if session.shared.options.server_files => Ok(()),
        CopyEndpoint::File(_) if copy.from => Err(denied("from a file", "pg_read_server_files")),
        CopyEndpoint::File(_) => Err(denied("to a file", "pg_write_server_files")),
    }
}

/// Positions of the columns that a list names; all insertable ones without list.
fn positions(relation: &RelationDescriptor, columns: &[Ident], from: bool) -> Result<Vec<usize>> {
    let table = oxi_catalog::alter::table(relation)?;
    if columns.is_empty() {
        let all = table.columns.iter().enumerate();
        return Ok(all.filter(|(_, c)| c.generated.is_none()).map(|(at, _)| at).collect());
    }
    let mut found: Vec<usize> = Vec::new();
    for name in columns {
        let at = name.span.position();
        let (position, column) =
            oxi_catalog::alter::column(relation, &name.value).map_err(|error| error.at(at))?;
        if from && column.generated.is_some() {
            return Err(Error::new(
                SqlState::INVALID_COLUMN_REFERENCE,
                format!("column \"{}\" is a generated column", name.value),
            )
            .with_detail("Generated columns cannot be used in COPY.")
            .at(at));
        }
        if found.contains(&position) {
            return Err(Error::new(
                SqlState::DUPLICATE_COLUMN,
                format!("column \"{}\" specified more than once", name.value),
            )
            .at(at));
        }
        found.push(position);
    }
    Ok(found)
}

fn table_named(session: &mut Session, name: &ObjectName) -> Result<Arc<RelationDescriptor>> {
    let catalog = session.catalog()?;
    let relation = catalog
        .resolve_relation(&session.search_path(), &name.texts())
        .map_err(|error| error.at(name.span.position()))?;
    Ok(relation)
}

async fn copy_from(session: &mut Session, copy: &Copy, commits: bool) -> Result<CopyIn> {
    require_writable(session.ensure_transaction().modes, "COPY FROM")?;
    let CopySource::Table { name, columns } = &copy.source else {
        return Err(Error::new(SqlState::SYNTAX_ERROR, "COPY FROM cannot be used with a query"));
    };
    if let Some(filter) = &copy.filter {
        return Err(
            Error::unsupported("COPY FROM with WHERE is not supported").at(filter.span.position())
        );
    }
    let relation = target_table(session, name).await?;
    let positions = positions(&relation, columns, true)?;
    let names = column_names(&relation, &positions);
    let options = options::read(copy, &names)?;
    let binary = options.format == Format::Binary;
    let catalog = session.catalog()?;
    let statement = query::statement_context(session, &catalog);
    let load = CopyLoad::new(statement, &relation, &positions, options)?;
    let format = CopyFormat { binary, columns: positions.len() };
    Ok(CopyIn { load: Box::new(load), format, commits })
}

/// The table that rows go to, locked and as it then is.
async fn target_table(session: &mut Session, name: &ObjectName) -> Result<Arc<RelationDescriptor>> {
    loop {
        let relation = table_named(session, name)?;
        let Some(table) = relation.as_table() else {
            let kind = oxi_catalog::resolve::kind_word(&relation);
            return Err(Error::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!("cannot copy to {kind} \"{}\"", relation.name),
            ));
        };
        oxi_catalog::resolve::check_not_system(&relation)?;
        lock::acquire(session, table.storage(), TableLock::RowExclusive).await?;
        if table_named(session, name)? == relation {
            return Ok(relation);
        }
    }
}

fn column_names(relation: &RelationDescriptor, positions: &[usize]) -> Vec<String> {
    let columns = relation.as_table().map(|table| table.columns.as_slice()).unwrap_or_default();
    let named = positions.iter().filter_map(|position| columns.get(*position));
    named.map(|column| column.name.clone()).collect()
}

async fn copy_to(
    session: &mut Session,
    parsed: &Parsed,
    copy: &Copy,
    commits: bool,
) -> Result<CopyOut> {
    let mut cursor = match &copy.source {
        CopySource::Query(statement) => query::run_inner(session, parsed, statement).await?,
        CopySource::Table { name, columns } => {
            let relation = table_named(session, name)?;
            if relation.as_table().is_none() {
                let kind = oxi_catalog::resolve::kind_word(&relation);
                return Err(Error::new(
                    SqlState::WRONG_OBJECT_TYPE,
                    format!("cannot copy from {kind} \"{}\"", relation.name),
                )
                .with_hint("Try the COPY (SELECT ...) TO variant."));
            }
            let positions = positions(&relation, columns, false)?;
            let select = select_columns(&relation, &positions, name);
            query::run_inner(session, parsed, &select).await?
        }
    };
    cursor.commits = commits;
    let names: Vec<String> = cursor.fields().iter().map(|field| field.name.clone()).collect();
    let options = options::read(copy, &names)?;
    options.validate()?;
    let format =
        CopyFormat { binary: options.format == Format::Binary, columns: cursor.fields().len() };
    let columns = cursor.fields().iter().map(copy_column).collect();
    let catalog = session.catalog()?;
    let eval = session.eval_context(&catalog);
    let (cursor, encoder) = (Box::new(cursor), Box::new(CopyEncoder::new(eval, columns, options)));
    Ok(CopyOut { cursor, encoder, format, state: OutState::Fresh, ready: Ready::default() })
}

fn copy_column(field: &OutputField) -> CopyColumn {
    CopyColumn {
        name: field.name.clone(),
        data_type: field.data_type,
        physical: crate::outcome::physical_of(field),
    }
}

/// `SELECT columns FROM ONLY table` as a tree.
fn select_columns(
    relation: &RelationDescriptor,
    positions: &[usize],
    name: &ObjectName,
) -> ast::Statement {
    let span = name.span;
    let items = column_names(relation, positions)
        .into_iter()
        .map(|column| ast::SelectItem {
            expr: ast::Expr::new(ast::ExprKind::Column(vec![Ident::new(column)]), span),
            alias: None,
            span,
        })
        .collect();
    let from = ast::TableExpr {
        kind: ast::TableExprKind::Table {
            name: name.clone(),
            only: true,
            as_of: None,
            alias: None,
        },
        span,
    };
    let select = ast::Select {
        distinct: None,
        items,
        into: None,
        from: vec![from],
        filter: None,
        group_by: None,
        having: None,
        windows: Vec::new(),
        span,
    };
    let query = ast::Query {
        with: None,
        body: ast::QueryBody::Select(Box::new(select)),
        order_by: Vec::new(),
        limit: None,
        with_ties: false,
        offset: None,
        locking: Vec::new(),
        span,
    };
    ast::Statement { kind: ast::StatementKind::Query(Box::new(query)), span }
}

/// The server's files, by absolute path.
fn server_files() -> Result<Arc<dyn oxi_world::disk::Disk>> {
    oxi_world::World::real("/").map(|world| world.disk)
}

async fn load_file(mut input: CopyIn, path: &str) -> Result<Outcome> {
    let disk = server_files()?;
    let file = disk.open(path, OpenMode::Read)?;
    let mut buffer = vec![0; FILE_PIECE_BYTES];
    let mut offset = 0u64;
    loop {
        let count = file.read_at(&mut buffer, offset)?;
        if count == 0 {
            break;
        }
        input.load.push(&buffer[..count]).await?;
        offset += count as u64;
    }
    let rows = input.load.finish().await?;
    Ok(Outcome::Done(CommandTag::counted("COPY", rows)))
}

async fn write_file(session: &mut Session, mut output: CopyOut, path: &str) -> Result<Outcome> {
    let disk = server_files()?;
    let file = disk.open(path, OpenMode::CreateOrOpen)?;
    file.set_len(0)?;
    // The statement ends with the file, not with the rows.
    output.cursor.commits = false;
    let mut offset = 0u64;
    while let Some(piece) = output.next(session).await? {
        file.write_at(&piece, offset)?;
        offset += piece.len() as u64;
    }
    output.finish(session).await.map(Outcome::Done)
}
