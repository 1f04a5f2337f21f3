use proptest::prelude::*;

use super::*;

fn sticky() -> Sticky {
    Sticky::new(Key::new([9; 16]))
}

#[test]
fn a_value_does_not_show_the_endpoint() {
    let (one, next) = (sticky().value(1, EndpointId(1)), sticky().value(1, EndpointId(2)));
    let alike = one.iter().zip(&next).filter(|(a, b)| a == b).count();
    assert!(alike < 10, "{} {}", String::from_utf8_lossy(&one), String::from_utf8_lossy(&next));
}

#[test]
fn what_is_too_short_too_long_or_no_number_is_refused() {
    for value in ["", "12", "zz345678901234567890123456789012", "1234567890123456789012345678901234"] {
        assert_eq!(sticky().read(1, value.as_bytes()), None, "{value}");
    }
    let upper = sticky().value(1, EndpointId(0xabcd)).map(|byte| byte.to_ascii_uppercase());
    assert_eq!(sticky().read(1, &upper), None, "one way to write a value");
}

proptest! {
    #[test]
    fn what_we_made_is_read_back(scope: u64, id: u64) {
        prop_assert_eq!(sticky().read(scope, &sticky().value(scope, EndpointId(id))), Some(EndpointId(id)));
    }

    #[test]
    fn another_scope_another_key_or_one_changed_digit_is_refused(scope: u64, id: u64, at in 0..VALUE_LEN, by in 1_u8..16) {
        let value = sticky().value(scope, EndpointId(id));
        prop_assert_eq!(sticky().read(scope ^ 1, &value), None);
        prop_assert_eq!(Sticky::new(Key::new([8; 16])).read(scope, &value), None);
        let mut changed = value;
        changed[at] = digit(digit_value(value[at]).expect("a digit") ^ by);
        prop_assert_eq!(sticky().read(scope, &changed), None);
    }
}
