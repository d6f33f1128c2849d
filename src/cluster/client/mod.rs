//! The connection to the API server: where it is, who one is there, and how a request is sent.

pub mod connect;
pub(super) mod credentials;
pub mod error;
pub(super) mod helper;
pub(super) mod http_client;
#[cfg_attr(not(test), expect(clippy::arithmetic_side_effects, reason = "lines and columns of a file"))]
pub(super) mod kubeconfig;
pub(super) mod proxy;
pub(super) mod pulse;
pub(super) mod retry;
pub(super) mod size;
pub(super) mod tls;
