//! The oids of PostgreSQL's built-in types, as `pg_type` has them.

/// `boolean`
pub const BOOL: u32 = 16;
/// `bytea`
pub const BYTEA: u32 = 17;
/// `"char"`
pub const CHAR: u32 = 18;
/// `name`
pub const NAME: u32 = 19;
/// `bigint`
pub const INT8: u32 = 20;
/// `smallint`
pub const INT2: u32 = 21;
/// `int2vector`
pub const INT2VECTOR: u32 = 22;
/// `integer`
pub const INT4: u32 = 23;
/// `regproc`
pub const REGPROC: u32 = 24;
/// `text`
pub const TEXT: u32 = 25;
/// `oid`
pub const OID: u32 = 26;
/// `tid`
pub const TID: u32 = 27;
/// `xid`
pub const XID: u32 = 28;
/// `cid`
pub const CID: u32 = 29;
/// `oidvector`
pub const OIDVECTOR: u32 = 30;
/// `json`
pub const JSON: u32 = 114;
/// `xml`
pub const XML: u32 = 142;
/// `xml[]`
pub const _XML: u32 = 143;
/// `pg_node_tree`
pub const PG_NODE_TREE: u32 = 194;
/// `json[]`
pub const _JSON: u32 = 199;
/// `xid8[]`
pub const _XID8: u32 = 271;
/// `cidr`
pub const CIDR: u32 = 650;
/// `cidr[]`
pub const _CIDR: u32 = 651;
/// `real`
pub const FLOAT4: u32 = 700;
/// `double precision`
pub const FLOAT8: u32 = 701;
/// `unknown`
pub const UNKNOWN: u32 = 705;
/// `money`
pub const MONEY: u32 = 790;
/// `money[]`
pub const _MONEY: u32 = 791;
/// `macaddr`
pub const MACADDR: u32 = 829;
/// `inet`
pub const INET: u32 = 869;
/// `boolean[]`
pub const _BOOL: u32 = 1000;
/// `bytea[]`
pub const _BYTEA: u32 = 1001;
/// `"char"[]`
pub const _CHAR: u32 = 1002;
/// `name[]`
pub const _NAME: u32 = 1003;
/// `smallint[]`
pub const _INT2: u32 = 1005;
/// `integer[]`
pub const _INT4: u32 = 1007;
/// `regproc[]`
pub const _REGPROC: u32 = 1008;
/// `text[]`
pub const _TEXT: u32 = 1009;
/// `tid[]`
pub const _TID: u32 = 1010;
/// `xid[]`
pub const _XID: u32 = 1011;
/// `cid[]`
pub const _CID: u32 = 1012;
/// `character[]`
pub const _BPCHAR: u32 = 1014;
/// `character varying[]`
pub const _VARCHAR: u32 = 1015;
/// `bigint[]`
pub const _INT8: u32 = 1016;
/// `real[]`
pub const _FLOAT4: u32 = 1021;
/// `double precision[]`
pub const _FLOAT8: u32 = 1022;
/// `oid[]`
pub const _OID: u32 = 1028;
/// `aclitem`
pub const ACLITEM: u32 = 1033;
/// `aclitem[]`
pub const _ACLITEM: u32 = 1034;
/// `macaddr[]`
pub const _MACADDR: u32 = 1040;
/// `inet[]`
pub const _INET: u32 = 1041;
/// `character`
pub const BPCHAR: u32 = 1042;
/// `character varying`
pub const VARCHAR: u32 = 1043;
/// `date`
pub const DATE: u32 = 1082;
/// `time without time zone`
pub const TIME: u32 = 1083;
/// `timestamp without time zone`
pub const TIMESTAMP: u32 = 1114;
/// `timestamp without time zone[]`
pub const _TIMESTAMP: u32 = 1115;
/// `date[]`
pub const _DATE: u32 = 1182;
/// `time without time zone[]`
pub const _TIME: u32 = 1183;
/// `timestamp with time zone`
pub const TIMESTAMPTZ: u32 = 1184;
/// `timestamp with time zone[]`
pub const _TIMESTAMPTZ: u32 = 1185;
/// `interval`
pub const INTERVAL: u32 = 1186;
/// `interval[]`
pub const _INTERVAL: u32 = 1187;
/// `numeric[]`
pub const _NUMERIC: u32 = 1231;
/// `cstring[]`
pub const _CSTRING: u32 = 1263;
/// `time with time zone`
pub const TIMETZ: u32 = 1266;
/// `time with time zone[]`
pub const _TIMETZ: u32 = 1270;
/// `bit`
pub const BIT: u32 = 1560;
/// `bit[]`
pub const _BIT: u32 = 1561;
/// `bit varying`
pub const VARBIT: u32 = 1562;
/// `bit varying[]`
pub const _VARBIT: u32 = 1563;
/// `numeric`
pub const NUMERIC: u32 = 1700;
/// `refcursor`
pub const REFCURSOR: u32 = 1790;
/// `refcursor[]`
pub const _REFCURSOR: u32 = 2201;
/// `regprocedure`
pub const REGPROCEDURE: u32 = 2202;
/// `regoper`
pub const REGOPER: u32 = 2203;
/// `regoperator`
pub const REGOPERATOR: u32 = 2204;
/// `regclass`
pub const REGCLASS: u32 = 2205;
/// `regtype`
pub const REGTYPE: u32 = 2206;
/// `regprocedure[]`
pub const _REGPROCEDURE: u32 = 2207;
/// `regoper[]`
pub const _REGOPER: u32 = 2208;
/// `regoperator[]`
pub const _REGOPERATOR: u32 = 2209;
/// `regclass[]`
pub const _REGCLASS: u32 = 2210;
/// `regtype[]`
pub const _REGTYPE: u32 = 2211;
/// `record`
pub const RECORD: u32 = 2249;
/// `cstring`
pub const CSTRING: u32 = 2275;
/// `"any"`
pub const ANY: u32 = 2276;
/// `anyarray`
pub const ANYARRAY: u32 = 2277;
/// `void`
pub const VOID: u32 = 2278;
/// `trigger`
pub const TRIGGER: u32 = 2279;
/// `language_handler`
pub const LANGUAGE_HANDLER: u32 = 2280;
/// `internal`
pub const INTERNAL: u32 = 2281;
/// `anyelement`
pub const ANYELEMENT: u32 = 2283;
/// `anynonarray`
pub const ANYNONARRAY: u32 = 2776;
/// `uuid`
pub const UUID: u32 = 2950;
/// `uuid[]`
pub const _UUID: u32 = 2951;
/// `pg_lsn`
pub const PG_LSN: u32 = 3220;
/// `pg_lsn[]`
pub const _PG_LSN: u32 = 3221;
/// `anyenum`
pub const ANYENUM: u32 = 3500;
/// `regconfig`
pub const REGCONFIG: u32 = 3734;
/// `regconfig[]`
pub const _REGCONFIG: u32 = 3735;
/// `regdictionary`
pub const REGDICTIONARY: u32 = 3769;
/// `regdictionary[]`
pub const _REGDICTIONARY: u32 = 3770;
/// `jsonb`
pub const JSONB: u32 = 3802;
/// `jsonb[]`
pub const _JSONB: u32 = 3807;
/// `jsonpath`
pub const JSONPATH: u32 = 4072;
/// `anyrange`
pub const ANYRANGE: u32 = 3831;
/// `event_trigger`
pub const EVENT_TRIGGER: u32 = 3838;
/// `regnamespace`
pub const REGNAMESPACE: u32 = 4089;
/// `regnamespace[]`
pub const _REGNAMESPACE: u32 = 4090;
/// `regrole`
pub const REGROLE: u32 = 4096;
/// `regrole[]`
pub const _REGROLE: u32 = 4097;
/// `regcollation`
pub const REGCOLLATION: u32 = 4191;
/// `regcollation[]`
pub const _REGCOLLATION: u32 = 4192;
/// `anymultirange`
pub const ANYMULTIRANGE: u32 = 4537;
/// `xid8`
pub const XID8: u32 = 5069;
/// `anycompatible`
pub const ANYCOMPATIBLE: u32 = 5077;
/// `anycompatiblearray`
pub const ANYCOMPATIBLEARRAY: u32 = 5078;
/// `anycompatiblenonarray`
pub const ANYCOMPATIBLENONARRAY: u32 = 5079;
/// `anycompatiblerange`
pub const ANYCOMPATIBLERANGE: u32 = 5080;
