//! Core: why a script could not be taken. Each text is Redis' answer.

/// The client's fault; the same script fails again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("NOSCRIPT No matching script. Please use EVAL.")]
    Unknown,
    #[error("ERR Error compiling script (new function): {0}")]
    Syntax(String),
    /// What is wrong with the line that begins with `#!`.
    #[error("ERR {0}")]
    Shebang(String),
    #[error("ERR script is larger than {0} bytes")]
    TooLarge(usize),
    #[error("ERR not enough memory for scripts")]
    Memory,
}
