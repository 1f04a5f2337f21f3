//! Core: the ring as a picture in the terminal. A circle whose every cell shows the primary of the partitions at its angle,
//! clockwise from the top, and a legend with each node's load.

use std::f64::consts::TAU;

/// Terminal cells are about twice as high as wide.
const ASPECT: f64 = 2.0;
const RADIUS: f64 = 7.0;
const THICKNESS: f64 = 1.3;
const BAR_LEN: usize = 20;
/// ANSI colours that read well on dark and on light ground.
const COLOURS: [u8; 6] = [36, 33, 35, 32, 34, 31];

/// What to draw. Nodes are referred to by their index.
pub struct RingPicture<'a> {
    pub nodes: &'a [RingNode],
    /// The primary of each partition, in order; any number of partitions.
    pub primaries: &'a [usize],
    pub colour: bool,
    /// Two lines for the middle of the circle.
    pub centre: [String; 2],
}

pub struct RingNode {
    pub name: String,
    pub reach: String,
    pub primary: usize,
    pub held: usize,
}

impl RingPicture<'_> {
    pub fn draw(&self) -> String {
        let mut lines = self.circle();
        lines.push(String::new());
        lines.extend(self.legend());
        lines.join("\n")
    }

    fn circle(&self) -> Vec<String> {
        let (rows, columns) = (RADIUS.ceil() as i32, (RADIUS * ASPECT).ceil() as i32);
        (-rows..=rows)
            .map(|row| {
                let mut line = String::from("  ");
                let mut column = -columns;
                while column <= columns {
                    match self.centre_text(row, column) {
                        Some(text) => {
                            line.push_str(text);
                            column += text.chars().count() as i32;
                        }
                        None => {
                            line.push_str(&self.cell(f64::from(column) / ASPECT, f64::from(row)));
                            column += 1;
                        }
                    }
                }
                line.trim_end().to_owned()
            })
            .collect()
    }

    fn centre_text(&self, row: i32, column: i32) -> Option<&str> {
        let text = match row {
            0 => &self.centre[0],
            1 => &self.centre[1],
            _ => return None,
        };
        let start = -(text.chars().count() as i32) / 2;
        (column == start && !text.is_empty()).then_some(text.as_str())
    }

    fn cell(&self, x: f64, y: f64) -> String {
        let distance = x.hypot(y);
        if (distance - RADIUS + THICKNESS / 2.0).abs() > THICKNESS / 2.0 || self.primaries.is_empty() {
            return " ".to_owned();
        }
        // Clockwise from the top.
        let turn = (x.atan2(-y) / TAU).rem_euclid(1.0);
        let count = self.primaries.len();
        let at = ((turn * count as f64) as usize).min(count - 1);
        self.paint(self.primaries[at], letter(self.primaries[at]))
    }

    fn legend(&self) -> Vec<String> {
        let total: usize = self.nodes.iter().map(|node| node.primary).sum::<usize>().max(1);
        let width = self.nodes.iter().map(|node| node.name.chars().count()).max().unwrap_or(0);
        let line = |(index, node): (usize, &RingNode)| {
            let share = node.primary as f64 / total as f64;
            let filled = (share * BAR_LEN as f64).round() as usize;
            let bar = self.paint(index, &"█".repeat(filled)) + &"░".repeat(BAR_LEN.saturating_sub(filled));
            format!(
                "  {} {:width$}  {:7}  {bar} {:5.1} % primary, {} partitions held",
                self.paint(index, letter(index)),
                node.name,
                node.reach,
                share * 100.0,
                node.held,
            )
        };
        self.nodes.iter().enumerate().map(line).collect()
    }

    fn paint(&self, node: usize, text: &str) -> String {
        if !self.colour || text.is_empty() {
            return text.to_owned();
        }
        format!("\x1b[{}m{text}\x1b[0m", COLOURS[node % COLOURS.len()])
    }
}

fn letter(node: usize) -> &'static str {
    const LETTERS: [&str; 26] = [
        "A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M", "N", "O", "P", "Q", "R", "S", "T", "U", "V",
        "W", "X", "Y", "Z",
    ];
    LETTERS[node % LETTERS.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_of_two_halves_shows_the_first_on_the_right() {
        let node = |name: &str, primary| RingNode { name: name.into(), reach: "up".into(), primary, held: 100 };
        let nodes = [node("n1", 75), node("n2", 25)];
        let primaries: Vec<usize> = (0..100).map(|partition| usize::from(partition >= 50)).collect();
        let picture = RingPicture {
            nodes: &nodes,
            primaries: &primaries,
            colour: false,
            centre: ["epoch 3".into(), "settled".into()],
        };
        // The heading keeps the picture's own indentation, which would be trimmed as the source's.
        let expected = expect_test::expect![[r#"
            ring
                            A
                     BBBBBBBAAAAAAAA
                   BBBB           AAAA
                 BBB                 AAA
                BBB                   AAA
               BBB                     AAA
               BB                       AA
              BBB        epoch 3        AAA
               BB        settled        AA
               BBB                     AAA
                BBB                   AAA
                 BBB                 AAA
                   BBBB           AAAA
                     BBBBBBBBAAAAAAA
                            B

              A n1  up       ███████████████░░░░░  75.0 % primary, 100 partitions held
              B n2  up       █████░░░░░░░░░░░░░░░  25.0 % primary, 100 partitions held"#]];
        expected.assert_eq(&format!("ring\n{}", picture.draw()));
    }
}
