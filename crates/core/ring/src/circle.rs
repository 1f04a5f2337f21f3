//! Core: arithmetic on the circle of 2^64 points. Everything is measured clockwise, and nothing is ever compared with `<` across
//! the point where the circle closes.

use crate::Point;

impl Point {
    /// How far clockwise from here to `other`; 0 for itself.
    pub const fn distance_to(self, other: Point) -> u64 {
        other.0.wrapping_sub(self.0)
    }

    /// The point `distance` clockwise from here.
    pub const fn plus(self, distance: u64) -> Point {
        Point(self.0.wrapping_add(distance))
    }

    /// Whether this lies in the open arc (from, to). If both ends are the same point, the arc is the whole circle without it.
    pub const fn is_between(self, from: Point, to: Point) -> bool {
        let (here, end) = (from.distance_to(self), from.distance_to(to));
        here != 0 && (end == 0 || here < end)
    }

    /// Whether this lies in the half-open arc (from, to], which is what the node at `to` owns if its predecessor is at `from`. If
    /// both ends are the same point, the arc is the whole circle.
    pub const fn is_owned_by(self, from: Point, to: Point) -> bool {
        let (here, end) = (from.distance_to(self), from.distance_to(to));
        end == 0 || (here != 0 && here <= end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arcs_close_around_zero() {
        let (a, b) = (Point(u64::MAX - 1), Point(2));
        assert_eq!(a.distance_to(b), 4);
        assert_eq!(a.plus(4), b);
        assert!(Point(0).is_between(a, b) && Point(u64::MAX).is_between(a, b));
        assert!(!Point(2).is_between(a, b) && !a.is_between(a, b) && !Point(3).is_between(a, b));
        assert!(Point(2).is_owned_by(a, b) && !a.is_owned_by(a, b) && !Point(3).is_owned_by(a, b));
    }

    #[test]
    fn an_arc_from_a_point_to_itself_is_the_whole_circle() {
        let a = Point(7);
        assert!(Point(8).is_between(a, a) && !a.is_between(a, a));
        assert!(Point(8).is_owned_by(a, a) && a.is_owned_by(a, a));
    }
}
