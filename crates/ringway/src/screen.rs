//! The terminal's other screen, for what is drawn anew in place until Ctrl-C.

use std::io::Write as _;

/// So that what was there before comes back. Lines that are too long are cut, not continued.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";
const HOME: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";
/// Below what is shown: how to end it.
pub const ROWS_BELOW: usize = 1;

/// The terminal's other screen; the first one comes back when this is dropped.
pub struct Screen;

impl Screen {
    pub fn enter() -> Self {
        put(ENTER);
        Self
    }

    /// Each line replaces the one before it: nothing flickers.
    pub fn show(&self, text: &str) {
        let mut out = String::from(HOME);
        for line in text.lines() {
            out += line;
            out += CLEAR_LINE;
            out += "\r\n";
        }
        put(&(out + CLEAR_BELOW + "  Ctrl-C ends"));
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        put(LEAVE);
    }
}

/// A terminal that is gone needs nothing any more.
fn put(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
