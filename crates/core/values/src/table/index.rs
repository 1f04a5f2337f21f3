//! Core: hashes to places in a vector, ordered by hash.
//!
//! A slot holds a hash (high half) and a place plus one (low half); 0 is free. A hash belongs to the slot of its first bits or a
//! later one, never before a smaller hash. There is no wrapping around: the last ones get more slots at the end.

#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    slots: Vec<u64>,
    /// How many of a hash's bits choose its slot.
    bits: u32,
    len: usize,
}

const FREE: u64 = 0;
const BITS_MIN: u32 = 4;
/// Slots past the end for those who are pushed on.
const SPARE_LEN: usize = 8;

impl Index {
    /// Of the hashes at the places 0, 1, 2, ...
    pub fn of(hashes: impl Iterator<Item = u32>) -> Self {
        let mut slots: Vec<u64> = hashes.enumerate().map(|(at, hash)| slot_of(hash, at)).collect();
        slots.sort_unstable();
        Self::of_sorted(&slots, slots.len())
    }

    pub fn find(&self, hash: u32, is_it: impl Fn(usize) -> bool) -> Option<usize> {
        self.same(hash).map(place_in).find(|at| is_it(*at))
    }

    pub fn insert(&mut self, hash: u32, place: usize) {
        if self.len >= (1 << self.bits) / 4 * 3 {
            self.resize();
        }
        self.len += 1;
        let mut carried = slot_of(hash, place);
        let mut at = self.first(hash);
        // Everyone from here to the next free slot moves on by one.
        loop {
            let Some(slot) = self.slots.get_mut(at) else { return self.push(carried) };
            std::mem::swap(slot, &mut carried);
            if carried == FREE {
                return;
            }
            at += 1;
        }
    }

    pub fn remove(&mut self, hash: u32, place: usize) {
        let Some(mut at) = self.at(hash, place) else { return };
        self.len -= 1;
        // Those who were pushed on move back.
        while let Some(next) = self.slots.get(at + 1).copied()
            && next != FREE
            && self.home(hash_in(next)) <= at
        {
            self.slots[at] = next;
            at += 1;
        }
        self.slots[at] = FREE;
        if self.bits > BITS_MIN && self.len < (1 << self.bits) / 8 {
            self.resize();
        }
    }

    pub fn renumber(&mut self, hash: u32, from: usize, to: usize) {
        if let Some(at) = self.at(hash, from) {
            self.slots[at] = slot_of(hash, to);
        }
    }

    /// See [`super::Table::scan`]. Equal hashes are passed in one go.
    pub fn scan(&self, cursor: u64, count: usize, mut f: impl FnMut(usize)) -> u64 {
        let Ok(hash) = u32::try_from(cursor) else { return 0 };
        let (mut passed, mut last) = (0, None);
        let used = self.slots[self.first(hash).min(self.slots.len())..].iter().filter(|slot| **slot != FREE);
        for slot in used.filter(|slot| hash_in(**slot) >= hash) {
            if passed >= count && last != Some(hash_in(*slot)) {
                return u64::from(hash_in(*slot));
            }
            f(place_in(*slot));
            passed += 1;
            last = Some(hash_in(*slot));
        }
        0
    }

    pub fn heap_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<u64>()
    }

    /// The first slot with this hash, or where it would have to be.
    fn first(&self, hash: u32) -> usize {
        let mut at = self.home(hash);
        while let Some(slot) = self.slots.get(at)
            && *slot != FREE
            && hash_in(*slot) < hash
        {
            at += 1;
        }
        at
    }

    fn same(&self, hash: u32) -> impl Iterator<Item = u64> {
        let from = self.slots.get(self.first(hash)..).unwrap_or_default();
        from.iter().copied().take_while(move |slot| *slot != FREE && hash_in(*slot) == hash)
    }

    fn at(&self, hash: u32, place: usize) -> Option<usize> {
        let wanted = slot_of(hash, place);
        let first = self.first(hash);
        self.same(hash).position(|slot| slot == wanted).map(|offset| first + offset)
    }

    fn home(&self, hash: u32) -> usize {
        if self.bits == 0 { 0 } else { (hash >> (32 - self.bits)) as usize }
    }

    fn push(&mut self, slot: u64) {
        if self.slots.len() == self.slots.capacity() {
            self.slots.reserve_exact(SPARE_LEN);
        }
        self.slots.push(slot);
    }

    fn resize(&mut self) {
        let sorted: Vec<u64> = self.slots.iter().copied().filter(|slot| *slot != FREE).collect();
        *self = Self::of_sorted(&sorted, sorted.len() + 1);
    }

    /// With room for `len` and as many again before it has to grow.
    fn of_sorted(sorted: &[u64], len: usize) -> Self {
        let bits = (len * 2).next_power_of_two().trailing_zeros().clamp(BITS_MIN, 32);
        let mut slots = Vec::with_capacity((1 << bits) + SPARE_LEN);
        slots.resize(1 << bits, FREE);
        let mut index = Self { slots, bits, len: sorted.len() };
        let mut next = 0;
        for slot in sorted {
            let at = index.home(hash_in(*slot)).max(next);
            if at < index.slots.len() {
                index.slots[at] = *slot
            } else {
                index.push(*slot)
            }
            next = at + 1;
        }
        index
    }
}

fn slot_of(hash: u32, place: usize) -> u64 {
    // More than four billion elements do not fit the largest value by far.
    u64::from(hash) << 32 | (place as u64 + 1)
}

fn hash_in(slot: u64) -> u32 {
    (slot >> 32) as u32
}

fn place_in(slot: u64) -> usize {
    (slot as u32 - 1) as usize
}
