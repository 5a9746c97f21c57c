//! What an instance holds on its first day: its users, some groups, some configuration items, a template.

use super::ids;
use super::instance::Instance;
use super::store::Record;

/// When all of it was made.
pub(super) const DELIVERED_ON: &str = "2024-01-01 00:00:00";

const GROUPS: [&str; 4] = ["Service Desk", "Network", "Hardware", "Cloud Operations"];

/// Class, name, support group.
const CONFIGURATION_ITEMS: [(&str, &str, &str); 6] = [
    ("cmdb_ci_vm_instance", "web01", "Cloud Operations"),
    ("cmdb_ci_vm_instance", "web02", "Cloud Operations"),
    ("cmdb_ci_linux_server", "db01", "Hardware"),
    ("cmdb_ci_win_server", "file01", "Hardware"),
    ("cmdb_ci_service", "Online shop", "Service Desk"),
    ("cmdb_ci", "edge router", ""),
];

/// The key of a user's record.
pub(super) fn user_key(seed: u64, name: &str) -> String {
    ids::sys_id(seed, "sys_user", name)
}

/// Puts everything in.
pub(super) fn furnish(instance: &mut Instance) {
    let seed = instance.config.seed;
    for user in instance.config.users.clone() {
        let mut row = record(user_key(seed, &user.name));
        let (first, last) = user
            .display_name
            .split_once(' ')
            .unwrap_or((&user.display_name, ""));
        row.set("user_name", &user.name);
        row.set("name", &user.display_name);
        row.set("first_name", first);
        row.set("last_name", last);
        row.set("email", format!("{}@instance.example", user.name));
        row.set("active", user.active.to_string());
        row.set("locked_out", "false");
        row.set("web_service_access_only", user.web_service_only.to_string());
        instance.store.insert("sys_user", row);
    }
    for name in GROUPS {
        let mut row = record(ids::sys_id(seed, "sys_user_group", name));
        row.set("name", name);
        row.set("active", "true");
        instance.store.insert("sys_user_group", row);
    }
    for (class, name, group) in CONFIGURATION_ITEMS {
        let mut row = record(ids::sys_id(seed, "cmdb_ci", name));
        row.set("name", name);
        row.set("sys_class_name", class);
        row.set("install_status", "1");
        row.set("operational_status", "1");
        if !group.is_empty() {
            row.set("support_group", ids::sys_id(seed, "sys_user_group", group));
        }
        if class == "cmdb_ci_vm_instance" {
            let group = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/shop";
            row.set(
                "object_id",
                format!("{group}/providers/Microsoft.Compute/virtualMachines/{name}"),
            );
            row.set("fqdn", format!("{name}.shop.example"));
        }
        instance.store.insert(class, row);
    }
    let mut row = record(ids::sys_id(seed, "sys_template", "Azure alert"));
    row.set("name", "Azure alert");
    row.set("table", "incident");
    row.set(
        "template",
        "category=network^urgency=2^contact_type=event^EQ",
    );
    row.set("active", "true");
    row.set("global", "true");
    instance.store.insert("sys_template", row);
}

fn record(sys_id: String) -> Record {
    let mut row = Record::default();
    row.set("sys_id", sys_id);
    for field in ["sys_created_on", "sys_updated_on"] {
        row.set(field, DELIVERED_ON);
    }
    for field in ["sys_created_by", "sys_updated_by"] {
        row.set(field, "system");
    }
    row.set("sys_mod_count", "0");
    row
}
