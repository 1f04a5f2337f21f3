//! Driver: the short way: requests whose keys are here run right where they were read, from the bytes that came to the bytes that
//! go. The first one that needs more than this node ends it: the rest is [`super::spread`]'s.

use std::sync::Arc;

use bytes::Bytes;
use ringway_protocol::memcache::{Get, Request, reply};
use ringway_protocol::resp::{Out, RespVersion};
use ringway_ring::Partition;

use super::step::Step;
use crate::DataTier;
use crate::call::{Call, Keys, Scene, Written};
use crate::door::local::Local;
use crate::door::output::{OUTPUT_LEN_MAX, Output};
use crate::{fail::Fail, memcache};

/// Runs steps in order until one needs more than this node. How many.
pub(super) async fn run(
    tier: &Arc<DataTier>,
    bucket: &str,
    steps: &[Step<'_>],
    source: Option<&Bytes>,
    output: &mut Output,
) -> usize {
    let Some(local) = Local::begin(tier, bucket) else { return 0 };
    let (out, mut written) = (output.out(RespVersion::Two), Written::default());
    let mark = out.mark();
    let ran = run_here(&local, steps, source, &mut written, out);
    tier.stats.note_commands(ran);
    if written.count == 0 {
        return ran;
    }
    if let Err(error) = tier.finish_writing(local.view(), local.bucket(), written).await {
        // Which of them were reads does not matter: the client is to try again.
        out.cut_back(mark);
        let text = memcache::server_error(&error.fail());
        steps[..ran].iter().for_each(|step| step.fail(&text, out));
    }
    ran
}

fn run_here(
    local: &Local<'_>,
    steps: &[Step<'_>],
    source: Option<&Bytes>,
    written: &mut Written,
    out: &mut Out,
) -> usize {
    let scene = local.scene(source, written);
    let (mut places, mut ends) = (Vec::with_capacity(steps.len()), Vec::with_capacity(steps.len()));
    for step in steps {
        if !places_of(local, step, &mut places) {
            break;
        }
        ends.push(places.len());
    }
    let keys: Vec<(Partition, &[u8])> = places.iter().copied().zip(steps.iter().flat_map(Step::keys)).collect();
    if keys.len() > 1 {
        scene.store.prefetch(&keys);
    }
    let mut from = 0;
    for (ran, (step, until)) in steps.iter().zip(&ends).enumerate() {
        if out.len() >= OUTPUT_LEN_MAX {
            return ran;
        }
        run_step(&scene, written, step, &places[from..*until], out);
        from = *until;
    }
    ends.len()
}

/// Runs what is about keys that are here, in these partitions, or about none.
pub(in crate::door) fn run_step(
    scene: &Scene<'_>,
    written: &mut Written,
    step: &Step<'_>,
    places: &[Partition],
    out: &mut Out,
) {
    match step {
        Step::Say(text) => Step::say(text, out),
        Step::Keys { request: Request::Get(asked), .. } => get(scene, written, asked, places, out),
        Step::Keys { request, .. } => {
            if let Some(partition) = places.first() {
                let mut keys = Keys::lock(*partition, scene, written);
                memcache::run(&mut Call { keys: &mut keys, out }, request);
            }
        }
        Step::Whole(_) => {}
    }
}

/// Where each of the keys is that this is about, if all of them are here.
pub(in crate::door) fn places_of(local: &Local<'_>, step: &Step<'_>, places: &mut Vec<Partition>) -> bool {
    let before = places.len();
    let is_here = !matches!(step, Step::Whole(_))
        && step.keys().all(|key| local.place_of(key).map(|partition| places.push(partition)).is_some());
    if !is_here {
        places.truncate(before);
    }
    is_here
}

fn get(scene: &Scene<'_>, written: &mut Written, asked: &Get<'_>, places: &[Partition], out: &mut Out) {
    let mark = out.mark();
    let mut failed = None;
    for (key, partition) in asked.keys.zip(places) {
        let mut keys = Keys::lock(*partition, scene, written);
        if let Err(fail) = memcache::get_one(&mut Call { keys: &mut keys, out }, asked, key) {
            failed.get_or_insert(fail);
        }
    }
    match failed {
        None => reply::line(out, "END"),
        Some(fail) => {
            out.cut_back(mark);
            say_failure(&fail, out);
        }
    }
}

fn say_failure(fail: &Fail, out: &mut Out) {
    reply::line(out, &memcache::server_error(fail));
}
