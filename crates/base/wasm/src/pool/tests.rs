use super::*;

#[test]
fn a_heading_alone_is_no_swap() {
    assert!(!lists_a_swap("Filename\t\t\t\tType\t\tSize\n"));
    assert!(lists_a_swap("Filename\t\t\t\tType\t\tSize\n/dev/sda2 partition 8388604 0 -2\n"));
}

#[test]
fn memory_that_is_no_whole_page_is_rounded_up() {
    let config = settings(4, PAGE + 1, true);
    assert!(wasmtime::Engine::new(&config).is_ok());
}
