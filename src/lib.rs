//! One connector between Azure Monitor and the ITSM product of an organisation.
