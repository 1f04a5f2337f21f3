//! What may be loaded, and what compiling leaves on disk.

use std::path::{Path, PathBuf};

use ringway_wasm::Error;

use crate::host::{Scratch, engine, fixture, text};

async fn refusal(content: &[u8]) -> Error {
    let scratch = Scratch::new();
    let path = scratch.file("fn.wasm", content);
    engine(&scratch, 1).load(&path).await.expect_err("is refused")
}

fn cached(scratch: &Scratch) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(scratch.0.join("cache")).expect("cache folder is there");
    entries.map(|entry| entry.expect("entry is readable").path()).collect()
}

#[tokio::test]
async fn a_core_module_is_refused_with_help() {
    let error = refusal(b"\0asm\x01\0\0\0").await;
    assert!(
        matches!(&error, Error::NotAComponent { help, .. } if help.contains("wasm-tools component new")),
        "{error}"
    );
}

#[tokio::test]
async fn garbage_is_refused() {
    assert!(matches!(refusal(b"no wasm at all").await, Error::NotAComponent { .. }));
    assert!(matches!(refusal(b"").await, Error::NotAComponent { .. }));
}

#[tokio::test]
async fn a_component_cut_short_does_not_compile() {
    let whole = std::fs::read(fixture()).expect("fixture is there");
    let error = refusal(&whole[..whole.len() / 2]).await;
    assert!(matches!(error, Error::Compile { .. }), "{error}");
}

#[tokio::test]
async fn a_component_that_handles_no_http_is_refused() {
    let error = refusal(b"\0asm\x0d\0\x01\0").await;
    let named = matches!(&error, Error::MissingExport { export, .. } if export.contains("wasi:http/incoming-handler"));
    assert!(named, "{error}");
}

#[tokio::test]
async fn a_component_that_wants_what_we_do_not_have_is_refused_by_name() {
    // (component (import "acme:gadget/spin" (func)))
    let wants_a_gadget = b"\0asm\x0d\0\x01\0\x07\x05\x01\x40\0\x01\0\x0a\x15\x01\0\x10acme:gadget/spin\x01\0";
    let error = refusal(wants_a_gadget).await;
    assert!(matches!(&error, Error::MissingImport { why, .. } if why.contains("acme:gadget/spin")), "{error}");
}

#[tokio::test]
async fn a_missing_file_is_named() {
    let scratch = Scratch::new();
    let error = engine(&scratch, 1).load(Path::new("/nowhere/fn.wasm")).await.expect_err("is refused");
    assert_eq!(error.to_string(), "cannot read /nowhere/fn.wasm: No such file or directory (os error 2)");
}

#[tokio::test]
async fn the_second_engine_finds_the_code_that_the_first_compiled() {
    let scratch = Scratch::new();
    engine(&scratch, 1).load(&fixture()).await.expect("component loads");
    let files = cached(&scratch);
    let compiled_at = |file: &PathBuf| std::os::unix::fs::MetadataExt::ino(&file.metadata().expect("file is there"));
    let first = compiled_at(&files[0]);
    engine(&scratch, 1).load(&fixture()).await.expect("component loads");
    assert_eq!(cached(&scratch), files);
    assert_eq!(compiled_at(&files[0]), first, "a file compiled again is another file");
}

#[tokio::test]
async fn a_corrupted_cache_file_is_compiled_again() {
    let host = crate::host::Host::new().await;
    let file = cached(&host.scratch).pop().expect("one file is there");
    std::fs::remove_file(&file).expect("file is removable");
    std::fs::write(&file, vec![0; 5000]).expect("file is writable");

    let component = host.engine.load(&fixture()).await.expect("component loads");
    let request = http::Request::get("http://shop.test/hello").body(String::new()).expect("request is valid");
    let response = host.engine.handle(&component, request, host.limits.clone(), host.watch.clone()).await;
    assert_eq!(text(response.expect("component answers")).await.0, 200);
    assert!(std::fs::metadata(&file).expect("file is there").len() > 5000);
}

#[tokio::test]
async fn loads_at_the_same_time_compile_once() {
    let scratch = Scratch::new();
    let engine = engine(&scratch, 1);
    let path = fixture();
    let (a, b) = tokio::join!(engine.load(&path), engine.load(&path));
    assert!(a.is_ok() && b.is_ok());
    assert_eq!(cached(&scratch).len(), 1);
}

#[tokio::test]
async fn an_engine_without_components_touches_nothing() {
    let scratch = Scratch::new();
    let _idle = engine(&scratch, 1000);
    assert!(!scratch.0.join("cache").exists());
}
