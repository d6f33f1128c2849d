//! The thin binary: a runtime, the command line, the exit code.

use std::process::ExitCode;

use kubectl_flink::cli;
use kubectl_flink::exit::Exit;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(cli::run(std::env::args_os())).into(),
        Err(_) => Exit::Error.into(),
    }
}
