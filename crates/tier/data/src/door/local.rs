//! Core: the short way: commands whose keys are here run right where they were read, from the bytes that came to the bytes that go.
//!
//! All complete commands that were read are looked at first, so that the memory of their keys is on its way while others are still
//! being parsed; then they run one after another. The first one that needs more than this node ends it: the rest is
//! [`super::batch`]'s.

use std::sync::Arc;

use bytes::Bytes;
use ringway_protocol::resp::Out;
use ringway_ring::Partition;

use crate::DataTier;
use crate::bucket::Bucket;
use crate::call::{Args, Scene, Written};
use crate::command::{self, Run, Spec};
use crate::door::output::OUTPUT_LEN_MAX;
use crate::execute::run_alone;
use crate::fail::Fail;
use crate::handover::Running;
use crate::view::View;

/// What a batch of commands is run with.
pub(super) struct Local<'a> {
    tier: &'a DataTier,
    view: Arc<View>,
    bucket: Arc<Bucket>,
    /// As long as it is kept, nobody else begins to execute what is executed here.
    running: Running,
}

/// A command that was looked at.
pub(super) enum Found {
    Plain(&'static Spec),
    At(&'static Spec, Partition),
    /// It is not known or has too few words.
    Wrong(Fail),
    /// It needs more than this node.
    NotHere,
}

impl<'a> Local<'a> {
    /// `None` if this node cannot answer for the bucket just so.
    pub(super) fn begin(tier: &'a DataTier, bucket: &str) -> Option<Self> {
        let view = tier.view();
        let bucket = view.buckets.get(bucket)?.clone();
        Self::begin_with(tier, view, bucket)
    }

    /// The same with a bucket that was found in `view` before.
    pub(super) fn begin_with(tier: &'a DataTier, view: Arc<View>, bucket: Arc<Bucket>) -> Option<Self> {
        if tier.config.redis_redirect || tier.handover.is_any_owed() || !tier.has_heard() {
            return None;
        }
        // It is to wait, which is not done here.
        if bucket.store().is_behind() {
            return None;
        }
        let running = tier.handover.begin(&view, std::iter::empty()).ok()?;
        Some(Self { tier, view, bucket, running })
    }

    /// Runs commands in order until one needs more than this node. How many were run; what they wrote is in `written`.
    pub(super) fn run(
        &self,
        commands: &[Args<'_>],
        source: Option<&Bytes>,
        written: &mut Written,
        out: &mut Out,
    ) -> usize {
        let scene = self.scene(source, written);
        let found: Vec<Found> = commands.iter().map(|args| self.look_at(args)).collect();
        let keys: Vec<(Partition, &[u8])> = commands
            .iter()
            .zip(&found)
            .filter_map(|(args, found)| match found {
                Found::At(_, partition) => Some((*partition, args[1])),
                _ => None,
            })
            .collect();
        if keys.len() > 1 {
            scene.store.prefetch(&keys);
        }
        let mut ran = 0;
        for (args, found) in commands.iter().zip(&found) {
            if matches!(found, Found::NotHere) {
                break;
            }
            run_found(&scene, written, found, args, out);
            ran += 1;
            if out.len() >= OUTPUT_LEN_MAX {
                break;
            }
        }
        self.tier.stats.note_commands(ran);
        ran
    }

    pub(super) fn look_at(&self, args: Args<'_>) -> Found {
        let spec = match Spec::of(args) {
            Ok(spec) => spec,
            Err(_) if command::is_of_a_browser(args[0]) => return Found::NotHere,
            Err(fail) => return Found::Wrong(fail),
        };
        match spec.run {
            Run::Plain(_) => Found::Plain(spec),
            Run::Keyed(_) | Run::Split(..) if command::has_one_key(spec) || args.len() == 2 => {
                let key = args[1];
                self.place_of(key).map_or(Found::NotHere, |partition| Found::At(spec, partition))
            }
            _ => Found::NotHere,
        }
    }

    /// What commands are run in; what they write is noted in `written`.
    pub(super) fn scene<'s>(&'s self, source: Option<&'s Bytes>, written: &mut Written) -> Scene<'s> {
        written.alone = self.tier.is_alone_with(&self.view, &self.bucket);
        written.waited_for = self.tier.waiters.is_any();
        self.tier.scene(&self.bucket, source)
    }

    /// The partition of a key for which this node can answer just so.
    pub(super) fn place_of(&self, key: &[u8]) -> Option<Partition> {
        let partition = self.bucket.partition_of(key);
        (self.is_here(partition) && self.bucket.store().is_at_hand(partition, key)).then_some(partition)
    }

    /// Whether this node executes the partition's commands and has missed nothing.
    fn is_here(&self, partition: Partition) -> bool {
        self.view.acting(partition, self.bucket.replicas()) == Some(self.tier.own)
            && self.bucket.held.is_fresh(partition)
            && !self.tier.handover.has_yielded(partition, self.view.holders.epoch())
    }

    pub(super) fn bucket(&self) -> &Arc<Bucket> {
        &self.bucket
    }

    /// Whether what was written has to get somewhere else before it is acknowledged.
    pub(super) fn must_wait(&self, written: &Written) -> bool {
        !written.updates.is_empty() || self.bucket.store().is_on_disk()
    }

    pub(super) fn view(&self) -> &Arc<View> {
        &self.view
    }

    /// To be kept until what was written may be acknowledged.
    pub(super) fn into_parts(self) -> (Arc<View>, Arc<Bucket>, Running) {
        (self.view, self.bucket, self.running)
    }
}

/// Runs a command that can be run here.
#[inline]
pub(super) fn run_found(scene: &Scene<'_>, written: &mut Written, found: &Found, args: Args<'_>, out: &mut Out) {
    match found {
        Found::NotHere => {}
        Found::Wrong(Fail(text)) => out.error(text),
        Found::Plain(spec) => run_plain(spec, args, out),
        Found::At(spec, partition) => run_alone(scene, written, *partition, (spec, args), out),
    }
}

fn run_plain(spec: &Spec, args: Args<'_>, out: &mut Out) {
    let mark = out.mark();
    if let Run::Plain(function) = spec.run
        && let Err(Fail(text)) = function(out, args)
    {
        out.cut_back(mark);
        out.error(&text);
    }
}
