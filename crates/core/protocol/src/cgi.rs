//! Core: the Common Gateway Interface 1.1, RFC 3875: a request as meta-variables, and the head of what a script prints.
//!
//! Server side only. Left out on purpose: non-parsed-header scripts (a response that starts with an HTTP status line is
//! refused, with a text that says so) and local redirects inside the server: a `Location` that is a path goes to the client
//! as a 302, like one that is a URL. `REMOTE_HOST` and `REMOTE_IDENT` are not looked up.

pub mod response_head;
pub mod variables;

pub use response_head::{HEAD_LEN_MAX, HeadError, ResponseHead, parse_head};
pub use variables::{PathError, Script, Variables, meta_variables, path_info, script_segment};
