//! The behaviour of an instance as its clients see it.
