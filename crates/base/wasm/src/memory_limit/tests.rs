use super::*;

const PAGE: usize = 64 * 1024;

#[test]
fn memories_are_counted_together() {
    let mut limit = MemoryLimit::new(4 * PAGE as u64);
    assert!(limit.memory_growing(0, 2 * PAGE, None).is_ok_and(|granted| granted));
    assert!(limit.memory_growing(0, 2 * PAGE, None).is_ok_and(|granted| granted));
    assert!(!limit.was_hit());
    assert!(limit.memory_growing(2 * PAGE, 3 * PAGE, None).is_ok_and(|granted| !granted));
    assert!(limit.was_hit());
    assert_eq!(limit.used(), 4 * PAGE as u64);
}

#[test]
fn the_components_own_maximum_counts_too() {
    let mut limit = MemoryLimit::new(u64::MAX);
    assert!(limit.memory_growing(0, 2 * PAGE, Some(PAGE)).is_ok_and(|granted| !granted));
    assert_eq!(limit.used(), 0);
}
