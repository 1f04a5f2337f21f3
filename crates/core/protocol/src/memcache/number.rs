//! Core: numbers as C's `strtoul` and `strtol` read them: leading zeros and a plus are fine.

/// Digits, with a plus in front or not.
#[inline]
pub(super) fn unsigned(token: &[u8]) -> Option<u64> {
    let digits = token.strip_prefix(b"+").unwrap_or(token);
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

pub(super) fn unsigned_32(token: &[u8]) -> Option<u32> {
    unsigned(token).and_then(|number| u32::try_from(number).ok())
}

pub(super) fn signed(token: &[u8]) -> Option<i64> {
    match token.strip_prefix(b"-") {
        Some([b'+', ..]) => None,
        Some(digits) => 0i64.checked_sub_unsigned(unsigned(digits)?),
        None => i64::try_from(unsigned(token)?).ok(),
    }
}
