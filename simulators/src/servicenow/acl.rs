//! Access controls: which role an operation on a table needs, and which records are hidden.

use serde::{Deserialize, Serialize};

use super::config::User;

/// An access control on a whole table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acl {
    /// The table, or one that the record's table extends.
    pub table: String,
    /// The operation.
    pub operation: Operation,
    /// The role that it needs.
    pub role: String,
}

/// What an access control is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Reading.
    Read,
    /// Making.
    Create,
    /// Changing.
    Write,
    /// Deleting.
    Delete,
}

impl Operation {
    /// The word in the text of a refusal.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Operation::Read => "Read",
            Operation::Create => "Insert",
            Operation::Write => "Update",
            Operation::Delete => "Delete",
        }
    }
}

impl Acl {
    /// What a fresh instance has, as far as this simulator cares.
    pub fn usual() -> Vec<Acl> {
        let acl = |table: &str, operation, role: &str| Acl {
            table: table.into(),
            operation,
            role: role.into(),
        };
        let mut acls = Vec::new();
        for table in ["task", "cmdb_ci"] {
            acls.push(acl(table, Operation::Create, "itil"));
            acls.push(acl(table, Operation::Write, "itil"));
            acls.push(acl(table, Operation::Delete, "admin"));
        }
        acls.push(acl("em_event", Operation::Create, "evt_mgmt_integration"));
        acls.push(acl("em_event", Operation::Read, "evt_mgmt_operator"));
        acls.push(acl("em_alert", Operation::Read, "evt_mgmt_operator"));
        acls.push(acl("sys_audit_delete", Operation::Read, "admin"));
        for table in [
            "sys_user",
            "sys_user_group",
            "sys_choice",
            "sys_dictionary",
            "sys_template",
            "sys_db_object",
        ] {
            for operation in [Operation::Create, Operation::Write, Operation::Delete] {
                acls.push(acl(table, operation, "admin"));
            }
        }
        acls
    }
}

/// Whether a user has a role; `admin` has all.
pub(super) fn has_role(user: &User, role: &str) -> bool {
    user.roles.iter().any(|own| own == role || own == "admin")
}
