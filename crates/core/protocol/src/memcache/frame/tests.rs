use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

mod fuzz;

const LIMITS: Limits = Limits { line_len_max: 100_000, value_len_max: 1 << 20 };

/// What a connection does with `bytes` that come cut at `cuts`: one line for each thing. Tries again only when it is told to.
fn read(bytes: &[u8], cuts: &[usize]) -> Vec<String> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).chain([bytes.len()]).collect();
    cuts.sort_unstable();
    let (mut seen, mut from, mut needed, mut from_scanned, mut swallow) = (Vec::new(), 0, 1, 0, 0);
    for cut in cuts {
        loop {
            let dropped = swallow.min(cut - from);
            (from, swallow) = (from + dropped, swallow - dropped);
            let input = &bytes[from..cut];
            if swallow > 0 || input.len() < needed {
                break;
            }
            let used = match parse(input, &LIMITS, from_scanned) {
                Parsed::Complete { used, request } => {
                    seen.push(told(&request));
                    used
                }
                Parsed::Refused { used, refusal } => {
                    let quiet = if refusal.quiet { " (quiet)" } else { "" };
                    let forget = refusal.forget.map(|key| format!(" forget {}", key.escape_ascii()));
                    seen.push(format!("{}{quiet}{}", refusal.text, forget.unwrap_or_default()));
                    swallow = refusal.swallow;
                    used
                }
                Parsed::Incomplete { needed: at, scanned } => {
                    assert!(at > input.len() && scanned <= input.len(), "asks for {at} bytes and has {}", input.len());
                    (needed, from_scanned) = (at, scanned);
                    break;
                }
                Parsed::Close { reply } => {
                    seen.push(format!("close {}", reply.escape_ascii()));
                    return seen;
                }
            };
            assert!(used > 0 && used <= input.len());
            (from, needed, from_scanned) = (from + used, 1, 0);
        }
    }
    seen
}

/// A request in one line. What is as always is not said.
fn told(request: &Request<'_>) -> String {
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    let list = |tokens: Tokens<'_>| tokens.map(text).collect::<Vec<_>>().join(" ");
    let quiet = |quiet: bool| if quiet { " quiet" } else { "" };
    match request {
        Request::Get(get) => format!("get {:?} cas={} expires={:?}", list(get.keys), get.with_cas, get.expires),
        Request::Store(store) => format!(
            "{:?} {} flags={} expires={} {:?}{}",
            store.verb,
            text(store.key),
            store.flags,
            store.expires,
            text(store.data),
            quiet(store.quiet)
        ),
        Request::Stats(args) => format!("stats {}", list(*args)),
        Request::Meta(meta) => {
            let mut said = format!("{:?} {} [{}]{}", meta.verb, text(&meta.key), list(meta.flags), quiet(meta.quiet));
            for (is, name) in [
                (meta.is_base64, "base64"),
                (meta.with_value, "value"),
                (meta.no_bump, "no-bump"),
                (meta.invalidate, "invalidate"),
            ] {
                said += if is { format!(" {name}") } else { String::new() }.as_str();
            }
            let numbers = (meta.expires, meta.vivify, meta.recache, meta.cas);
            format!("{said} {numbers:?} F{} J{} D{}", meta.client_flags, meta.initial, meta.delta)
        }
        Request::Arithmetic(sum) => {
            let sign = if sum.is_decrement { '-' } else { '+' };
            format!("{} {sign}{}{}", text(sum.key), sum.by, quiet(sum.quiet))
        }
        Request::Delete { key, quiet: is } => format!("delete {}{}", text(key), quiet(*is)),
        Request::Touch { key, expires, quiet: is } => format!("touch {} {expires}{}", text(key), quiet(*is)),
        other => format!("{other:?}"),
    }
}

fn check(bytes: &[u8], expected: &Expect) {
    let whole = read(bytes, &[]);
    expected.assert_eq(&(whole.join("\n") + "\n"));
    let everywhere: Vec<usize> = (0..bytes.len().min(300)).collect();
    assert_eq!(read(bytes, &everywhere), whole, "byte by byte");
}

#[test]
fn classic_commands_are_read() {
    check(
        b"get a\r\n  gets  a b \ngat 10 a\r\ngats -1 a b\r\nset k 5 60 3\r\na\r\n\r\nadd k 0 0 0 noreply\r\n\r\ncas k 0 0 1 42\r\nx\r\n\
          append k 0 0 1\r\nx\r\nprepend k 0 0 1\r\nx\r\nreplace k +4294967295 007 01 other\r\nx\r\nincr k 1\r\ndecr k 18446744073709551615 noreply\r\n\
          delete k\r\ndelete k 0\r\ndelete k noreply\r\ndelete k 0 noreply\r\ntouch k 5\r\nflush_all\r\nflush_all 5\r\nflush_all noreply\r\n\
          flush_all -5 noreply\r\nversion\r\nverbosity 1\r\nverbosity 1 noreply\r\nstats\r\nstats items x\r\nshutdown\r\nquit\r\n",
        &expect![[r#"
            get "a" cas=false expires=None
            get "a b" cas=true expires=None
            get "a" cas=false expires=Some(10)
            get "a b" cas=true expires=Some(-1)
            Set k flags=5 expires=60 "a\\r\\n"
            Add k flags=0 expires=0 "" quiet
            Cas(42) k flags=0 expires=0 "x"
            Append k flags=0 expires=0 "x"
            Prepend k flags=0 expires=0 "x"
            Replace k flags=4294967295 expires=7 "x"
            k +1
            k -18446744073709551615 quiet
            delete k
            delete k
            delete k quiet
            delete k quiet
            touch k 5
            FlushAll { delay: 0, quiet: false }
            FlushAll { delay: 5, quiet: false }
            FlushAll { delay: 0, quiet: true }
            FlushAll { delay: -5, quiet: true }
            Version
            Verbosity { quiet: false }
            Verbosity { quiet: true }
            stats 
            stats items x
            Shutdown
            Quit
        "#]],
    );
}

/// Each of these was asked of memcached 1.6.18.
#[test]
fn mistakes_in_classic_commands_are_named_as_memcached_names_them() {
    check(
        b"\r\n\nget\r\nGET k\r\nget\tk\r\nset k 0 0\r\nset k 0 0 1 noreply x\r\nset k abc 0 5\r\nhello\r\nset k -1 0 1\r\na\r\nset k 0 0 -1\r\n\
          set k 0 0 x noreply\r\nset k 0 0 3\r\nabcdefgh\r\nset k 0 0 5 noreply\r\nhelloXX\r\ncas k 0 0 1\r\ncas k 0 0 1 x\r\na\r\n\
          gat x k\r\nincr k x\r\nincr k -1\r\nincr k\r\nincr k 18446744073709551616\r\nincr k noreply\r\ndelete\r\ndelete k 5\r\n\
          delete k noreply x\r\ntouch k\r\ntouch k x\r\nflush_all x\r\nflush_all 1 2 3\r\nverbosity\r\nverbosity x\r\nfoo\r\nm\r\nmx\r\nslabs\r\n",
        &expect![[r#"
            ERROR
            ERROR
            ERROR
            ERROR
            ERROR
            ERROR
            ERROR
            CLIENT_ERROR bad command line format
            ERROR
            CLIENT_ERROR bad command line format
            ERROR
            CLIENT_ERROR bad command line format
            CLIENT_ERROR bad command line format (quiet)
            CLIENT_ERROR bad data chunk
            ERROR
            CLIENT_ERROR bad data chunk (quiet)
            ERROR
            ERROR
            CLIENT_ERROR bad command line format
            ERROR
            CLIENT_ERROR invalid exptime argument
            CLIENT_ERROR invalid numeric delta argument
            CLIENT_ERROR invalid numeric delta argument
            ERROR
            CLIENT_ERROR invalid numeric delta argument
            CLIENT_ERROR invalid numeric delta argument (quiet)
            ERROR
            CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]
            CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]
            ERROR
            CLIENT_ERROR invalid exptime argument
            CLIENT_ERROR invalid exptime argument
            ERROR
            ERROR
            CLIENT_ERROR bad command line format
            ERROR
            ERROR
            ERROR
            ERROR
        "#]],
    );
}

#[test]
fn a_key_of_251_bytes_is_refused_wherever_it_is() {
    let (long, longest) = ("k".repeat(251), "k".repeat(250));
    for line in [
        format!("get {long}\r\n"),
        format!("get a {long} b\r\n"),
        format!("set {long} 0 0 1\r\n"),
        format!("incr {long} 1\r\n"),
        format!("delete {long}\r\n"),
        format!("touch {long} 1\r\n"),
        format!("mg {long} v\r\n"),
        format!("ms {long} 1\r\n"),
        format!("me {long}\r\n"),
    ] {
        assert_eq!(read(line.as_bytes(), &[]), ["CLIENT_ERROR bad command line format"], "{line}");
        let told = read(line.replace(&long, &longest).as_bytes(), &[]);
        assert!(!told.iter().any(|told| told.contains("ERROR")), "{line}: {told:?}");
    }
}

#[test]
fn what_is_too_large_is_swallowed_and_what_was_there_before_goes() {
    let data = "x".repeat((1 << 20) + 1);
    check(
        format!(
            "set k 0 0 {len}\r\n{data}\r\nadd k 0 0 {len} noreply\r\n{data}\r\nms k {len} q\r\n{data}\r\nmn\r\n",
            len = data.len()
        )
        .as_bytes(),
        &expect![[r#"
            SERVER_ERROR object too large for cache forget k
            SERVER_ERROR object too large for cache (quiet)
            SERVER_ERROR object too large for cache forget k
            NoOp
        "#]],
    );
}

#[test]
fn a_large_value_is_not_looked_at_before_it_is_whole() {
    let line = b"set k 0 0 1000000\r\n";
    let needed = line.len() + 1_000_002;
    assert_eq!(parse(line, &LIMITS, 0), Parsed::Incomplete { needed, scanned: 0 });
}

#[test]
fn only_those_who_ask_for_many_keys_may_send_long_lines() {
    let close = || Parsed::Close { reply: Bytes::new() };
    assert_eq!(parse(&[b'x'; 2049], &LIMITS, 0), close());
    assert_eq!(parse(format!("mg {}", "k".repeat(2049)).as_bytes(), &LIMITS, 0), close());
    assert_eq!(parse(format!("{}get k", " ".repeat(3000)).as_bytes(), &LIMITS, 0), close());
    let many = format!("gets {}", "key ".repeat(20_000));
    let scanned = many.len();
    assert_eq!(parse(many.as_bytes(), &LIMITS, 0), Parsed::Incomplete { needed: scanned + 1, scanned });
    let many = many + "\r\n";
    let Parsed::Complete { used, request: Request::Get(get) } = parse(many.as_bytes(), &LIMITS, scanned) else {
        panic!("a long line of keys is read");
    };
    assert_eq!((used, get.keys.count()), (many.len(), 20_000));
    assert_eq!(parse("get k".repeat(100_000).as_bytes(), &LIMITS, 0), close());
}

#[test]
fn meta_commands_are_read() {
    check(
        b"mg k\r\nmg k b\r\nmg Zm9v b k\r\nmg Zm8 b\r\nmg k s v t c f q u h l O12 T30 N60 R-1 k\r\nms k 2 T0 F5 c C42 I MS q\r\nhi\r\nms k 0 ME\r\n\r\nms k 1 MA\r\nx\r\n\
          ms k 1 MP\r\nx\r\nms k 1 MR L1 P2\r\nx\r\nmd k q I T30\r\nma k\r\nma k MD D5 N0 J13 v\r\nma k M+\r\nma k M-\r\nmn x\r\nme k\r\nme Zm9v b\r\n",
        &expect![[r#"
            Get k [] (None, None, None, None) F0 J0 D1
            CLIENT_ERROR error decoding key
            Get foo [b k] base64 (None, None, None, None) F0 J0 D1
            Get fo [b] base64 (None, None, None, None) F0 J0 D1
            Get k [s v t c f q u h l O12 T30 N60 R-1 k] quiet value no-bump (Some(30), Some(60), Some(-1), None) F0 J0 D1
            Set { mode: Set, data: [104, 105] } k [T0 F5 c C42 I MS q] quiet invalidate (Some(0), None, None, Some(42)) F5 J0 D1
            Set { mode: Add, data: [] } k [ME] (None, None, None, None) F0 J0 D1
            Set { mode: Append, data: [120] } k [MA] (None, None, None, None) F0 J0 D1
            Set { mode: Prepend, data: [120] } k [MP] (None, None, None, None) F0 J0 D1
            Set { mode: Replace, data: [120] } k [MR L1 P2] (None, None, None, None) F0 J0 D1
            Delete k [q I T30] quiet invalidate (Some(30), None, None, None) F0 J0 D1
            Arithmetic { is_decrement: false } k [] (None, None, None, None) F0 J0 D1
            Arithmetic { is_decrement: true } k [MD D5 N0 J13 v] value (None, Some(0), None, None) F0 J13 D5
            Arithmetic { is_decrement: false } k [M+] (None, None, None, None) F0 J0 D1
            Arithmetic { is_decrement: true } k [M-] (None, None, None, None) F0 J0 D1
            NoOp
            Debug k [] (None, None, None, None) F0 J0 D1
            Debug foo [b] base64 (None, None, None, None) F0 J0 D1
        "#]],
    );
}

/// Each of these was asked of memcached 1.6.18.
#[test]
fn mistakes_in_meta_commands_are_named_as_memcached_names_them() {
    let opaque = "o".repeat(32);
    check(
        format!(
            "mg\r\nms\r\nms k\r\nms k x\r\nms k -1\r\nms k 2 MX\r\nhi\r\nms k 2 MEE\r\nhi\r\nms k 2 Tx\r\nhi\r\nms k 2 Fx\r\nhi\r\nms k 2 Cx\r\nhi\r\n\
             ms k 2 q\r\nhiXX\r\nms !!! 2 b\r\nhi\r\nms k 2 O{opaque}\r\nhi\r\nmg k v v\r\nmg k !\r\nmg k v O{opaque}\r\nmg k N\r\nmg k N !\r\n\
             mg k b s t c f v h l u k q O P L N T R F \r\nmd !!! b\r\nma !!! b\r\nmd k x\r\nma k Mx\r\nma k MII\r\nma k Dx\r\nma k Jx\r\nme\r\nme k b\r\n"
        )
        .as_bytes(),
        &expect![[r#"
            ERROR
            ERROR
            CLIENT_ERROR bad command line format
            CLIENT_ERROR bad command line format
            CLIENT_ERROR bad command line format
            CLIENT_ERROR invalid mode for ms M token
            CLIENT_ERROR incorrect length for M token
            CLIENT_ERROR bad token in command line format
            CLIENT_ERROR bad command line format
            CLIENT_ERROR bad token in command line format
            CLIENT_ERROR bad data chunk
            ERROR
            CLIENT_ERROR error decoding key
            CLIENT_ERROR opaque token too long
            CLIENT_ERROR duplicate flag
            CLIENT_ERROR invalid flag
            CLIENT_ERROR opaque token too long
            CLIENT_ERROR bad token in command line format
            CLIENT_ERROR invalid flag
            CLIENT_ERROR options flags are too long
            CLIENT_ERROR invalid or duplicate flag
            CLIENT_ERROR invalid or duplicate flag
            CLIENT_ERROR invalid or duplicate flag
            CLIENT_ERROR invalid mode for ma M token
            CLIENT_ERROR invalid or duplicate flag
            CLIENT_ERROR invalid or duplicate flag
            CLIENT_ERROR invalid or duplicate flag
            CLIENT_ERROR bad command line format
            CLIENT_ERROR bad command line format
        "#]],
    );
}

#[test]
fn a_binary_client_is_told_in_its_own_words() {
    // VERSION with the opaque token "Ring".
    let request = [&[0x80, 0x0b, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], b"Ring", &[0; 8]].concat();
    check(
        &request,
        &expect![[r"
            close \x81\x0b\x00\x00\x00\x00\x00\x83\x00\x00\x00GRing\x00\x00\x00\x00\x00\x00\x00\x00the binary protocol is not supported: use the text or the meta protocol
        "]],
    );
}

#[test]
fn a_web_browser_is_sent_away() {
    check(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", &expect![["close \n"]]);
}

proptest! {
    #[test]
    fn any_split_of_the_bytes_gives_the_same(
        data in prop::collection::vec(any::<u8>(), 0..40),
        cuts in prop::collection::vec(any::<usize>(), 0..12),
    ) {
        let head = format!("get a\r\nset k 1 2 {len} \r\n", len = data.len());
        let bytes = [head.as_bytes(), &data, b"\r\nms k ", data.len().to_string().as_bytes(), b" c\r\n", &data, b"\r\nmn\r\n"].concat();
        let whole = read(&bytes, &[]);
        prop_assert_eq!(whole.len(), 4);
        prop_assert_eq!(read(&bytes, &cuts), whole);
    }
}
