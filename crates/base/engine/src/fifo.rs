//! Core: a queue of small things without slack: chunks instead of one buffer that doubles.

use std::collections::VecDeque;

const CHUNK_LEN: usize = 128;

#[derive(Debug)]
pub(crate) struct Fifo {
    chunks: VecDeque<Box<[u32; CHUNK_LEN]>>,
    /// Where the oldest is in the first chunk.
    head: usize,
    len: usize,
}

impl Fifo {
    pub(crate) const fn new() -> Self {
        Self { chunks: VecDeque::new(), head: 0, len: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn push(&mut self, item: u32) {
        let at = self.head + self.len;
        if at == self.chunks.len() * CHUNK_LEN {
            self.chunks.push_back(Box::new([0; CHUNK_LEN]));
        }
        self.chunks[at / CHUNK_LEN][at % CHUNK_LEN] = item;
        self.len += 1;
    }

    pub(crate) fn pop(&mut self) -> Option<u32> {
        if self.len == 0 {
            return None;
        }
        let item = self.chunks[0][self.head];
        (self.head, self.len) = (self.head + 1, self.len - 1);
        if self.head == CHUNK_LEN {
            self.chunks.pop_front();
            self.head = 0;
        }
        Some(item)
    }

    /// The item that will be popped after `ahead` others.
    #[cfg(test)]
    pub(crate) fn peek(&self, ahead: usize) -> Option<u32> {
        let at = self.head + ahead;
        (ahead < self.len).then(|| self.chunks[at / CHUNK_LEN][at % CHUNK_LEN])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_in_first_goes_out_first_across_many_chunks() {
        let mut fifo = Fifo::new();
        let (mut pushed, mut popped) = (0, 0);
        for round in 0..50 {
            for _ in 0..CHUNK_LEN + round {
                fifo.push(pushed);
                pushed += 1;
            }
            assert_eq!(fifo.peek(CHUNK_LEN - 1), Some(popped + CHUNK_LEN as u32 - 1));
            for _ in 0..CHUNK_LEN - round {
                assert_eq!(fifo.pop(), Some(popped));
                popped += 1;
            }
        }
        assert_eq!(fifo.len() as u32, pushed - popped);
        assert!(fifo.chunks.len() <= fifo.len() / CHUNK_LEN + 2, "{} chunks for {}", fifo.chunks.len(), fifo.len());
        while let Some(item) = fifo.pop() {
            assert_eq!(item, popped);
            popped += 1;
        }
        assert_eq!((popped, fifo.pop(), fifo.peek(0)), (pushed, None, None));
    }
}
