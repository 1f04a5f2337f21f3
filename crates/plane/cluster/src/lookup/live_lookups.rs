//! Driver: the port `Lookups` and the answers to other nodes: walks, and what this node knows for those of others.

use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ringway_catalog::Catalog;
use ringway_ports::{
    ControlLog, Kv, LookupError, LookupWish, Lookups, Membership, PeerHandler, Peers, Priority, Reach, Ring, Service,
    Walk, Walked,
};
use ringway_ring::{NodeId, Partition, Point, Step, Via, VirtualNode, point_of};

use super::directory::Directory;
use super::knowledge::{Knowledge, Knows};
use super::message::{Answer, Question, Saw, Sought, StepQuestion, Told, decode, encode};
use super::ring_knowledge::RingKnowledge;
use super::walk::{self, Ask};
use crate::chord::places::partition_at;

const STEP_WITHIN: Duration = Duration::from_secs(2);
/// The directory may have to learn a bucket first.
const DIRECTORY_WITHIN: Duration = Duration::from_secs(10);
/// Another node's walk, and the way there.
const WALK_WITHIN: Duration = Duration::from_secs(25);
/// Steps within a node that are answered together.
const STEPS_MAX: usize = 64;

/// The lookups of one node. Cheap to share; registered with the transport once.
pub struct LiveLookups {
    me: Weak<Self>,
    own: NodeId,
    control_log: Arc<dyn ControlLog>,
    membership: Arc<dyn Membership>,
    peers: Arc<dyn Peers>,
    directory: Directory,
    ring: Arc<dyn Ring>,
    view: RwLock<Option<Arc<View>>>,
}

/// What this node knows, and what it was made of.
struct View {
    catalog: Arc<Catalog>,
    reach: Arc<std::collections::BTreeMap<NodeId, Reach>>,
    knowledge: Box<dyn Knows>,
}

impl LiveLookups {
    /// Answers other nodes from now on. To be called before the node listens for peers. `ring` is used where it is peer to peer.
    pub fn new(
        control_log: Arc<dyn ControlLog>,
        membership: Arc<dyn Membership>,
        peers: Arc<dyn Peers>,
        kv: Arc<dyn Kv>,
        ring: Arc<dyn Ring>,
    ) -> Arc<Self> {
        let lookups = Arc::new_cyclic(|me| Self {
            me: me.clone(),
            own: peers.own_id(),
            control_log,
            membership,
            peers: peers.clone(),
            directory: Directory::new(kv),
            ring,
            view: RwLock::default(),
        });
        peers.serve(Service::Lookup, Arc::new(Door(Arc::downgrade(&lookups))));
        lookups
    }

    /// Made anew if the catalog or who is reachable has changed; that of a peer-to-peer ring each time, from what it keeps.
    fn view(&self) -> Arc<View> {
        let (catalog, reach) = (self.control_log.catalog(), self.membership.watch().borrow().clone());
        if catalog.ring.is_chord() {
            let holders = self.ring.watch().borrow().clone();
            let knowledge = RingKnowledge::new(self.own, self.ring.virtual_nodes(), holders);
            return Arc::new(View { catalog, reach, knowledge: Box::new(knowledge) });
        }
        let is_current = |view: &Arc<View>| Arc::ptr_eq(&view.catalog, &catalog) && Arc::ptr_eq(&view.reach, &reach);
        let held = self.view.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(view) = held.filter(is_current) {
            return view;
        }
        let is_up = |node: NodeId| node == self.own || reach.get(&node).is_some_and(|reach| *reach != Reach::Down);
        let knowledge = Knowledge::new(self.own, &catalog.holders(), is_up);
        let view = Arc::new(View { catalog, reach, knowledge: Box::new(knowledge) });
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = Some(view.clone());
        view
    }

    async fn walk_here(self: Arc<Self>, sought: Sought, via: Via, walk: Walk) -> Result<Walked, String> {
        let view = self.view();
        let key = point_of(&sought.key);
        let start = view.knowledge.start(key).ok_or("this node holds no part of the ring yet")?;
        let asker = Asker { lookups: self.clone(), sought, via, walk, start };
        Ok(walk::walk(&asker, start, key, via, walk).await)
    }

    async fn walk_there(self: Arc<Self>, node: NodeId, question: Question) -> Result<Walked, String> {
        match self.call(node, &question, WALK_WITHIN).await? {
            Answer::Walked(walked) => Ok(walked),
            Answer::Steps(_) => Err(format!("{node} answered something else than a walk")),
        }
    }

    async fn call(&self, node: NodeId, question: &Question, within: Duration) -> Result<Answer, String> {
        let called = self.peers.call(node, Priority::Client, Service::Lookup, encode(question), within);
        decode(&called.await.map_err(|error| error.to_string())?)
    }

    async fn serve(self: Arc<Self>, question: Question) -> Result<Answer, String> {
        match question {
            Question::Step(asked) => self.steps(&asked, false).await.map(Answer::Steps),
            Question::Walk { sought, via, walk } => self.walk_here(sought, via, walk).await.map(Answer::Walked),
        }
    }

    /// What this node knows of a key. `is_start`: the walk begins here.
    async fn steps(&self, asked: &StepQuestion, is_start: bool) -> Result<Told, String> {
        let view = self.view();
        let key = point_of(&asked.sought.key);
        if asked.via == Via::Index {
            let saw = self.index_step(&view, asked, key, is_start).await?;
            return Ok(Told { steps: vec![saw], is_first: false });
        }
        let is_first = asked.walk == Walk::Node && view.knowledge.prepare(asked.via);
        let mut steps = vec![view.knowledge.step(asked.via, asked.walk, asked.at, key)];
        while asked.walk == Walk::Virtual && steps.len() < STEPS_MAX {
            let Some(next) = steps.last().and_then(|saw| first_candidate(&saw.step)) else { break };
            if next.node != self.own || steps.iter().any(|saw| saw.at.point == next.point) {
                break;
            }
            steps.push(view.knowledge.step(asked.via, asked.walk, next.point, key));
        }
        Ok(Told { steps, is_first })
    }

    /// Router 0: who is no directory knows nothing but where that is. One that was named by it and does not have the key (any
    /// more) says who has.
    async fn index_step(&self, view: &View, asked: &StepQuestion, key: Point, is_start: bool) -> Result<Saw, String> {
        let at = VirtualNode { point: asked.at, node: self.own };
        if view.knowledge.owns(key) {
            let entries = u64::from(is_start);
            return Ok(Saw { at, step: Step::Mine, entries, knew: "it is mine".to_owned() });
        }
        let Some(directory) = self.control_log.leader() else {
            return Ok(Saw::nothing(at.point, at.node, "nobody leads the control log, so there is no directory"));
        };
        if directory == self.own {
            return self.directory_step(view, &asked.sought, at).await;
        }
        if is_start {
            let place = VirtualNode { point: key, node: directory };
            let knew = format!("the directory is node {}", name(&view.catalog, directory));
            return Ok(Saw { at, step: Step::Ask(vec![place]), entries: 1, knew });
        }
        let owner =
            view.knowledge.holder(partition_at(key)).map(|node| VirtualNode { point: partition_at(key).end(), node });
        let knew = "not mine any more".to_owned();
        Ok(Saw { at, step: owner.map_or(Step::Unknown, |owner| Step::Ask(vec![owner])), entries: 1, knew })
    }

    /// In the bucket that was named, else in all.
    async fn directory_step(&self, view: &View, sought: &Sought, at: VirtualNode) -> Result<Saw, String> {
        let buckets: Vec<String> = match &sought.bucket {
            Some(named) => vec![named.clone()],
            None => view.catalog.buckets.keys().cloned().collect(),
        };
        let (mut told, mut entries) = (Vec::new(), 0);
        for bucket in &buckets {
            let holder = |partition: Partition| view.knowledge.holder(partition);
            let found = self.directory.find(bucket, point_of(&sought.key), holder).await;
            let found = found.map_err(|error| format!("the directory could not learn the keys: {error}"))?;
            entries += found.entries;
            if let Some(mut place) = found.place {
                let mut knew = format!("directory: {}", found.told(bucket));
                // Had it been this node's still, it would have said so: the entry is old. Others say so themselves.
                if place.node == self.own
                    && let Some(node) = holder(partition_at(place.point))
                {
                    place.node = node;
                    knew += "; its entry is old";
                }
                return Ok(Saw { at, step: Step::Ask(vec![place]), entries, knew });
            }
            told.push(found.told(bucket));
        }
        let knew = if told.is_empty() { "there is no bucket".to_owned() } else { told.join("; ") };
        Ok(Saw { at, step: Step::Unknown, entries, knew: format!("directory: {knew}") })
    }
}

impl Lookups for LiveLookups {
    fn walk(&self, wish: LookupWish) -> BoxFuture<'static, Result<Walked, LookupError>> {
        let me = self.me.upgrade();
        async move {
            let me = me.ok_or_else(|| LookupError::Unavailable("this node is stopping".to_owned()))?;
            if let Some(bucket) = wish.bucket.as_ref().filter(|bucket| !me.view().catalog.buckets.contains_key(*bucket))
            {
                return Err(LookupError::NoBucket(bucket.clone()));
            }
            let sought = Sought { key: wish.key, bucket: wish.bucket };
            let walked = match wish.from == me.own {
                true => me.walk_here(sought, wish.via, wish.walk).await,
                false => me.walk_there(wish.from, Question::Walk { sought, via: wish.via, walk: wish.walk }).await,
            };
            walked.map_err(LookupError::Unavailable)
        }
        .boxed()
    }
}

/// The walk's side of a question.
struct Asker {
    lookups: Arc<LiveLookups>,
    sought: Sought,
    via: Via,
    walk: Walk,
    start: VirtualNode,
}

impl Ask for Asker {
    fn own(&self) -> NodeId {
        self.lookups.own
    }

    fn ask(&self, at: VirtualNode) -> BoxFuture<'_, Result<Told, String>> {
        async move {
            let asked = StepQuestion { sought: self.sought.clone(), via: self.via, walk: self.walk, at: at.point };
            if at.node == self.lookups.own {
                return self.lookups.steps(&asked, at == self.start).await;
            }
            let within = if self.via == Via::Index { DIRECTORY_WITHIN } else { STEP_WITHIN };
            match self.lookups.call(at.node, &Question::Step(asked), within).await? {
                Answer::Steps(told) => Ok(told),
                Answer::Walked(_) => Err("answered something else than a step".to_owned()),
            }
        }
        .boxed()
    }
}

// Weak: the lookups own the peers, which own this.
struct Door(Weak<LiveLookups>);

impl PeerHandler for Door {
    fn handle(&self, _from: NodeId, body: Bytes) -> BoxFuture<'static, Result<Bytes, String>> {
        let lookups = self.0.upgrade();
        async move {
            let lookups = lookups.ok_or("this node is stopping")?;
            Ok(encode(&lookups.serve(decode(&body)?).await?))
        }
        .boxed()
    }
}

fn first_candidate(step: &Step<VirtualNode>) -> Option<VirtualNode> {
    match step {
        Step::Ask(candidates) => candidates.first().copied(),
        _ => None,
    }
}

fn name(catalog: &Catalog, node: NodeId) -> String {
    catalog.nodes.get(&node).map_or_else(|| node.short(), |node| node.name.clone())
}
