//! Core: sums of numbers with a fraction as Redis makes them: in C's `long double`, which on the machines that Redis is known from is
//! the 80 bits of the x87. 0.1 and 0.2 are 0.3 there, as people expect; a double makes 0.30000000000000004 of them.
//!
//! A number is a mantissa of 64 bits times a power of two; reading, adding and printing round as IEEE 754 says, to the nearest, ties to even.

/// Longer texts are no numbers, as in Redis.
const TEXT_LEN_MAX: usize = 5 * 1024;
/// Of the highest bit of the greatest number.
const EXPONENT_MAX: i32 = 16_383;
/// Numbers below this power of ten are 0, above the other infinite, however many digits they have.
const DECIMAL_EXPONENT_MAX: i64 = 4951;
const FRACTION_DIGITS: usize = 17;
const FRACTION: u128 = 10u128.pow(FRACTION_DIGITS as u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongDouble {
    is_negative: bool,
    size: Size,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Size {
    Zero,
    /// `mantissa` times 2 to this; its highest bit is set.
    Finite {
        mantissa: u64,
        exponent: i32,
    },
    Infinite,
}

impl LongDouble {
    pub const ZERO: Self = Self { is_negative: false, size: Size::Zero };

    /// A decimal number as `strtold` takes it, or `inf`. `None` is also what is too large or too small, and a NaN.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (is_negative, rest) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        if text.len() >= TEXT_LEN_MAX {
            return None;
        }
        if rest.eq_ignore_ascii_case(b"inf") || rest.eq_ignore_ascii_case(b"infinity") {
            return Some(Self { is_negative, size: Size::Infinite });
        }
        let (digits, point) = Decimal::read(rest)?.settle();
        if digits.is_empty() {
            return Some(Self { is_negative, size: Size::Zero });
        }
        let size = from_decimal(&digits, point);
        matches!(size, Size::Finite { .. }).then_some(Self { is_negative, size })
    }

    pub fn is_finite(self) -> bool {
        self.size != Size::Infinite
    }

    pub fn is_zero(self) -> bool {
        self.size == Size::Zero
    }

    /// `None`: infinities of both signs.
    pub fn plus(self, other: Self) -> Option<Self> {
        let (own, others) = match (self.size, other.size) {
            (Size::Infinite, Size::Infinite) => return (self == other).then_some(self),
            (Size::Infinite, _) | (_, Size::Zero) => return Some(self),
            (_, Size::Infinite) | (Size::Zero, _) => return Some(other),
            (
                Size::Finite { mantissa, exponent },
                Size::Finite { mantissa: other_mantissa, exponent: other_exponent },
            ) => ((exponent, mantissa), (other_exponent, other_mantissa)),
        };
        // Mantissas are normal: the greater pair is the greater number.
        let (large, small, sign) =
            if own >= others { (own, others, self.is_negative) } else { (others, own, other.is_negative) };
        let far = (large.0 - small.0) as u32;
        let (high, low) = (u128::from(large.1) << 62, u128::from(small.1) << 62);
        let shifted = low.checked_shr(far).unwrap_or(0);
        let is_cut = far >= 128 || shifted << far != low;
        let sum = match self.is_negative == other.is_negative {
            true => high + shifted,
            false => high - shifted - u128::from(is_cut),
        };
        Some(Self { is_negative: sign && sum != 0, size: rounded(sum, is_cut, large.0 - 62) })
    }

    /// As Redis prints it: 17 digits behind the point, without the zeros at the end.
    pub fn text(self) -> String {
        let (mantissa, exponent) = match self.size {
            Size::Zero => return "0".into(),
            Size::Infinite => return if self.is_negative { "-inf" } else { "inf" }.into(),
            Size::Finite { mantissa, exponent } => (mantissa, exponent),
        };
        let digits = match exponent {
            0.. => whole_text(mantissa, exponent as u32),
            _ => fraction_text(mantissa, exponent.unsigned_abs()),
        };
        if self.is_negative && digits != "0" { format!("-{digits}") } else { digits }
    }
}

/// What is nearest to `number` times 2 to `exponent`; with `is_cut` it is a little more.
fn rounded(number: u128, is_cut: bool, exponent: i32) -> Size {
    if number == 0 {
        return Size::Zero;
    }
    let excess = 64 - number.leading_zeros() as i32;
    if excess <= 0 {
        return normal((number << -excess) as u64, exponent + excess);
    }
    let (kept, lost) = ((number >> excess) as u64, number & ((1 << excess) - 1));
    let half = 1u128 << (excess - 1);
    let is_up = lost > half || lost == half && (is_cut || kept & 1 == 1);
    match kept.checked_add(u64::from(is_up)) {
        Some(mantissa) => normal(mantissa, exponent + excess),
        None => normal(1 << 63, exponent + excess + 1),
    }
}

fn normal(mantissa: u64, exponent: i32) -> Size {
    if exponent + 63 > EXPONENT_MAX { Size::Infinite } else { Size::Finite { mantissa, exponent } }
}

/// The number that these digits make, times 10 to `exponent`.
fn from_decimal(digits: &[u8], exponent: i64) -> Size {
    let size = exponent + digits.len() as i64;
    if size.abs() > DECIMAL_EXPONENT_MAX {
        return if size > 0 { Size::Infinite } else { Size::Zero };
    }
    let mut number = Big::default();
    for digit in digits {
        number.multiply_add(10, u32::from(*digit));
    }
    if exponent >= 0 {
        (0..exponent).for_each(|_| number.multiply_add(5, 0));
        return number.top(false, exponent as i32);
    }
    // Enough bits that the quotient has more than a mantissa.
    let tens = exponent.unsigned_abs() as u32;
    let extra = 128 + tens * 7 / 3;
    number.shift_left(extra);
    let is_cut = (0..tens).fold(false, |is_cut, _| number.divide(5) != 0 || is_cut);
    number.top(is_cut, -((extra + tens) as i32))
}

fn whole_text(mantissa: u64, exponent: u32) -> String {
    let mut number = Big::default();
    number.words.extend([mantissa as u32, (mantissa >> 32) as u32]);
    number.shift_left(exponent);
    let mut groups = Vec::new();
    while !number.is_zero() {
        groups.push(number.divide(1_000_000_000));
    }
    let mut text = groups.pop().unwrap_or_default().to_string();
    groups.iter().rev().for_each(|group| text.push_str(&format!("{group:09}")));
    text
}

/// `shift`: so many of the mantissa's bits are behind the point, and more.
fn fraction_text(mantissa: u64, shift: u32) -> String {
    // 64 and 57 bits.
    let scaled = u128::from(mantissa) * FRACTION;
    let (mut units, lost) = match shift {
        0..128 => (scaled >> shift, scaled & ((1 << shift) - 1)),
        _ => (0, 0),
    };
    if shift < 128 {
        let half = 1u128 << (shift - 1);
        units += u128::from(lost > half || lost == half && units & 1 == 1);
    }
    let (whole, fraction) = (units / FRACTION, units % FRACTION);
    let fraction = format!("{fraction:017}");
    match fraction.trim_end_matches('0') {
        "" => whole.to_string(),
        fraction => format!("{whole}.{fraction}"),
    }
}

/// A text's digits, where its point is, and its exponent.
struct Decimal {
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    fn read(text: &[u8]) -> Option<Self> {
        let at = text.iter().position(|byte| byte.eq_ignore_ascii_case(&b'e')).unwrap_or(text.len());
        let exponent = match &text[at..] {
            [] => 0,
            [_, exponent @ ..] => read_exponent(exponent)?,
        };
        let (mut digits, mut behind_point) = (Vec::with_capacity(at), None);
        for byte in &text[..at] {
            match byte {
                b'0'..=b'9' => digits.push(byte - b'0'),
                b'.' if behind_point.is_none() => behind_point = Some(digits.len()),
                _ => return None,
            }
        }
        let behind = behind_point.map_or(0, |at| digits.len() - at) as i64;
        (!digits.is_empty()).then_some(Self { digits, exponent: exponent - behind })
    }

    /// Without zeros in front and at the end.
    fn settle(self) -> (Vec<u8>, i64) {
        let Self { mut digits, mut exponent } = self;
        while digits.last() == Some(&0) {
            digits.pop();
            exponent += 1;
        }
        let zeros = digits.iter().take_while(|digit| **digit == 0).count();
        (digits.split_off(zeros), exponent)
    }
}

/// Of any size: what is beyond all bounds stays there.
fn read_exponent(text: &[u8]) -> Option<i64> {
    let (is_negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let add = |number: i64, digit: &u8| (number * 10 + i64::from(digit - b'0')).min(1_000_000_000);
    let exponent = digits.iter().fold(0, add);
    Some(if is_negative { -exponent } else { exponent })
}

/// A whole number of any size, lowest words first.
#[derive(Default)]
struct Big {
    words: Vec<u32>,
}

impl Big {
    fn is_zero(&self) -> bool {
        self.words.is_empty()
    }

    fn multiply_add(&mut self, by: u32, add: u32) {
        let mut carry = u64::from(add);
        for word in &mut self.words {
            let product = u64::from(*word) * u64::from(by) + carry;
            (*word, carry) = (product as u32, product >> 32);
        }
        if carry > 0 {
            self.words.push(carry as u32);
        }
    }

    /// The remainder.
    fn divide(&mut self, by: u32) -> u32 {
        let mut rest = 0u64;
        for word in self.words.iter_mut().rev() {
            let part = rest << 32 | u64::from(*word);
            (*word, rest) = ((part / u64::from(by)) as u32, part % u64::from(by));
        }
        while self.words.last() == Some(&0) {
            self.words.pop();
        }
        rest as u32
    }

    fn shift_left(&mut self, bits: u32) {
        self.multiply_add(1 << (bits % 32), 0);
        let words = std::iter::repeat_n(0, (bits / 32) as usize);
        self.words.splice(0..0, words);
    }

    /// The nearest number there is to this times 2 to `exponent`.
    fn top(&self, is_cut: bool, exponent: i32) -> Size {
        let skipped = self.words.len().saturating_sub(4);
        let high = self.words[skipped..].iter().rev().fold(0u128, |number, word| number << 32 | u128::from(*word));
        let is_cut = is_cut || self.words[..skipped].iter().any(|word| *word != 0);
        rounded(high, is_cut, exponent + skipped as i32 * 32)
    }
}

#[cfg(test)]
mod tests;
