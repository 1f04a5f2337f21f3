//! Core: W3C Trace Context (Recommendation, level 1): who this request belongs to, carried through every hop.
//!
//! `traceparent: 00-<trace id>-<parent span id>-<flags>`. A header that breaks the format is as good as none: a new trace starts.

use std::fmt;

/// The position of one request in one trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceContext {
    pub trace_id: u128,
    /// The span that is the parent of what comes next.
    pub span_id: u64,
    pub sampled: bool,
}

impl TraceContext {
    /// Parses a `traceparent` header. Versions above 00 are read by their first four fields, as the specification asks.
    pub fn parse(header: &str) -> Option<Self> {
        let header = header.trim();
        let (version, rest) = hex_field(header, 2)?;
        let (trace_id, rest) = hex_field(rest.strip_prefix('-')?, 32)?;
        let (span_id, rest) = hex_field(rest.strip_prefix('-')?, 16)?;
        let (flags, rest) = hex_field(rest.strip_prefix('-')?, 2)?;
        let ends_well = rest.is_empty() || (version > 0 && rest.starts_with('-'));
        let valid = version != 0xff && trace_id != 0 && span_id != 0 && ends_well;
        valid.then_some(Self { trace_id, span_id: span_id as u64, sampled: flags & 1 == 1 })
    }

    /// The same trace, seen from a new span.
    pub fn child(&self, span_id: u64) -> Self {
        Self { span_id, ..*self }
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, u8::from(self.sampled))
    }
}

fn hex_field(text: &str, len: usize) -> Option<(u128, &str)> {
    let field = text.get(..len)?;
    let lower_hex = field.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let value = lower_hex.then(|| u128::from_str_radix(field, 16).ok()).flatten()?;
    Some((value, &text[len..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_sample_of_the_specification_is_read_and_written_back() {
        let context = TraceContext::parse(SAMPLE).expect("the sample is valid");
        assert!(context.sampled);
        assert_eq!(context.to_string(), SAMPLE);
        assert_eq!(context.child(0xabc).to_string(), "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000abc-01");
    }

    #[test]
    fn a_broken_header_is_no_context() {
        for bad in [
            "",
            "00",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceContext::parse(bad), None, "{bad}");
        }
        assert!(TraceContext::parse("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more").is_some());
    }
}
