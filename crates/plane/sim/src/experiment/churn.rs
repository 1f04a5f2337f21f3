//! Core: lookups while nodes come and go, at message level.
//!
//! Once with our own figures (one join and one leave a second), once with those of the paper (ToN 2003, table III: a node stabilises
//! every 30 s on average, and the rate of joins and leaves grows until the neighbours of a node change between two rounds). Both
//! with lookups that ask the owner itself, and with plain ones that believe its predecessor.

use std::time::Duration;

use ringway_ring::chord::ChordConfig;

use super::{Report, Scale};
use crate::churn::Churn;
use crate::plot::{Axis, Look, Plot, Series};
use crate::table::{Cell, Table, grouped};
use crate::world::{Detection, Tally, WorldConfig};

/// Table III of the paper: rate of joins and leaves a second, mean timeouts, failures of 10,000 lookups.
const PAPER: [(f64, f64, f64); 8] = [
    (0.05, 0.05, 0.0),
    (0.10, 0.11, 0.0),
    (0.15, 0.16, 2.0),
    (0.20, 0.23, 5.0),
    (0.25, 0.30, 6.0),
    (0.30, 0.34, 8.0),
    (0.35, 0.42, 16.0),
    (0.40, 0.46, 15.0),
];

/// One join and one leave a second, half of them crashes.
pub(super) fn ours(seed: u64, scale: Scale) -> Report {
    let mut table = Table::new(
        "lookups while one node joins and one goes every second (half of them crash)",
        &[
            "nodes",
            "lookups by",
            "lookups",
            "wrong",
            "at a dead node",
            "lost",
            "abandoned",
            "hops",
            "99th",
            "timeouts",
            "ms, median",
            "ms, 99th",
            "messages / node / s",
        ],
    );
    let mut notes = Vec::new();
    let sizes: &[(usize, u64, f64)] =
        scale.pick(&[(50, 10_000, 500.0)], &[(100, 1_000_000, 500.0), (1_000, 1_000_000, 1_000.0)]);
    for (nodes, lookups, lookups_per_second) in sizes.iter().copied() {
        for plain in [false, true] {
            let churn = Churn {
                nodes,
                rate: 1.0,
                graceful: 0.5,
                lookups,
                lookups_per_second,
                warm_up: scale.pick(Duration::from_secs(10), Duration::from_secs(60)),
            };
            match churn.run(WorldConfig { seed, plain, ..WorldConfig::default() }) {
                Ok(tally) => table.row(row(nodes, plain, &tally)),
                Err(error) => notes.push(error.to_string()),
            }
        }
    }
    Report { tables: vec![table], notes, ..Report::default() }
}

fn row(nodes: usize, plain: bool, tally: &Tally) -> Vec<Cell> {
    vec![
        nodes.into(),
        name(plain).into(),
        tally.ended().into(),
        tally.wrong.into(),
        tally.dead_owner.into(),
        tally.lost.into(),
        tally.abandoned.into(),
        tally.hops.mean().into(),
        tally.hops.percentile(0.99).into(),
        Cell::Number(tally.timeouts.mean(), 3),
        tally.milliseconds.percentile(0.5).into(),
        tally.milliseconds.percentile(0.99).into(),
        Cell::Number(tally.messages_per_node_second(), 1),
    ]
}

fn name(plain: bool) -> &'static str {
    if plain { "plain Chord" } else { "Ringway" }
}

/// The rates of the paper's table III.
pub(super) fn table_three(seed: u64, scale: Scale) -> Report {
    let (nodes, lookups) = scale.pick((50, 500), (1_000, 10_000));
    let mut table = Table::new(
        format!("failures of {lookups} lookups and mean timeouts against the rate of joins and leaves, {nodes} nodes"),
        &[
            "rate a second",
            "Ringway: failures",
            "timeouts",
            "plain: failures",
            "timeouts",
            "paper: failures",
            "timeouts",
        ],
    );
    let (mut notes, mut checked, mut plain) = (Vec::new(), Vec::new(), Vec::new());
    for (rate, paper_timeouts, paper_failures) in scale.pick(&PAPER[7..], &PAPER[..]).iter().copied() {
        let mut cells = vec![rate.into()];
        for is_plain in [false, true] {
            let tally = match paper_churn(nodes, rate, lookups).run(paper_world(seed, is_plain)) {
                Ok(tally) => tally,
                Err(error) => {
                    notes.push(error.to_string());
                    cells.extend([Cell::None, Cell::None]);
                    continue;
                }
            };
            let failures = tally.wrong + tally.dead_owner + tally.lost;
            cells.extend([failures.into(), tally.timeouts.mean().into()]);
            if is_plain { &mut plain } else { &mut checked }.push((rate, failures as f64));
        }
        cells.extend([Cell::Number(paper_failures, 0), paper_timeouts.into()]);
        table.row(cells);
    }
    let plot = Plot {
        name: "churn-failures".to_owned(),
        title: format!(
            "Failed lookups of {}, {} nodes that stabilise every 30 s",
            grouped(lookups),
            grouped(nodes as u64)
        ),
        x: Axis::linear("joins a second (and as many leaves)"),
        y: Axis::linear("failed lookups"),
        series: vec![
            Series::new("Ringway (owner checked)", Look::Ours, checked),
            Series::new("plain Chord", Look::Ours, plain),
            Series::new("paper", Look::Paper, PAPER.map(|(rate, _, failures)| (rate, failures))),
        ],
    };
    Report { tables: vec![table], plots: vec![plot], notes, ..Report::default() }
}

fn paper_churn(nodes: usize, rate: f64, lookups: u64) -> Churn {
    // The paper asks once a second, for hours; four times a second measures the same shares in a quarter of the time.
    Churn { nodes, rate, graceful: 0.0, lookups, lookups_per_second: 4.0, warm_up: Duration::from_secs(600) }
}

/// No failure detector but the timeouts of the protocol's own questions, and rounds of 30 s.
fn paper_world(seed: u64, plain: bool) -> WorldConfig {
    let round = Duration::from_secs(27);
    let chord = ChordConfig {
        successors: 20,
        stabilise_every: round,
        rpc_timeout: Duration::from_millis(500),
        attempts: 2,
        settle: round * 2,
        finger_base: 2,
        fix_fingers_every: Duration::from_secs(3),
        ..ChordConfig::default()
    };
    WorldConfig {
        seed,
        chord,
        detection: Detection { down_after: None, members_every: None },
        lookup_deadline: Duration::from_secs(120),
        plain,
        ..WorldConfig::default()
    }
}
