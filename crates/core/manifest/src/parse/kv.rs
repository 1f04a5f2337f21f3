//! core: reads `[kv.NAME]`.

use super::section::Section;
use crate::bucket::{Bucket, Consistency, Durability, Storage};

pub(super) fn read(mut section: Section<'_, '_>) -> Bucket {
    let default = Bucket::default();
    let replicas = u32::from(*Bucket::REPLICAS.start())..=u32::from(*Bucket::REPLICAS.end());
    let replicas = section.count("replicas", replicas).and_then(|replicas| u8::try_from(replicas).ok());
    // 0 says it aloud that there is no limit.
    let mut quota = |key, most| section.count(key, 0..=most).filter(|quota| *quota > 0);
    let ops_per_second = quota("ops_per_second", Bucket::OPS_PER_SECOND_MAX);
    let connections = quota("connections", Bucket::CONNECTIONS_MAX);
    let storage = section.choice("storage", &Storage::ALL);
    let bucket = Bucket {
        consistency: section.choice("consistency", &Consistency::ALL).unwrap_or(default.consistency),
        replicas: replicas.unwrap_or(default.replicas),
        storage: storage.unwrap_or(default.storage),
        durability: section.choice("durability", &Durability::ALL),
        together: section.flag("together").unwrap_or(default.together),
        limit: section.bytes("limit").unwrap_or(default.limit),
        ttl: section.timeout("ttl"),
        ops_per_second,
        connections,
    };
    let is_storage_unknown = storage.is_none() && section.has("storage");
    for (key, invalid) in bucket.faults() {
        if key == "durability" && is_storage_unknown {
            continue;
        }
        let span = section.span_of(key);
        section.refuse(key, &span, invalid);
    }
    section.finish();
    bucket
}
