use super::*;

fn counting<const N: usize>() -> [u8; N] {
    std::array::from_fn(|at| at as u8)
}

/// From the appendix of the paper (15 bytes) and the authors' list of vectors.
#[test]
fn the_paper_s_vectors_come_out() {
    let key = Key::new(counting());
    assert_eq!(key.hash(&counting::<15>()), 0xa129_ca61_49be_45e5);
    assert_eq!(key.hash(&[]), 0x726f_db47_dd0e_0e31);
    assert_eq!(key.hash(&counting::<8>()), 0x93f5_f579_9a93_2462);
}

#[test]
fn words_hash_as_their_bytes_do() {
    let key = Key::new(counting());
    assert_eq!(key.hash_words(&[u64::from_le_bytes(counting())]), key.hash(&counting::<8>()));
}

#[test]
fn a_derived_key_hashes_otherwise_and_no_key_is_printed() {
    let key = Key::new(counting());
    assert_ne!(key.derive(1).hash(b"a"), key.derive(2).hash(b"a"));
    assert_eq!(format!("{key:?}"), "Key(***)");
}
