//! The tables and columns of an instance as it is delivered: what `sys_db_object` and `sys_dictionary` hold.
//!
//! A column is written as `name:type`, with `type` one of `text(LENGTH)`, `int`, `bool`, `time`, `journal`,
//! `ref(TABLE)`; only what a connector can meet is here, not the hundred columns that a real table has.

/// A table: name, label, the one it extends, the prefix of its numbers, its own columns.
pub(super) struct Delivered {
    pub name: &'static str,
    pub label: &'static str,
    pub extends: Option<&'static str>,
    pub prefix: Option<&'static str>,
    pub columns: &'static [&'static str],
}

const fn table(
    name: &'static str,
    label: &'static str,
    extends: Option<&'static str>,
    prefix: Option<&'static str>,
    columns: &'static [&'static str],
) -> Delivered {
    Delivered {
        name,
        label,
        extends,
        prefix,
        columns,
    }
}

/// Columns that every record has.
pub(super) const SYSTEM: &[&str] = &[
    "sys_id:text(32)",
    "sys_created_on:time",
    "sys_created_by:text(40)",
    "sys_updated_on:time",
    "sys_updated_by:text(40)",
    "sys_mod_count:int",
    "sys_tags:text(255)",
];

/// All delivered tables, parents before children.
pub(super) const TABLES: &[Delivered] = &[
    table("task", "Task", None, Some("TASK"), TASK),
    table("incident", "Incident", Some("task"), Some("INC"), INCIDENT),
    table(
        "change_request",
        "Change Request",
        Some("task"),
        Some("CHG"),
        CHANGE,
    ),
    table(
        "problem",
        "Problem",
        Some("task"),
        Some("PRB"),
        &["known_error:bool"],
    ),
    table("cmdb_ci", "Configuration Item", None, None, CI),
    table(
        "cmdb_ci_service",
        "Service",
        Some("cmdb_ci"),
        None,
        &["busines_criticality:text(40)"],
    ),
    table(
        "cmdb_ci_computer",
        "Computer",
        Some("cmdb_ci"),
        None,
        &["os:text(255)", "host_name:text(255)"],
    ),
    table(
        "cmdb_ci_server",
        "Server",
        Some("cmdb_ci_computer"),
        None,
        &["classification:text(40)"],
    ),
    table(
        "cmdb_ci_linux_server",
        "Linux Server",
        Some("cmdb_ci_server"),
        None,
        &[],
    ),
    table(
        "cmdb_ci_win_server",
        "Windows Server",
        Some("cmdb_ci_server"),
        None,
        &[],
    ),
    table(
        "cmdb_ci_vm_instance",
        "Virtual Machine Instance",
        Some("cmdb_ci"),
        None,
        CLOUD,
    ),
    table(
        "cmdb_ci_cmp_resource",
        "Cloud Resource",
        Some("cmdb_ci"),
        None,
        &["object_id:text(512)", "resource_type:text(255)"],
    ),
    table("sys_user", "User", None, None, USER),
    table(
        "sys_user_group",
        "Group",
        None,
        None,
        &[
            "name:text(80)",
            "description:text(1000)",
            "active:bool",
            "manager:ref(sys_user)",
        ],
    ),
    table("sys_choice", "Choice", None, None, CHOICE),
    table("sys_dictionary", "Dictionary Entry", None, None, DICTIONARY),
    table(
        "sys_db_object",
        "Table",
        None,
        None,
        &[
            "name:text(80)",
            "label:text(80)",
            "super_class:ref(sys_db_object)",
        ],
    ),
    table("sys_template", "Template", None, None, TEMPLATE),
    table(
        "sys_audit_delete",
        "Audit Deleted Record",
        None,
        None,
        AUDIT_DELETE,
    ),
    table("sys_journal_field", "Journal Entry", None, None, JOURNAL),
    table("em_event", "Event", None, None, EVENT),
    table("em_alert", "Alert", None, Some("Alert"), ALERT),
];

const TASK: &[&str] = &[
    "number:text(40)",
    "short_description:text(160)",
    "description:text(4000)",
    "state:int",
    "active:bool",
    "impact:int",
    "urgency:int",
    "priority:int",
    "contact_type:text(40)",
    "correlation_id:text(100)",
    "correlation_display:text(100)",
    "assignment_group:ref(sys_user_group)",
    "assigned_to:ref(sys_user)",
    "opened_at:time",
    "opened_by:ref(sys_user)",
    "closed_at:time",
    "closed_by:ref(sys_user)",
    "close_notes:text(4000)",
    "cmdb_ci:ref(cmdb_ci)",
    "business_service:ref(cmdb_ci_service)",
    "comments:journal",
    "work_notes:journal",
    "parent:ref(task)",
    "work_start:time",
    "work_end:time",
    "due_date:time",
    "made_sla:bool",
    "escalation:int",
    "approval:text(40)",
    "sys_class_name:text(80)",
    "sys_domain:text(32)",
];

const INCIDENT: &[&str] = &[
    "incident_state:int",
    "caller_id:ref(sys_user)",
    "category:text(40)",
    "subcategory:text(40)",
    "hold_reason:int",
    "close_code:text(40)",
    "resolved_at:time",
    "resolved_by:ref(sys_user)",
    "severity:int",
    "reopen_count:int",
    "problem_id:ref(problem)",
    "caused_by:ref(change_request)",
    "notify:int",
];

const CHANGE: &[&str] = &[
    "type:text(40)",
    "category:text(40)",
    "risk:int",
    "requested_by:ref(sys_user)",
    "requested_by_date:time",
    "start_date:time",
    "end_date:time",
    "conflict_status:text(40)",
    "close_code:text(40)",
    "reason:text(40)",
    "justification:text(4000)",
    "implementation_plan:text(4000)",
    "backout_plan:text(4000)",
    "test_plan:text(4000)",
];

const CI: &[&str] = &[
    "name:text(255)",
    "sys_class_name:text(80)",
    "install_status:int",
    "operational_status:int",
    "fqdn:text(255)",
    "ip_address:text(255)",
    "mac_address:text(18)",
    "support_group:ref(sys_user_group)",
    "assigned_to:ref(sys_user)",
    "short_description:text(1000)",
    "correlation_id:text(512)",
    "discovery_source:text(40)",
    "sys_domain:text(32)",
];

const CLOUD: &[&str] = &[
    "object_id:text(512)",
    "vm_inst_id:text(255)",
    "state:text(40)",
];

const USER: &[&str] = &[
    "user_name:text(40)",
    "name:text(151)",
    "first_name:text(50)",
    "last_name:text(50)",
    "email:text(100)",
    "active:bool",
    "locked_out:bool",
    "web_service_access_only:bool",
    "time_zone:text(40)",
];

const CHOICE: &[&str] = &[
    "name:text(80)",
    "element:text(80)",
    "label:text(255)",
    "value:text(255)",
    "language:text(10)",
    "inactive:bool",
    "sequence:int",
    "dependent_value:text(255)",
];

const DICTIONARY: &[&str] = &[
    "name:text(80)",
    "element:text(80)",
    "column_label:text(80)",
    "internal_type:text(40)",
    "max_length:int",
    "mandatory:bool",
    "read_only:bool",
    "reference:text(80)",
    "active:bool",
];

const TEMPLATE: &[&str] = &[
    "name:text(100)",
    "table:text(80)",
    "template:text(4000)",
    "short_description:text(160)",
    "active:bool",
    "global:bool",
    "user:ref(sys_user)",
    "group:ref(sys_user_group)",
];

const AUDIT_DELETE: &[&str] = &[
    "tablename:text(80)",
    "documentkey:text(32)",
    "display_value:text(255)",
    "payload:text(8000000)",
];

const JOURNAL: &[&str] = &[
    "name:text(80)",
    "element:text(80)",
    "element_id:text(32)",
    "value:text(4000)",
];

const EVENT: &[&str] = &[
    "source:text(100)",
    "event_class:text(100)",
    "node:text(100)",
    "resource:text(100)",
    "metric_name:text(100)",
    "type:text(100)",
    "severity:int",
    "message_key:text(1024)",
    "description:text(4000)",
    "additional_info:text(8000)",
    "time_of_event:time",
    "resolution_state:text(40)",
    "state:text(40)",
    "error_msg:text(1000)",
    "alert:ref(em_alert)",
];

const ALERT: &[&str] = &[
    "number:text(40)",
    "message_key:text(1024)",
    "state:text(40)",
    "severity:int",
    "source:text(100)",
    "node:text(100)",
    "resource:text(100)",
    "metric_name:text(100)",
    "type:text(100)",
    "description:text(4000)",
    "additional_info:text(8000)",
    "cmdb_ci:ref(cmdb_ci)",
    "incident:ref(task)",
    "acknowledged:bool",
    "initial_event_time:time",
    "last_event_time:time",
];
