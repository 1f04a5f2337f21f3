//! Core: RFC 9111 for a shared cache, and what RFC 5861 adds. Pure functions of requests, responses and the time.
//!
//! Our own and not `http-cache-semantics`: that crate keeps a copy of all headers of request and response and walks them at each
//! use, knows nothing of RFC 9213, of `must-understand` or of withheld fields, guesses lifetimes unless told otherwise, and says yes
//! or no where we have to know why. What is decided where, clause by clause, is in docs/http-conformance.md.
//!
//! | question | file | clauses |
//! |---|---|---|
//! | may it be stored, and what of it? | `storing` | 3, 3.1, 3.3, 3.5 |
//! | how long is it fresh, how old is it? | `freshness` | 4.2 |
//! | may it be used for this request? | `reuse` | 4, 4.2.4, 5.2.1; RFC 5861 |
//! | is it of this kind of request? | `vary` | 4.1 |
//! | is it still good? | `validation` | 4.3 |
//! | what has a request changed? | `invalidation` | 4.4 |
//!
//! Decisions that the standard leaves open:
//! - No lifetimes by heuristics: an answer without one of its own gets the route's (`cache = "10s"`), or none. That default is not
//!   for requests with `Cookie` or `Authorization`, whose answers are often one person's.
//! - An answer with `Set-Cookie` is stored only if it speaks to shared caches expressly (`s-maxage`, `CDN-Cache-Control`); `public`
//!   alone is written by habit, and one person's session would become everybody's.
//! - `stale-while-revalidate` and `stale-if-error` beside an `s-maxage` are granted: taken to the letter `s-maxage` would forbid
//!   them (5.2.2.10), and then nobody could say both. `must-revalidate` and `proxy-revalidate` do forbid them.
//! - What is stale is used without leave for nothing, not even when the app is gone (4.2.4 would allow it).

pub(crate) mod freshness;
pub(crate) mod invalidation;
pub(crate) mod reuse;
pub(crate) mod storing;
pub(crate) mod validation;
pub(crate) mod vary;
