use super::*;

#[test]
fn a_slip_a_foreign_word_and_nonsense_are_told_apart() {
    let known = ["run", "replicas", "health"];
    assert_eq!(closest("replica", known), Some("replicas"));
    assert_eq!(closest("Run", known), Some("run"));
    assert_eq!(closest("command", known), Some("run"));
    assert_eq!(closest("command", ["health"]), None);
    assert_eq!(closest("x", ["y"]), None);
    assert_eq!(did_you_mean("quux", known, "known keys").as_deref(), Some("known keys: `run`, `replicas`, `health`"));
}
