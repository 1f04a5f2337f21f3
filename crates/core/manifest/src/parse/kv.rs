//! core: reads `[kv.NAME]`.

use super::section::Section;
use crate::bucket::{Bucket, Consistency, Storage};
use crate::invalid::Invalid;

const REPLICAS_MAX: u32 = 3;

pub(super) fn read(mut section: Section<'_, '_>) -> Bucket {
    let default = Bucket::default();
    let consistency = section.choice("consistency", &Consistency::ALL).unwrap_or(default.consistency);
    if !consistency.is_available() {
        let message = format!("consistency `{consistency}`{} is not available yet; use `eventual`", section.place());
        let help = "any replica accepts writes and they converge: a read may be a little old for a moment";
        section.fault("consistency", Invalid::new(message).help(help));
    }
    let replicas = section.count("replicas", 1..=REPLICAS_MAX).and_then(|replicas| u8::try_from(replicas).ok());
    let bucket = Bucket {
        consistency,
        replicas: replicas.unwrap_or(default.replicas),
        storage: section.choice("storage", &Storage::ALL).unwrap_or(default.storage),
        limit: section.bytes("limit").unwrap_or(default.limit),
        ttl: section.timeout("ttl"),
    };
    section.finish();
    bucket
}
