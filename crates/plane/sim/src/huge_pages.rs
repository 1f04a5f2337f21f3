//! Driver: asks the system for large pages under a large table that is read at random.
//!
//! A million nodes' fingers are 60,000 pages of 4 kB; finding the page took as long as reading the entry. With pages of 2 MB a
//! lookup takes two thirds of the time (measured in a virtual machine, where finding a page is dearer). Only advice: without it
//! everything is the same, but slower. It must come before the memory is first written.

/// Advises that the whole capacity of `table` be in huge pages.
pub(crate) fn ask_for_huge_pages<T>(table: &mut Vec<T>) {
    const PAGE: usize = 4096;
    let start = table.as_mut_ptr() as usize;
    let end = start + table.capacity() * size_of::<T>();
    let (first, last) = (start.next_multiple_of(PAGE), end / PAGE * PAGE);
    if last > first {
        // SAFETY: the range lies within memory that `table` owns; the advice changes neither contents nor validity.
        unsafe { libc::madvise(first as *mut libc::c_void, last - first, libc::MADV_HUGEPAGE) };
    }
}
