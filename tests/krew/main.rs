//! Archives as a release has them, and krew itself, which installs, upgrades and removes the plugin from them.
//! `make krew` brings both; nothing here leaves this machine.

mod archives;
mod beside;
mod downloads;
mod index;
mod lab;
mod local;
mod manifest;
mod web;
