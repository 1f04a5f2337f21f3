//! Chord maintenance under a model checker, and message by message.

mod bad_input;
mod checks;
mod churn;
mod model;
mod network;
