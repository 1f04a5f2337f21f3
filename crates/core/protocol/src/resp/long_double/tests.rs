use proptest::prelude::*;

use super::*;

fn read(text: &str) -> LongDouble {
    LongDouble::parse(text.as_bytes()).unwrap_or_else(|| panic!("{text} is a number"))
}

fn sum(one: &str, other: &str) -> String {
    read(one).plus(read(other)).expect("no infinities").text()
}

#[test]
fn recorded_sums_are_those_of_redis() {
    for line in include_str!("recorded.txt").lines() {
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(sum(words[0], words[1]), words[2], "{line}");
    }
}

/// What redis-server 7.0.15 made of SET and INCRBYFLOAT; 4000 such sums were compared by hand.
#[test]
fn sums_are_those_of_redis() {
    for (one, other, expected) in [
        ("0.1", "0.2", "0.3"),
        ("10.50", "0.1", "10.6"),
        ("5.0e3", "2.0e2", "5200"),
        ("1.5", "-1.5", "0"),
        ("-0", "-0", "0"),
        ("0", "6e-18", "0.00000000000000001"),
        ("0", "5e-18", "0"),
        ("915368046493834418", "-2.5888505377915987", "915368046493834415.4375"),
        ("5e-18", "43e48", "42999999999999999999107157798671136822169679429632"),
        ("-9.162651845846836", "0.678489566041236850329134", "-8.48416227980559915"),
        ("8.68092112803653", "1335.285", "1343.96592112803653007"),
        ("0.3", "27e21", "27000000000000000000000"),
        ("200", "1321.348", "1521.34799999999999998"),
        ("0.011e9", "0.275", "11000000.2749999999996362"),
        ("-6.000e-2", "0.9733495950456054", "0.9133495950456054"),
        ("0.9574421", "0.779881001256565490759988777", "1.73732310125656549"),
        ("662.855", "-7.527e22", "-75270000000000000000000"),
        ("8.315469377015049", "0.46168017010894", "8.777149547123989"),
        ("-7.445665640281041", "4.9e-18", "-7.445665640281041"),
        ("921391983708677832", "-308804121566552689", "612587862142125143"),
        ("575.808", "875.269", "1451.07699999999999996"),
        ("28e6", "732.152", "28000732.15200000000004366"),
        ("-8.476795107176212", "1333.35", "1324.87320489282378799"),
        ("5.395e-19", "465950777157887594", "465950777157887594"),
        ("-605.525", "0.254814542124", "-605.27018545787600001"),
        ("-7.838e12", "-1828.129", "-7838000001828.12900018692016602"),
        ("-268089433524800870", "7.754e19", "77271910566475199128"),
        ("5.510e15", "9.086307672375742", "5510000000000009.08642578125"),
        ("4.004e-1", "-12811170819149230", "-12811170819149229.599609375"),
        ("49.719", "1217.670", "1267.38900000000000001"),
        ("182790363203709270", "-5.387e-2", "182790363203709269.953125"),
    ] {
        assert_eq!(sum(one, other), expected, "{one} + {other}");
    }
}

#[test]
fn the_greatest_number_is_the_last_one() {
    let greatest = "1.18973149535723176502e4932";
    assert!(sum(greatest, "1").starts_with("1189731495357231765"));
    assert!(!read(greatest).plus(read(greatest)).expect("one sign").is_finite());
    assert_eq!(read("inf").plus(read("1")).map(LongDouble::text), Some("inf".to_owned()));
    assert_eq!(read("inf").plus(read("-inf")), None);
}

#[test]
fn what_is_no_number_is_none() {
    let long = "1".repeat(TEXT_LEN_MAX);
    for text in [
        "",
        "-",
        ".",
        "e5",
        "1e",
        "1e+",
        "1 ",
        " 1",
        "1.2.3",
        "nan",
        "0x",
        "1e5000",
        "1e-5000",
        "1e99999999999999999999",
        &long,
    ] {
        assert_eq!(LongDouble::parse(text.as_bytes()), None, "{text}");
    }
    for text in ["5", "+5", "5.", ".5", "-INF", "0e99999", "1E3", "00.10"] {
        assert!(LongDouble::parse(text.as_bytes()).is_some(), "{text}");
    }
}

proptest! {
    #[test]
    fn whole_numbers_of_64_bits_are_exact(one in any::<i64>(), other in any::<i64>()) {
        let exact = i128::from(one) + i128::from(other);
        prop_assume!(exact.unsigned_abs() <= u64::MAX.into());
        prop_assert_eq!(sum(&one.to_string(), &other.to_string()), exact.to_string());
    }

    #[test]
    fn any_text_does_no_harm(one in "[-+0-9.e]{0,12}", other in "[-+0-9.e]{0,12}") {
        if let (Some(one), Some(other)) = (LongDouble::parse(one.as_bytes()), LongDouble::parse(other.as_bytes())) {
            prop_assert_eq!(one.plus(other).map(LongDouble::text), other.plus(one).map(LongDouble::text));
        }
    }
}
