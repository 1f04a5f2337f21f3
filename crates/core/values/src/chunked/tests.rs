use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    PushFront(u16),
    PushBack(u16),
    Insert(prop::sample::Index, u16),
    Remove(prop::sample::Index),
    Many(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        any::<u16>().prop_map(Step::PushFront),
        any::<u16>().prop_map(Step::PushBack),
        (any::<prop::sample::Index>(), any::<u16>()).prop_map(|(at, item)| Step::Insert(at, item)),
        any::<prop::sample::Index>().prop_map(Step::Remove),
        (0..700u16).prop_map(Step::Many),
    ];
    prop::collection::vec(step, 0..60)
}

fn perform(step: &Step, own: &mut Chunked<u16>, model: &mut Vec<u16>) {
    match step {
        Step::PushFront(item) => {
            own.push_front(*item);
            model.insert(0, *item);
        }
        Step::PushBack(item) => {
            own.push_back(*item);
            model.push(*item);
        }
        Step::Insert(at, item) => {
            let at = at.index(model.len() + 1);
            own.insert(own.place_of(at).unwrap(), *item);
            model.insert(at, *item);
        }
        Step::Remove(at) if !model.is_empty() => {
            let at = at.index(model.len());
            assert_eq!(own.remove(own.place_of(at).unwrap()), Some(model.remove(at)));
        }
        Step::Remove(_) => {}
        Step::Many(count) => {
            for item in 0..*count {
                let at = (usize::from(item) * 7919) % (model.len() + 1);
                own.insert(own.place_of(at).unwrap(), item);
                model.insert(at, item);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn it_is_a_vector(steps in steps(), cut in any::<(prop::sample::Index, prop::sample::Index)>()) {
        let (mut own, mut model) = (Chunked::default(), Vec::new());
        steps.iter().for_each(|step| perform(step, &mut own, &mut model));
        prop_assert_eq!(own.len(), model.len());
        prop_assert!(own.iter().eq(model.iter()));
        prop_assert!(own.iter().rev().eq(model.iter().rev()));
        let (a, b) = (cut.0.index(model.len() + 1), cut.1.index(model.len() + 1));
        let (from, to) = (a.min(b), a.max(b));
        prop_assert!(own.range(from..to).eq(&model[from..to]));
        prop_assert!(own.range(from..to).rev().eq(model[from..to].iter().rev()));
        prop_assert_eq!(own.get(from), model.get(from));
        let place = own.place_of(from).unwrap();
        prop_assert_eq!(own.index_of(place), from);
        prop_assert!(own.chunks.iter().all(|chunk| !chunk.is_empty() && chunk.len() <= CHUNK_LEN_MAX));
    }
}

#[test]
fn a_place_among_sorted_items_is_found_at_the_chunks_borders_too() {
    let mut own: Chunked<u32> = (0..5_000).map(|n| n * 2).collect();
    for wanted in 0..10_001 {
        let place = own.partition_point(|item| *item < wanted);
        assert_eq!(own.index_of(place), wanted.div_ceil(2) as usize, "{wanted}");
    }
    while own.len() > 0 {
        own.remove(own.place_of(own.len() / 2).unwrap());
    }
    assert_eq!((own.chunks.len(), own.first()), (0, None));
}
