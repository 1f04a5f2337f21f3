//! One file a command; this is the table of them.

mod bucket;
mod ca;
mod cache;
mod deploy;
mod dev;
mod init;
mod kv;
mod leave;
mod logs;
mod node;
mod open;
mod plan;
mod ps;
mod remove;
mod ring;
mod rollback;
mod sim;
mod status;
mod token;
mod tour;
mod why;

use anyhow::Result;
use clap::CommandFactory as _;

use crate::cli::{Cli, Command, TargetArgs};

pub fn run(cli: Cli) -> Result<()> {
    let target = cli.target;
    match cli.command {
        Command::Dev(arguments) => dev::run(&arguments),
        Command::Node(arguments) => node::run(&arguments, ringway_node::Start::OpenOrFound),
        Command::Join(arguments) => node::run(&arguments.node, ringway_node::Start::Join { token: arguments.token }),
        Command::Init(arguments) => init::run(&arguments.dir),
        Command::Ca(arguments) => ca::run(&target, &arguments),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "ringway", &mut std::io::stdout());
            Ok(())
        }
        command => ask(target, command),
    }
}

/// The commands that ask a running node.
fn ask(target: TargetArgs, command: Command) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async move {
        match command {
            Command::Token(arguments) => token::run(&target, &arguments).await,
            Command::Leave(arguments) => leave::run(&target, &arguments).await,
            Command::Plan(arguments) => plan::run(&target, &arguments).await,
            Command::Why(arguments) => why::run(&target, &arguments).await,
            Command::Deploy(arguments) => deploy::run(&target, &arguments).await,
            Command::Rollback(arguments) => rollback::run(&target, &arguments).await,
            Command::Remove(arguments) => remove::run(&target, &arguments).await,
            Command::Ps(arguments) => ps::run(&target, arguments.app.as_deref()).await,
            Command::Logs(arguments) => logs::run(&target, &arguments).await,
            Command::Status => status::run(&target).await,
            Command::Open(arguments) => open::run(&target, &arguments).await,
            Command::Tour(arguments) => tour::run(&target, &arguments.app).await,
            Command::Ring(arguments) => ring::run(&target, &arguments).await,
            Command::Sim(arguments) => sim::run(&target, &arguments).await,
            Command::Kv(arguments) => kv::run(&target, arguments.command).await,
            Command::Cache(arguments) => cache::run(&target, arguments.command).await,
            Command::Bucket(arguments) => bucket::run(&target, arguments.command).await,
            Command::Dev(_)
            | Command::Node(_)
            | Command::Join(_)
            | Command::Init(_)
            | Command::Ca(_)
            | Command::Completions { .. } => {
                unreachable!("these ask no node; `run` has handled them")
            }
        }
    })
}
