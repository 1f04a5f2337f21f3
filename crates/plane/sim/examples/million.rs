//! Driver: a ring of a million nodes: how long it takes to build, and what a lookup by fingers costs.

use std::time::Instant;

use ringway_ring::{Base, Via};
use ringway_sim::ring_run::RingRun;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let nodes = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let lookups = arguments.next().map_or(Ok(2_000_000), |text| text.parse())?;
    for (base, fail) in [(Base::SIXTEEN, 0.0), (Base::TWO, 0.0), (Base::SIXTEEN, 0.3)] {
        let routers = if base == Base::SIXTEEN { Via::all().to_vec() } else { vec![Via::Fingers] };
        let run = RingRun { nodes, points: None, routers, base, list: None, lookups, fail, seed: 1, timing: true };
        let begun = Instant::now();
        run.build(&mut |_| ());
        println!("base {}, built in {:.2} s", base.get(), begun.elapsed().as_secs_f64());
        for router in run.run(&mut |_| ())? {
            println!("{}", serde_json::to_string(&router)?);
        }
    }
    let status = std::fs::read_to_string("/proc/self/status")?;
    println!("{}", status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default());
    Ok(())
}
