use std::fs;

use super::*;

#[test]
fn everything_beside_the_way_to_a_private_directory_is_readable_and_links_are_not() {
    let root = std::env::temp_dir().join(format!("ringway-policy-{:016x}", ringway_rt::random::number()));
    for dir in ["a/private/deep", "a/other", "b"] {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    fs::write(root.join("a/file"), "").unwrap();
    std::os::unix::fs::symlink(root.join("a/private"), root.join("a/link")).unwrap();
    let policy = Policy { private: vec![root.join("a/private")], ..Policy::default() };

    let readable = policy.readable().unwrap();
    let root = root.canonicalize().unwrap();
    let mut ours: Vec<_> = readable.iter().filter_map(|path| path.strip_prefix(&root).ok()).collect();
    ours.sort();

    assert_eq!(ours, [Path::new("a/file"), Path::new("a/other"), Path::new("b")]);
    assert!(readable.contains(&PathBuf::from("/usr")));
    assert!(!readable.iter().any(|path| root.starts_with(path)), "no parent of the private directory");
    fs::remove_dir_all(&root).unwrap();
}

#[test]
fn without_private_directories_all_is_readable() {
    assert_eq!(Policy::default().readable().unwrap(), [PathBuf::from("/")]);
}
