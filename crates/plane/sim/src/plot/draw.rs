//! Core: how a plot is drawn: the frame, the series, and a legend in the right margin, where it covers nothing.

use std::sync::OnceLock;

use plotters::chart::ChartContext;
use plotters::coord::Shift;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, register_font};

use super::axis::Ruler;
use super::mark::Mark;
use super::{Look, Plot, Sample, Series};

const FONT: &str = "sans-serif";
/// Okabe and Ito's colours without the yellow, which is too light for a line.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(70, 70, 70),
];
const INK: RGBColor = RGBColor(40, 40, 40);
const GRID: RGBColor = RGBColor(225, 225, 225);
const LEGEND_WIDTH: u32 = 250;
const LEGEND_LINE: i32 = 24;
const LEGEND_TEXT_MAX: usize = 34;

type Chart<'a, DB> = ChartContext<'a, DB, Cartesian2d<Ruler, Ruler>>;

/// `factor` is the number of pixels to a unit. The error is text: each kind of drawing area has its own.
pub(super) fn draw<DB: DrawingBackend>(plot: &Plot, root: &DrawingArea<DB, Shift>, factor: u32) -> Result<(), String> {
    register()?;
    draw_parts(plot, root, factor).map_err(|error| error.to_string())
}

fn draw_parts<DB: DrawingBackend>(
    plot: &Plot,
    root: &DrawingArea<DB, Shift>,
    factor: u32,
) -> Result<(), DrawingAreaErrorKind<DB::ErrorType>> {
    root.fill(&WHITE)?;
    let (width, _) = root.dim_in_pixel();
    let (left, right) = root.split_horizontally(width - LEGEND_WIDTH * factor);
    let rulers = (ruler(plot, true), ruler(plot, false));
    let mut chart = ChartBuilder::on(&left)
        .margin(14 * factor)
        .margin_top(8 * factor)
        .caption(&plot.title, text(17, factor))
        .x_label_area_size(46 * factor)
        .y_label_area_size(64 * factor)
        .build_cartesian_2d(rulers.0.clone(), rulers.1.clone())?;
    frame(plot, &mut chart, &rulers, factor)?;
    for (index, series) in plot.series.iter().enumerate() {
        let place = |x: f64, y: f64| chart.backend_coord(&(plot.x.scale.place(x), plot.y.scale.place(y)));
        draw_series(root, series, Pen::new(plot, index, factor), place)?;
    }
    legend(plot, &right, factor)
}

fn frame<DB: DrawingBackend>(
    plot: &Plot,
    chart: &mut Chart<DB>,
    (x, y): &(Ruler, Ruler),
    factor: u32,
) -> Result<(), DrawingAreaErrorKind<DB::ErrorType>> {
    chart
        .configure_mesh()
        .axis_style(INK.stroke_width(factor))
        .bold_line_style(GRID.stroke_width(factor))
        .light_line_style(TRANSPARENT)
        .x_labels(x.ticks())
        .y_labels(y.ticks())
        .x_label_formatter(&|place| x.label(*place))
        .y_label_formatter(&|place| y.label(*place))
        .label_style(text(13, factor))
        .axis_desc_style(text(14, factor))
        .x_desc(&plot.x.label)
        .y_desc(&plot.y.label)
        .draw()
}

/// Spans first, then the line, then the marks, so that marks are never crossed out.
fn draw_series<DB: DrawingBackend>(
    root: &DrawingArea<DB, Shift>,
    series: &Series,
    pen: Pen,
    place: impl Fn(f64, f64) -> (i32, i32),
) -> Result<(), DrawingAreaErrorKind<DB::ErrorType>> {
    for Sample { x, span, .. } in &series.samples {
        if let Some((low, high)) = span {
            root.draw(&PathElement::new(vec![place(*x, *low), place(*x, *high)], pen.span()))?;
        }
    }
    let points: Vec<_> = series.samples.iter().map(|sample| place(sample.x, sample.y)).collect();
    draw_line(root, &points, series.look, &pen)?;
    if series.look != Look::Theory {
        for point in points {
            pen.mark.draw(root, point, pen.look(series.look))?;
        }
    }
    Ok(())
}

fn draw_line<DB: DrawingBackend>(
    root: &DrawingArea<DB, Shift>,
    points: &[(i32, i32)],
    look: Look,
    pen: &Pen,
) -> Result<(), DrawingAreaErrorKind<DB::ErrorType>> {
    match look {
        Look::Paper => Ok(()),
        Look::Ours => root.draw(&PathElement::new(points.to_vec(), pen.line())),
        Look::Theory => {
            let (size, gap) = (6 * pen.factor as i32, 4 * pen.factor as i32);
            root.draw(&DashedPathElement::new(points.iter().copied(), size, gap, pen.line()))
        }
    }
}

fn legend<DB: DrawingBackend>(
    plot: &Plot,
    area: &DrawingArea<DB, Shift>,
    factor: u32,
) -> Result<(), DrawingAreaErrorKind<DB::ErrorType>> {
    let scale = factor as i32;
    for (index, series) in plot.series.iter().enumerate() {
        let middle = (44 + LEGEND_LINE * index as i32) * scale;
        let pen = Pen::new(plot, index, factor);
        draw_line(area, &[(2 * scale, middle), (30 * scale, middle)], series.look, &pen)?;
        if series.look != Look::Theory {
            pen.mark.draw(area, (16 * scale, middle), pen.look(series.look))?;
        }
        let style = text(13, factor).pos(Pos::new(HPos::Left, VPos::Center));
        area.draw_text(&shortened(&series.name), &style, (38 * scale, middle + 2 * scale))?;
    }
    Ok(())
}

/// What a series is drawn with.
struct Pen {
    colour: RGBColor,
    mark: Mark,
    factor: u32,
}

impl Pen {
    /// A paper's series takes the colour of the one before it, which it is compared with; a formula is grey.
    fn new(plot: &Plot, index: usize, factor: u32) -> Self {
        let own = plot.series[..=index].iter().filter(|series| series.look == Look::Ours).count();
        let number = own.saturating_sub(1);
        let colour = match plot.series[index].look {
            Look::Theory => COLOURS[COLOURS.len() - 1],
            Look::Ours | Look::Paper => COLOURS[number % COLOURS.len()],
        };
        Self { colour, mark: Mark::number(number), factor }
    }

    fn line(&self) -> ShapeStyle {
        self.colour.stroke_width(2 * self.factor)
    }

    fn span(&self) -> ShapeStyle {
        self.colour.mix(0.3).stroke_width(5 * self.factor)
    }

    /// Size and style of a mark: the paper's are hollow and larger, so that they show around ours.
    fn look(&self, look: Look) -> (i32, ShapeStyle) {
        match look {
            Look::Paper => (7 * self.factor as i32, self.colour.stroke_width(2 * self.factor)),
            Look::Ours | Look::Theory => (4 * self.factor as i32, self.colour.filled()),
        }
    }
}

fn ruler(plot: &Plot, of_x: bool) -> Ruler {
    let samples = plot.series.iter().flat_map(|series| &series.samples);
    if of_x {
        return Ruler::new(plot.x.scale, samples.map(|sample| sample.x));
    }
    let values = samples.flat_map(|sample| {
        let (low, high) = sample.span.unwrap_or((sample.y, sample.y));
        [low, sample.y, high]
    });
    Ruler::new(plot.y.scale, values)
}

fn text(size: u32, factor: u32) -> TextStyle<'static> {
    TextStyle::from((FONT, size * factor).into_font()).color(&INK)
}

/// A legend's text has to fit into its margin.
fn shortened(name: &str) -> String {
    if name.chars().count() <= LEGEND_TEXT_MAX {
        return name.to_owned();
    }
    name.chars().take(LEGEND_TEXT_MAX - 1).chain(['…']).collect()
}

/// Once for the process: the drawing library keeps fonts in a table of its own.
fn register() -> Result<(), String> {
    static DONE: OnceLock<bool> = OnceLock::new();
    let done = DONE.get_or_init(|| register_font(FONT, FontStyle::Normal, dejavu::sans::regular()).is_ok());
    if *done { Ok(()) } else { Err("the built-in font cannot be read".to_owned()) }
}
