//! Plain values that travel between the layers, and the `-o json` contract.
//!
//! No Kubernetes client, no HTTP, no clap: everything here can be written down by hand in a test.

pub mod evidence;
pub mod finding;
pub mod ids;
pub mod job;
pub mod left_over;
pub mod relabelled;
pub mod session;
pub mod status;
pub mod surroundings;
pub mod table;

pub use evidence::Evidence;
pub use finding::Finding;
pub use ids::{JobId, TriggerId, VertexId};
pub use job::JobView;
pub use left_over::{Inventory, LeftOver};
pub use relabelled::{LabelChange, Relabelled};
pub use session::SessionView;
pub use surroundings::Surroundings;
pub use table::TableView;
