use super::*;

fn parsed(request: &str) -> Request<'_> {
    read(request.as_bytes()).unwrap_or_else(|| panic!("{request:?} is a request"))
}

#[test]
fn what_only_reads_and_what_may_be_done_twice_is_known() {
    for (request, reads, repeatable) in [
        ("get k\r\n", true, true),
        ("gats 5 k\r\n", false, true),
        ("set k 0 0 1\r\na\r\n", false, true),
        ("add k 0 0 1\r\na\r\n", false, false),
        ("cas k 0 0 1 7\r\na\r\n", false, false),
        ("append k 0 0 1\r\na\r\n", false, false),
        ("incr k 1\r\n", false, false),
        ("touch k 5\r\n", false, true),
        ("delete k\r\n", false, false),
        ("mg k v t\r\n", true, true),
        ("mg k N30 v\r\n", false, false),
        ("mg k T30\r\n", false, false),
        ("ms k 1\r\na\r\n", false, false),
        ("ma k\r\n", false, false),
        ("me k\r\n", true, true),
    ] {
        let parsed = parsed(request);
        assert_eq!((only_reads(&parsed), is_repeatable(&parsed)), (reads, repeatable), "{request:?}");
    }
}

#[test]
fn only_those_that_may_bring_a_value_are_given_room_for_it() {
    for request in ["get k\r\n", "gat 5 k\r\n", "mg k v\r\n"] {
        assert!(!replies_shortly(request.as_bytes()), "{request:?}");
    }
    for request in ["set k 0 0 1\r\na\r\n", "ms k 1\r\na\r\n", "incr k 1\r\n", "ma k v\r\n", "delete k\r\n"] {
        assert!(replies_shortly(request.as_bytes()), "{request:?}");
    }
}

#[test]
fn faults_are_told_in_the_words_of_memcached() {
    for (fault, told) in [
        ("OOM bucket is full", "SERVER_ERROR out of memory storing object"),
        ("ERR object too large for cache", "SERVER_ERROR object too large for cache"),
        ("CLUSTERDOWN no replica\r\n is reachable", "SERVER_ERROR CLUSTERDOWN no replica   is reachable"),
    ] {
        assert_eq!(server_error(&Fail::new(fault)), told);
    }
}
