//! The choices of an instance as it is delivered: what `sys_choice` holds.

/// The close codes of an incident.
pub(super) const INCIDENT_CLOSE_CODES: [&str; 8] = [
    "Duplicate",
    "Known error",
    "Resolved by caller",
    "Resolved by change",
    "Resolved by problem",
    "Solution provided",
    "Workaround provided",
    "User error",
];

/// A field with choices: table, field, (value, label).
pub(super) type Choices = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

/// All choices but the close codes of an incident, which are set in the configuration.
pub(super) const CHOICES: &[Choices] = &[
    ("task", "impact", HIGH_TO_LOW),
    ("task", "urgency", HIGH_TO_LOW),
    (
        "task",
        "priority",
        &[
            ("1", "1 - Critical"),
            ("2", "2 - High"),
            ("3", "3 - Moderate"),
            ("4", "4 - Low"),
            ("5", "5 - Planning"),
        ],
    ),
    (
        "task",
        "escalation",
        &[
            ("0", "Normal"),
            ("1", "Moderate"),
            ("2", "High"),
            ("3", "Overdue"),
        ],
    ),
    (
        "change_request",
        "conflict_status",
        &[
            ("Not Run", "Not Run"),
            ("No Conflict", "No Conflict"),
            ("Conflict", "Conflict"),
        ],
    ),
    ("incident", "state", INCIDENT_STATES),
    ("incident", "incident_state", INCIDENT_STATES),
    (
        "incident",
        "hold_reason",
        &[
            ("1", "Awaiting Caller"),
            ("3", "Awaiting Problem"),
            ("4", "Awaiting Vendor"),
            ("5", "Awaiting Change"),
        ],
    ),
    (
        "incident",
        "category",
        &[
            ("inquiry", "Inquiry / Help"),
            ("software", "Software"),
            ("hardware", "Hardware"),
            ("network", "Network"),
            ("database", "Database"),
        ],
    ),
    (
        "task",
        "contact_type",
        &[
            ("email", "Email"),
            ("phone", "Phone"),
            ("self-service", "Self-service"),
            ("event", "Event"),
            ("integration", "Integration"),
        ],
    ),
    (
        "change_request",
        "state",
        &[
            ("-5", "New"),
            ("-4", "Assess"),
            ("-3", "Authorize"),
            ("-2", "Scheduled"),
            ("-1", "Implement"),
            ("0", "Review"),
            ("3", "Closed"),
            ("4", "Canceled"),
        ],
    ),
    (
        "change_request",
        "type",
        &[
            ("normal", "Normal"),
            ("standard", "Standard"),
            ("emergency", "Emergency"),
        ],
    ),
    (
        "change_request",
        "risk",
        &[
            ("1", "Very High"),
            ("2", "High"),
            ("3", "Moderate"),
            ("4", "Low"),
        ],
    ),
    (
        "change_request",
        "close_code",
        &[
            ("successful", "Successful"),
            ("successful_issues", "Successful with issues"),
            ("unsuccessful", "Unsuccessful"),
        ],
    ),
    (
        "em_event",
        "severity",
        &[
            ("0", "Clear"),
            ("1", "Critical"),
            ("2", "Major"),
            ("3", "Minor"),
            ("4", "Warning"),
            ("5", "OK"),
        ],
    ),
];

const HIGH_TO_LOW: &[(&str, &str)] = &[("1", "1 - High"), ("2", "2 - Medium"), ("3", "3 - Low")];

const INCIDENT_STATES: &[(&str, &str)] = &[
    ("1", "New"),
    ("2", "In Progress"),
    ("3", "On Hold"),
    ("6", "Resolved"),
    ("7", "Closed"),
    ("8", "Canceled"),
];
