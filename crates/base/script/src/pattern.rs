//! Core: Lua 5.1's string patterns (reference manual, section 5.4.1).
//!
//! Lua's own matcher walks the C stack as deep as the pattern says and goes on for as long as backtracking takes: one line of a
//! script could end the process or hold a lock for days. This one does the same steps on slices, bounded in depth, and asks now and
//! then whether it may go on.

use std::ffi::CStr;

pub const CAPTURES_MAX: usize = 32;
/// How deep one attempt goes; each `*`, `-`, `?` and bracket of the pattern may be one level.
const DEPTH_MAX: usize = 400;
const STEPS_BETWEEN_LOOKS: u32 = 1 << 16;
const ESCAPE: u8 = b'%';

/// Why there is no answer. [`Fault::text`] is what Lua says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    EndsWithEscape,
    MissingBracket,
    Unbalanced,
    MissingFrontierSet,
    CaptureIndex,
    PatternCapture,
    TooManyCaptures,
    TooComplex,
    OverTime,
}

impl Fault {
    pub fn text(self) -> &'static CStr {
        match self {
            Fault::EndsWithEscape => c"malformed pattern (ends with '%')",
            Fault::MissingBracket => c"malformed pattern (missing ']')",
            Fault::Unbalanced => c"unbalanced pattern",
            Fault::MissingFrontierSet => c"missing '[' after '%f' in pattern",
            Fault::CaptureIndex => c"invalid capture index",
            Fault::PatternCapture => c"invalid pattern capture",
            Fault::TooManyCaptures => c"too many captures",
            Fault::TooComplex => c"pattern too complex",
            Fault::OverTime => c"pattern takes too long",
        }
    }
}

/// A part of the subject that the pattern put in parentheses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capture {
    /// Its parenthesis is still open.
    Open {
        from: usize,
    },
    /// `()`: only where it is.
    Position(usize),
    Text {
        from: usize,
        to: usize,
    },
}

/// Matches one pattern at places of one subject.
pub struct Matcher<'a, F> {
    subject: &'a [u8],
    /// Without a leading `^`; ends at its first NUL, as patterns of Lua 5.1 do.
    pattern: &'a [u8],
    captures: [Capture; CAPTURES_MAX],
    level: usize,
    depth: usize,
    steps: u32,
    may_go_on: F,
}

impl<'a, F: Fn() -> bool> Matcher<'a, F> {
    pub fn new(subject: &'a [u8], pattern: &'a [u8], may_go_on: F) -> Self {
        let pattern = crate::lua::until_nul(pattern);
        let captures = [Capture::Open { from: 0 }; CAPTURES_MAX];
        Self { subject, pattern, captures, level: 0, depth: 0, steps: 0, may_go_on }
    }

    /// Where the match that begins at `from` ends.
    pub fn match_at(&mut self, from: usize) -> Result<Option<usize>, Fault> {
        self.level = 0;
        self.depth = 0;
        self.step(from, 0)
    }

    pub fn captures(&self) -> &[Capture] {
        &self.captures[..self.level]
    }

    fn at(&self, p: usize) -> u8 {
        self.pattern.get(p).copied().unwrap_or(0)
    }

    fn step(&mut self, s: usize, p: usize) -> Result<Option<usize>, Fault> {
        if self.depth == DEPTH_MAX {
            return Err(Fault::TooComplex);
        }
        self.depth += 1;
        let end = self.walk(s, p);
        self.depth -= 1;
        end
    }

    fn count_step(&mut self) -> Result<(), Fault> {
        self.steps += 1;
        if self.steps < STEPS_BETWEEN_LOOKS {
            return Ok(());
        }
        self.steps = 0;
        if (self.may_go_on)() { Ok(()) } else { Err(Fault::OverTime) }
    }

    /// What does not need to come back is a turn of this loop.
    fn walk(&mut self, mut s: usize, mut p: usize) -> Result<Option<usize>, Fault> {
        loop {
            self.count_step()?;
            match (self.at(p), self.at(p + 1)) {
                (0, _) => return Ok(Some(s)),
                (b'(', b')') => return self.open_capture(s, p + 2, Capture::Position(s)),
                (b'(', _) => return self.open_capture(s, p + 1, Capture::Open { from: s }),
                (b')', _) => return self.close_capture(s, p + 1),
                (b'$', 0) => return Ok((s == self.subject.len()).then_some(s)),
                (ESCAPE, b'b') => {
                    let Some(end) = self.balanced(s, p + 2)? else { return Ok(None) };
                    (s, p) = (end, p + 4);
                }
                (ESCAPE, b'f') => {
                    let Some(end) = self.frontier(s, p + 2)? else { return Ok(None) };
                    p = end;
                }
                (ESCAPE, digit @ b'0'..=b'9') => {
                    let Some(end) = self.same_as_capture(s, digit)? else { return Ok(None) };
                    (s, p) = (end, p + 2);
                }
                _ => {
                    let end = self.class_end(p)?;
                    let is_match = self.is_single_match(s, p, end);
                    match self.at(end) {
                        b'?' => {
                            if is_match && let Some(found) = self.step(s + 1, end + 1)? {
                                return Ok(Some(found));
                            }
                            p = end + 1;
                        }
                        b'*' => return self.expand_most(s, p, end),
                        b'+' if is_match => return self.expand_most(s + 1, p, end),
                        b'-' => return self.expand_least(s, p, end),
                        b'+' => return Ok(None),
                        _ if is_match => (s, p) = (s + 1, end),
                        _ => return Ok(None),
                    }
                }
            }
        }
    }

    fn class_end(&self, p: usize) -> Result<usize, Fault> {
        match self.at(p) {
            ESCAPE if self.at(p + 1) == 0 => Err(Fault::EndsWithEscape),
            ESCAPE => Ok(p + 2),
            b'[' => {
                let mut p = p + 1 + usize::from(self.at(p + 1) == b'^');
                loop {
                    let byte = self.at(p);
                    if byte == 0 {
                        return Err(Fault::MissingBracket);
                    }
                    p += 1;
                    if byte == ESCAPE && self.at(p) != 0 {
                        p += 1;
                    }
                    if self.at(p) == b']' {
                        return Ok(p + 1);
                    }
                }
            }
            _ => Ok(p + 1),
        }
    }

    fn is_single_match(&self, s: usize, p: usize, end: usize) -> bool {
        let Some(&byte) = self.subject.get(s) else { return false };
        match self.at(p) {
            b'.' => true,
            ESCAPE => is_in_class(byte, self.at(p + 1)),
            b'[' => self.is_in_set(byte, p, end - 1),
            literal => literal == byte,
        }
    }

    /// The set is `pattern[p..=last]`, brackets included.
    fn is_in_set(&self, byte: u8, mut p: usize, last: usize) -> bool {
        let found = self.at(p + 1) != b'^';
        if !found {
            p += 1;
        }
        p += 1;
        while p < last {
            if self.at(p) == ESCAPE {
                p += 1;
                if is_in_class(byte, self.at(p)) {
                    return found;
                }
            } else if self.at(p + 1) == b'-' && p + 2 < last {
                p += 2;
                if (self.at(p - 2)..=self.at(p)).contains(&byte) {
                    return found;
                }
            } else if self.at(p) == byte {
                return found;
            }
            p += 1;
        }
        !found
    }

    fn expand_most(&mut self, s: usize, p: usize, end: usize) -> Result<Option<usize>, Fault> {
        let mut count = 0;
        while self.is_single_match(s + count, p, end) {
            self.count_step()?;
            count += 1;
        }
        loop {
            if let Some(found) = self.step(s + count, end + 1)? {
                return Ok(Some(found));
            }
            if count == 0 {
                return Ok(None);
            }
            count -= 1;
        }
    }

    fn expand_least(&mut self, mut s: usize, p: usize, end: usize) -> Result<Option<usize>, Fault> {
        loop {
            if let Some(found) = self.step(s, end + 1)? {
                return Ok(Some(found));
            }
            if !self.is_single_match(s, p, end) {
                return Ok(None);
            }
            s += 1;
        }
    }

    fn open_capture(&mut self, s: usize, p: usize, capture: Capture) -> Result<Option<usize>, Fault> {
        if self.level == CAPTURES_MAX {
            return Err(Fault::TooManyCaptures);
        }
        self.captures[self.level] = capture;
        self.level += 1;
        let found = self.step(s, p)?;
        if found.is_none() {
            self.level -= 1;
        }
        Ok(found)
    }

    fn close_capture(&mut self, s: usize, p: usize) -> Result<Option<usize>, Fault> {
        let is_open = |capture: &Capture| matches!(capture, Capture::Open { .. });
        let index = self.captures().iter().rposition(is_open).ok_or(Fault::PatternCapture)?;
        let open = self.captures[index];
        let Capture::Open { from } = open else { return Err(Fault::PatternCapture) };
        self.captures[index] = Capture::Text { from, to: s };
        let found = self.step(s, p)?;
        if found.is_none() {
            self.captures[index] = open;
        }
        Ok(found)
    }

    fn same_as_capture(&mut self, s: usize, digit: u8) -> Result<Option<usize>, Fault> {
        let index = usize::from(digit).checked_sub(usize::from(b'1')).ok_or(Fault::CaptureIndex)?;
        match self.captures().get(index) {
            None | Some(Capture::Open { .. }) => Err(Fault::CaptureIndex),
            // C takes the mark of a position for a length that nothing is as long as.
            Some(Capture::Position(_)) => Ok(None),
            Some(&Capture::Text { from, to }) => {
                let is_same = self.subject[s..].starts_with(&self.subject[from..to]);
                Ok(is_same.then_some(s + (to - from)))
            }
        }
    }

    fn balanced(&mut self, s: usize, p: usize) -> Result<Option<usize>, Fault> {
        let (open, close) = (self.at(p), self.at(p + 1));
        if open == 0 || close == 0 {
            return Err(Fault::Unbalanced);
        }
        // C looks at the NUL behind the subject, which no pattern contains.
        if self.subject.get(s) != Some(&open) {
            return Ok(None);
        }
        let mut depth = 1usize;
        for (index, &byte) in self.subject.iter().enumerate().skip(s + 1) {
            self.count_step()?;
            if byte == close {
                depth -= 1;
                if depth == 0 {
                    return Ok(Some(index + 1));
                }
            } else if byte == open {
                depth += 1;
            }
        }
        Ok(None)
    }

    /// Where the set behind `%f` ends, if the subject goes from outside the set to inside here.
    fn frontier(&mut self, s: usize, p: usize) -> Result<Option<usize>, Fault> {
        if self.at(p) != b'[' {
            return Err(Fault::MissingFrontierSet);
        }
        let end = self.class_end(p)?;
        let before = s.checked_sub(1).map_or(0, |before| self.subject[before]);
        let here = self.subject.get(s).copied().unwrap_or(0);
        let is_frontier = !self.is_in_set(before, p, end - 1) && self.is_in_set(here, p, end - 1);
        Ok(is_frontier.then_some(end))
    }
}

/// `%a` and its like; what is no class is itself. Capitals are the complement.
fn is_in_class(byte: u8, class: u8) -> bool {
    let is = match class.to_ascii_lowercase() {
        b'a' => byte.is_ascii_alphabetic(),
        b'c' => byte.is_ascii_control(),
        b'd' => byte.is_ascii_digit(),
        b'l' => byte.is_ascii_lowercase(),
        b'p' => byte.is_ascii_punctuation(),
        b's' => byte.is_ascii_whitespace() || byte == 0x0b,
        b'u' => byte.is_ascii_uppercase(),
        b'w' => byte.is_ascii_alphanumeric(),
        b'x' => byte.is_ascii_hexdigit(),
        b'z' => byte == 0,
        _ => return class == byte,
    };
    is == class.is_ascii_lowercase()
}
