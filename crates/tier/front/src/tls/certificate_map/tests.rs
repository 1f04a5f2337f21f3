use super::*;
use crate::tls::issue;
use crate::tls::tests::NOW;

fn certificate(label: &str, names: &[&str], age_days: u32) -> Certificate {
    let made = NOW - std::time::Duration::from_secs(24 * 3600) * age_days;
    let certificate = issue::leaf(None, names, made).unwrap();
    Certificate { label: label.into(), ..certificate }
}

fn check(map: &CertificateMap, name: &str, label: &str) {
    let found = map.find(name).or_else(|| map.default_one()).unwrap();
    let of_label = map.all().iter().find(|certificate| &*certificate.label == label).unwrap();
    assert_eq!(found.cert, of_label.key.cert, "{name}");
}

#[test]
fn the_exact_name_goes_before_a_wildcard_and_that_before_the_default() {
    let map = CertificateMap::new(vec![
        certificate("a", &["a.test", "*.b.test"], 0),
        certificate("b", &["www.b.test"], 0),
        certificate("default", &["c.test"], 0),
    ]);
    check(&map, "a.test", "a");
    check(&map, "x.b.test", "a");
    check(&map, "www.b.test", "b");
    check(&map, "c.test", "default");
    for unknown in ["b.test", "x.y.b.test", "x.a.test", "", "test"] {
        assert!(map.find(unknown).is_none(), "a wildcard is for one label: {unknown}");
        check(&map, unknown, "default");
    }
}

#[test]
fn without_one_called_default_it_is_the_first() {
    let map = CertificateMap::new(vec![certificate("b", &["b.test"], 0), certificate("c", &["c.test"], 0)]);
    check(&map, "x", "b");
    assert!(CertificateMap::default().default_one().is_none());
}

#[test]
fn of_two_for_a_name_the_renewed_one_is_taken() {
    let old_first = CertificateMap::new(vec![certificate("old", &["a.test"], 60), certificate("new", &["a.test"], 1)]);
    check(&old_first, "a.test", "new");
    let new_first = CertificateMap::new(vec![certificate("new", &["a.test"], 1), certificate("old", &["a.test"], 60)]);
    check(&new_first, "a.test", "new");
}
