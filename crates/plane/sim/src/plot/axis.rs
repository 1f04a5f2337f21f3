//! Core: an axis: what it counts, how it is scaled, where its ticks are.

use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use serde::Serialize;

use crate::table::grouped;

/// About how many ticks a linear axis gets.
const TICKS_WANTED: f64 = 6.0;
/// A logarithmic axis with more powers than that labels every second, third, ...
const POWERS_MAX: i32 = 11;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Axis {
    /// With the unit.
    pub label: String,
    pub scale: AxisScale,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AxisScale {
    /// From 0 on.
    Linear,
    /// Powers of two.
    Log2,
    /// Powers of ten.
    Log10,
}

impl Axis {
    pub fn linear(label: &str) -> Self {
        Self { label: label.to_owned(), scale: AxisScale::Linear }
    }

    pub fn log2(label: &str) -> Self {
        Self { label: label.to_owned(), scale: AxisScale::Log2 }
    }

    pub fn log10(label: &str) -> Self {
        Self { label: label.to_owned(), scale: AxisScale::Log10 }
    }
}

impl AxisScale {
    /// Where a value stands on the axis.
    pub(super) fn place(self, value: f64) -> f64 {
        match self {
            AxisScale::Linear => value,
            AxisScale::Log2 => value.max(f64::MIN_POSITIVE).log2(),
            AxisScale::Log10 => value.max(f64::MIN_POSITIVE).log10(),
        }
    }

    fn label(self, place: f64, step: f64) -> String {
        match self {
            AxisScale::Linear => linear_label(place, step),
            AxisScale::Log2 if place > 13.5 => format!("2^{place:.0}"),
            AxisScale::Log2 => format!("{}", place.exp2().round()),
            AxisScale::Log10 => decimal_power(place),
        }
    }
}

/// An axis laid out for certain values: all in places, not values.
#[derive(Clone)]
pub(super) struct Ruler {
    range: Range<f64>,
    ticks: Vec<f64>,
    step: f64,
    scale: AxisScale,
}

impl Ruler {
    /// Wide enough for all values, from tick to tick.
    pub(super) fn new(scale: AxisScale, values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = extent(scale, values.map(|value| scale.place(value)));
        let step = match scale {
            AxisScale::Linear => round_step((high - low) / TICKS_WANTED),
            AxisScale::Log2 | AxisScale::Log10 => f64::from(((high - low) as i32 / POWERS_MAX) + 1),
        };
        let (first, last) = ((low / step + 1e-9).floor() as i64, (high / step - 1e-9).ceil() as i64);
        let ticks: Vec<f64> = (first..=last.max(first + 1)).map(|index| index as f64 * step).collect();
        let margin = (ticks[ticks.len() - 1] - ticks[0]) * 0.02;
        let range = ticks[0] - margin..ticks[ticks.len() - 1] + margin;
        Self { range, ticks, step, scale }
    }

    pub(super) fn label(&self, place: f64) -> String {
        self.scale.label(place, self.step)
    }

    pub(super) fn ticks(&self) -> usize {
        self.ticks.len()
    }
}

impl Ranged for Ruler {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let share = (value - self.range.start) / (self.range.end - self.range.start);
        limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

/// The lowest and highest place; a linear axis begins at 0. An empty plot is still a plot.
fn extent(scale: AxisScale, places: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = places
        .filter(|place| place.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), place| (low.min(place), high.max(place)));
    if low > high {
        return (0.0, 1.0);
    }
    match scale {
        AxisScale::Linear => (low.min(0.0), if high > 0.0 { high } else { 1.0 }),
        AxisScale::Log2 | AxisScale::Log10 => (low, high),
    }
}

/// 1, 2 or 5 times a power of ten, not below `least`.
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|factor| factor * power).find(|step| *step >= least * 0.999).unwrap_or(10.0 * power)
}

fn linear_label(value: f64, step: f64) -> String {
    if step >= 1.0 && value >= 10_000.0 {
        return grouped(value.round() as u64);
    }
    let decimals = (-step.log10().floor()).clamp(0.0, 6.0) as usize;
    let value = if value == 0.0 { 0.0 } else { value };
    format!("{value:.decimals$}")
}

fn decimal_power(place: f64) -> String {
    match place.round() as i32 {
        power @ -3..0 => format!("{:.*}", power.unsigned_abs() as usize, 10_f64.powi(power)),
        power @ 0..7 => grouped(10_u64.pow(power.unsigned_abs())),
        power => format!("10^{power}"),
    }
}
