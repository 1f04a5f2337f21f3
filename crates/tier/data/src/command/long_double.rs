//! Core: sums of decimal fractions as Redis makes and prints them: in C's `long double` with its 64 bits of precision, seventeen
//! digits behind the point, without zeros at the end. In doubles 0.1 and 0.2 would be 0.30000000000000004.

use std::cmp::Ordering;

/// The most decimal digits that are read exactly.
const DIGITS_MAX: usize = 38;
/// 10 to the 17th: as many digits are printed behind the point.
const FRACTION: u128 = 100_000_000_000_000_000;

/// `mantissa` times two to the `exponent`; the mantissa's first bit is set unless it is 0.
#[derive(Clone, Copy, Debug)]
struct Extended {
    is_negative: bool,
    mantissa: u64,
    exponent: i32,
}

/// The sum of two finite numbers (`a` and `b` are their texts), printed.
pub(crate) fn sum((a, a_text): (f64, &[u8]), (b, b_text): (f64, &[u8])) -> String {
    let read = |number, text| Extended::exactly(text).unwrap_or_else(|| Extended::of_double(number));
    read(a, a_text).plus(read(b, b_text)).print()
}

impl Extended {
    const ZERO: Self = Self { is_negative: false, mantissa: 0, exponent: 0 };

    fn of_double(number: f64) -> Self {
        let bits = number.to_bits();
        let (fraction, exponent) = (bits & ((1 << 52) - 1), (bits >> 52 & 0x7ff) as i32);
        let mantissa = if exponent == 0 { fraction } else { fraction | 1 << 52 };
        Self::rounded(number < 0.0, mantissa.into(), exponent.max(1) - 1075, false)
    }

    /// Plain decimals of a usual size; `None` for anything else.
    fn exactly(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let (is_negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (digits, power) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let number: String = [whole, fraction].concat();
        if number.len() > DIGITS_MAX || !number.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let power = power.parse::<i32>().ok()? - i32::try_from(fraction.len()).ok()?;
        (-60..60).contains(&power).then_some(())?;
        Some(Self::ratio(is_negative, number.parse().ok()?, power))
    }

    /// `number` times ten to the `power`.
    fn ratio(is_negative: bool, number: u128, power: i32) -> Self {
        if number == 0 {
            return Self::ZERO;
        }
        let (mut over, mut under) = (Big::of(number), Big::of(1));
        let scaled = if power < 0 { &mut under } else { &mut over };
        (0..power.unsigned_abs()).for_each(|_| scaled.multiply(10));
        // So that the quotient has 66 bits or one more.
        let shift = 66 + under.bits() - over.bits();
        if shift > 0 {
            over.shift(shift)
        } else {
            under.shift(-shift)
        }
        let (quotient, is_exact) = over.divide(under);
        Self::rounded(is_negative, quotient, -shift, !is_exact)
    }

    /// To the nearest, ties to even. `more`: there is something behind the last bit.
    fn rounded(is_negative: bool, number: u128, exponent: i32, more: bool) -> Self {
        let drop = 128 - number.leading_zeros() as i32 - 64;
        if number == 0 {
            return Self::ZERO;
        }
        if drop <= 0 {
            return Self { is_negative, mantissa: (number << -drop) as u64, exponent: exponent + drop };
        }
        let (kept, rest, half) = (number >> drop, number & ((1 << drop) - 1), 1 << (drop - 1));
        let up = match rest.cmp(&half) {
            Ordering::Less => 0,
            Ordering::Equal if !more => kept & 1,
            _ => 1,
        };
        match u64::try_from(kept + up) {
            Ok(mantissa) => Self { is_negative, mantissa, exponent: exponent + drop },
            Err(_) => Self { is_negative, mantissa: 1 << 63, exponent: exponent + drop + 1 },
        }
    }

    fn plus(self, other: Self) -> Self {
        let (large, small) = match self.mantissa != 0 && (other.mantissa == 0 || self.exponent >= other.exponent) {
            true => (self, other),
            false => (other, self),
        };
        let apart = large.exponent.saturating_sub(small.exponent);
        if small.mantissa == 0 || apart > 64 {
            return large;
        }
        let (a, b) =
            (u128::from(large.mantissa) << apart.min(63) << (apart - apart.min(63)), u128::from(small.mantissa));
        if large.is_negative == small.is_negative {
            return Self::rounded(large.is_negative, a + b, small.exponent, false);
        }
        let is_negative = if a >= b { large.is_negative } else { small.is_negative };
        Self::rounded(is_negative, a.abs_diff(b), small.exponent, false)
    }

    fn print(self) -> String {
        let text = if self.exponent >= 0 { self.print_whole() } else { self.print_fraction() };
        if self.is_negative && text != "0" { format!("-{text}") } else { text }
    }

    fn print_whole(self) -> String {
        let mut number = Big::of(self.mantissa.into());
        number.shift(self.exponent);
        number.print()
    }

    fn print_fraction(self) -> String {
        let scaled = u128::from(self.mantissa) * FRACTION;
        let drop = self.exponent.unsigned_abs();
        let number = match drop {
            // Less than half of the last digit.
            123.. => 0,
            _ => {
                let (kept, rest, half) = (scaled >> drop, scaled & ((1 << drop) - 1), 1 << (drop - 1));
                kept + u128::from(rest > half || rest == half && kept & 1 == 1)
            }
        };
        let text = format!("{}.{:017}", number / FRACTION, number % FRACTION);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

/// A whole number of any size, the lowest part first.
#[derive(Clone, Debug)]
struct Big(Vec<u32>);

impl Big {
    fn of(mut number: u128) -> Self {
        let mut parts = Vec::new();
        while number > 0 {
            parts.push(number as u32);
            number >>= 32;
        }
        Self(parts)
    }

    fn bits(&self) -> i32 {
        self.0.last().map_or(0, |last| self.0.len() as i32 * 32 - last.leading_zeros() as i32)
    }

    fn multiply(&mut self, by: u32) {
        let mut carry = 0;
        for part in &mut self.0 {
            let product = u64::from(*part) * u64::from(by) + carry;
            (*part, carry) = (product as u32, product >> 32);
        }
        if carry > 0 {
            self.0.push(carry as u32);
        }
    }

    fn shift(&mut self, left: i32) {
        let left = left.unsigned_abs();
        self.multiply(1 << (left % 32));
        self.0.splice(0..0, std::iter::repeat_n(0, (left / 32) as usize));
    }

    /// The quotient, which has less than 128 bits, and whether nothing is left.
    fn divide(mut self, mut by: Big) -> (u128, bool) {
        let places = (self.bits() - by.bits()).max(0);
        by.shift(places);
        let mut quotient = 0;
        for _ in 0..=places {
            quotient <<= 1;
            if self.compare(&by) != Ordering::Less {
                self.subtract(&by);
                quotient |= 1;
            }
            by.halve();
        }
        (quotient, self.0.is_empty())
    }

    fn compare(&self, other: &Big) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }

    /// `other` is not larger.
    fn subtract(&mut self, other: &Big) {
        let mut borrow = false;
        for (at, part) in self.0.iter_mut().enumerate() {
            let (less, under) = part.overflowing_sub(other.0.get(at).copied().unwrap_or(0));
            let (less, under_too) = less.overflowing_sub(u32::from(borrow));
            (*part, borrow) = (less, under || under_too);
        }
        self.trim();
    }

    fn halve(&mut self) {
        let mut carry = 0;
        for part in self.0.iter_mut().rev() {
            (*part, carry) = (*part >> 1 | carry << 31, *part & 1);
        }
        self.trim();
    }

    fn print(mut self) -> String {
        let mut groups = Vec::new();
        while !self.0.is_empty() {
            let mut rest = 0;
            for part in self.0.iter_mut().rev() {
                let number = rest << 32 | u64::from(*part);
                (*part, rest) = ((number / 1_000_000_000) as u32, number % 1_000_000_000);
            }
            groups.push(rest);
            self.trim();
        }
        let Some(first) = groups.pop() else { return "0".into() };
        groups.iter().rev().fold(first.to_string(), |text, group| format!("{text}{group:09}"))
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }
}

#[cfg(test)]
mod tests;
