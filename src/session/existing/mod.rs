//! Sessions that are there already, as values: which objects are theirs, and what stands in the way of a new one.

pub mod conflicts;
pub mod ownership;
pub mod state;
