//! Live lookups: a walk from node to node to the owner of a key, by each of the four routers, over the real transport.
//!
//! The node that walks runs the core `ringway_ring::Lookup`; every node on the way answers from what it knows itself. In a managed
//! ring that is a view of the layout, made once for each change and really cut down to what the router may know (`knowledge`):
//! a virtual node for each partition, at the end of its arc, living on the first of its owners that is reachable. Whoever is asked
//! says *mine* only if the catalog it has says so, so a stale view costs a hop and never a wrong end.
//!
//! ```text
//!   live_lookups (port) ─ walk (asks) ─ serve (answers) ─ knowledge, ring_knowledge (core), directory (router 0) ─ message
//! ```
//!
//! In a peer-to-peer ring (`ring_knowledge`) it is what the live virtual nodes have found out by themselves.
//!
//! The data path does not come by here: it uses the node table directly. This is for looking at, measuring and teaching.

mod directory;
mod knowledge;
mod live_lookups;
mod message;
mod ring_knowledge;
mod walk;

pub use live_lookups::LiveLookups;

#[cfg(test)]
mod tests;
