//! Core: bytes in, lines out. Cuts what an instance prints, wherever its writes end, and bounds it.

/// A line's end (`\n` or `\r\n`) is not part of it. Bytes that are no UTF-8 are replaced.
#[derive(Debug)]
pub struct LineCutter {
    pending: Vec<u8>,
    line_bytes_max: usize,
    bytes_left: usize,
    bytes_max: usize,
    is_full: bool,
}

impl LineCutter {
    /// A line longer than `line_bytes_max` comes in pieces.
    pub fn new(line_bytes_max: usize) -> Self {
        Self { pending: Vec::new(), line_bytes_max, bytes_left: usize::MAX, bytes_max: usize::MAX, is_full: false }
    }

    /// What comes after `bytes_max` in all is dropped, and a last line says so.
    pub fn with_bytes_max(self, bytes_max: usize) -> Self {
        Self { bytes_left: bytes_max, bytes_max, ..self }
    }

    pub fn push(&mut self, bytes: &[u8], mut emit: impl FnMut(&str)) {
        let allowed = bytes.len().min(self.bytes_left);
        self.bytes_left -= allowed;
        for piece in bytes[..allowed].split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = piece.strip_suffix(b"\n").map_or((piece, false), |text| (text, true));
            self.take(text, &mut emit);
            if ends {
                self.flush(&mut emit);
            }
        }
        if allowed < bytes.len() && !self.is_full {
            self.is_full = true;
            self.finish(&mut emit);
            emit(&format!("further output is dropped: {} bytes are kept", self.bytes_max));
        }
    }

    /// What came after the last line end is a line too.
    pub fn finish(&mut self, mut emit: impl FnMut(&str)) {
        if !self.pending.is_empty() {
            self.flush(&mut emit);
        }
    }

    fn take(&mut self, mut text: &[u8], emit: &mut impl FnMut(&str)) {
        while self.pending.len() + text.len() > self.line_bytes_max {
            let (now, later) = text.split_at(self.line_bytes_max - self.pending.len());
            self.pending.extend_from_slice(now);
            text = later;
            self.flush(emit);
        }
        self.pending.extend_from_slice(text);
    }

    fn flush(&mut self, emit: &mut impl FnMut(&str)) {
        let line = self.pending.strip_suffix(b"\r").unwrap_or(&self.pending);
        emit(&String::from_utf8_lossy(line));
        self.pending.clear();
    }
}

#[cfg(test)]
mod tests;
