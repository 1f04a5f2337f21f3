use expect_test::expect;
use proptest::prelude::*;

use super::*;

fn check(text: &str) -> String {
    match text.parse::<Bytes>() {
        Ok(bytes) => format!("{text} = {} = {bytes}\n", bytes.0),
        Err(invalid) => format!("{text}: {invalid}; {}\n", invalid.help.as_deref().unwrap_or_default()),
    }
}

#[test]
fn units_are_read_as_si_and_iec_say() {
    let texts =
        ["64MB", "64MiB", "1 gb", "0B", "1000kB", "1536KiB", "7", "1.5GB", "64M", "8k", "9 parsecs", "", "-1MB"];
    let seen: String = texts.iter().map(|text| check(text)).collect();
    expect![[r#"
        64MB = 64000000 = 64MB
        64MiB = 67108864 = 64MiB
        1 gb = 1000000000 = 1GB
        0B = 0 = 0B
        1000kB = 1000000 = 1MB
        1536KiB = 1572864 = 1536KiB
        7: the size `7` has no unit; write `7B` or `7MB`
        1.5GB: `1.5GB` is not a size; write a whole number and a unit, like `64MB`
        64M: the size `64M` has an unknown unit; write `64MB` (powers of 1000) or `64MiB` (powers of 1024)
        8k: the size `8k` has an unknown unit; write `8kB` (1000 bytes each) or `8KiB` (1024 bytes each)
        9 parsecs: the size `9 parsecs` has an unknown unit; units: B, kB, MB, GB, TB (powers of 1000), KiB, MiB, GiB, TiB (powers of 1024)
        : `` is not a size; write a whole number and a unit, like `64MB`
        -1MB: `-1MB` is not a size; write a whole number and a unit, like `64MB`
    "#]]
    .assert_eq(&seen);
}

#[test]
fn more_than_64_bits_is_refused() {
    assert!("18446744073709551616B".parse::<Bytes>().is_err());
    assert!("18446744073709TB".parse::<Bytes>().is_err());
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(n in any::<u64>(), shift in 0u32..64) {
        let bytes = Bytes(n >> shift);
        prop_assert_eq!(bytes.to_string().parse::<Bytes>(), Ok(bytes));
    }
}
