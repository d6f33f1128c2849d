//! The user's browser.

use std::error::Error;

use crate::config;

/// Shows `url` in the browser that `$BROWSER` names, else in the desktop's. What goes wrong after the
/// browser has been found is not told.
pub async fn open(url: String) -> Result<(), String> {
    if !config::has_screen() {
        return Err("neither DISPLAY, nor WAYLAND_DISPLAY, nor BROWSER is set".to_owned());
    }
    // It may take its time, and connections are to be served meanwhile.
    let opened = tokio::task::spawn_blocking(move || opener::open_browser(url));
    match opened.await {
        Ok(opened) => opened.map_err(|error| match error.source() {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        }),
        Err(error) => Err(error.to_string()),
    }
}
