//! The program's allocator: jemalloc, on huge pages.
//!
//! A large bucket is millions of small allocations all over memory. With pages of 4 KiB nearly every look at one of them first has
//! to find out where its page is, which costs as much as the look; with pages of 2 MiB the processor knows. Where the kernel has
//! none to give, it is as if nothing had been asked. What an allocation takes is known beforehand: `size_class` in core/values.

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

// SAFETY: jemalloc reads a C string through the pointer with this name before anything is allocated.
#[unsafe(export_name = "_rjem_malloc_conf")]
pub static SETTINGS: &[u8; 11] = b"thp:always\0";
