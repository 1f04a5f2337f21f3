use expect_test::expect;

use super::*;
use crate::fault::Faults;
use crate::parse;

const TEXT: &str = r#"name = "a"
[[route]]
path = "/"
to = "static:public"
[[route]]
path = "/cgi-bin/*"
to = "cgi:cgi-bin"
[[route]]
path = "/guestbook"
to = "cgi:cgi-bin/guestbook"
[function.price]
wasm = "price.wasm"
build = "make"
[function.hello]
cgi = "hello.sh"
"#;

fn parsed() -> Parsed {
    parse("ringway.toml", TEXT).unwrap_or_else(|faults| panic!("{faults}"))
}

#[test]
fn a_complete_directory_has_no_fault() {
    let listing = [
        Entry::file("./public/index.html"),
        Entry::dir("cgi-bin/"),
        Entry::executable("cgi-bin/guestbook"),
        Entry::file("price.wasm"),
        Entry::executable("hello.sh"),
    ];
    assert_eq!(parsed().check_files(&listing), []);
    assert_eq!(parsed().manifest.check_files(&listing), []);
}

#[test]
fn what_is_missing_or_of_the_wrong_kind_is_said_where_it_is_named() {
    let listing =
        [Entry::file("publik"), Entry::file("cgi-bin"), Entry::dir("cgi-bin/guestbook"), Entry::file("hello.sh")];
    expect![[r#"
        ringway.toml:4:6: there is no `public` in the app directory
          |
        4 | to = "static:public"
          |
          = help: did you mean `publik`?

        ringway.toml:7:6: the script `cgi-bin` is not executable
          |
        7 | to = "cgi:cgi-bin"
          |
          = help: run `chmod +x cgi-bin`

        ringway.toml:10:6: `cgi-bin/guestbook` is a directory, and the route is for one path alone
           |
        10 | to = "cgi:cgi-bin/guestbook"
           |
           = help: let the route's `path` end in `/*` to reach the scripts in it

        ringway.toml:12:8: there is no `price.wasm` in the app directory
           |
        12 | wasm = "price.wasm"
           |
           = help: was it to come from the `build` command? it did not

        ringway.toml:15:7: the script `hello.sh` is not executable
           |
        15 | cgi = "hello.sh"
           |
           = help: run `chmod +x hello.sh`
    "#]]
    .assert_eq(&format!("{}\n", Faults(parsed().check_files(&listing))));
}

#[test]
fn without_the_text_the_faults_have_no_line() {
    let faults = parsed().manifest.check_files(&[
        Entry::dir("public"),
        Entry::dir("cgi-bin"),
        Entry::executable("cgi-bin/guestbook"),
    ]);
    expect![[r#"
        ringway.toml: there is no `hello.sh` in the app directory

        ringway.toml: there is no `price.wasm` in the app directory
          = help: was it to come from the `build` command? it did not
    "#]]
    .assert_eq(&format!("{}\n", Faults(faults)));
}

#[test]
fn a_single_page_app_needs_its_page() {
    let text = "name = \"a\"\n[[route]]\npath = \"/\"\nto = \"static:dist\"\nspa = true\n";
    let parsed = parse("ringway.toml", text).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(parsed.check_files(&[Entry::file("dist/index.html")]), []);
    let faults = parsed.check_files(&[Entry::file("dist/main.html")]);
    assert_eq!((faults.len(), faults[0].line), (1, 5), "{faults:?}");
}
