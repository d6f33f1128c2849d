//! The thin binary: a runtime, the command line, the exit code.

use std::ffi::OsString;
use std::process::ExitCode;

use kubectl_flink::cli;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if let Some(words) = cli::words_to_complete(&arguments) {
        return cli::complete(words).into();
    }
    match cli::runtime() {
        Ok(runtime) => {
            let exit = runtime.block_on(cli::run(arguments));
            // A question that was interrupted still reads from the terminal: nobody waits for it.
            runtime.shutdown_background();
            exit.into()
        }
        Err(exit) => exit.into(),
    }
}
