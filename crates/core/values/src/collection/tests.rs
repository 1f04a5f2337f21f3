use super::*;

fn at(wall_ms: u64, node: u64) -> Version {
    Version { wall_ms, count: 0, node }
}

fn add(set: &mut Collection, version: Version, members: &[&str]) -> Delta {
    let mut edit = set.edit(version);
    for member in members {
        edit.set_add(member.as_bytes());
    }
    edit.finish().unwrap()
}

/// A set with these members.
fn set_of(version: Version, members: &[&str]) -> Collection {
    let mut set = Collection::new(Kind::Set);
    add(&mut set, version, members);
    set
}

fn put(hash: &mut Collection, version: Version, field: &[u8], value: &[u8]) -> Delta {
    let mut edit = hash.edit(version);
    edit.hash_set(field, value);
    edit.finish().unwrap()
}

fn expire(collection: &mut Collection, version: Version, at_ms: u64) -> Delta {
    let mut edit = collection.edit(version);
    edit.set_expiry(Some(at_ms));
    edit.finish().unwrap()
}

fn remove(set: &mut Collection, version: Version, member: &str) -> Delta {
    let mut edit = set.edit(version);
    assert!(edit.set_remove(member.as_bytes()));
    edit.finish().unwrap()
}

fn members(set: &Collection) -> Vec<String> {
    let mut all: Vec<_> = set.set().unwrap().iter().map(|member| String::from_utf8(member.to_vec()).unwrap()).collect();
    all.sort();
    all
}

#[test]
fn an_element_added_while_it_is_removed_elsewhere_stays() {
    let mut one = set_of(at(1, 1), &["a", "b"]);
    let mut other = one.clone();
    let added = add(&mut one, at(2, 1), &["a"]);
    let removed = remove(&mut other, at(3, 2), "a");
    let mut by_state = one.clone();
    assert!(by_state.merge(other.clone()));
    assert_eq!(one.apply(&removed), Applied::Changed);
    assert_eq!(other.apply(&added), Applied::Changed);
    assert_eq!(other.apply(&added), Applied::Known);
    for replica in [&one, &other, &by_state] {
        assert_eq!(members(replica), ["a", "b"]);
        assert_eq!(replica.digest(), one.digest());
    }
}

#[test]
fn a_delta_whose_writer_had_seen_more_is_refused_and_changes_nothing() {
    let mut one = Collection::new(Kind::Set);
    let first = add(&mut one, at(1, 1), &["a"]);
    let second = add(&mut one, at(2, 1), &["b"]);
    let mut other = Collection::new(Kind::Set);
    let before = other.digest();
    assert_eq!(other.apply(&second), Applied::Gap);
    assert_eq!(other.digest(), before);
    assert_eq!((other.apply(&first), other.apply(&second)), (Applied::Changed, Applied::Changed));
    assert_eq!(members(&other), ["a", "b"]);
}

#[test]
fn two_values_put_into_one_field_at_the_same_time_both_stay_until_one_is_overwritten_by_who_saw_both() {
    let mut one = Collection::new(Kind::Hash);
    let mut other = one.clone();
    let early = put(&mut one, at(1, 1), b"f", b"early");
    let late = put(&mut other, at(2, 2), b"f", b"late");
    let mut third = other.clone();
    assert_eq!(one.apply(&late), Applied::Changed);
    assert_eq!(one.hash().unwrap().get(b"f"), Some(&b"late"[..]));
    // Who has seen only the late one removes it: the early one appears.
    let mut edit = third.edit(at(3, 3));
    assert!(edit.hash_remove(b"f"));
    let removed = edit.finish().unwrap();
    assert_eq!(one.apply(&removed), Applied::Changed);
    assert_eq!(one.hash().unwrap().get(b"f"), Some(&b"early"[..]));
    assert_eq!(third.apply(&early), Applied::Changed);
    assert_eq!(third.digest(), one.digest());
    put(&mut one, at(4, 1), b"f", b"last");
    assert_eq!(one.hash().unwrap().iter().count(), 1);
    assert!(third.merge(one.clone()));
    assert_eq!(third.hash().unwrap().get(b"f"), Some(&b"last"[..]));
}

#[test]
fn of_two_kinds_the_newer_put_stays_and_it_does_not_matter_who_hears_of_it_when() {
    let mut hash = Collection::new(Kind::Hash);
    put(&mut hash, at(5, 1), b"f", b"v");
    let mut set = set_of(at(3, 2), &["old"]);
    let old_set = set.clone();
    add(&mut set, at(7, 2), &["new"]);
    let mut third = Collection::new(Kind::Hash);
    put(&mut third, at(6, 3), b"g", b"v");

    let join = |states: [&Collection; 4]| {
        let mut all = Collection::new(Kind::List);
        for state in states {
            all.merge(state.clone());
        }
        all
    };
    let all = join([&hash, &set, &third, &old_set]);
    assert_eq!(members(&all), ["new"], "also the set's old member is older than the hash that lost");
    for other in [join([&old_set, &hash, &third, &set]), join([&third, &set, &old_set, &hash])] {
        assert_eq!(other.digest(), all.digest());
    }
}

#[test]
fn two_kinds_whose_writers_hear_of_each_other_by_deltas_alone_agree() {
    let (mut set, mut hash) = (Collection::new(Kind::Set), Collection::new(Kind::Hash));
    let of_set = add(&mut set, at(5, 1), &["m"]);
    let of_hash = put(&mut hash, at(7, 2), b"f", b"v");
    assert_eq!((set.apply(&of_hash), hash.apply(&of_set)), (Applied::Changed, Applied::Changed));
    assert_eq!((set.kind(), set.len()), (Kind::Hash, 1));
    assert_eq!(set.digest(), hash.digest());
}

#[test]
fn a_copy_has_all_elements_and_a_list_their_order() {
    let mut list = Collection::new(Kind::List);
    let mut edit = list.edit(at(1, 1));
    (0..2_000u32).for_each(|n| edit.push_front(&n.to_be_bytes()));
    edit.finish();
    let mut copy = Collection::new(Kind::List);
    let mut edit = copy.edit(at(2, 1));
    edit.copy_from(&list);
    edit.finish();
    assert!(copy.list().unwrap().iter().eq(list.list().unwrap().iter()));
    assert!(copy.list().unwrap().iter_from(1_990).rev().eq(list.list().unwrap().iter().rev().take(10)));
}

#[test]
fn what_expired_here_is_not_removed_where_it_lives_longer() {
    let mut one = set_of(at(1, 1), &["a"]);
    expire(&mut one, at(2, 1), 100);
    let mut other = one.clone();
    let prolonged = expire(&mut other, at(3, 2), 9_000);

    one.bury();
    assert!(one.is_empty() && !one.is_live(50));
    assert_eq!(one.apply(&prolonged), Applied::Gap, "its elements are not here any more");
    let mut there = other.clone();
    there.merge(one.clone());
    assert_eq!(members(&there), ["a"]);
    assert!(one.merge(other));
    assert_eq!(members(&one), ["a"]);
    assert_eq!(one.digest(), there.digest());
}

#[test]
fn two_graves_are_equal() {
    let mut one = set_of(at(1, 1), &["a"]);
    expire(&mut one, at(2, 1), 100);
    let mut other = one.clone();
    one.bury();
    assert!(!one.merge(other.clone()), "as expired there as here");
    other.bury();
    assert_eq!(one.digest(), other.digest());
    assert_eq!(one.due_ms(1_000), Some(1_100));
    assert!(one.is_forgettable(1_100, 1_000) && !one.is_forgettable(1_099, 1_000));
}

#[test]
fn the_first_element_of_an_emptied_collection_does_not_inherit_its_expiry() {
    let mut set = set_of(at(1, 1), &["a"]);
    expire(&mut set, at(2, 1), 100);
    remove(&mut set, at(3, 1), "a");
    let delta = add(&mut set, at(4, 1), &["b"]);
    assert_eq!(delta.expires_ms, Some(None));
    assert_eq!(set.life().expires_ms, None);
}

#[test]
fn an_expiry_that_is_set_before_the_first_element_stays() {
    let mut set = Collection::new(Kind::Set);
    let mut edit = set.edit(at(1, 1));
    edit.set_expiry(Some(100));
    edit.set_add(b"a");
    assert_eq!(edit.finish().unwrap().expires_ms, Some(Some(100)));
    assert_eq!(set.life().expires_ms, Some(100));
}

#[test]
fn lists_are_edited_at_any_index() {
    let mut list = Collection::new(Kind::List);
    let mut edit = list.edit(at(1, 1));
    [b"b", b"c", b"d"].iter().for_each(|value| edit.push_back(*value));
    edit.push_front(b"a");
    edit.insert(2, b"x");
    assert!(edit.set(0, b"A") && !edit.set(9, b"no"));
    assert_eq!(edit.remove(3).as_deref(), Some(&b"c"[..]));
    assert_eq!(edit.pop_back().as_deref(), Some(&b"d"[..]));
    let delta = edit.finish().unwrap();
    let values = |list: &Collection| list.list().unwrap().iter().map(<[u8]>::to_vec).collect::<Vec<_>>().concat();
    assert_eq!(values(&list), b"Abx");
    let mut other = Collection::new(Kind::List);
    assert_eq!(other.apply(&delta), Applied::Changed);
    assert_eq!((values(&other), other.digest()), (b"Abx".to_vec(), list.digest()));
    let mut edit = list.edit(at(2, 1));
    edit.truncate(1..2);
    edit.finish();
    assert_eq!(values(&list), b"b");
    let mut edit = list.edit(at(3, 1));
    edit.truncate(4..4);
    edit.finish();
    assert!(list.is_empty() && list.list().unwrap().heap_bytes() == 0);
}
