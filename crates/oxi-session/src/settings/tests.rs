//! Values are checked and spelled as PostgreSQL does.

use super::*;

#[test]
fn values_are_normalised() {
    let mut settings = Settings::default();
    for (name, value, expected) in [
        ("statement_timeout", "2min", "120000"),
        ("statement_timeout", "1500", "1500"),
        ("work_mem", "4MB", "4096"),
        ("datestyle", "german", "German, DMY"),
        ("DATESTYLE", "sql", "SQL, DMY"),
        ("standard_conforming_strings", "tr", "on"),
        ("default_transaction_isolation", "REPEATABLE READ", "repeatable read"),
        ("my.custom", "x", "x"),
    ] {
        settings.set(name, Some(value)).unwrap();
        assert_eq!(settings.get(name).unwrap(), expected, "{name} = {value}");
    }
}

#[test]
fn wrong_names_and_values_are_refused() {
    let mut settings = Settings::default();
    for (name, value, code) in [
        ("no_such", "1", SqlState::UNDEFINED_OBJECT),
        ("bytea_output", "octal", SqlState::INVALID_PARAMETER_VALUE),
        ("statement_timeout", "-1", SqlState::INVALID_PARAMETER_VALUE),
        ("statement_timeout", "2 fortnights", SqlState::INVALID_PARAMETER_VALUE),
        ("server_version", "9", SqlState::CANT_CHANGE_RUNTIME_PARAM),
        ("row_security", "maybe", SqlState::INVALID_PARAMETER_VALUE),
    ] {
        assert_eq!(settings.set(name, Some(value)).unwrap_err().code(), code, "{name}");
    }
}

#[test]
fn search_path_folds_and_replaces_the_user() {
    let mut settings = Settings::default();
    assert_eq!(settings.search_path("ann"), ["ann", "public"]);
    settings.set("search_path", Some("Sales, \"Odd Name\"")).unwrap();
    assert_eq!(settings.search_path("ann"), ["sales", "Odd Name"]);
}
