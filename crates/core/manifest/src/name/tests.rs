use proptest::prelude::*;

use super::*;

fn corrected(name: &str) -> Option<String> {
    check_name(name).err().map(|_| correct_name(name).unwrap_or_default())
}

#[test]
fn a_bad_name_comes_with_the_nearest_good_one() {
    assert_eq!(corrected("shop-2"), None);
    assert_eq!(corrected("My_Shop v2!"), Some("my-shop-v2".to_owned()));
    assert_eq!(corrected("2shop"), Some("shop".to_owned()));
    assert_eq!(corrected("123"), Some(String::new()));
    assert_eq!(corrected(&"a".repeat(41)), Some("a".repeat(40)));
    assert_eq!(corrected(&"a".repeat(40)), None);
}

proptest! {
    #[test]
    fn a_corrected_name_is_a_name(name in "\\PC{0,60}") {
        if let Some(corrected) = correct_name(&name) {
            prop_assert!(is_name(&corrected), "{corrected}");
        }
    }
}
