use expect_test::expect;
use proptest::prelude::*;

use super::*;

fn shown(headers: &[(&str, &str)], path_info: &str, tls: bool) -> String {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    }
    let script = Script {
        method: "POST",
        request_uri: "/git/repo.git/git-upload-pack?x=1",
        query: "x=1",
        protocol: "HTTP/1.1",
        headers: &map,
        content_length: Some(12),
        script_name: b"/git",
        path_info: path_info.as_bytes(),
        script_filename: "/releases/1/cgi-bin/git",
        document_root: "/releases/1",
        client: "[::ffff:192.0.2.7]:5000".parse().unwrap(),
        server: "127.0.0.1:8080".parse().unwrap(),
        tls,
        software: "Ringway/0.1",
    };
    let lines = meta_variables(&script).into_iter().map(|(name, value)| format!("{name}={}\n", value.escape_ascii()));
    lines.collect()
}

#[test]
fn a_request_becomes_the_variables_of_rfc_3875() {
    let headers = [
        ("host", "git.example.org:8443"),
        ("content-type", "application/x-git"),
        ("content-length", "99"),
        ("authorization", "Basic Zm9v"),
        ("accept", "a"),
        ("accept", "b"),
        ("cookie", "x=1"),
        ("cookie", "y=2"),
    ];
    expect![[r#"
        GATEWAY_INTERFACE=CGI/1.1
        REQUEST_METHOD=POST
        REQUEST_URI=/git/repo.git/git-upload-pack?x=1
        QUERY_STRING=x=1
        SCRIPT_NAME=/git
        SCRIPT_FILENAME=/releases/1/cgi-bin/git
        DOCUMENT_ROOT=/releases/1
        PATH_INFO=/repo.git/git-upload-pack
        PATH_TRANSLATED=/releases/1/repo.git/git-upload-pack
        CONTENT_LENGTH=12
        CONTENT_TYPE=application/x-git
        REMOTE_ADDR=192.0.2.7
        REMOTE_PORT=5000
        SERVER_NAME=git.example.org
        SERVER_PORT=8443
        SERVER_PROTOCOL=HTTP/1.1
        SERVER_SOFTWARE=Ringway/0.1
        REQUEST_SCHEME=https
        HTTPS=on
        REDIRECT_STATUS=200
        HTTP_HOST=git.example.org:8443
        HTTP_AUTHORIZATION=Basic Zm9v
        HTTP_ACCEPT=a, b
        HTTP_COOKIE=x=1; y=2
    "#]]
    .assert_eq(&shown(&headers, "/repo.git/git-upload-pack", true));
}

#[test]
fn a_proxy_header_and_ambiguous_names_do_not_reach_the_script() {
    let text = shown(&[("proxy", "http://evil/"), ("x_forwarded_for", "1.2.3.4"), ("x-real", "1")], "", false);
    assert!(!text.contains("HTTP_PROXY") && !text.contains("HTTP_X_FORWARDED_FOR"), "{text}");
    assert!(text.contains("HTTP_X_REAL=1"));
    assert!(!text.contains("PATH_INFO") && !text.contains("PATH_TRANSLATED") && !text.contains("HTTPS="), "{text}");
    assert!(text.contains("SERVER_NAME=127.0.0.1\nSERVER_PORT=8080\n"), "{text}");
}

#[test]
fn the_first_segment_is_the_script() {
    assert_eq!(script_segment("/git/a/b%2Fc"), Ok(("git".to_owned(), "/a/b%2Fc")));
    assert_eq!(script_segment("/my%20script"), Ok(("my script".to_owned(), "")));
    assert_eq!(script_segment("hello/"), Ok(("hello".to_owned(), "/")));
    for bad in ["", "/", "//a", "/..", "/%2e%2e/x", "/.hidden", "/a%2Fb", "/a%00", "/%ff"] {
        assert_eq!(script_segment(bad), Err(PathError::Name), "{bad}");
    }
}

#[test]
fn path_info_is_decoded_and_has_no_zero_byte() {
    assert_eq!(path_info("/a%20b/%C3%BC").unwrap(), "/a b/ü".as_bytes());
    assert_eq!(path_info("/a%00b"), Err(PathError::ZeroByte));
}

proptest! {
    #[test]
    fn no_path_leads_out_of_the_script_directory(path in "[/.%0-9a-zA-Z]{0,40}") {
        if let Ok((name, _)) = script_segment(&path) {
            prop_assert!(std::path::Path::new(&name).components().count() == 1 && !name.starts_with('.'));
        }
    }
}
