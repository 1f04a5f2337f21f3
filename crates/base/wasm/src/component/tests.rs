use super::*;

fn complaint(bytes: &[u8]) -> String {
    check_kind(bytes, Path::new("fn.wasm")).err().map_or("none".to_owned(), |error| error.to_string())
}

#[test]
fn a_component_is_let_through() {
    assert_eq!(complaint(b"\0asm\x0d\0\x01\0rest"), "none");
}

#[test]
fn a_core_module_is_told_how_to_become_a_component() {
    let expected =
        "fn.wasm is not a component but a core module; make a component of it with `wasm-tools component new`";
    assert_eq!(complaint(b"\0asm\x01\0\0\0rest"), expected);
}

#[test]
fn other_files_are_told_apart() {
    assert!(complaint(b"").contains("something else than WebAssembly"));
    assert!(complaint(b"#!/bin/sh\n").contains("something else than WebAssembly"));
    assert!(complaint(b"(component)").contains("WebAssembly text"));
    assert!(complaint(b"\0asm\x0a\0\x01\0").contains("unknown version [0a, 00, 01, 00]"));
}
