//! Core: numbers as Redis reads and writes them.

/// The longest an `i64` gets: a sign and nineteen digits.
pub const INT_LEN_MAX: usize = 20;

const PAIRS: &[u8; 200] =
    b"0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849\
5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

/// A decimal number as Redis' `string2ll` takes it: no `+`, no leading zeros, no overflow.
pub fn parse_int(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let number = parse_digits(digits)?;
    match (negative, number) {
        (false, _) => i64::try_from(number).ok(),
        (true, 0) => None,
        (true, _) => 0i64.checked_sub_unsigned(number),
    }
}

/// As [`parse_int`], without a sign and up to `u64::MAX`.
pub fn parse_digits(digits: &[u8]) -> Option<u64> {
    match digits {
        [] => return None,
        [b'0', _, ..] => return None,
        _ if digits.len() > INT_LEN_MAX => return None,
        _ => {}
    }
    let (sure, last) = digits.split_at(digits.len().min(INT_LEN_MAX - 1));
    let mut number = 0u64;
    for byte in sure {
        let digit = u64::from(byte.wrapping_sub(b'0'));
        if digit > 9 {
            return None;
        }
        number = number * 10 + digit;
    }
    let Some(byte) = last.first() else { return Some(number) };
    let digit = Some(u64::from(byte.wrapping_sub(b'0'))).filter(|digit| *digit <= 9)?;
    number.checked_mul(10)?.checked_add(digit)
}

/// The decimal digits of a number, without going through `fmt`.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    digits: [u8; INT_LEN_MAX],
    from: usize,
}

impl Decimal {
    pub fn signed(number: i64) -> Self {
        let mut decimal = Self::unsigned(number.unsigned_abs());
        if number < 0 {
            decimal.from -= 1;
            decimal.digits[decimal.from] = b'-';
        }
        decimal
    }

    pub fn unsigned(mut number: u64) -> Self {
        let mut digits = [0; INT_LEN_MAX];
        let mut from = INT_LEN_MAX;
        while number >= 100 {
            let pair = (number % 100) as usize * 2;
            number /= 100;
            from -= 2;
            digits[from..from + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
        }
        if number >= 10 {
            let pair = number as usize * 2;
            from -= 2;
            digits[from..from + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
        } else {
            from -= 1;
            digits[from] = b'0' + number as u8;
        }
        Self { digits, from }
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.digits[self.from..]
    }
}

/// A double as C's `%.17g` prints it, which is how Redis 7 prints scores: `3`, `0.10000000000000001`, `1e+17`, `-0`, `inf`.
pub fn double_text(number: f64) -> String {
    /// Whole numbers below this have at most 17 digits.
    const PLAIN_MAX: f64 = 1e17;
    if number.is_nan() {
        return "nan".into();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.into();
    }
    if number == number.trunc() && number.abs() < PLAIN_MAX {
        let text = (number as i64).to_string();
        return if number == 0.0 && number.is_sign_negative() { "-0".into() } else { text };
    }
    general_17(number)
}

fn general_17(number: f64) -> String {
    let exact = format!("{:.16e}", number.abs());
    let (mantissa, exponent) = exact.split_once('e').expect("this format has an exponent");
    let exponent: i32 = exponent.parse().expect("which is a number");
    let digits: String = mantissa.chars().filter(|digit| *digit != '.').collect();
    let digits = digits.trim_end_matches('0');
    let sign = if number < 0.0 { "-" } else { "" };
    if !(-4..17).contains(&exponent) {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        let direction = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{first}{point}{rest}e{direction}{:02}", exponent.abs());
    }
    if exponent < 0 {
        return format!("{sign}0.{}{digits}", "0".repeat(-exponent as usize - 1));
    }
    let whole = exponent as usize + 1;
    if digits.len() <= whole {
        return format!("{sign}{digits}{}", "0".repeat(whole - digits.len()));
    }
    format!("{sign}{}.{}", &digits[..whole], &digits[whole..])
}

#[cfg(test)]
mod tests;
