use super::*;

fn script(text: &str) -> Script {
    Script::new(Bytes::copy_from_slice(text.as_bytes())).expect("no shebang")
}

#[test]
fn what_was_not_used_for_longest_makes_room() {
    let library = Library::new(3 * (ENTRY_BYTES + 8));
    for text in ["return 1", "return 2", "return 3"] {
        library.insert(script(text)).expect("fits");
    }
    let first = script("return 1").sha();
    for _ in 0..=USES_BETWEEN_NOTES {
        assert!(library.get(&first).is_some());
    }
    library.insert(script("return 4")).expect("fits");
    let left: Vec<bool> =
        ["return 1", "return 2", "return 3", "return 4"].map(|text| library.contains(&script(text).sha())).into();
    assert_eq!(left, [true, false, true, true]);
    assert_eq!(library.usage(), (3, 3 * (ENTRY_BYTES + 8)));
}

#[test]
fn the_same_text_is_kept_once() {
    let library = Library::new(10_000);
    library.insert(script("return 1")).expect("fits");
    library.insert(script("return 1")).expect("is there");
    assert_eq!(library.usage().0, 1);
    library.flush();
    assert_eq!(library.usage(), (0, 0));
}

#[test]
fn a_script_larger_than_the_library_is_refused() {
    let library = Library::new(1000);
    let text = format!("return '{}'", "x".repeat(1000));
    assert_eq!(library.insert(script(&text)).err(), Some(Error::TooLarge(800)));
    assert_eq!(library.usage(), (0, 0));
}

#[test]
fn the_first_line_says_what_a_script_wants() {
    let read = |text: &str| Script::new(Bytes::copy_from_slice(text.as_bytes())).map(|script| script.flags());
    let declared = Flags { declared: true, ..Flags::default() };
    assert_eq!(read("return 1"), Ok(Flags::default()));
    assert_eq!(read("#!lua\nreturn 1"), Ok(declared));
    assert_eq!(read("#!lua flags=\nreturn 1"), Ok(declared));
    let both = Flags { no_writes: true, allow_oom: true, ..declared };
    assert_eq!(read("#!lua flags=no-writes,allow-oom\nreturn 1"), Ok(both));
    let fault = |text: &str| read(text).expect_err("is wrong").to_string();
    assert_eq!(fault("#!lua"), "ERR Invalid script shebang");
    assert_eq!(fault("#!js\nx"), "ERR Unexpected engine in script shebang: #!js");
    assert_eq!(fault("#!lua name=x\nx"), "ERR Unknown lua shebang option: name=x");
    assert_eq!(fault("#!lua flags=a\nx"), "ERR Unexpected flag in script shebang: a");
}

#[test]
fn names_are_read_in_either_case() {
    let sha = script("return 1").sha();
    assert_eq!(sha.to_string(), "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
    assert_eq!(Sha::from_hex(b"E0E1F9FABFC9D4800C877A703B823AC0578FF8DB"), Some(sha));
    assert_eq!(Sha::from_hex(b"E0E1F9"), None);
    assert_eq!(Sha::from_hex(b"x0e1f9fabfc9d4800c877a703b823ac0578ff8db"), None);
}
