//! Progress on anything that may take over a second. On a terminal it moves; elsewhere it says what it does, once.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const TICK: Duration = Duration::from_millis(100);

/// A bar over `total` bytes.
pub fn bytes_bar(what: &'static str, total: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:>12} [{bar:32}] {bytes}/{total_bytes} {eta}")
        .expect("the template is valid");
    bar(ProgressBar::new(total), style.progress_chars("=> "), what)
}

/// A bar over `total` steps.
pub fn steps_bar(what: &'static str, total: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:>12} [{bar:32}] {pos}/{len} {eta}").expect("the template is valid");
    bar(ProgressBar::new(total), style.progress_chars("=> "), what)
}

/// For work of unknown length.
pub fn spinner(what: impl Into<std::borrow::Cow<'static, str>>) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}").expect("the template is valid");
    bar(ProgressBar::new_spinner(), style, what)
}

fn bar(bar: ProgressBar, style: ProgressStyle, what: impl Into<std::borrow::Cow<'static, str>>) -> ProgressBar {
    bar.set_draw_target(ProgressDrawTarget::stderr());
    bar.set_style(style);
    bar.set_message(what);
    bar.enable_steady_tick(TICK);
    bar
}
