//! The outside world as servers that speak its wire.
