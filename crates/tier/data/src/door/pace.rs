//! Driver: holds clients back who do more than their bucket may.

use ringway_rt::clock::wall_ns;

use crate::DataTier;
use crate::fail::Fail;

/// Waits until the bucket may do so many operations on this node.
pub(super) async fn keep_to_quota(tier: &DataTier, bucket: &str, count: usize) -> Result<(), Fail> {
    let view = tier.view();
    let Some(bucket) = view.buckets.get(bucket).filter(|bucket| bucket.spec.ops_per_second.is_some()) else {
        return Ok(());
    };
    let wait = bucket.wait_for(count, wall_ns())?;
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    Ok(())
}
