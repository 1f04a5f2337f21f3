//! Driver: the instances of one function, handed out to requests.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use futures_util::future::BoxFuture;
use ringway_ports::InvokeError;
use ringway_rt::Tasks;
use tokio::sync::oneshot;

use crate::pool::{Input, InstanceId, Limits, Output, Phase, Pool, Refusal, Ticket};

/// Tells the pool that an instance has ended by itself.
pub type Lost = Box<dyn FnOnce() + Send>;

/// Port: what the instances are.
pub trait Kind: Send + Sync + 'static {
    type Instance: Send + Sync + 'static;

    /// `Err` is why it does not start, for the log.
    fn start(&self, id: InstanceId, lost: Lost) -> BoxFuture<'static, Result<Self::Instance, String>>;

    /// Ends an instance that nobody uses any more.
    fn stop(&self, instance: Arc<Self::Instance>);
}

pub struct FunctionPool<K: Kind> {
    /// `shop/price`
    what: String,
    limits: Limits,
    pub kind: K,
    state: Mutex<State<K>>,
    tasks: Tasks,
}

struct State<K: Kind> {
    core: Pool,
    instances: HashMap<InstanceId, Arc<K::Instance>>,
    waiting: HashMap<Ticket, oneshot::Sender<Result<Claim<K>, Refusal>>>,
    last_ticket: Ticket,
}

/// An instance, held for one request.
pub struct Claim<K: Kind> {
    pool: Arc<FunctionPool<K>>,
    id: InstanceId,
    pub instance: Arc<K::Instance>,
    lost: bool,
}

/// An instance: its number, where it is in its life, and itself once it is started.
pub type Listed<I> = (InstanceId, Phase, Option<Arc<I>>);

/// What is done after the lock is released.
enum Deed<K: Kind> {
    Start(InstanceId),
    Stop(Arc<K::Instance>),
    Answer(oneshot::Sender<Result<Claim<K>, Refusal>>, Result<Claim<K>, Refusal>),
}

impl<K: Kind> FunctionPool<K> {
    pub fn new(what: String, limits: Limits, kind: K, tasks: Tasks) -> Arc<Self> {
        let state =
            State { core: Pool::new(limits), instances: HashMap::new(), waiting: HashMap::new(), last_ticket: 0 };
        Arc::new(Self { what, limits, kind, state: Mutex::new(state), tasks })
    }

    /// An instance with room for a request, by the deadline.
    pub async fn claim(self: &Arc<Self>, deadline: Instant) -> Result<Claim<K>, InvokeError> {
        let (sender, receiver) = oneshot::channel();
        let ticket = {
            let mut state = self.state();
            state.last_ticket += 1;
            let ticket = state.last_ticket;
            state.waiting.insert(ticket, sender);
            ticket
        };
        let waiter = Waiter { pool: Arc::clone(self), ticket };
        self.feed(Input::Wanted(ticket));
        let asked = Instant::now();
        let answer = tokio::time::timeout_at(deadline.into(), receiver).await;
        drop(waiter);
        match answer {
            Err(_) => Err(InvokeError::TimedOut { what: self.what.clone(), after: asked.elapsed() }),
            Ok(Ok(Ok(claim))) => Ok(claim),
            Ok(Ok(Err(refusal))) => Err(self.refused(refusal)),
            Ok(Err(_)) => Err(InvokeError::Internal(format!("{}: the pool is gone", self.what))),
        }
    }

    pub fn feed(self: &Arc<Self>, input: Input) {
        let deeds = self.decide(input);
        for deed in deeds {
            match deed {
                Deed::Start(id) => self.start(id),
                Deed::Stop(instance) => self.kind.stop(instance),
                // Whoever has given up drops the claim, which gives it back.
                Deed::Answer(sender, answer) => drop(sender.send(answer)),
            }
        }
    }

    pub fn instances(&self) -> Vec<Listed<K::Instance>> {
        let state = self.state();
        state.core.instances().map(|(id, phase)| (id, phase, state.instances.get(&id).cloned())).collect()
    }

    /// Why it does not start at present.
    pub fn trouble(&self) -> Option<String> {
        let state = self.state();
        let (why, left) = state.core.backing_off(Instant::now())?;
        Some(format!("{why}; next start in {} ms", left.as_millis()))
    }

    pub fn is_empty(&self) -> bool {
        self.state().core.is_empty()
    }

    pub fn is_due(&self, now: Instant) -> bool {
        self.state().core.next_wake().is_some_and(|wake| wake <= now)
    }

    fn decide(self: &Arc<Self>, input: Input) -> Vec<Deed<K>> {
        let mut state = self.state();
        match &input {
            Input::GaveUp(ticket) => drop(state.waiting.remove(ticket)),
            Input::Lost(id) => drop(state.instances.remove(id)),
            _ => {}
        }
        let mut outputs = Vec::new();
        let started = if let Input::Started(id) = input { Some(id) } else { None };
        state.core.step(Instant::now(), input, &mut outputs);
        if let Some(id) = started
            && !state.core.knows(id)
            && !outputs.contains(&Output::Stop(id))
        {
            state.instances.remove(&id);
        }
        outputs.into_iter().filter_map(|output| self.deed(&mut state, output)).collect()
    }

    fn deed(self: &Arc<Self>, state: &mut State<K>, output: Output) -> Option<Deed<K>> {
        match output {
            Output::Start(id) => Some(Deed::Start(id)),
            Output::Stop(id) => state.instances.remove(&id).map(Deed::Stop),
            Output::Refuse(ticket, refusal) => {
                state.waiting.remove(&ticket).map(|sender| Deed::Answer(sender, Err(refusal)))
            }
            Output::Grant(ticket, id) => {
                let instance = Arc::clone(state.instances.get(&id)?);
                let claim = Claim { pool: Arc::clone(self), id, instance, lost: false };
                // Without a taker, the answer's channel is closed at once and the claim comes back.
                let sender = state.waiting.remove(&ticket).unwrap_or_else(|| oneshot::channel().0);
                Some(Deed::Answer(sender, Ok(claim)))
            }
        }
    }

    fn start(self: &Arc<Self>, id: InstanceId) {
        let pool = Arc::clone(self);
        let weak = Arc::downgrade(self);
        let lost = Box::new(move || {
            if let Some(pool) = weak.upgrade() {
                pool.feed(Input::Lost(id));
            }
        });
        let starting = self.kind.start(id, lost);
        self.tasks.spawn("start function", async move {
            match starting.await {
                Ok(instance) => {
                    pool.state().instances.insert(id, Arc::new(instance));
                    pool.feed(Input::Started(id));
                }
                Err(why) => pool.feed(Input::StartFailed(id, why)),
            }
        });
    }

    fn refused(&self, refusal: Refusal) -> InvokeError {
        let what = self.what.clone();
        match refusal {
            Refusal::QueueFull => InvokeError::Overloaded { what, limit: self.limits.queue_max },
            Refusal::NotStarting(detail) => InvokeError::NotStarting { what, detail },
            Refusal::Closed => {
                InvokeError::NotStarting { what, detail: "this release was replaced or the node stops".to_owned() }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Kind> Claim<K> {
    /// The instance is of no more use: nobody else gets it, and it is ended.
    pub fn give_up(mut self) {
        self.lost = true;
    }
}

impl<K: Kind> Drop for Claim<K> {
    fn drop(&mut self) {
        if self.lost {
            self.pool.kind.stop(Arc::clone(&self.instance));
            self.pool.feed(Input::Lost(self.id));
        } else {
            self.pool.feed(Input::Done(self.id));
        }
    }
}

/// Takes the ticket back when its owner goes away, however that happens.
struct Waiter<K: Kind> {
    pool: Arc<FunctionPool<K>>,
    ticket: Ticket,
}

impl<K: Kind> Drop for Waiter<K> {
    fn drop(&mut self) {
        self.pool.feed(Input::GaveUp(self.ticket));
    }
}
