//! Driver: how large the terminal is. The libraries that are here tell its width or nothing, and a picture that is drawn in place needs
//! its height: hence the one unsafe call of the command line.

use std::io::IsTerminal as _;
use std::os::fd::AsRawFd as _;

use nix::libc;

/// Columns and rows; none if standard output is no terminal, or one that does not say.
pub fn of_standard_output() -> Option<(usize, usize)> {
    let out = std::io::stdout();
    if !out.is_terminal() {
        return None;
    }
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the descriptor is open as long as `out` lives, and `size` is the valid struct that this request writes.
    let answer = unsafe { libc::ioctl(out.as_raw_fd(), libc::TIOCGWINSZ, &mut size) };
    let (columns, rows) = (usize::from(size.ws_col), usize::from(size.ws_row));
    (answer == 0 && columns > 0 && rows > 0).then_some((columns, rows))
}
