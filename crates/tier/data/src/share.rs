//! Core: long bytes as parts of the buffer they were read into, so that they need not be copied.

use bytes::Bytes;

/// Values from this length on are shared, not copied into the table.
pub(crate) const SHARED_LEN_MIN: usize = 32 << 10;

/// Bytes that are on their way, as a part of `source` if they are one, or a copy.
pub(crate) fn share(bytes: &[u8], source: Option<&Bytes>) -> Bytes {
    match source {
        Some(source) if source.as_ptr_range().contains(&bytes.as_ptr()) => source.slice_ref(bytes),
        _ => Bytes::copy_from_slice(bytes),
    }
}

/// The same for bytes that stay: only if they are most of the source. A short part would keep all of it in memory, which nobody has
/// counted.
pub(crate) fn share_to_keep(bytes: &[u8], source: Option<&Bytes>) -> Bytes {
    share(bytes, source.filter(|source| bytes.len() >= source.len() / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_most_of_its_source_keeps_it_in_memory() {
        let source = Bytes::from(vec![7; 1000]);
        let is_part = |bytes: &Bytes| source.as_ptr_range().contains(&bytes.as_ptr());
        assert!(is_part(&share(&source[10..20], Some(&source))));
        assert!(is_part(&share_to_keep(&source[10..700], Some(&source))));
        assert!(!is_part(&share_to_keep(&source[10..20], Some(&source))));
        let other = vec![8; 900];
        assert_eq!(share_to_keep(&other, Some(&source)), other);
        assert_eq!(share(&source[..3], None), &source[..3]);
    }
}
