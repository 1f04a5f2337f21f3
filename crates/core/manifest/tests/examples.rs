//! The manifests of the example apps, as they are in the repository.

use std::fs;
use std::path::Path;

#[test]
fn every_example_has_a_manifest_without_fault_or_warning() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../examples");
    let mut count = 0;
    for entry in fs::read_dir(examples).expect("the repository has examples") {
        let file = entry.expect("readable").path().join(ringway_manifest::FILE_NAME);
        let Ok(text) = fs::read_to_string(&file) else { continue };
        let name = file.display().to_string();
        let parsed = ringway_manifest::parse(&name, &text).unwrap_or_else(|faults| panic!("{faults}"));
        assert_eq!(parsed.warnings, [], "{name}");
        count += 1;
    }
    assert!(count > 0, "no example has a manifest");
}
