use super::*;

fn run(nodes: usize, base: Base, list: usize, fail: f64) -> RingRun {
    RingRun {
        nodes,
        points: None,
        routers: Via::all().to_vec(),
        base,
        list: Some(list),
        lookups: 4000,
        fail,
        seed: 1,
        timing: false,
    }
}

fn figures(run: &RingRun) -> Vec<RouterFigures> {
    run.run(&mut |_| ()).unwrap()
}

fn fingers(nodes: usize, base: Base, list: usize, fail: f64) -> RouterFigures {
    let run = RingRun { routers: vec![Via::Fingers], ..run(nodes, base, list, fail) };
    figures(&run).remove(0)
}

#[test]
fn every_lookup_of_every_router_is_right_from_two_nodes_on() {
    for nodes in [2, 3, 17, 200] {
        for router in figures(&run(nodes, Base::SIXTEEN, 16, 0.0)) {
            assert_eq!((router.wrong, router.lost), (0, 0), "{router:?}");
        }
    }
}

#[test]
fn the_four_cost_what_they_should() {
    let [index, table, neighbours, fingers] = figures(&run(1000, Base::SIXTEEN, 16, 0.0)).try_into().unwrap();
    assert!((1.98..=2.0).contains(&index.hops_mean) && index.state_entries_per_node == 4000.0, "{index:?}");
    assert!((0.99..=1.0).contains(&table.hops_mean) && table.state_entries_per_node == 1000.0, "{table:?}");
    // A quarter of the ring, 16 at a time, and the step to the owner; 16.2 in the prototype.
    assert!(
        (15.5..17.0).contains(&neighbours.hops_mean) && neighbours.state_entries_per_node == 32.0,
        "{neighbours:?}"
    );
    assert!((2.0..3.0).contains(&fingers.hops_mean), "{fingers:?}");
}

#[test]
fn the_textbook_takes_half_the_logarithm_and_a_list_saves_half_its_own() {
    // The hop to the owner is counted too: 1/2 log2 N - 0.14 to its predecessor.
    for (nodes, published) in [(1 << 10, 5.86), (1 << 12, 6.86)] {
        let mean = fingers(nodes, Base::TWO, 1, 0.0).hops_mean;
        assert!((mean - published).abs() < 0.1, "{nodes}: {mean}");
    }
    // 1/2 (log2 N - log2 r) + 1 with lists of r.
    let mean = fingers(1000, Base::TWO, 20, 0.0).hops_mean;
    assert!((mean - 3.82).abs() < 0.1, "{mean}");
}

#[test]
fn half_of_all_nodes_dead_at_once_costs_timeouts_and_loses_nothing() {
    // The paper's table on simultaneous failures: N = 1000, lists of 20.
    // How many died next to each other differs much between seeds: hence the mean of several.
    for (fail, hops, timeouts) in [(0.1, 3.98, 0.43), (0.3, 4.47, 1.95), (0.5, 5.13, 4.91)] {
        let found: Vec<RouterFigures> = (1..=6)
            .map(|seed| {
                figures(&RingRun { seed, routers: vec![Via::Fingers], ..run(1000, Base::TWO, 20, fail) }).remove(0)
            })
            .collect();
        assert!(found.iter().all(|found| (found.wrong, found.lost) == (0, 0)), "{fail}: {found:?}");
        let mean = |of: fn(&RouterFigures) -> f64| found.iter().map(of).sum::<f64>() / found.len() as f64;
        let (our_hops, our_timeouts) = (mean(|found| found.hops_mean), mean(|found| found.timeouts_mean));
        assert!((our_hops - hops).abs() < 0.3, "{fail}: {our_hops} hops");
        assert!((our_timeouts / timeouts - 1.0).abs() < 0.3, "{fail}: {our_timeouts} timeouts");
    }
}

#[test]
fn an_index_that_nobody_repairs_loses_the_keys_of_the_dead_and_the_others_lose_none() {
    let [index, table, neighbours, _] = figures(&run(300, Base::SIXTEEN, 16, 0.3)).try_into().unwrap();
    assert!((0.2..0.4).contains(&(index.lost as f64 / index.lookups as f64)), "{index:?}");
    assert_eq!((table.wrong, table.lost, neighbours.wrong, neighbours.lost), (0, 0, 0, 0));
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_gives_others() {
    let text =
        |seed: u64| serde_json::to_string(&figures(&RingRun { seed, ..run(100, Base::SIXTEEN, 4, 0.1) })).unwrap();
    assert_eq!(text(1), text(1));
    assert_ne!(text(1), text(2));
}

#[test]
fn only_the_processor_time_is_measured_and_only_if_wanted() {
    let timed = figures(&RingRun { timing: true, lookups: 40_000, ..run(100, Base::SIXTEEN, 4, 0.0) });
    let untimed = figures(&RingRun { lookups: 40_000, ..run(100, Base::SIXTEEN, 4, 0.0) });
    assert!(timed.iter().all(|router| router.lookups_per_cpu_second.is_some_and(|speed| speed > 1000)));
    for (timed, untimed) in timed.into_iter().zip(untimed) {
        assert_eq!(RouterFigures { lookups_per_cpu_second: None, ..timed }, untimed);
    }
}

#[test]
fn neighbours_in_a_large_ring_are_asked_less_often() {
    let run = RingRun { lookups: 1_000_000_000, ..run(1_000_000, Base::SIXTEEN, 16, 0.0) };
    assert!(run.lookups_by(Via::Neighbours) < 2000);
    assert_eq!(run.lookups_by(Via::Fingers), 1_000_000_000);
}

#[test]
fn what_cannot_be_run_is_refused_with_what_can() {
    let good = run(100, Base::SIXTEEN, 16, 0.0);
    let refusal = |run: RingRun| run.check().unwrap_err().to_string();
    assert!(refusal(RingRun { nodes: 0, ..good.clone() }).contains("at least 2"));
    assert!(refusal(RingRun { nodes: 1_000_000_000, ..good.clone() }).contains("16777216"));
    assert!(refusal(RingRun { lookups: 0, ..good.clone() }).contains("1 to 1000000000"));
    assert!(refusal(RingRun { fail: 1.5, ..good.clone() }).contains("0% to 90%"));
    assert!(refusal(RingRun { fail: f64::NAN, ..good.clone() }).contains("0% to 90%"));
    assert!(refusal(RingRun { list: Some(0), ..good }).contains("1 to 1024"));
}
