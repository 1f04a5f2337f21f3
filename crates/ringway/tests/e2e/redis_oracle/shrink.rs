//! Core: makes a failing sequence small: drops runs of steps, then single ones, then words, as long as it still fails
//! (delta debugging, Zeller and Hildebrandt 2002).

use super::sequence::Sequence;

/// How often a smaller sequence is tried.
const TRIES_MAX: usize = 400;

pub fn shrink(mut sequence: Sequence, mut fails: impl FnMut(&Sequence) -> bool) -> Sequence {
    let mut tries = 0;
    let mut still_fails = |candidate: &Sequence| {
        tries += 1;
        tries <= TRIES_MAX && fails(candidate)
    };
    for simpler in [
        Sequence { pipelined: false, ..sequence.clone() },
        Sequence { pipelined: false, resp: 2, ..sequence.clone() },
        Sequence { pipelined: false, resp: 2, nodes: [0, 0], ..sequence.clone() },
    ] {
        if still_fails(&simpler) {
            sequence = simpler;
        }
    }
    let mut run = sequence.steps.len() / 2;
    while run > 0 {
        let mut at = 0;
        while at < sequence.steps.len() {
            let mut candidate = sequence.clone();
            candidate.steps.drain(at..(at + run).min(sequence.steps.len()));
            if still_fails(&candidate) {
                sequence = candidate;
            } else {
                at += run;
            }
        }
        run /= 2;
    }
    drop_words(sequence, still_fails)
}

/// From the end, so that keys stay where they are.
fn drop_words(mut sequence: Sequence, mut still_fails: impl FnMut(&Sequence) -> bool) -> Sequence {
    for step in 0..sequence.steps.len() {
        let mut at = sequence.steps[step].commands[0].words.len();
        while at > 1 {
            at -= 1;
            let mut candidate = sequence.clone();
            candidate.steps[step].commands[0].words.remove(at);
            candidate.steps[step].commands[0].keys.clear();
            if still_fails(&candidate) {
                sequence = candidate;
            }
        }
    }
    sequence
}
