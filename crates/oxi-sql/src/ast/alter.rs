//! ALTER: actions on relations, renaming, and moving objects.

use super::{
    ColumnDef, Deferral, Expr, Ident, NamedOption, ObjectKind, ObjectName, SequenceOption, Span,
    TableConstraint, TypeName,
};

/// `ALTER TABLE` with its actions (also ALTER VIEW, INDEX, SEQUENCE, MATERIALIZED VIEW).
#[derive(Clone, PartialEq, Debug)]
pub struct AlterTable {
    /// The word after ALTER.
    pub kind: ObjectKind,
    /// The relation.
    pub name: ObjectName,
    /// `IF EXISTS`.
    pub if_exists: bool,
    /// `ONLY`.
    pub only: bool,
    /// At least one.
    pub actions: Vec<AlterAction>,
    /// Where it stands.
    pub span: Span,
}

/// An action of ALTER TABLE and where it stands.
#[derive(Clone, PartialEq, Debug)]
pub struct AlterAction {
    /// What it does.
    pub kind: AlterActionKind,
    /// Where it stands.
    pub span: Span,
}

/// The actions of ALTER TABLE.
#[derive(Clone, PartialEq, Debug)]
pub enum AlterActionKind {
    /// `ADD COLUMN`.
    AddColumn {
        /// The column.
        column: Box<ColumnDef>,
        /// `IF NOT EXISTS`.
        if_not_exists: bool,
    },
    /// `DROP COLUMN`.
    DropColumn {
        /// The column.
        name: Ident,
        /// `IF EXISTS`.
        if_exists: bool,
        /// `CASCADE`.
        cascade: bool,
    },
    /// `ALTER COLUMN … TYPE`.
    SetType {
        /// The column.
        column: Ident,
        /// Its new type.
        data_type: TypeName,
        /// `COLLATE`.
        collation: Option<ObjectName>,
        /// `USING`.
        using: Option<Expr>,
    },
    /// `ALTER COLUMN … SET DEFAULT`.
    SetDefault {
        /// The column.
        column: Ident,
        /// The default.
        expr: Expr,
    },
    /// `ALTER COLUMN … DROP DEFAULT`.
    DropDefault(Ident),
    /// `ALTER COLUMN … SET NOT NULL`.
    SetNotNull(Ident),
    /// `ALTER COLUMN … DROP NOT NULL`.
    DropNotNull(Ident),
    /// `ALTER COLUMN … ADD GENERATED … AS IDENTITY`.
    AddIdentity {
        /// The column.
        column: Ident,
        /// `ALWAYS`.
        always: bool,
        /// Of the sequence.
        options: Vec<SequenceOption>,
    },
    /// `ALTER COLUMN … SET GENERATED`, `RESTART`, `SET sequence_option`.
    SetIdentity {
        /// The column.
        column: Ident,
        /// `SET GENERATED ALWAYS` is true.
        always: Option<bool>,
        /// Of the sequence.
        options: Vec<SequenceOption>,
    },
    /// `ALTER COLUMN … DROP IDENTITY`.
    DropIdentity {
        /// The column.
        column: Ident,
        /// `IF EXISTS`.
        if_exists: bool,
    },
    /// `ALTER COLUMN … DROP EXPRESSION`.
    DropExpression {
        /// The column.
        column: Ident,
        /// `IF EXISTS`.
        if_exists: bool,
    },
    /// `ALTER COLUMN … SET STATISTICS`.
    SetStatistics {
        /// The column.
        column: Ident,
        /// The target.
        target: i32,
    },
    /// `ALTER COLUMN … SET STORAGE`.
    SetStorage {
        /// The column.
        column: Ident,
        /// The storage.
        storage: Ident,
    },
    /// `ADD CONSTRAINT`.
    AddConstraint(Box<TableConstraint>),
    /// `DROP CONSTRAINT`.
    DropConstraint {
        /// The constraint.
        name: Ident,
        /// `IF EXISTS`.
        if_exists: bool,
        /// `CASCADE`.
        cascade: bool,
    },
    /// `ALTER CONSTRAINT`.
    AlterConstraint {
        /// The constraint.
        name: Ident,
        /// When it is checked.
        deferral: Deferral,
    },
    /// `VALIDATE CONSTRAINT`.
    ValidateConstraint(Ident),
    /// `SET (…)`.
    SetOptions(Vec<NamedOption>),
    /// `RESET (…)`.
    ResetOptions(Vec<String>),
    /// `SET LOGGED` is true, `SET UNLOGGED` false.
    SetLogged(bool),
    /// `OWNER TO` among other actions.
    OwnerTo(Ident),
    /// `CLUSTER ON`.
    ClusterOn(Ident),
    /// `SET WITHOUT CLUSTER`.
    SetWithoutCluster,
    /// `REPLICA IDENTITY`: `DEFAULT`, `FULL`, `NOTHING` in lower case.
    ReplicaIdentity(String),
    /// `REPLICA IDENTITY USING INDEX`.
    ReplicaIdentityIndex(Ident),
    /// `ENABLE` or `DISABLE TRIGGER`: the trigger's name, `all` or `user`.
    Trigger {
        /// `ENABLE`.
        enable: bool,
        /// Which.
        name: Ident,
    },
}

/// `ALTER … RENAME`.
#[derive(Clone, PartialEq, Debug)]
pub struct Rename {
    /// What is renamed: `Column` and `Constraint` are parts of the relation.
    pub kind: ObjectKind,
    /// The kind of the relation, for `Column` and `Constraint` (else the same as `kind`).
    pub relation_kind: ObjectKind,
    /// The object or the relation.
    pub name: ObjectName,
    /// The column or constraint.
    pub part: Option<Ident>,
    /// The new name.
    pub new_name: Ident,
    /// `IF EXISTS`.
    pub if_exists: bool,
}

/// `ALTER … SET SCHEMA`.
#[derive(Clone, PartialEq, Debug)]
pub struct SetObjectSchema {
    /// The kind of object.
    pub kind: ObjectKind,
    /// The object.
    pub name: ObjectName,
    /// The new schema.
    pub schema: Ident,
    /// `IF EXISTS`.
    pub if_exists: bool,
}

/// `ALTER … OWNER TO`.
#[derive(Clone, PartialEq, Debug)]
pub struct OwnerTo {
    /// The kind of object.
    pub kind: ObjectKind,
    /// The object.
    pub name: ObjectName,
    /// The new owner; `current_user` and its like as words.
    pub owner: Ident,
    /// `IF EXISTS`.
    pub if_exists: bool,
}
