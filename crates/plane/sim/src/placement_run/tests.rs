use super::*;

fn run(kind: PlacementKind, nodes: usize) -> PlacementRun {
    PlacementRun { kind, members: members(nodes, 1), layout: None, copies: 3, keys: 8192, changes: 10, seed: 1 }
}

fn figures(run: &PlacementRun) -> PlacementFigures {
    run.run(&mut |_| ()).unwrap()
}

#[test]
fn the_layout_moves_its_share_and_modulo_nearly_everything() {
    let layout = figures(&run(PlacementKind::Layout, 20));
    assert!(layout.moved_over_ideal <= 1.02 && layout.load_max_over_mean <= 1.02, "{layout:?}");
    assert!(layout.primary_max_over_mean <= 1.05, "{layout:?}");
    let modulo = figures(&run(PlacementKind::Modulo, 20));
    assert!(modulo.moved_over_ideal > 14.0, "{modulo:?}");
    let chord = figures(&run(PlacementKind::Chord, 20));
    assert!(chord.load_max_over_mean > 1.3, "{chord:?}");
}

#[test]
fn the_same_seed_gives_the_same_figures_and_another_gives_others() {
    let first = run(PlacementKind::VirtualNodes(16), 12);
    let other = PlacementRun { seed: 2, members: members(12, 2), ..first.clone() };
    assert_eq!(figures(&first), figures(&first));
    assert_ne!(figures(&first).loads, figures(&other).loads);
}

#[test]
fn it_goes_on_from_the_layout_that_is_given() {
    let members = members(6, 3);
    // Everything on the first three: levelling it is what the first change has to move on top.
    let rows = |_| members.iter().take(3).map(|member| member.id).collect();
    let ids: Vec<NodeId> = members.iter().map(|member| member.id).collect();
    let lopsided = Layout::from_rows(7, &ids, rows);
    let even = run(PlacementKind::Layout, 6);
    let run = PlacementRun { members: members.clone(), layout: Some(lopsided), changes: 1, ..even };
    assert!(figures(&run).moved_over_ideal > 1.5, "{:?}", figures(&run));
    assert!(figures(&run).load_max_over_mean <= 1.02, "{:?}", figures(&run));
}

#[test]
fn what_cannot_be_placed_is_refused_in_words() {
    let good = run(PlacementKind::Layout, 3);
    let refusals = [
        PlacementRun { members: members(1, 1), ..good.clone() },
        PlacementRun { keys: 3, ..good.clone() },
        PlacementRun { copies: 0, ..good.clone() },
        PlacementRun { changes: 0, ..good },
    ];
    let texts: Vec<String> = refusals.iter().map(|run| run.check().unwrap_err().to_string()).collect();
    assert!(texts.iter().all(|text| text.contains("take ")), "{texts:?}");
}
