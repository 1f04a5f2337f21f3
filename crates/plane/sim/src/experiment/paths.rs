//! Core: how many nodes a lookup asks, in rings at rest and in rings of which a part has just died.
//!
//! SIGCOMM 2001, sections 6.3 and 6.4; ToN 2003, section V. A hop is a node that answers, the owner included; the asker is none. The
//! paper's own count ends at the owner's predecessor in the figure on path length, and at the owner in the table on failures.

use rand::RngExt;
use ringway_ring::Point;
use ringway_ring::finger_table::{Base, FingerShape};

use super::{Report, Scale};
use crate::plot::{Axis, Look, Plot, Sample, Series};
use crate::random::generator;
use crate::statistics::Histogram;
use crate::still_ring::StillRing;
use crate::table::{Cell, Table, grouped};

/// The paper's table on simultaneous failures: share, mean path length, mean timeouts. Nobody's lookup failed.
const PAPER_FAILURES: [(f64, f64, f64); 6] =
    [(0.0, 3.84, 0.0), (0.1, 4.03, 0.60), (0.2, 4.22, 1.17), (0.3, 4.44, 2.02), (0.4, 4.69, 3.23), (0.5, 5.09, 5.10)];
/// Successor lists of that experiment: 2 log2 N.
const FAILURES_LIST: usize = 20;
/// Ours: fingers of base 16 and successor lists of 16, as live nodes have.
const OURS: (Base, usize) = (Base::SIXTEEN, 16);
const TEXTBOOK: (Base, usize) = (Base::TWO, 1);

/// Path length against the size of the ring.
pub(super) fn length(seed: u64, scale: Scale) -> Report {
    let (powers, lookups) = scale.pick((3..=9, 300), (3..=20, 20_000));
    let mut table = Table::new(
        format!("nodes asked per lookup, {} lookups each", grouped(lookups as u64)),
        &["nodes", "base 2: mean", "1st", "99th", "1 + half log2 N", "base 16 and list of 16: mean", "99th"],
    );
    let (mut textbook, mut ours, mut theory) = (Vec::new(), Vec::new(), Vec::new());
    for power in powers {
        let nodes = if power == 20 { 1_000_000 } else { 1 << power };
        let [two, sixteen] = [TEXTBOOK, OURS].map(|kind| hops(nodes, kind, lookups, seed));
        let half = 0.5 * (nodes as f64).log2();
        table.row(vec![
            nodes.into(),
            two.mean().into(),
            two.percentile(0.01).into(),
            two.percentile(0.99).into(),
            (half + 1.0).into(),
            sixteen.mean().into(),
            sixteen.percentile(0.99).into(),
        ]);
        textbook.push(sample(nodes, &two));
        ours.push(sample(nodes, &sixteen));
        theory.push((nodes as f64, half + 1.0));
    }
    let plot = Plot {
        name: "path-length".to_owned(),
        title: "Nodes asked per lookup: mean, 1st to 99th percentile".to_owned(),
        x: Axis::log2("nodes"),
        y: Axis::linear("hops, the owner included"),
        series: vec![
            Series { name: "base 2, the textbook".to_owned(), look: Look::Ours, samples: textbook },
            Series { name: "base 16 and a list of 16".to_owned(), look: Look::Ours, samples: ours },
            Series::new("paper: 1 + half log2 N", Look::Theory, theory),
        ],
    };
    Report { tables: vec![table], plots: vec![plot], ..Report::default() }
}

/// The distribution at one size.
pub(super) fn distribution(seed: u64, scale: Scale) -> Report {
    let (nodes, lookups) = scale.pick((256, 1_000), (4_096, 100_000));
    let [two, sixteen] = [TEXTBOOK, OURS].map(|kind| hops(nodes, kind, lookups, seed));
    let mut table = Table::new(
        format!("share of lookups by hops, {} nodes", grouped(nodes as u64)),
        &["hops", "base 2", "base 16 and list of 16"],
    );
    let shares: [Vec<f64>; 2] = [&two, &sixteen].map(|histogram| histogram.shares().collect());
    for hops in 0..shares[0].len().max(shares[1].len()) {
        let cell = |kind: usize| Cell::from(shares[kind].get(hops).map(|share| Cell::Number(*share, 4)));
        table.row(vec![hops.into(), cell(0), cell(1)]);
    }
    let [textbook, ours] = shares.map(|shares| points(&shares));
    let plot = Plot {
        name: "path-distribution".to_owned(),
        title: format!("Hops of lookups in a ring of {} nodes", grouped(nodes as u64)),
        x: Axis::linear("hops, the owner included"),
        y: Axis::linear("share of lookups"),
        series: vec![
            Series::new("base 2, the textbook", Look::Ours, textbook),
            Series::new("base 16 and a list of 16", Look::Ours, ours),
            Series::new("theory: 1 + binomial", Look::Theory, binomial(nodes.ilog2())),
        ],
    };
    Report { tables: vec![table], plots: vec![plot], ..Report::default() }
}

/// How often 1, 2, ... hops come if each bit of the distance to the predecessor is a hop with probability one half, and the owner is
/// one more.
fn binomial(bits: u32) -> Vec<(f64, f64)> {
    let mut ways = 1.0;
    (0..=bits)
        .map(|ones| {
            let share = ways / f64::from(bits).exp2();
            ways = ways * f64::from(bits - ones) / f64::from(ones + 1);
            (f64::from(ones) + 1.0, share)
        })
        .collect()
}

/// A share of all nodes dies at once, and nobody has repaired anything yet.
pub(super) fn failures(seed: u64, scale: Scale) -> Report {
    let (nodes, lookups) = scale.pick((200, 500), (1_000, 20_000));
    let mut table = Table::new(
        format!("a share of {nodes} nodes dies at once, successor lists of {FAILURES_LIST}, fingers of base 2"),
        &["share", "path", "paper: path", "timeouts", "paper: timeouts", "failed lookups", "paper: failed", "lookups"],
    );
    let (mut paths, mut waits) = (Vec::new(), Vec::new());
    for (share, paper_path, paper_timeouts) in PAPER_FAILURES {
        let mut random = generator(seed, (share * 100.0) as u64);
        let mut ring = StillRing::new(nodes, FingerShape::for_nodes(Base::TWO, nodes), FAILURES_LIST, &mut random);
        ring.kill(share, &mut random);
        let (mut hops, mut timeouts, mut failed) = (Histogram::default(), Histogram::default(), 0_u64);
        for _ in 0..lookups {
            let (asker, key) = (ring.some_live(&mut random), Point(random.random()));
            match ring.look_up(asker, key).filter(|found| found.owner == ring.owner(key)) {
                Some(found) => {
                    hops.add(found.hops as usize);
                    timeouts.add(found.timeouts as usize);
                }
                None => failed += 1,
            }
        }
        table.row(vec![
            Cell::Number(share, 1),
            hops.mean().into(),
            paper_path.into(),
            timeouts.mean().into(),
            paper_timeouts.into(),
            failed.into(),
            0_u64.into(),
            (lookups as u64).into(),
        ]);
        paths.push((share, hops.mean()));
        waits.push((share, timeouts.mean()));
    }
    let plot = Plot {
        name: "failures".to_owned(),
        title: format!("Lookups after a share of {} nodes has died at once", grouped(nodes as u64)),
        x: Axis::linear("share of nodes that died"),
        y: Axis::linear("per lookup, mean"),
        series: vec![
            Series::new("ours: hops", Look::Ours, paths),
            Series::new("paper: hops", Look::Paper, PAPER_FAILURES.map(|(share, path, _)| (share, path))),
            Series::new("ours: timeouts", Look::Ours, waits),
            Series::new("paper: timeouts", Look::Paper, PAPER_FAILURES.map(|(share, _, wait)| (share, wait))),
        ],
    };
    Report { tables: vec![table], plots: vec![plot], ..Report::default() }
}

/// The same without copies of the data: a key is lost with its node, however well the ring is repaired.
pub(super) fn unreplicated(seed: u64, scale: Scale) -> Report {
    let (nodes, lookups) = scale.pick((500, 500), (10_000, 20_000));
    let mut table = Table::new(
        format!("lookups of keys that were stored once, after a share of {} nodes has died", grouped(nodes as u64)),
        &["share", "ours: failed", "paper: failed", "lookups"],
    );
    let mut points = Vec::new();
    for percent in [0_u32, 5, 10, 20, 30, 40, 50] {
        let share = f64::from(percent) / 100.0;
        let mut random = generator(seed, u64::from(percent));
        let mut ring = StillRing::new(nodes, FingerShape::for_nodes(OURS.0, nodes), OURS.1, &mut random);
        ring.kill(share, &mut random);
        let mut failed = 0_u64;
        for _ in 0..lookups {
            let (asker, key) = (ring.some_live(&mut random), Point(random.random()));
            let keeper = ring.first_owner(key);
            failed += u64::from(ring.look_up(asker, key).is_none_or(|found| found.owner != keeper));
        }
        let failed_share = failed as f64 / lookups as f64;
        table.row(vec![
            Cell::Number(share, 2),
            Cell::Number(failed_share, 4),
            Cell::Number(share, 2),
            (lookups as u64).into(),
        ]);
        points.push((share, failed_share));
    }
    let plot = Plot {
        name: "failures-unreplicated".to_owned(),
        title: format!("Keys kept once: lookups that fail after deaths among {} nodes", grouped(nodes as u64)),
        x: Axis::linear("share of nodes that died"),
        y: Axis::linear("share of lookups that fail"),
        series: vec![
            Series::new("ours", Look::Ours, points),
            Series::new("paper: as many as nodes died", Look::Theory, [(0.0, 0.0), (0.5, 0.5)]),
        ],
    };
    Report { tables: vec![table], plots: vec![plot], ..Report::default() }
}

fn hops(nodes: usize, (base, list): (Base, usize), lookups: usize, seed: u64) -> Histogram {
    let mut random = generator(seed, nodes as u64);
    let shape =
        if list == 1 { FingerShape::for_nodes(base, nodes) } else { FingerShape::beyond_list(base, nodes, list) };
    let ring = StillRing::new(nodes, shape, list, &mut random);
    let mut asked = Histogram::default();
    for _ in 0..lookups {
        let (asker, key) = (ring.some_live(&mut random), Point(random.random()));
        let found = ring.look_up(asker, key).expect("a ring at rest answers every lookup");
        asked.add(found.hops as usize);
    }
    asked
}

fn sample(nodes: usize, hops: &Histogram) -> Sample {
    let span = (hops.percentile(0.01) as f64, hops.percentile(0.99) as f64);
    Sample { x: nodes as f64, y: hops.mean(), span: Some(span) }
}

fn points(shares: &[f64]) -> Vec<(f64, f64)> {
    shares.iter().enumerate().map(|(hops, share)| (hops as f64, *share)).collect()
}
