//! What counts as SQL in a Markdown text.

use super::{Example, examples};

#[test]
fn sql_blocks_here_documents_and_commands() {
    let text = "\
# Title
```sql
SELECT 1;
SELECT 2;
```
```sh
psql -h somewhere <<'SQL'
SELECT 3;
SQL
oxibase :memory: -c \"SELECT 4\" --format csv
oxibase :memory: -c '\\d'
ls
```
```rust
let sql = \"no\";
```
";
    let found = |line, sql: &str| Example { line, sql: sql.to_owned() };
    let expected =
        [found(3, "SELECT 1;\nSELECT 2;\n"), found(8, "SELECT 3;\n"), found(10, "SELECT 4")];
    assert_eq!(examples(text), expected);
}
