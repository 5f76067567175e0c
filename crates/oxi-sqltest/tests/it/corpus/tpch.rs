//! TPC-H at scale factor 0.01: the 22 queries against PostgreSQL 15's answers.

use std::{
    fmt::{Display, Write as _},
    path::{Path, PathBuf},
    pin::pin,
};

use bytes::Bytes;
use futures::SinkExt;
use libtest_mimic::{Failed, Trial};
use oxi_types::json::Json;
use tokio_postgres::Client;
use tpchgen::{
    csv::{
        CustomerCsv, LineItemCsv, NationCsv, OrderCsv, PartCsv, PartSuppCsv, RegionCsv, SupplierCsv,
    },
    generators::{
        CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator,
        PartSuppGenerator, RegionGenerator, SupplierGenerator,
    },
};

use super::{block_on, connect, read, served, text_rows};

const SCALE: f64 = 0.01;

/// The trial.
pub(crate) fn trials(root: &Path) -> Vec<Trial> {
    let root = root.join("tpch");
    vec![Trial::test("tpch", move || block_on(run(root)))]
}

async fn run(root: PathBuf) -> Result<(), Failed> {
    let (_database, address) = served().await?;
    let client = connect(&address).await?;
    let schema = read(&root.join("schema.sql"))?;
    client.batch_execute(&schema).await.map_err(|error| error.to_string())?;
    load(&client).await?;
    let mut failures = Vec::new();
    for number in 1..=22 {
        let sql = read(&root.join(format!("q{number:02}.sql")))?;
        let answer = read(&root.join(format!("answers/q{number:02}.json")))?;
        let wanted = rows(&Json::parse(&answer).map_err(|error| error.to_string())?);
        match text_rows(&client, &sql).await {
            Ok(found) if found == wanted => {}
            Ok(found) => failures.push(format!("q{number}: {found:?}\n  not {wanted:?}")),
            Err(error) => failures.push(format!("q{number}: {error}")),
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n").into()) }
}

fn rows(answer: &Json) -> Vec<Vec<Option<String>>> {
    let list = |value: Option<&Json>| match value {
        Some(Json::Array(items)) => items.clone(),
        _ => Vec::new(),
    };
    let rows = list(answer.get("rows"));
    rows.iter().map(|row| list(Some(row)).iter().map(Json::as_text).collect()).collect()
}

async fn load(client: &Client) -> Result<(), Failed> {
    let regions = RegionGenerator::new(SCALE, 1, 1);
    copy(client, "region", regions.iter().map(RegionCsv::new)).await?;
    let nations = NationGenerator::new(SCALE, 1, 1);
    copy(client, "nation", nations.iter().map(NationCsv::new)).await?;
    let parts = PartGenerator::new(SCALE, 1, 1);
    copy(client, "part", parts.iter().map(PartCsv::new)).await?;
    let suppliers = SupplierGenerator::new(SCALE, 1, 1);
    copy(client, "supplier", suppliers.iter().map(SupplierCsv::new)).await?;
    let offers = PartSuppGenerator::new(SCALE, 1, 1);
    copy(client, "partsupp", offers.iter().map(PartSuppCsv::new)).await?;
    let customers = CustomerGenerator::new(SCALE, 1, 1);
    copy(client, "customer", customers.iter().map(CustomerCsv::new)).await?;
    let orders = OrderGenerator::new(SCALE, 1, 1);
    copy(client, "orders", orders.iter().map(OrderCsv::new)).await?;
    let items = LineItemGenerator::new(SCALE, 1, 1);
    copy(client, "lineitem", items.iter().map(LineItemCsv::new)).await
}

async fn copy(
    client: &Client,
    table: &str,
    rows: impl Iterator<Item = impl Display>,
) -> Result<(), Failed> {
    let sink = client
        .copy_in::<_, Bytes>(&format!("COPY {table} FROM STDIN (FORMAT csv)"))
        .await
        .map_err(|error| error.to_string())?;
    let mut sink = pin!(sink);
    let mut text = String::new();
    for row in rows {
        let _ = writeln!(text, "{row}");
        if text.len() > 1 << 16 {
            let chunk = Bytes::from(std::mem::take(&mut text));
            sink.send(chunk).await.map_err(|error| error.to_string())?;
        }
    }
    sink.send(Bytes::from(text)).await.map_err(|error| error.to_string())?;
    sink.finish().await.map_err(|error| error.to_string())?;
    Ok(())
}
