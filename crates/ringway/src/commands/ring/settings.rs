//! `ringway ring set`, `cancel` and `rebalance`.

use std::time::Duration;

use anyhow::Result;
use ringway_control::api::{Done, RingSettings};
use ringway_manifest::show_duration;

use crate::admin_client::AdminClient;
use crate::cli::RingSetArgs;
use crate::output::{self, say};

pub async fn set(client: &AdminClient, wanted: &RingSetArgs, json: bool) -> Result<()> {
    let wish = RingSettings {
        replace_after_ms: wanted.replace_after.map(|time| time.as_millis() as u64),
        transfer_rate: wanted.transfer_rate.map(|rate| rate.0),
    };
    let settings: RingSettings = if wish == RingSettings::default() {
        client.get("/v1/ring/settings").await?
    } else {
        client.put("/v1/ring/settings", serde_json::to_vec(&wish)?).await?
    };
    if json {
        return output::print_json(&settings);
    }
    if let Some(ms) = settings.replace_after_ms {
        say!("replace-after  {}", show_duration(Duration::from_millis(ms)));
    }
    if let Some(rate) = settings.transfer_rate {
        say!("transfer-rate  {}/s", ringway_manifest::Bytes(rate));
    }
    Ok(())
}

pub async fn cancel(client: &AdminClient, json: bool) -> Result<()> {
    let done: Done = client.post("/v1/ring/cancel", &serde_json::json!({})).await?;
    if json {
        return output::print_json(&done);
    }
    say!("nothing moves any more: every partition stays where it answers now; `ringway ring rebalance` evens it out");
    Ok(())
}

pub async fn rebalance(client: &AdminClient, json: bool) -> Result<()> {
    let done: Done = client.post("/v1/ring/rebalance", &serde_json::json!({})).await?;
    if json {
        return output::print_json(&done);
    }
    say!("the ring evens itself out; `ringway ring --watch` shows how far it is");
    Ok(())
}
