//! Core: how wasmtime is set up, each setting with its reason.
//!
//! Instances come from a pool of slots that are mapped once. What a request costs is mostly giving its memory back clean:
//! keeping up to a megabyte of it resident and asking the kernel which pages were touched makes a request 2 to 2.5 times
//! cheaper than wasmtime's default.

use std::path::Path;

use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails};

/// Slots that stay warm for components that are not running: with [`KEEP_RESIDENT`] this bounds what an idle node holds.
const WARM_SLOTS_MAX: u32 = 32;

const KEEP_RESIDENT: usize = 1 << 20;

/// The bookkeeping of one instance; interpreters compiled to WebAssembly need far more than the default.
const INSTANCE_BYTES_MAX: usize = 8 << 20;

/// Components are made of several core modules (adapters, shims) and their tables.
const CORE_INSTANCES_PER_COMPONENT: u32 = 8;
const TABLES_PER_COMPONENT: u32 = 2;
const TABLE_ELEMENTS_MAX: usize = 50_000;

/// A WebAssembly page, the unit that the memory of a slot is rounded up to.
const PAGE: u64 = 64 * 1024;

/// `swap`: whether the machine has any.
pub fn settings(instances_max: u32, memory_max: u64, swap: bool) -> Config {
    let memory_max = memory_max.next_multiple_of(PAGE);
    let mut config = Config::new();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(slots(instances_max, memory_max, swap)));
    config.memory_reservation(memory_max);
    // Deterministic metering and, through the yields, fairness. Epochs were measured: 62 % slower code against 20 %.
    config.consume_fuel(true);
    // One compilation must not take every core away from the requests being served.
    config.parallel_compilation(false);
    // Otherwise read from an environment variable.
    config.wasm_backtrace_details(WasmBacktraceDetails::Disable);
    config
}

fn slots(instances_max: u32, memory_max: u64, swap: bool) -> PoolingAllocationConfig {
    let memory_max = usize::try_from(memory_max).unwrap_or(usize::MAX);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances_max)
        .total_core_instances(instances_max.saturating_mul(CORE_INSTANCES_PER_COMPONENT))
        .total_memories(instances_max)
        .total_tables(instances_max.saturating_mul(TABLES_PER_COMPONENT))
        .total_stacks(instances_max)
        .total_gc_heaps(instances_max)
        .max_component_instance_size(INSTANCE_BYTES_MAX)
        .max_core_instance_size(INSTANCE_BYTES_MAX)
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_memory_size(memory_max)
        .max_unused_warm_slots(WARM_SLOTS_MAX)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(KEEP_RESIDENT);
    // The kernel's list of touched pages leaves out those that were swapped out: the next instance of the slot would
    // find the old content in them.
    pool.pagemap_scan(if swap { Enabled::No } else { Enabled::Auto });
    pool
}

/// Unknown counts as yes.
pub fn has_swap() -> bool {
    std::fs::read_to_string(Path::new("/proc/swaps")).map_or(true, |swaps| lists_a_swap(&swaps))
}

/// The first line is the heading.
fn lists_a_swap(swaps: &str) -> bool {
    swaps.lines().skip(1).any(|line| !line.trim().is_empty())
}

#[cfg(test)]
mod tests;
