//! The thin binary: a runtime, the command line, the exit code.

use std::process::ExitCode;

use kubectl_flink::cli;
use kubectl_flink::exit::Exit;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => {
            let exit = runtime.block_on(cli::run(std::env::args_os()));
            // A question that was interrupted still reads from the terminal: nobody waits for it.
            runtime.shutdown_background();
            exit.into()
        }
        Err(_) => Exit::Error.into(),
    }
}
