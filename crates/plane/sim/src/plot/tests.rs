use super::*;

fn plot() -> Plot {
    Plot {
        name: "hops".to_owned(),
        title: "Hops of a lookup".to_owned(),
        x: Axis::log2("nodes"),
        y: Axis::linear("hops"),
        series: vec![
            Series::new("ours", Look::Ours, [(8.0, 1.4), (1024.0, 4.9), (16384.0, 6.9)]),
            Series::new("paper", Look::Paper, [(8.0, 1.5), (1024.0, 5.0)]),
            Series::new("half log2 N", Look::Theory, [(8.0, 1.5), (16384.0, 7.0)]),
        ],
    }
}

#[test]
fn the_same_plot_gives_the_same_bytes_with_its_words_in_them() {
    let svg = plot().svg().expect("a plot of three series can be drawn");
    assert_eq!(svg, plot().svg().expect("a plot of three series can be drawn"));
    for word in ["Hops of a lookup", "nodes", "ours", "paper", "half log2 N", "1024", "2^14"] {
        assert!(svg.contains(word), "{word} is missing");
    }
}

#[test]
fn a_plot_of_nothing_is_a_frame_and_not_a_panic() {
    let mut empty = plot();
    empty.series.clear();
    assert!(empty.svg().is_ok());
    empty.series.push(Series::new("one point at 0 of a logarithmic axis", Look::Ours, [(0.0, f64::NAN)]));
    assert!(empty.svg().is_ok());
}
