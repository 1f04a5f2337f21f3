//! Core: a plot as data, and its drawing as SVG text or a PNG file.
//!
//! Ours is a line with filled marks, what the papers printed is a hollow mark without a line (we know points, not what lies
//! between), a formula is a dashed line. Colours are those of Okabe and Ito, which colour-blind people tell apart, and every
//! series has a mark of its own as well. The same plot gives the same bytes: the font for measuring is part of the program.

use std::path::Path;

use plotters::prelude::*;
use serde::Serialize;

use draw::draw;

mod axis;
mod draw;
mod mark;

pub use axis::{Axis, AxisScale};

const SIZE: (u32, u32) = (920, 460);
/// Bitmaps are drawn larger: they are looked at on dense screens.
const BITMAP_FACTOR: u32 = 2;

/// Why a plot could not be drawn.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot draw plot {plot}: {reason}")]
    Drawing { plot: String, reason: String },
    #[error("cannot write {path}: {source}")]
    Writing { path: String, source: std::io::Error },
}

/// One diagram.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plot {
    /// The name of its file, without an extension.
    pub name: String,
    pub title: String,
    pub x: Axis,
    pub y: Axis,
    pub series: Vec<Series>,
}

/// What belongs together in a diagram.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Series {
    pub name: String,
    pub look: Look,
    pub samples: Vec<Sample>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Look {
    /// Measured here: filled marks on a line.
    Ours,
    /// Printed elsewhere: hollow marks.
    Paper,
    /// A formula: a dashed line.
    Theory,
}

/// One mark, with a span (1st to 99th percentile) where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Sample {
    pub x: f64,
    pub y: f64,
    pub span: Option<(f64, f64)>,
}

impl Series {
    pub fn new(name: impl Into<String>, look: Look, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let samples = points.into_iter().map(|(x, y)| Sample { x, y, span: None }).collect();
        Self { name: name.into(), look, samples }
    }
}

impl Plot {
    /// As a small file for documents.
    pub fn svg(&self) -> Result<String, Error> {
        let mut text = String::new();
        let root = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        draw(self, &root, 1).map_err(|reason| self.error(reason))?;
        drop(root);
        Ok(text)
    }

    /// Writes `NAME.svg` and `NAME.png` into a directory, which is made if it is not there.
    pub fn write(&self, directory: &Path) -> Result<(), Error> {
        std::fs::create_dir_all(directory).map_err(|source| writing(directory, source))?;
        let svg = directory.join(format!("{}.svg", self.name));
        std::fs::write(&svg, self.svg()?).map_err(|source| writing(&svg, source))?;
        self.write_png(&directory.join(format!("{}.png", self.name)))
    }

    fn write_png(&self, path: &Path) -> Result<(), Error> {
        let size = (SIZE.0 * BITMAP_FACTOR, SIZE.1 * BITMAP_FACTOR);
        let root = BitMapBackend::new(path, size).into_drawing_area();
        draw(self, &root, BITMAP_FACTOR).map_err(|reason| self.error(reason))?;
        root.present().map_err(|error| self.error(error.to_string()))
    }

    fn error(&self, reason: String) -> Error {
        Error::Drawing { plot: self.name.clone(), reason }
    }
}

fn writing(path: &Path, source: std::io::Error) -> Error {
    Error::Writing { path: path.display().to_string(), source }
}

#[cfg(test)]
mod tests;
