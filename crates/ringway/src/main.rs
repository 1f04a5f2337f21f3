//! The command line: reads what the user says, once, and hands it on. One file a command, in `commands/`.

mod admin_client;
mod allocator;
mod app_dir;
mod bucket_picture;
mod build_app;
mod cache_picture;
mod cli;
mod commands;
mod find_node;
mod node_settings;
mod output;
mod pack;
mod progress;
mod ring_picture;
mod screen;
mod terminal_size;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    // The spawner is this same program, started by a node: it must be one thread, so it comes before any runtime.
    if std::env::args_os().nth(1).is_some_and(|argument| argument == ringway_sandbox::SPAWNER_ARGUMENT) {
        return ringway_sandbox::spawner_main().map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    let cli = cli::Cli::parse();
    match commands::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::print_error(&error);
            ExitCode::FAILURE
        }
    }
}
