//! The rows of `pg_type`, one line a type.

use oxi_model::PhysicalType as P;

use super::PgType;

macro_rules! physical {
    (List $p:ident) => {
        P::List(Box::new(P::$p))
    };
    (Plain $p:ident) => {
        P::$p
    };
}

macro_rules! types {
    ($($oid:literal, $name:literal, $array:literal, $element:literal, $category:literal,
       $preferred:literal, $len:literal, $by_val:literal, $kind:literal, $display:literal,
       $shape:ident $p:ident;)*) => {
        /// Every built-in type in the order of oids.
        pub(super) fn rows() -> Vec<PgType> {
            vec![$(PgType {
                oid: $oid, name: $name, array_oid: $array, element_oid: $element,
                category: $category, preferred: $preferred, len: $len, by_val: $by_val,
                kind: $kind, display: $display, physical: physical!($shape $p),
            },)*]
        }
    };
}

// oid, name, array, element, category, preferred, length, by value, kind, display, physical
types! {
    16, "bool", 1000, 0, 'B', true, 1, true, 'b', "boolean", Plain Bool;
    17, "bytea", 1001, 0, 'U', false, -1, false, 'b', "bytea", Plain Bytes;
    18, "char", 1002, 0, 'Z', false, 1, true, 'b', "\"char\"", Plain Text;
    19, "name", 1003, 18, 'S', false, 64, false, 'b', "name", Plain Text;
    20, "int8", 1016, 0, 'N', false, 8, true, 'b', "bigint", Plain Int64;
    21, "int2", 1005, 0, 'N', false, 2, true, 'b', "smallint", Plain Int16;
    22, "int2vector", 1006, 21, 'A', false, -1, false, 'b', "int2vector", List Int16;
    23, "int4", 1007, 0, 'N', false, 4, true, 'b', "integer", Plain Int32;
    24, "regproc", 1008, 0, 'N', false, 4, true, 'b', "regproc", Plain UInt32;
    25, "text", 1009, 0, 'S', true, -1, false, 'b', "text", Plain Text;
    26, "oid", 1028, 0, 'N', true, 4, true, 'b', "oid", Plain UInt32;
    27, "tid", 1010, 0, 'U', false, 6, false, 'b', "tid", Plain Int64;
    28, "xid", 1011, 0, 'U', false, 4, true, 'b', "xid", Plain UInt32;
    29, "cid", 1012, 0, 'U', false, 4, true, 'b', "cid", Plain UInt32;
    30, "oidvector", 1013, 26, 'A', false, -1, false, 'b', "oidvector", List UInt32;
    114, "json", 199, 0, 'U', false, -1, false, 'b', "json", Plain Text;
    142, "xml", 143, 0, 'U', false, -1, false, 'b', "xml", Plain Text;
    143, "_xml", 0, 142, 'A', false, -1, false, 'b', "xml[]", List Text;
    194, "pg_node_tree", 0, 0, 'Z', false, -1, false, 'b', "pg_node_tree", Plain Text;
    199, "_json", 0, 114, 'A', false, -1, false, 'b', "json[]", List Text;
    271, "_xid8", 0, 5069, 'A', false, -1, false, 'b', "xid8[]", List Int64;
    650, "cidr", 651, 0, 'I', false, -1, false, 'b', "cidr", Plain Bytes;
    651, "_cidr", 0, 650, 'A', false, -1, false, 'b', "cidr[]", List Bytes;
    700, "float4", 1021, 0, 'N', false, 4, true, 'b', "real", Plain Float32;
    701, "float8", 1022, 0, 'N', true, 8, true, 'b', "double precision", Plain Float64;
    705, "unknown", 0, 0, 'X', false, -2, false, 'p', "unknown", Plain Text;
    790, "money", 791, 0, 'N', false, 8, true, 'b', "money", Plain Int64;
    791, "_money", 0, 790, 'A', false, -1, false, 'b', "money[]", List Int64;
    829, "macaddr", 1040, 0, 'U', false, 6, false, 'b', "macaddr", Plain Int64;
    869, "inet", 1041, 0, 'I', true, -1, false, 'b', "inet", Plain Bytes;
    1000, "_bool", 0, 16, 'A', false, -1, false, 'b', "boolean[]", List Bool;
    1001, "_bytea", 0, 17, 'A', false, -1, false, 'b', "bytea[]", List Bytes;
    1002, "_char", 0, 18, 'A', false, -1, false, 'b', "\"char\"[]", List Text;
    1003, "_name", 0, 19, 'A', false, -1, false, 'b', "name[]", List Text;
    1005, "_int2", 0, 21, 'A', false, -1, false, 'b', "smallint[]", List Int16;
    1007, "_int4", 0, 23, 'A', false, -1, false, 'b', "integer[]", List Int32;
    1008, "_regproc", 0, 24, 'A', false, -1, false, 'b', "regproc[]", List UInt32;
    1009, "_text", 0, 25, 'A', false, -1, false, 'b', "text[]", List Text;
    1010, "_tid", 0, 27, 'A', false, -1, false, 'b', "tid[]", List Int64;
    1011, "_xid", 0, 28, 'A', false, -1, false, 'b', "xid[]", List UInt32;
    1012, "_cid", 0, 29, 'A', false, -1, false, 'b', "cid[]", List UInt32;
    1014, "_bpchar", 0, 1042, 'A', false, -1, false, 'b', "character[]", List Text;
    1015, "_varchar", 0, 1043, 'A', false, -1, false, 'b', "character varying[]", List Text;
    1016, "_int8", 0, 20, 'A', false, -1, false, 'b', "bigint[]", List Int64;
    1021, "_float4", 0, 700, 'A', false, -1, false, 'b', "real[]", List Float32;
    1022, "_float8", 0, 701, 'A', false, -1, false, 'b', "double precision[]", List Float64;
    1028, "_oid", 0, 26, 'A', false, -1, false, 'b', "oid[]", List UInt32;
    1033, "aclitem", 1034, 0, 'U', false, 12, false, 'b', "aclitem", Plain Text;
    1034, "_aclitem", 0, 1033, 'A', false, -1, false, 'b', "aclitem[]", List Text;
    1040, "_macaddr", 0, 829, 'A', false, -1, false, 'b', "macaddr[]", List Int64;
    1041, "_inet", 0, 869, 'A', false, -1, false, 'b', "inet[]", List Bytes;
    1042, "bpchar", 1014, 0, 'S', false, -1, false, 'b', "character", Plain Text;
    1043, "varchar", 1015, 0, 'S', false, -1, false, 'b', "character varying", Plain Text;
    1082, "date", 1182, 0, 'D', false, 4, true, 'b', "date", Plain Date;
    1083, "time", 1183, 0, 'D', false, 8, true, 'b', "time without time zone", Plain Time;
    1114, "timestamp", 1115, 0, 'D', false, 8, true, 'b', "timestamp without time zone", Plain Timestamp;
    1115, "_timestamp", 0, 1114, 'A', false, -1, false, 'b', "timestamp without time zone[]", List Timestamp;
    1182, "_date", 0, 1082, 'A', false, -1, false, 'b', "date[]", List Date;
    1183, "_time", 0, 1083, 'A', false, -1, false, 'b', "time without time zone[]", List Time;
    1184, "timestamptz", 1185, 0, 'D', true, 8, true, 'b', "timestamp with time zone", Plain TimestampTz;
    1185, "_timestamptz", 0, 1184, 'A', false, -1, false, 'b', "timestamp with time zone[]", List TimestampTz;
    1186, "interval", 1187, 0, 'T', true, 16, false, 'b', "interval", Plain Interval;
    1187, "_interval", 0, 1186, 'A', false, -1, false, 'b', "interval[]", List Interval;
    1231, "_numeric", 0, 1700, 'A', false, -1, false, 'b', "numeric[]", List Numeric;
    1263, "_cstring", 0, 2275, 'A', false, -1, false, 'b', "cstring[]", List Text;
    1266, "timetz", 1270, 0, 'D', false, 12, false, 'b', "time with time zone", Plain Interval;
    1270, "_timetz", 0, 1266, 'A', false, -1, false, 'b', "time with time zone[]", List Interval;
    1560, "bit", 1561, 0, 'V', false, -1, false, 'b', "bit", Plain Text;
    1561, "_bit", 0, 1560, 'A', false, -1, false, 'b', "bit[]", List Text;
    1562, "varbit", 1563, 0, 'V', true, -1, false, 'b', "bit varying", Plain Text;
    1563, "_varbit", 0, 1562, 'A', false, -1, false, 'b', "bit varying[]", List Text;
    1700, "numeric", 1231, 0, 'N', false, -1, false, 'b', "numeric", Plain Numeric;
    1790, "refcursor", 2201, 0, 'U', false, -1, false, 'b', "refcursor", Plain Text;
    2201, "_refcursor", 0, 1790, 'A', false, -1, false, 'b', "refcursor[]", List Text;
    2202, "regprocedure", 2207, 0, 'N', false, 4, true, 'b', "regprocedure", Plain UInt32;
    2203, "regoper", 2208, 0, 'N', false, 4, true, 'b', "regoper", Plain UInt32;
    2204, "regoperator", 2209, 0, 'N', false, 4, true, 'b', "regoperator", Plain UInt32;
    2205, "regclass", 2210, 0, 'N', false, 4, true, 'b', "regclass", Plain UInt32;
    2206, "regtype", 2211, 0, 'N', false, 4, true, 'b', "regtype", Plain UInt32;
    2207, "_regprocedure", 0, 2202, 'A', false, -1, false, 'b', "regprocedure[]", List UInt32;
    2208, "_regoper", 0, 2203, 'A', false, -1, false, 'b', "regoper[]", List UInt32;
    2209, "_regoperator", 0, 2204, 'A', false, -1, false, 'b', "regoperator[]", List UInt32;
    2210, "_regclass", 0, 2205, 'A', false, -1, false, 'b', "regclass[]", List UInt32;
    2211, "_regtype", 0, 2206, 'A', false, -1, false, 'b', "regtype[]", List UInt32;
    2249, "record", 2287, 0, 'P', false, -1, false, 'p', "record", Plain Bytes;
    2275, "cstring", 1263, 0, 'P', false, -2, false, 'p', "cstring", Plain Text;
    2276, "any", 0, 0, 'P', false, 4, true, 'p', "\"any\"", Plain Text;
    2277, "anyarray", 0, 0, 'P', false, -1, false, 'p', "anyarray", Plain Text;
    2278, "void", 0, 0, 'P', false, 4, true, 'p', "void", Plain Text;
    2279, "trigger", 0, 0, 'P', false, 4, true, 'p', "trigger", Plain Text;
    2280, "language_handler", 0, 0, 'P', false, 4, true, 'p', "language_handler", Plain Text;
    2281, "internal", 0, 0, 'P', false, 8, true, 'p', "internal", Plain Bytes;
    2283, "anyelement", 0, 0, 'P', false, 4, true, 'p', "anyelement", Plain Text;
    2776, "anynonarray", 0, 0, 'P', false, 4, true, 'p', "anynonarray", Plain Text;
    2950, "uuid", 2951, 0, 'U', false, 16, false, 'b', "uuid", Plain Uuid;
    2951, "_uuid", 0, 2950, 'A', false, -1, false, 'b', "uuid[]", List Uuid;
    3220, "pg_lsn", 3221, 0, 'U', false, 8, true, 'b', "pg_lsn", Plain Int64;
    3221, "_pg_lsn", 0, 3220, 'A', false, -1, false, 'b', "pg_lsn[]", List Int64;
    3500, "anyenum", 0, 0, 'P', false, 4, true, 'p', "anyenum", Plain Text;
    3734, "regconfig", 3735, 0, 'N', false, 4, true, 'b', "regconfig", Plain UInt32;
    3735, "_regconfig", 0, 3734, 'A', false, -1, false, 'b', "regconfig[]", List UInt32;
    3769, "regdictionary", 3770, 0, 'N', false, 4, true, 'b', "regdictionary", Plain UInt32;
    3770, "_regdictionary", 0, 3769, 'A', false, -1, false, 'b', "regdictionary[]", List UInt32;
    3802, "jsonb", 3807, 0, 'U', false, -1, false, 'b', "jsonb", Plain Bytes;
    3807, "_jsonb", 0, 3802, 'A', false, -1, false, 'b', "jsonb[]", List Bytes;
    3831, "anyrange", 0, 0, 'P', false, -1, false, 'p', "anyrange", Plain Text;
    3838, "event_trigger", 0, 0, 'P', false, 4, true, 'p', "event_trigger", Plain Text;
    4072, "jsonpath", 4073, 0, 'U', false, -1, false, 'b', "jsonpath", Plain Text;
    4073, "_jsonpath", 0, 4072, 'A', false, -1, false, 'b', "jsonpath[]", List Text;
    4089, "regnamespace", 4090, 0, 'N', false, 4, true, 'b', "regnamespace", Plain UInt32;
    4090, "_regnamespace", 0, 4089, 'A', false, -1, false, 'b', "regnamespace[]", List UInt32;
    4096, "regrole", 4097, 0, 'N', false, 4, true, 'b', "regrole", Plain UInt32;
    4097, "_regrole", 0, 4096, 'A', false, -1, false, 'b', "regrole[]", List UInt32;
    4191, "regcollation", 4192, 0, 'N', false, 4, true, 'b', "regcollation", Plain UInt32;
    4192, "_regcollation", 0, 4191, 'A', false, -1, false, 'b', "regcollation[]", List UInt32;
    4537, "anymultirange", 0, 0, 'P', false, -1, false, 'p', "anymultirange", Plain Text;
    5069, "xid8", 271, 0, 'U', false, 8, true, 'b', "xid8", Plain Int64;
    5077, "anycompatible", 0, 0, 'P', false, 4, true, 'p', "anycompatible", Plain Text;
    5078, "anycompatiblearray", 0, 0, 'P', false, -1, false, 'p', "anycompatiblearray", Plain Text;
    5079, "anycompatiblenonarray", 0, 0, 'P', false, 4, true, 'p', "anycompatiblenonarray", Plain Text;
    5080, "anycompatiblerange", 0, 0, 'P', false, -1, false, 'p', "anycompatiblerange", Plain Text;
}
