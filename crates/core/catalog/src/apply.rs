//! Core: applies commands in the order that was agreed on.
//!
//! **Invariant**: no clock, no randomness, no iteration over unordered maps: the same commands give the same catalog everywhere.

use ringway_manifest::Consistency;
use ringway_ring::NodeId;

use crate::app::RELEASES_MAX;
use crate::bucket::{bucket_name, check_change};
use crate::{
    App, Bucket, BucketChange, BucketName, Catalog, Command, JoinToken, NodeInfo, Outcome, Refusal, Release, RingKind,
    Secret, Stamped,
};

/// Used and expired tokens are forgotten after this long.
const TOKEN_MEMORY_MS: u64 = 7 * 24 * 3600 * 1000;

type Applied = Result<Outcome, Refusal>;

impl Catalog {
    /// Does `stamped.command`, or says why not and changes nothing.
    pub fn apply(&mut self, stamped: Stamped) -> Applied {
        self.revision += 1;
        let now_ms = stamped.now_ms;
        match stamped.command {
            Command::Found { cluster_id, node, ring } => self.found(cluster_id, node, ring),
            Command::IssueToken(token) => self.issue_token(token, now_ms),
            Command::Join { token_id, token_secret, node } => self.join(&token_id, &token_secret, node, now_ms),
            Command::SetAddresses { node, addresses } => {
                self.check_addresses(node, &addresses)?;
                self.node_mut(node)?.addresses = addresses;
                Ok(Outcome::Done)
            }
            Command::Leave { node } => self.leave(node),
            Command::Remove { node } => self.remove(node),
            Command::GiveUp { node } => self.give_up(node),
            Command::TakeBack { node } => self.take_back(node),
            Command::Synced { node, epoch, partitions } => self.note_synced(node, epoch, partitions.as_ref()),
            Command::Unsync { node } => self.unsync(node),
            Command::CancelMoves => self.cancel_moves(),
            Command::Rebalance => self.rebalance(),
            Command::Configure { replace_after_ms, transfer_rate } => {
                self.ring_settings.change(replace_after_ms, transfer_rate)?;
                Ok(Outcome::Done)
            }
            Command::PutBucket(bucket) => self.put_bucket(bucket),
            Command::ChangeBucket { name, change } => self.change_bucket(name, &change),
            Command::DeleteBucket { name } => {
                self.buckets.remove(&name).map(|_| Outcome::Done).ok_or(Refusal::NoBucket { name })
            }
            Command::Deploy { manifest, files, files_len, bucket_tokens } => {
                let release = Release { number: 0, manifest, files, files_len, created_ms: now_ms };
                self.deploy(release, &bucket_tokens)
            }
            Command::Rollback { app, to } => self.rollback(app, to),
            Command::RemoveApp { app } => {
                self.apps.remove(&app).ok_or_else(|| Refusal::NoApp { app: app.clone() })?;
                self.buckets.retain(|_, bucket| bucket.app.as_deref() != Some(app.as_str()));
                Ok(Outcome::Done)
            }
        }
    }

    fn found(&mut self, cluster_id: String, node: NodeInfo, ring: RingKind) -> Applied {
        if !self.nodes.is_empty() {
            return Err(Refusal::Founded);
        }
        self.cluster_id = cluster_id;
        self.ring = ring;
        self.nodes.insert(node.id, node);
        Ok(self.replan())
    }

    fn issue_token(&mut self, token: JoinToken, now_ms: u64) -> Applied {
        self.join_tokens.retain(|_, old| old.expires_ms + TOKEN_MEMORY_MS > now_ms);
        self.join_tokens.insert(token.id.clone(), token);
        Ok(Outcome::Done)
    }

    fn join(&mut self, token_id: &str, secret: &Secret, node: NodeInfo, now_ms: u64) -> Applied {
        let token = self.join_tokens.get(token_id).ok_or(Refusal::TokenUnknown)?;
        token.admit(secret.reveal().as_bytes(), now_ms)?;
        if self.nodes.values().any(|other| other.name == node.name && other.id != node.id) {
            return Err(Refusal::NameTaken { name: node.name });
        }
        self.check_addresses(node.id, &node.addresses)?;
        if let Some(token) = self.join_tokens.get_mut(token_id) {
            token.used_by = Some(node.name.clone());
        }
        self.nodes.insert(node.id, node);
        Ok(self.replan())
    }

    fn check_addresses(&self, node: NodeId, addresses: &crate::Addresses) -> Result<(), Refusal> {
        match self.nodes.values().find(|other| other.id != node && other.addresses.peer == addresses.peer) {
            Some(other) => Err(Refusal::AddressTaken { address: addresses.peer, by: other.name.clone() }),
            None => Ok(()),
        }
    }

    pub(crate) fn node_mut(&mut self, id: NodeId) -> Result<&mut NodeInfo, Refusal> {
        self.nodes.get_mut(&id).ok_or_else(|| Refusal::NoNode { id: id.to_string() })
    }

    fn put_bucket(&mut self, bucket: Bucket) -> Applied {
        self.check_level(&bucket)?;
        if let Some(old) = self.buckets.get(&bucket.name) {
            check_change(&bucket.name, &old.spec, &bucket.spec)?;
        }
        self.buckets.insert(bucket.name.clone(), bucket);
        Ok(Outcome::Done)
    }

    /// Where nobody agrees on who holds a key, two nodes may take themselves for its owner for a while.
    fn check_level(&self, bucket: &Bucket) -> Result<(), Refusal> {
        if self.ring.is_chord() && bucket.spec.consistency != Consistency::Eventual {
            let (name, level) = (bucket.name.clone(), bucket.spec.consistency.to_string());
            return Err(Refusal::RingTooWeak { name, level });
        }
        Ok(())
    }

    fn change_bucket(&mut self, name: BucketName, change: &BucketChange) -> Applied {
        let Some(bucket) = self.buckets.get_mut(&name) else { return Err(Refusal::NoBucket { name }) };
        let spec = change.apply_to(&bucket.spec);
        check_change(&name, &bucket.spec, &spec)?;
        if let Some((key, invalid)) = spec.faults().into_iter().next() {
            return Err(Refusal::BucketInvalid { name, why: format!("`{key}`: {invalid}") });
        }
        bucket.spec = spec;
        Ok(Outcome::Done)
    }

    fn deploy(&mut self, mut release: Release, tokens: &[(String, Secret)]) -> Applied {
        let app = release.manifest.name.clone();
        self.check_hosts(&app, &release)?;
        let buckets = self.buckets_of(&app, &release, tokens)?;
        self.buckets.extend(buckets.into_iter().map(|bucket| (bucket.name.clone(), bucket)));
        let entry = self.apps.entry(app.clone()).or_insert_with(|| App {
            name: app.clone(),
            releases: vec![],
            current: 0,
            first_deployed_ms: release.created_ms,
        });
        release.number = entry.releases.last().map_or(0, |last| last.number) + 1;
        entry.current = release.number;
        entry.releases.push(release);
        let surplus = entry.releases.len().saturating_sub(RELEASES_MAX);
        entry.releases.drain(..surplus);
        Ok(Outcome::Released { app, release: entry.current })
    }

    fn check_hosts(&self, app: &str, release: &Release) -> Result<(), Refusal> {
        for host in &release.manifest.hosts {
            if let Some(other) = self.apps.values().find(|other| other.name != app && other.answers_host(host)) {
                return Err(Refusal::HostTaken { host: host.clone(), app: other.name.clone() });
            }
        }
        Ok(())
    }

    /// The manifest's buckets as they will be. A bucket that a release no longer names stays: data outlives code.
    fn buckets_of(&self, app: &str, release: &Release, tokens: &[(String, Secret)]) -> Result<Vec<Bucket>, Refusal> {
        let mut buckets = Vec::new();
        for (short, spec) in &release.manifest.buckets {
            let name = bucket_name(app, short);
            let fresh = tokens.iter().find(|(of, _)| of == short).map(|(_, token)| token.clone()).unwrap_or_default();
            let old = self.buckets.get(&name);
            let bucket = Bucket {
                token: old.map_or(fresh, |old| old.token.clone()),
                created_ms: old.map_or(release.created_ms, |old| old.created_ms),
                name,
                app: Some(app.to_owned()),
                spec: spec.clone(),
            };
            self.check_level(&bucket)?;
            if let Some(old) = old {
                check_change(&bucket.name, &old.spec, &bucket.spec)?;
            }
            buckets.push(bucket);
        }
        Ok(buckets)
    }

    fn rollback(&mut self, app: String, to: Option<u64>) -> Applied {
        let entry = self.apps.get_mut(&app).ok_or_else(|| Refusal::NoApp { app: app.clone() })?;
        let before = entry.releases.iter().rev().map(|release| release.number).find(|number| *number < entry.current);
        let target = to.or(before).filter(|number| entry.release(*number).is_some());
        let Some(number) = target else {
            let have: Vec<String> = entry.releases.iter().map(|release| release.number.to_string()).collect();
            let release = to.map_or("before the current one".to_owned(), |number| number.to_string());
            return Err(Refusal::NoRelease { app, release, have: have.join(", ") });
        };
        entry.current = number;
        Ok(Outcome::Released { app, release: number })
    }
}
