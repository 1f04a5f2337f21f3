use super::*;

#[test]
fn every_experiment_is_found_by_its_name() {
    for experiment in experiments() {
        assert_eq!(find(experiment.name).map(|found| found.what), Some(experiment.what));
    }
    assert!(find("no such thing").is_none());
}
