//! `ringway token`: lets one more node join.

use anyhow::Result;
use ringway_control::api::{IssueToken, IssuedToken};

use crate::cli::{TargetArgs, TokenArgs};
use crate::find_node::find_node;
use crate::output::{self, say};

pub async fn run(target: &TargetArgs, arguments: &TokenArgs) -> Result<()> {
    let client = find_node(target).await?;
    let wish = IssueToken { ttl_seconds: Some(arguments.ttl.as_secs().max(1)) };
    let issued: IssuedToken = client.post("/v1/tokens", &wish).await?;
    if target.json {
        return output::print_json(&issued);
    }
    if arguments.quiet {
        say!("{}", issued.token);
        return Ok(());
    }
    say!("On the other machine:\n\n  ringway join {}\n", issued.token);
    say!(
        "It admits one node, until {} UTC. Keep it to yourself: whoever has it can join.",
        output::clock(issued.expires_ms)
    );
    Ok(())
}
