//! `ringway bucket info`

use anyhow::Result;
use ringway_control::api::BucketInfo;

use crate::admin_client::{AdminClient, segment};
use crate::bucket_picture::BucketPicture;
use crate::output::{self, say};

pub async fn run(client: &AdminClient, name: &str, json: bool) -> Result<()> {
    let info: BucketInfo = client.get(&format!("/v1/buckets/{}/info", segment(name))).await?;
    if json {
        return output::print_json(&info);
    }
    say!("{}", BucketPicture { info: &info, colour: output::has_colour() }.draw());
    Ok(())
}
