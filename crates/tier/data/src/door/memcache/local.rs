//! Driver: the short way: requests whose keys are here run right where they were read, from the bytes that came to the bytes that
//! go. The first one that needs more than this node ends it: the rest is [`super::spread`]'s.

use std::sync::Arc;

use bytes::Bytes;
use ringway_protocol::memcache::{Get, Request, reply};
use ringway_protocol::resp::{Out, RespVersion};
use ringway_ring::Partition;

use super::connection::Step;
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
    let (count, places) = places(local, steps);
    if places.len() > 1 {
        scene.store.prefetch(&places);
    }
    let mut places = places.iter().map(|(partition, _)| *partition);
    for (ran, step) in steps[..count].iter().enumerate() {
        if out.len() >= OUTPUT_LEN_MAX {
            return ran;
        }
        match step {
            Step::Say(text) => Step::say(text, out),
            Step::Keys { request: Request::Get(asked), .. } => get(&scene, written, asked, &mut places, out),
            Step::Keys { request, .. } => {
                if let Some(partition) = places.next() {
                    let mut keys = Keys::lock(partition, &scene, written);
                    memcache::run(&mut Call { keys: &mut keys, out }, request);
                }
            }
            Step::Whole(_) => {}
        }
    }
    count
}

/// How many steps are about keys that are here, and where each of these keys is.
fn places<'a>(local: &Local<'_>, steps: &'a [Step<'_>]) -> (usize, Vec<(Partition, &'a [u8])>) {
    let mut places = Vec::with_capacity(steps.len());
    for (count, step) in steps.iter().enumerate() {
        let is_here = match step {
            Step::Say(_) => true,
            Step::Whole(_) => false,
            Step::Keys { .. } => step.keys().all(|key| match local.place_of(key) {
                Some(partition) => {
                    places.push((partition, key));
                    true
                }
                None => false,
            }),
        };
        if !is_here {
            return (count, places);
        }
    }
    (steps.len(), places)
}

fn get(
    scene: &Scene<'_>,
    written: &mut Written,
    asked: &Get<'_>,
    places: &mut impl Iterator<Item = Partition>,
    out: &mut Out,
) {
    let mark = out.mark();
    let mut failed = None;
    for (key, partition) in asked.keys.zip(places) {
        let mut keys = Keys::lock(partition, scene, written);
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
