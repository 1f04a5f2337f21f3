//! Core: how evenly random places on the circle share the keys: one place a node, and many (virtual nodes).
//!
//! SIGCOMM 2001, section 6.2: 10^4 nodes, 10^5 to 10^6 keys; then 10^6 keys over 1 to 20 virtual nodes for each node.

use rand::RngExt;
use ringway_ring::Point;

use super::{Report, Scale};
use crate::plot::{Axis, Look, Plot, Sample, Series};
use crate::random::{Generator, generator, point};
use crate::table::{Cell, Table, grouped};

const NODES: usize = 10_000;
const VIRTUAL_NODES: [usize; 8] = [1, 2, 5, 10, 20, 64, 128, 256];
/// Printed in the paper: 99th percentile and 1st percentile over the mean, for 1 and for 20 virtual nodes.
const PAPER_VIRTUAL: [(usize, f64, f64); 2] = [(1, 4.8, 0.0), (20, 1.6, 0.5)];
/// Printed in the paper: the most loaded node at 5 * 10^5 keys (mean 50).
const PAPER_MAX: (usize, f64) = (500_000, 457.0);

/// Load per node against the number of keys.
pub(super) fn keys(seed: u64, scale: Scale) -> Report {
    let (nodes, runs) = scale.pick((1_000, 2), (NODES, 10));
    let mut table = Table::new(
        format!("keys per node, {nodes} nodes with one random id each, {runs} rings"),
        &["keys", "mean", "1st percentile", "99th percentile", "99th / mean", "max of a ring (median)", "paper: max"],
    );
    let mut samples = Vec::new();
    for step in 1..=10 {
        let keys = step * 10 * nodes;
        let mut random = generator(seed, keys as u64);
        let rings: Vec<Loads> = (0..runs).map(|_| loads(nodes, 1, keys, &mut random).collect()).collect();
        let most: Loads = rings.iter().map(|ring| ring.percentile(1.0)).collect();
        let load: Loads = rings.iter().flat_map(|ring| ring.0.iter().copied()).collect();
        let paper = (nodes == NODES && keys == PAPER_MAX.0).then_some(Cell::Number(PAPER_MAX.1, 0));
        let cells = [load.percentile(0.01), load.percentile(0.99)].map(|count| Cell::from(u64::from(count)));
        let [low, high] = cells;
        let ratio = f64::from(load.percentile(0.99)) / load.mean();
        table.row(vec![
            keys.into(),
            load.mean().into(),
            low,
            high,
            ratio.into(),
            u64::from(most.percentile(0.5)).into(),
            paper.into(),
        ]);
        samples.push(load.sample(keys as f64, 1.0));
    }
    let plot = Plot {
        name: "load-keys".to_owned(),
        title: format!("Keys per node, {} nodes: mean, 1st to 99th percentile", grouped(nodes as u64)),
        x: Axis::linear("keys in the ring"),
        y: Axis::linear("keys per node"),
        series: vec![Series { name: "ours: mean, 1st to 99th pct".to_owned(), look: Look::Ours, samples }],
    };
    Report { tables: vec![table], plots: vec![plot], ..Report::default() }
}

/// Load per node against virtual nodes.
pub(super) fn virtual_nodes(seed: u64, scale: Scale) -> Report {
    let (nodes, keys) = scale.pick((1_000, 100_000), (NODES, 1_000_000));
    let mut table = Table::new(
        format!("load over mean, {nodes} nodes, {keys} keys"),
        &["virtual nodes", "1st percentile", "99th percentile", "max", "paper: 1st", "paper: 99th"],
    );
    let mut samples = Vec::new();
    for count in VIRTUAL_NODES {
        let load: Loads = loads(nodes, count, keys, &mut generator(seed, count as u64)).collect();
        let sample = load.sample(count as f64, load.mean());
        let (low, high) = sample.span.unwrap_or_default();
        let paper = PAPER_VIRTUAL.iter().find(|(virtual_nodes, ..)| *virtual_nodes == count);
        let most = f64::from(load.percentile(1.0)) / load.mean();
        table.row(vec![
            count.into(),
            low.into(),
            high.into(),
            most.into(),
            paper.map(|(_, _, low)| *low).into(),
            paper.map(|(_, high, _)| *high).into(),
        ]);
        samples.push((count as f64, low, high));
    }
    let plot = Plot {
        name: "load-virtual-nodes".to_owned(),
        title: format!("Load over mean, {} nodes, {} keys", grouped(nodes as u64), grouped(keys as u64)),
        x: Axis::log2("virtual nodes per node"),
        y: Axis::linear("keys per node / mean"),
        series: vec![
            Series::new("ours: 99th percentile", Look::Ours, samples.iter().map(|(x, _, high)| (*x, *high))),
            Series::new("paper: 99th percentile", Look::Paper, PAPER_VIRTUAL.map(|(x, high, _)| (x as f64, high))),
            Series::new("ours: 1st percentile", Look::Ours, samples.iter().map(|(x, low, _)| (*x, *low))),
            Series::new("paper: 1st percentile", Look::Paper, PAPER_VIRTUAL.map(|(x, _, low)| (x as f64, low))),
        ],
    };
    Report { tables: vec![table], plots: vec![plot], ..Report::default() }
}

/// How many of `keys` random keys each of `nodes` nodes owns that has `virtual_nodes` random places each.
fn loads(nodes: usize, virtual_nodes: usize, keys: usize, random: &mut Generator) -> impl Iterator<Item = u32> + use<> {
    let mut places: Vec<(Point, u32)> =
        (0..nodes * virtual_nodes).map(|index| (point(random), (index % nodes) as u32)).collect();
    places.sort_unstable();
    let mut counts = vec![0; nodes];
    for _ in 0..keys {
        let key = Point(random.random());
        let index = places.partition_point(|(place, _)| *place < key) % places.len();
        counts[places[index].1 as usize] += 1;
    }
    counts.into_iter()
}

/// Keys per node, sorted.
struct Loads(Vec<u32>);

impl Loads {
    fn mean(&self) -> f64 {
        self.0.iter().map(|count| u64::from(*count)).sum::<u64>() as f64 / self.0.len() as f64
    }

    fn percentile(&self, share: f64) -> u32 {
        let index = (share * self.0.len() as f64).ceil() as usize;
        self.0[index.clamp(1, self.0.len()) - 1]
    }

    /// The mean with the 1st and the 99th percentile around it, all in this unit.
    fn sample(&self, x: f64, unit: f64) -> Sample {
        let of = |share| f64::from(self.percentile(share)) / unit;
        Sample { x, y: self.mean() / unit, span: Some((of(0.01), of(0.99))) }
    }
}

impl FromIterator<u32> for Loads {
    fn from_iter<I: IntoIterator<Item = u32>>(counts: I) -> Self {
        let mut counts: Vec<u32> = counts.into_iter().collect();
        counts.sort_unstable();
        Self(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_random_id_a_node_loads_the_busiest_nodes_almost_five_times_the_mean() {
        let load: Loads = loads(1_000, 1, 100_000, &mut generator(1, 1)).collect();
        let ratio = f64::from(load.percentile(0.99)) / load.mean();
        assert!((3.8..5.8).contains(&ratio), "{ratio}");
        assert_eq!(load.0.iter().sum::<u32>(), 100_000);
    }

    #[test]
    fn twenty_virtual_nodes_bring_that_down_to_about_one_and_two_thirds() {
        let load: Loads = loads(1_000, 20, 100_000, &mut generator(1, 1)).collect();
        let ratio = f64::from(load.percentile(0.99)) / load.mean();
        assert!((1.4..2.0).contains(&ratio), "{ratio}");
    }
}
