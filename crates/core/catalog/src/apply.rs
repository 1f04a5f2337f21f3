//! Core: applies commands in the order that was agreed on.
//!
//! **Invariant**: no clock, no randomness, no iteration over unordered maps: the same commands give the same catalog everywhere.

use ringway_ring::{Layout, Member, NodeId};

use crate::app::RELEASES_MAX;
use crate::bucket::bucket_name;
use crate::{
    App, Bucket, Catalog, Command, JoinToken, LAYOUT_REPLICAS, NodeInfo, NodeState, Outcome, Refusal, Release, Secret,
    Stamped,
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
            Command::Found { cluster_id, node } => self.found(cluster_id, node),
            Command::IssueToken(token) => self.issue_token(token, now_ms),
            Command::Join { token_id, token_secret, node } => self.join(&token_id, &token_secret, node, now_ms),
            Command::SetAddresses { node, addresses } => {
                self.check_addresses(node, &addresses)?;
                self.node_mut(node)?.addresses = addresses;
                Ok(Outcome::Done)
            }
            Command::Leave { node } => self.leave(node),
            Command::Remove { node } => self.remove(node),
            Command::Synced { node, epoch } => Ok(self.note_synced(node, epoch)),
            Command::PutBucket(bucket) => self.put_bucket(bucket),
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

    fn found(&mut self, cluster_id: String, node: NodeInfo) -> Applied {
        if !self.nodes.is_empty() {
            return Err(Refusal::Founded);
        }
        self.cluster_id = cluster_id;
        self.synced.insert(node.id);
        self.nodes.insert(node.id, node);
        self.layout = Layout::next(&self.layout, &self.members(), LAYOUT_REPLICAS);
        Ok(Outcome::LayoutChanged { epoch: self.layout.epoch })
    }

    fn issue_token(&mut self, token: JoinToken, now_ms: u64) -> Applied {
        self.join_tokens.retain(|_, old| old.expires_ms + TOKEN_MEMORY_MS > now_ms);
        self.join_tokens.insert(token.id.clone(), token);
        Ok(Outcome::Done)
    }

    fn join(&mut self, token_id: &str, secret: &Secret, node: NodeInfo, now_ms: u64) -> Applied {
        let token = self.join_tokens.get(token_id).ok_or(Refusal::TokenUnknown)?;
        token.admit(secret.reveal().as_bytes(), now_ms)?;
        if self.moving_from.is_some() {
            return Err(Refusal::Moving { epoch: self.layout.epoch });
        }
        if self.nodes.values().any(|other| other.name == node.name && other.id != node.id) {
            return Err(Refusal::NameTaken { name: node.name });
        }
        self.check_addresses(node.id, &node.addresses)?;
        if let Some(token) = self.join_tokens.get_mut(token_id) {
            token.used_by = Some(node.name.clone());
        }
        self.nodes.insert(node.id, node);
        Ok(self.change_layout())
    }

    fn check_addresses(&self, node: NodeId, addresses: &crate::Addresses) -> Result<(), Refusal> {
        match self.nodes.values().find(|other| other.id != node && other.addresses.peer == addresses.peer) {
            Some(other) => Err(Refusal::AddressTaken { address: addresses.peer, by: other.name.clone() }),
            None => Ok(()),
        }
    }

    fn node_mut(&mut self, id: NodeId) -> Result<&mut NodeInfo, Refusal> {
        self.nodes.get_mut(&id).ok_or_else(|| Refusal::NoNode { id: id.to_string() })
    }

    fn leave(&mut self, node: NodeId) -> Applied {
        self.node_mut(node)?;
        if self.moving_from.is_some() {
            return Err(Refusal::Moving { epoch: self.layout.epoch });
        }
        if self.members().iter().all(|member| member.id == node) {
            return Err(Refusal::LastNode);
        }
        self.node_mut(node)?.state = NodeState::Leaving;
        Ok(self.change_layout())
    }

    fn remove(&mut self, node: NodeId) -> Applied {
        self.node_mut(node)?;
        if self.nodes.len() == 1 {
            return Err(Refusal::LastNode);
        }
        self.nodes.remove(&node);
        self.synced.remove(&node);
        if self.layout.members().contains(&node) {
            return Ok(self.change_layout());
        }
        Ok(self.settle_if_synced())
    }

    /// Plans the next layout. Reads stay with the present one until everybody in the next has what is theirs.
    fn change_layout(&mut self) -> Outcome {
        let next = Layout::next(&self.layout, &self.members(), LAYOUT_REPLICAS);
        let previous = std::mem::replace(&mut self.layout, next);
        self.moving_from.get_or_insert(previous);
        self.synced.clear();
        Outcome::LayoutChanged { epoch: self.layout.epoch }
    }

    fn note_synced(&mut self, node: NodeId, epoch: u64) -> Outcome {
        if epoch == self.layout.epoch && self.layout.members().contains(&node) {
            self.synced.insert(node);
        }
        self.settle_if_synced()
    }

    fn settle_if_synced(&mut self) -> Outcome {
        if self.moving_from.is_some() && self.layout.members().iter().all(|member| self.synced.contains(member)) {
            self.moving_from = None;
            return Outcome::LayoutChanged { epoch: self.layout.epoch };
        }
        Outcome::Done
    }

    fn members(&self) -> Vec<Member> {
        self.nodes.values().filter(|node| node.is_active()).map(NodeInfo::as_member).collect()
    }

    fn put_bucket(&mut self, bucket: Bucket) -> Applied {
        if let Some(old) = self.buckets.get(&bucket.name) {
            self.check_bucket_change(old, &bucket)?;
        }
        self.buckets.insert(bucket.name.clone(), bucket);
        Ok(Outcome::Done)
    }

    fn check_bucket_change(&self, old: &Bucket, new: &Bucket) -> Result<(), Refusal> {
        if old.spec.storage == new.spec.storage {
            return Ok(());
        }
        let name = |bucket: &Bucket| format!("{:?}", bucket.spec.storage).to_lowercase();
        Err(Refusal::BucketFixed { name: new.name.clone(), from: name(old), to: name(new) })
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
            if let Some(old) = old {
                self.check_bucket_change(old, &bucket)?;
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
