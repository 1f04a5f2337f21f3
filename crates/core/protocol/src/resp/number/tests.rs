use proptest::prelude::*;

use super::*;

#[test]
fn numbers_are_canonical() {
    for (text, number) in [("0", 0), ("-1", -1), ("9223372036854775807", i64::MAX), ("-9223372036854775808", i64::MIN)]
    {
        assert_eq!(parse_int(text.as_bytes()), Some(number));
        assert_eq!(Decimal::signed(number).as_bytes(), text.as_bytes());
    }
    for text in ["", "-", "+1", "01", "-0", "1 ", "9223372036854775808", "-9223372036854775809", "1e3", "--1"] {
        assert_eq!(parse_int(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn unsigned_numbers_reach_their_own_end() {
    assert_eq!(parse_digits(b"18446744073709551615"), Some(u64::MAX));
    assert_eq!(Decimal::unsigned(u64::MAX).as_bytes(), b"18446744073709551615");
    for text in
        ["18446744073709551616", "99999999999999999999", "100000000000000000000", "-1", "", "1844674407370955161x"]
    {
        assert_eq!(parse_digits(text.as_bytes()), None, "{text}");
    }
}

/// What redis-server 7.0.15 answered to ZSCORE.
#[test]
fn doubles_are_printed_as_redis_prints_scores() {
    let printed = [
        (3.0, "3"),
        (0.1, "0.10000000000000001"),
        (-0.0, "-0"),
        (0.0, "0"),
        (3.25, "3.25"),
        (-2.5e-5, "-2.5000000000000001e-05"),
        (0.0001, "0.0001"),
        (1e16, "10000000000000000"),
        (99999999999999984.0, "99999999999999984"),
        (1e17, "1e+17"),
        (-1.5e300, "-1.5000000000000001e+300"),
        (5e-324, "4.9406564584124654e-324"),
        (1e100, "1e+100"),
        (123456789.125, "123456789.125"),
        (f64::MAX, "1.7976931348623157e+308"),
        (f64::INFINITY, "inf"),
        (f64::NEG_INFINITY, "-inf"),
    ];
    for (number, text) in printed {
        assert_eq!(double_text(number), text);
    }
}

proptest! {
    #[test]
    fn whatever_is_written_is_read_back(number in any::<i64>(), digits in 0u32..64) {
        let number = number >> digits;
        prop_assert_eq!(parse_int(Decimal::signed(number).as_bytes()), Some(number));
        let text = number.to_string();
        prop_assert_eq!(Decimal::signed(number).as_bytes().to_vec(), text.into_bytes());
    }

    #[test]
    fn a_printed_double_is_the_same_double(bits in any::<u64>()) {
        let number = f64::from_bits(bits);
        prop_assume!(!number.is_nan());
        prop_assert_eq!(double_text(number).parse::<f64>().map(f64::to_bits), Ok(number.to_bits()));
    }
}
