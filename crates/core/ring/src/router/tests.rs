use super::*;

#[test]
fn a_router_is_named_by_its_word() {
    for via in Via::all() {
        assert_eq!(via.to_string().parse::<Via>(), Ok(via));
    }
    assert_eq!(
        "finger".parse::<Via>().unwrap_err().to_string(),
        "'finger' is no router: it is index, table, neighbours or fingers"
    );
}

#[test]
fn what_does_not_fit_among_the_candidates_is_dropped() {
    let mut next = Next::new(2);
    (0..5).for_each(|number| next.push(number));
    assert_eq!(next.as_slice(), [0, 1]);
    next.clear();
    assert!(next.has_room() && next.as_slice().is_empty());
}
