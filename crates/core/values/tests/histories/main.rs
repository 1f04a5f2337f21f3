//! What replicas make of random histories, and of bytes that nobody wrote.

mod converge;
mod damage;
mod world;
