//! What can be typed after `ringway sim`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use ringway_ring::placement::PlacementKind;
use ringway_ring::{Base, Via};

const RING_EXAMPLES: &str = "\
Examples:
  ringway sim ring --nodes 1000000 --routers all
  ringway sim ring --nodes 1000 --routers fingers --base 2 --fail 30%
  ringway sim ring --nodes 100 --churn 1/s --lookups 1000000
  ringway sim ring --nodes 200 --placement modulo,chord,vnodes:64,layout
  ringway sim ring --from-cluster --routers all --placement layout
  ringway sim ring --experiment list
  ringway sim ring --experiment failures --seed 1 --plot plots

The same seed gives the same bytes, in tables, JSON and plots. Only processor time is no function of
it, and so it is left out (null in JSON) if --seed is given; --timing measures it all the same.";

#[derive(Debug, Args)]
pub struct SimArgs {
    #[command(subcommand)]
    pub command: SimCommand,
}

#[derive(Debug, Subcommand)]
pub enum SimCommand {
    /// A ring of up to millions of nodes: what lookups, placements, deaths and churn cost
    #[command(after_help = RING_EXAMPLES)]
    Ring(SimRingArgs),
}

#[derive(Debug, Args)]
pub struct SimRingArgs {
    /// How many nodes [default: 1000]
    #[arg(long, value_name = "COUNT", conflicts_with = "from_cluster", value_parser = count)]
    pub nodes: Option<usize>,
    /// Nodes, places and layout of the running cluster instead
    #[arg(long)]
    pub from_cluster: bool,
    /// Ways of looking up: index, table, neighbours, fingers, or all [default: all, unless --placement is given]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = router)]
    pub routers: Vec<Routers>,
    /// How many lookups by each router [default: 1000000; with --churn 100000]
    #[arg(long, value_name = "COUNT")]
    pub lookups: Option<u64>,
    /// Digits of finger tables: 2 is the textbook's
    #[arg(long, default_value = "16", value_parser = base)]
    pub base: Base,
    /// Neighbours that each node keeps on either side [default: 16; with base 2, 1]
    #[arg(long, value_name = "COUNT")]
    pub list: Option<usize>,
    /// A share of all nodes dies at once before the lookups, and nothing has been repaired: 30% or 0.3
    #[arg(long, value_name = "SHARE", value_parser = share, conflicts_with = "churn")]
    pub fail: Option<f64>,
    /// So many nodes join and as many go (half of them crash), again and again, while lookups run, message by message: 1/s, 30/min
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub churn: Option<f64>,
    /// With --churn: lookups as published, which believe the predecessor of a key
    #[arg(long, requires = "churn")]
    pub plain: bool,
    /// Who holds what: modulo, chord, vnodes:NUMBER, layout, or all: what joins and leaves move, and how even it stays
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = placement, conflicts_with = "churn")]
    pub placement: Vec<Placements>,
    /// With --placement: copies of each key
    #[arg(long, value_name = "COUNT", default_value = "3", requires = "placement")]
    pub copies: usize,
    /// With --placement: how many nodes join, and how many leave
    #[arg(long, value_name = "COUNT", default_value = "100", requires = "placement")]
    pub changes: u32,
    /// With --placement: how many keys
    #[arg(long, value_name = "COUNT", default_value = "65536", requires = "placement")]
    pub keys: u64,
    /// An experiment of the Chord papers; `list` names them
    #[arg(long, value_name = "NAME", conflicts_with_all = ["nodes", "from_cluster", "routers", "lookups", "list", "fail", "churn", "placement"])]
    pub experiment: Option<String>,
    /// Write plots, as SVG and PNG, into this directory
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub plot: Option<PathBuf>,
    /// Where chance comes from [default: 1]
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// Measure processor time although --seed is given
    #[arg(long)]
    pub timing: bool,
}

/// One word of `--routers`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Routers {
    All,
    One(Via),
}

/// One word of `--placement`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placements {
    All,
    One(PlacementKind),
}

impl SimRingArgs {
    /// In the order asked for, each once.
    pub fn vias(&self) -> Vec<Via> {
        let all = self.routers.iter().flat_map(|routers| match routers {
            Routers::All => Via::all().to_vec(),
            Routers::One(via) => vec![*via],
        });
        each_once(all)
    }

    pub fn placements(&self) -> Vec<PlacementKind> {
        let all = self.placement.iter().flat_map(|placements| match placements {
            Placements::All => PlacementKind::all().to_vec(),
            Placements::One(kind) => vec![*kind],
        });
        each_once(all)
    }
}

fn each_once<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    all.fold(Vec::new(), |mut seen, item| {
        if !seen.contains(&item) {
            seen.push(item);
        }
        seen
    })
}

fn router(text: &str) -> Result<Routers, String> {
    match text {
        "all" => Ok(Routers::All),
        text => text
            .parse()
            .map(Routers::One)
            .map_err(|error: ringway_ring::router::ParseViaError| format!("{error}, or all")),
    }
}

fn placement(text: &str) -> Result<Placements, String> {
    match text {
        "all" => Ok(Placements::All),
        text => text
            .parse()
            .map(Placements::One)
            .map_err(|error: ringway_ring::placement::ParsePlacementError| format!("{error}, or all")),
    }
}

fn base(text: &str) -> Result<Base, String> {
    let number: u32 = text.parse().map_err(|_| "it is a number: 2, 4, 16 or 256".to_owned())?;
    Base::try_from(number).map_err(|error| error.to_string())
}

/// As people write large numbers: 1000000, 1_000_000 or 10^6.
fn count(text: &str) -> Result<usize, String> {
    let wrong = || format!("'{text}' is no number of nodes: it is written 1000000, 1_000_000 or 10^6");
    if let Some((base, power)) = text.split_once('^') {
        let (base, power) = (base.parse::<usize>().map_err(|_| wrong())?, power.parse().map_err(|_| wrong())?);
        return base.checked_pow(power).ok_or_else(wrong);
    }
    text.replace('_', "").parse().map_err(|_| wrong())
}

/// 30% or 0.3.
fn share(text: &str) -> Result<f64, String> {
    let wrong = || format!("'{text}' is no share: it is 30% or 0.3, at most 90%");
    let (number, whole) = text.strip_suffix('%').map_or((text, 1.0), |number| (number, 100.0));
    let share: f64 = number.trim().parse::<f64>().map_err(|_| wrong())? / whole;
    if (0.0..=0.9).contains(&share) { Ok(share) } else { Err(wrong()) }
}

/// 1/s, 30/min, 100/h; a bare number is a second's.
fn rate(text: &str) -> Result<f64, String> {
    let wrong = || format!("'{text}' is no rate: it is 1/s, 30/min or 100/h");
    let (number, unit) = text.split_once('/').unwrap_or((text, "s"));
    let seconds = match unit.trim() {
        "s" => 1.0,
        "min" | "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(wrong()),
    };
    let rate: f64 = number.trim().parse::<f64>().map_err(|_| wrong())? / seconds;
    if rate.is_finite() && rate > 0.0 { Ok(rate) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_rates_are_read_as_people_write_them() {
        assert_eq!((share("30%"), share("0.3"), share("0")), (Ok(0.3), Ok(0.3), Ok(0.0)));
        assert_eq!((rate("1/s"), rate("30/min"), rate("2"), rate("36/h")), (Ok(1.0), Ok(0.5), Ok(2.0), Ok(0.01)));
        for wrong in ["200%", "-1", "x", "NaN", "0.95"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
        for wrong in ["0/s", "abc", "1/day", "inf", "-1/s", ""] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_of_nodes_are_read_as_people_write_them() {
        assert_eq!((count("20"), count("1_000_000"), count("10^6")), (Ok(20), Ok(1_000_000), Ok(1_000_000)));
        for wrong in ["", "abc", "-5", "1.5", "10^99", "^2"] {
            assert!(count(wrong).is_err_and(|error| error.contains("10^6")), "{wrong}");
        }
    }

    #[test]
    fn what_is_named_twice_is_run_once() {
        assert_eq!(each_once([1, 2, 1, 3, 2].into_iter()), [1, 2, 3]);
    }
}
