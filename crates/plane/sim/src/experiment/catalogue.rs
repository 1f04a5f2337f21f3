//! Core: the list of all experiments.

use super::{Experiment, churn, load, paths};

/// All experiments, in the order of the papers.
pub fn experiments() -> &'static [Experiment] {
    EXPERIMENTS
}

static EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "load",
        what: "keys per node when every node has one random id, against the number of keys",
        source: "SIGCOMM 2001, figure 8",
        run: load::keys,
    },
    Experiment {
        name: "virtual-nodes",
        what: "keys per node against the number of virtual nodes",
        source: "SIGCOMM 2001, figure 9",
        run: load::virtual_nodes,
    },
    Experiment {
        name: "path-length",
        what: "nodes asked per lookup against the size of the ring",
        source: "SIGCOMM 2001, figure 10(a)",
        run: paths::length,
    },
    Experiment {
        name: "path-distribution",
        what: "how the lookups of one ring differ in the number of nodes they ask",
        source: "SIGCOMM 2001, figure 10(b)",
        run: paths::distribution,
    },
    Experiment {
        name: "failures",
        what: "hops, timeouts and failures after a share of all nodes has died at once",
        source: "ToN 2003, table II",
        run: paths::failures,
    },
    Experiment {
        name: "unreplicated",
        what: "lookups that fail because their key was kept only once, after a share of all nodes has died",
        source: "SIGCOMM 2001, figure 12",
        run: paths::unreplicated,
    },
    Experiment {
        name: "churn-rates",
        what: "failed lookups and timeouts against the rate of joins and leaves, at message level",
        source: "ToN 2003, table III",
        run: churn::table_three,
    },
    Experiment {
        name: "churn",
        what: "wrong and lost lookups while one node joins and one goes every second, with and without owner check",
        source: "ours",
        run: churn::ours,
    },
];
