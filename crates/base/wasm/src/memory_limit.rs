//! Core: how much memory one request's instance may take, and how much it took.

use wasmtime::ResourceLimiter;

/// Elements of all tables, a pointer each on our side.
const TABLE_ELEMENTS_MAX: usize = 50_000;

/// Counts all linear memories of an instance together. A component that asks for more is told no, as the WebAssembly
/// specification has it: an interpreter may collect garbage and go on, most others give up, and then
/// [`MemoryLimit::was_hit`] tells why.
pub struct MemoryLimit {
    limit: u64,
    used: u64,
    hit: bool,
}

impl MemoryLimit {
    pub fn new(limit: u64) -> Self {
        Self { limit, used: 0, hit: false }
    }

    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Linear memory never shrinks, so this is the peak as well.
    pub fn used(&self) -> u64 {
        self.used
    }

    pub fn was_hit(&self) -> bool {
        self.hit
    }
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let used = self.used + desired.saturating_sub(current) as u64;
        if used > self.limit || maximum.is_some_and(|maximum| desired > maximum) {
            self.hit = true;
            return Ok(false);
        }
        self.used = used;
        Ok(true)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }
}

#[cfg(test)]
mod tests;
