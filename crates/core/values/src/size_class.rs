//! Core: what an allocation takes of memory.
//!
//! The node's allocator is jemalloc. It keeps no books beside an allocation, but knows few sizes: multiples of 16 up to 128, then
//! four between each power of two and the next (<https://jemalloc.net/jemalloc.3.html>, "size classes"). So what something takes
//! can be said without asking, the same on every machine.

/// Bytes that an allocation of `len` bytes takes.
#[inline]
pub fn size_class(len: usize) -> usize {
    match len {
        0 => 0,
        1..=8 => 8,
        9..=128 => len.next_multiple_of(16),
        _ => len.next_multiple_of(1 << ((len - 1).ilog2() - 2)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_jemallocs_manual() {
        let small = [8, 16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896, 1024];
        let large = [10240, 12288, 14336, 16384, 20480, 24576, 28672, 32768, 40960, 49152, 57344, 65536];
        for classes in [&small[..], &large] {
            for pair in classes.windows(2) {
                assert_eq!([pair[0] + 1, pair[1]].map(size_class), [pair[1]; 2]);
            }
        }
        assert_eq!([0, 1, (512 << 20) + 1].map(size_class), [0, 8, 640 << 20]);
    }
}
