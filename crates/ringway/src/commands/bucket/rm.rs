//! `ringway bucket rm`

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use anyhow::{Result, bail};
use ringway_control::api::{BucketView, Done};

use crate::admin_client::{AdminClient, segment};
use crate::output::{self, say};

pub async fn run(client: &AdminClient, name: &str, yes: bool, json: bool) -> Result<()> {
    let path = format!("/v1/buckets/{}", segment(name));
    if !yes {
        confirm(&client.get(&path).await?)?;
    }
    let done: Done = client.delete(&path).await?;
    if json {
        return output::print_json(&done);
    }
    say!("bucket {name} is gone");
    Ok(())
}

/// Who deletes data types its name; a script says --yes.
fn confirm(bucket: &BucketView) -> Result<()> {
    let name = &bucket.name;
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        bail!("this deletes bucket {name} and what is in it; if that is meant: ringway bucket rm {name} --yes");
    }
    let held = output::bytes(bucket.bytes_held);
    eprint!("This deletes bucket {name} with all that is in it ({held} with copies). Its name to go on: ");
    std::io::stderr().flush()?;
    let mut typed = String::new();
    std::io::stdin().lock().read_line(&mut typed)?;
    if typed.trim() != name {
        bail!("that is not its name: nothing was deleted");
    }
    Ok(())
}
