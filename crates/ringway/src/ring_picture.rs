//! Core: the ring as a picture in the terminal. A circle whose every cell shows the primary of the partitions at its angle,
//! clockwise from the top; below it each node's load, and what moves from node to node. At most 80 columns, and in a smaller
//! terminal a smaller circle, then none, and fewer columns: what moves and who holds how much is kept longest.

use std::f64::consts::TAU;

/// Terminal cells are about twice as high as wide.
const ASPECT: f64 = 2.0;
const RADIUS: usize = 7;
/// A smaller circle shows nothing.
const RADIUS_LEAST: usize = 3;
const THICKNESS: f64 = 1.3;
const BAR_LEN: usize = 10;
/// A row of the legend without the name.
const ROW_LEN: usize = 68;
/// Longer names are cut, so that the legend fits.
const NAME_LEN_MAX: usize = 12;
/// ANSI colours that read well on dark and on light ground.
const COLOURS: [u8; 6] = [36, 33, 35, 32, 34, 31];

/// What to draw. Nodes are referred to by their index.
pub struct RingPicture<'a> {
    pub nodes: &'a [RingNode],
    /// The primary of each partition, in order; any number of partitions. None: nobody answers.
    pub primaries: &'a [Option<usize>],
    pub transfers: &'a [Transfer],
    pub colour: bool,
    /// Two lines for the middle of the circle.
    pub centre: [String; 2],
    pub room: Room,
}

/// How much may be drawn on.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    pub columns: usize,
    /// None: as many as it takes.
    pub rows: Option<usize>,
}

impl Default for Room {
    fn default() -> Self {
        Self { columns: 80, rows: None }
    }
}

pub struct RingNode {
    pub name: String,
    pub reach: String,
    /// Partitions.
    pub primary: usize,
    /// Partitions of which it has a copy without being primary.
    pub copies: usize,
    pub virtual_nodes: usize,
    /// None: the node did not say.
    pub keys: Option<String>,
    pub bytes: Option<String>,
}

pub struct Transfer {
    pub from: String,
    pub to: String,
    pub done: u64,
    pub total: u64,
    /// Bytes, speed, time left.
    pub facts: Vec<String>,
}

impl RingPicture<'_> {
    pub fn draw(&self) -> String {
        let mut below = self.legend();
        if !self.transfers.is_empty() {
            below.push(String::new());
            below.extend(self.transfers.iter().map(|transfer| self.transfer(transfer)));
        }
        let mut lines = self.above(below.len());
        lines.extend(below);
        if let Some(rows) = self.room.rows.filter(|rows| lines.len() > *rows) {
            let more = lines.len() + 1 - rows;
            lines.truncate(rows.saturating_sub(1));
            lines.push(format!("  ... {more} more lines"));
        }
        lines.join("\n")
    }

    /// The circle, as large as there is room for, and what is to stand in its middle: above it where it does not fit in.
    fn above(&self, below: usize) -> Vec<String> {
        let title = format!("  {}: {}", self.centre[0], self.centre[1]);
        let Some(radius) = self.radius(below) else { return vec![title, String::new()] };
        let inside = ((radius as f64 - THICKNESS) * 2.0 * ASPECT) as usize;
        let fits = self.centre.iter().all(|text| text.chars().count() <= inside);
        let mut lines = if fits { Vec::new() } else { vec![title, String::new()] };
        lines.extend(self.circle(radius, fits));
        lines.push(String::new());
        lines
    }

    /// None: there is no room for a circle.
    fn radius(&self, below: usize) -> Option<usize> {
        // Four columns for each of the radius, and one in the middle, after a margin of two; two rows for each.
        let by_columns = self.room.columns.saturating_sub(3) / 4;
        // A smaller one has a title of two lines, and all have a blank one after them.
        let by_rows = match self.room.rows.map(|rows| rows.saturating_sub(below)) {
            None => RADIUS,
            Some(rows) if rows >= 2 * RADIUS + 2 => RADIUS,
            Some(rows) => rows.saturating_sub(4) / 2,
        };
        let radius = RADIUS.min(by_columns).min(by_rows);
        (radius >= RADIUS_LEAST).then_some(radius)
    }

    fn circle(&self, radius: usize, with_centre: bool) -> Vec<String> {
        let rows = radius as i32;
        let columns = (radius as f64 * ASPECT).ceil() as i32;
        (-rows..=rows)
            .map(|row| {
                let mut line = String::from("  ");
                let mut column = -columns;
                while column <= columns {
                    match self.centre_text(row, column).filter(|_| with_centre) {
                        Some(text) => {
                            line.push_str(text);
                            column += text.chars().count() as i32;
                        }
                        None => {
                            line.push_str(&self.cell(radius as f64, f64::from(column) / ASPECT, f64::from(row)));
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

    fn cell(&self, radius: f64, x: f64, y: f64) -> String {
        let distance = x.hypot(y);
        if (distance - radius + THICKNESS / 2.0).abs() > THICKNESS / 2.0 || self.primaries.is_empty() {
            return " ".to_owned();
        }
        // Clockwise from the top.
        let turn = (x.atan2(-y) / TAU).rem_euclid(1.0);
        let count = self.primaries.len();
        let at = ((turn * count as f64) as usize).min(count - 1);
        self.primaries[at].map_or("?".to_owned(), |primary| self.paint(primary, letter(primary)))
    }

    fn legend(&self) -> Vec<String> {
        let total: usize = self.nodes.iter().map(|node| node.primary).sum::<usize>().max(1);
        let names = self.nodes.iter().map(|node| short(&node.name).chars().count());
        let width = names.max().unwrap_or(0).max("NODE".len());
        // What is left out first where columns are few: the bar, then the counts of virtual nodes and copies.
        let has_bar = self.room.columns >= width + ROW_LEN;
        let has_counts = self.room.columns >= width + ROW_LEN - BAR_LEN - 1;
        let head = format!("    {:width$}  {:7}  ", "NODE", "STATE");
        let share = if has_bar { "PRIMARY OF        " } else { "PRIMARY" };
        let counts = if has_counts { "  VNODES  COPIES" } else { "" };
        let mut lines = vec![format!("{head}{share}{counts}     KEYS     BYTES")];
        for (index, node) in self.nodes.iter().enumerate() {
            let share = node.primary as f64 / total as f64;
            let bar = if has_bar { self.bar(index, share) + " " } else { String::new() };
            let counts =
                if has_counts { format!("  {:6}  {:6}", node.virtual_nodes, node.copies) } else { String::new() };
            lines.push(format!(
                "  {} {:width$}  {:7}  {bar}{:5.1} %{counts}  {:>7}  {:>8}",
                self.paint(index, letter(index)),
                short(&node.name),
                node.reach,
                share * 100.0,
                node.keys.as_deref().unwrap_or("?"),
                node.bytes.as_deref().unwrap_or("?"),
            ));
        }
        lines
    }

    fn transfer(&self, transfer: &Transfer) -> String {
        let place = |name: &str| self.nodes.iter().position(|node| node.name == name).unwrap_or(self.nodes.len());
        let share = if transfer.total == 0 { 0.0 } else { transfer.done as f64 / transfer.total as f64 };
        let (from, to) = (short(&transfer.from), short(&transfer.to));
        let counts = format!("{}/{}", transfer.done, transfer.total);
        let mut room =
            self.room.columns.saturating_sub(2 + from.chars().count() + 4 + to.chars().count() + 2 + BAR_LEN + 1);
        room = room.saturating_sub(counts.len());
        // The last ones are left out where columns are few.
        let mut facts = String::new();
        for fact in &transfer.facts {
            let next = if facts.is_empty() { format!("  {fact}") } else { format!("{facts}, {fact}") };
            if next.chars().count() > room {
                break;
            }
            facts = next;
        }
        format!(
            "  {} -> {}  {} {counts}{facts}",
            self.paint(place(&transfer.from), &from),
            self.paint(place(&transfer.to), &to),
            self.bar(place(&transfer.to), share),
        )
    }

    fn bar(&self, node: usize, share: f64) -> String {
        let filled = ((share * BAR_LEN as f64).round() as usize).min(BAR_LEN);
        self.paint(node, &"█".repeat(filled)) + &"░".repeat(BAR_LEN - filled)
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

/// A name that fits.
fn short(name: &str) -> String {
    if name.chars().count() <= NAME_LEN_MAX {
        return name.to_owned();
    }
    name.chars().take(NAME_LEN_MAX - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, primary: usize) -> RingNode {
        RingNode {
            name: name.into(),
            reach: "up".into(),
            primary,
            copies: 100,
            virtual_nodes: primary,
            keys: Some("12.3 k".into()),
            bytes: Some("45.6 MB".into()),
        }
    }

    #[test]
    fn a_ring_of_two_halves_shows_the_first_on_the_right() {
        let nodes = [node("n1", 75), RingNode { keys: None, bytes: None, ..node("n2", 25) }];
        let primaries: Vec<Option<usize>> = (0..100).map(|partition| Some(usize::from(partition >= 50))).collect();
        let transfers = [Transfer {
            from: "n1".into(),
            to: "n2".into(),
            done: 512,
            total: 1024,
            facts: vec!["12.3 MB".into(), "4.1 MB/s".into(), "3 s left".into()],
        }];
        let picture = RingPicture {
            nodes: &nodes,
            primaries: &primaries,
            transfers: &transfers,
            colour: false,
            centre: ["epoch 3".into(), "settled".into()],
            room: Room::default(),
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

                NODE  STATE    PRIMARY OF          VNODES  COPIES     KEYS     BYTES
              A n1    up       ████████░░  75.0 %      75     100   12.3 k   45.6 MB
              B n2    up       ███░░░░░░░  25.0 %      25     100        ?         ?

              n1 -> n2  █████░░░░░ 512/1024  12.3 MB, 4.1 MB/s, 3 s left"#]];
        expected.assert_eq(&format!("ring\n{}", picture.draw()));
    }

    #[test]
    fn the_widest_picture_fits_eighty_columns() {
        let wide =
            RingNode { primary: 4096, copies: 4096, virtual_nodes: 4096, ..node("a-name-that-is-much-too-long", 1) };
        let transfers = [Transfer {
            from: "a-name-that-is-much-too-long".into(),
            to: "a-name-that-is-much-too-long".into(),
            done: 4096,
            total: 4096,
            facts: vec!["999.9 GB".into(), "999.9 MB/s".into()],
        }];
        let nodes = [wide];
        let picture = RingPicture {
            nodes: &nodes,
            primaries: &[Some(0), None],
            transfers: &transfers,
            colour: false,
            centre: ["epoch 123456".into(), "moving, 12288 of 12288".into()],
            room: Room::default(),
        };
        let widest = picture.draw().lines().map(|line| line.chars().count()).max();
        assert!(widest.is_some_and(|width| width <= 80), "{}", picture.draw());
    }

    #[test]
    fn every_room_is_kept_to_and_says_how_far_it_is() {
        let nodes: Vec<RingNode> = (1..=5).map(|number| node(&format!("n{number}"), 800)).collect();
        let transfers: Vec<Transfer> = (1..=4)
            .map(|number| Transfer {
                from: format!("n{number}"),
                to: "n5".into(),
                done: 10,
                total: 1135,
                facts: vec!["12.3 MB".into(), "4.1 MB/s".into(), "12 s left".into()],
            })
            .collect();
        for (columns, rows) in [(80, 24), (80, 21), (60, 18), (45, 24), (40, 12), (80, 200), (30, 5)] {
            let picture = RingPicture {
                nodes: &nodes,
                primaries: &[Some(0), Some(1)],
                transfers: &transfers,
                colour: false,
                centre: ["epoch 17".into(), "moving, 5696 of 8256".into()],
                room: Room { columns, rows: Some(rows) },
            };
            let text = picture.draw();
            assert!(text.lines().count() <= rows, "{columns} x {rows}:\n{text}");
            assert!(text.contains("moving, 5696 of 8256"), "{columns} x {rows}:\n{text}");
            let widest = text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
            assert!(widest <= columns.max(45), "{columns} x {rows}: {widest}\n{text}");
        }
    }
}
