//! Core: the shapes of marks, so that series differ by more than colour.

use plotters::coord::Shift;
use plotters::prelude::*;

#[derive(Clone, Copy)]
pub(super) enum Mark {
    Circle,
    Square,
    Triangle,
    Diamond,
}

impl Mark {
    pub(super) fn number(number: usize) -> Self {
        [Mark::Circle, Mark::Square, Mark::Triangle, Mark::Diamond][number % 4]
    }

    /// Around a point, in pixels: filled or an outline, as the style says.
    pub(super) fn draw<DB: DrawingBackend>(
        self,
        area: &DrawingArea<DB, Shift>,
        (x, y): (i32, i32),
        (size, style): (i32, ShapeStyle),
    ) -> Result<(), DrawingAreaErrorKind<DB::ErrorType>> {
        let corners: &[(i32, i32)] = match self {
            Mark::Circle => return area.draw(&Circle::new((x, y), size, style)),
            Mark::Square => &[(-1, -1), (1, -1), (1, 1), (-1, 1)],
            Mark::Triangle => &[(0, -1), (1, 1), (-1, 1)],
            Mark::Diamond => &[(0, -1), (1, 0), (0, 1), (-1, 0)],
        };
        let mut points: Vec<_> = corners.iter().map(|(right, down)| (x + right * size, y + down * size)).collect();
        if style.filled {
            return area.draw(&Polygon::new(points, style));
        }
        points.push(points[0]);
        area.draw(&PathElement::new(points, style))
    }
}
