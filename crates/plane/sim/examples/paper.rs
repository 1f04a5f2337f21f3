//! Driver: runs experiments and writes their tables to the terminal and their plots to a directory.
//!
//! `cargo run --release -p ringway-sim --example paper -- DIRECTORY [SEED] [EXPERIMENT]...`; without a name, all of them.

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use ringway_sim::{Scale, experiments};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = PathBuf::from(arguments.next().ok_or("usage: paper DIRECTORY [SEED] [EXPERIMENT]...")?);
    let seed = arguments.next().map_or(Ok(1), |seed| seed.parse())?;
    let names: Vec<String> = arguments.collect();
    for experiment in experiments() {
        if !names.is_empty() && !names.iter().any(|name| name == experiment.name) {
            continue;
        }
        let began = Instant::now();
        let report = experiment.report(seed, Scale::Full);
        println!("## {}: {} ({:.1} s)\n", experiment.name, experiment.what, began.elapsed().as_secs_f64());
        for table in &report.tables {
            println!("{}\n\n{}", table.title, table.markdown());
        }
        for note in &report.notes {
            println!("{note}\n");
        }
        for plot in &report.plots {
            plot.write(&directory)?;
        }
    }
    Ok(())
}
