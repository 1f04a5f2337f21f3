//! Driver: `/v1/ring/settings`, and taking back or evening out what moves.

use std::sync::Arc;

use ringway_catalog::{Catalog, Command};

use crate::Error;
use crate::api::{Done, RingSettings};
use crate::control::Control;
use crate::reply::{Reply, json};
use crate::request::Call;

pub(crate) async fn show(control: Arc<Control>, _call: Call) -> Reply {
    json(&view(&control.catalog()))
}

/// What is not named stays. Answers with all as they are then.
pub(crate) async fn change(control: Arc<Control>, call: Call) -> Reply {
    let wanted: RingSettings = call.json().await?;
    if wanted == RingSettings::default() {
        return Err(Error::BadRequest("name at least one of `replace_after_ms` and `transfer_rate`".to_owned()));
    }
    let RingSettings { replace_after_ms, transfer_rate } = wanted;
    control.deps.control_log.propose(Command::Configure { replace_after_ms, transfer_rate }).await?;
    json(&view(&control.catalog()))
}

/// Everything stays where it answers now.
pub(crate) async fn cancel(control: Arc<Control>, _call: Call) -> Reply {
    agreed_on(&control.catalog())?;
    control.deps.control_log.propose(Command::CancelMoves).await?;
    json(&Done { done: true })
}

/// Evens the ring out, as after a change that was cancelled.
pub(crate) async fn rebalance(control: Arc<Control>, _call: Call) -> Reply {
    agreed_on(&control.catalog())?;
    control.deps.control_log.propose(Command::Rebalance).await?;
    json(&Done { done: true })
}

/// In a peer-to-peer ring arcs go to whom their places give them: nobody could take that back or share them out anew.
fn agreed_on(catalog: &Catalog) -> Result<(), Error> {
    if !catalog.ring.is_chord() {
        return Ok(());
    }
    let why = "a peer-to-peer ring has no layout to cancel or to even out: its arcs follow its nodes' places; \
               more places a node (--vnodes, at its start) make it more even";
    Err(Error::Refused(why.to_owned()))
}

fn view(catalog: &Catalog) -> RingSettings {
    let settings = catalog.ring_settings;
    RingSettings { replace_after_ms: Some(settings.replace_after_ms), transfer_rate: Some(settings.transfer_rate) }
}
