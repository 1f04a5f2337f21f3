use super::*;

#[test]
fn while_it_is_marked_all_but_one_now_and_then_pass_by() {
    let marks = Marks::default();
    assert_eq!(marks.look(7, 0), Marked::Not);
    marks.set(7, Why::Uncacheable, 0, PROBE_EVERY_MS);
    assert_eq!(marks.look(7, 1_000), Marked::Pass(Why::Uncacheable));
    assert_eq!(marks.look(7, 2_000), Marked::Probe);
    assert_eq!(marks.look(7, 2_000), Marked::Pass(Why::Uncacheable), "one is enough");
    assert_eq!(marks.look(7, 4_000), Marked::Probe);
    marks.clear(7);
    assert_eq!(marks.look(7, 4_000), Marked::Not);
}

#[test]
fn a_mark_that_nobody_renews_is_forgotten() {
    let marks = Marks::default();
    marks.set(7, Why::TooLarge, 0, 1_000);
    assert_eq!(marks.look(7, 999), Marked::Pass(Why::TooLarge));
    assert_eq!(marks.look(7, 1_000 + FORGOTTEN_AFTER_MS + 1), Marked::Not);
}

#[test]
fn one_address_is_not_taken_for_another_in_its_slot() {
    let marks = Marks::default();
    let other = 7 | 1 << 60;
    marks.set(7, Why::Uncacheable, 0, 1_000);
    assert_eq!(marks.look(other, 0), Marked::Not);
    marks.clear(other);
    assert_eq!(marks.look(7, 0), Marked::Pass(Why::Uncacheable));
    marks.set(other, Why::Uncacheable, 0, 1_000);
    assert_eq!(marks.look(7, 0), Marked::Not);
}
