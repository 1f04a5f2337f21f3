//! Driver: once a second, buries what has expired, forgets old tombstones, drops partitions that moved away, tells the metrics.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ringway_ring::Partition;
use ringway_rt::clock::{self, wall_ms};
use tracing::warn;

use crate::bucket::Bucket;
use crate::view::View;
use crate::{DataTier, Error};

const PERIOD: Duration = Duration::from_secs(1);
/// How long after the ring has settled the old owners keep what moved away: others may settle a little later.
const DROP_GRACE: Duration = Duration::from_secs(5);

pub(crate) async fn run(tier: Arc<DataTier>) {
    let mut settled = Settled { epoch: None, since: clock::now() };
    loop {
        tokio::select! {
            biased;
            () = tier.tasks.stopping() => return,
            () = tokio::time::sleep(PERIOD) => {}
        }
        let view = tier.view();
        let may_drop = settled.look(&view, clock::now());
        for bucket in view.buckets.values() {
            let (sweeping, swept_view) = (bucket.clone(), view.clone());
            let swept = tokio::task::spawn_blocking(move || sweep(&sweeping, &swept_view, may_drop)).await;
            if let Ok(Err(error)) = swept {
                warn!(bucket = %bucket.name, %error, "sweep did not finish");
            }
            let usage = bucket.store().usage();
            metrics::gauge!("ringway_data_bytes", "bucket" => bucket.name.to_string()).set(usage.bytes as f64);
            metrics::gauge!("ringway_data_keys", "bucket" => bucket.name.to_string()).set(usage.keys as f64);
        }
    }
}

fn sweep(bucket: &Bucket, view: &View, may_drop: bool) -> Result<(), Error> {
    let now_ms = wall_ms();
    for partition in Partition::all() {
        let store = bucket.store();
        if may_drop && !view.own_writes(partition, bucket.replicas()) {
            if !store.is_empty(partition) {
                store.drop_partition(partition)?;
            }
            continue;
        }
        let swept = store.sweep(partition, now_ms, bucket.held.is_fresh(partition))?;
        if swept.expired > 0 {
            metrics::counter!("ringway_data_expired_total").increment(swept.expired);
        }
    }
    Ok(())
}

/// Since when the ring has been as it is.
struct Settled {
    epoch: Option<u64>,
    since: Instant,
}

impl Settled {
    fn look(&mut self, view: &View, now: Instant) -> bool {
        let moving = view.catalog.moving_from.is_some() || view.catalog.layout.is_empty();
        let epoch = (!moving).then_some(view.catalog.layout.epoch);
        if epoch != self.epoch {
            (self.epoch, self.since) = (epoch, now);
        }
        epoch.is_some() && now.duration_since(self.since) >= DROP_GRACE
    }
}
