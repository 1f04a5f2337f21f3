//! Driver: functions as processes that speak the AWS Lambda runtime API. One event at a time in each, unless the manifest
//! says otherwise.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Response};
use ringway_manifest::Function;
use ringway_ports::{Body, Invocation, InvokeError, full};
use ringway_protocol::lambda::{EventRequest, http_event, http_reply, streamed_reply, trace_header};
use ringway_rt::clock;
use ringway_sandbox::{Child, Command, Output};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::function_pool::{Claim, FunctionPool, Kind, Lost};
use crate::host::{Host, Place, Unit};
use crate::logs::Source;
use crate::pool::InstanceId;
use crate::request_body::collect;
use crate::runtime_api::{Event, PAYLOAD_MAX, Progress, Reply, RuntimeApi};

/// Until a function must have asked for its first event, as AWS has it.
const INIT_MAX: Duration = Duration::from_secs(10);
/// Between SIGTERM and SIGKILL, for an instance that has nothing in hand.
const STOP_GRACE: Duration = Duration::from_secs(2);
/// Base64 and JSON make a body larger.
const BODY_MAX: usize = PAYLOAD_MAX / 4 * 3 - 256 * 1024;
const REGION: &str = "ringway";

/// How the instances of one function are made.
pub struct Lambda {
    pub host: Host,
    pub unit: Arc<Unit>,
    pub function: Arc<Function>,
    pub command: String,
}

pub struct LambdaInstance {
    pub label: Arc<str>,
    pub pid: u32,
    pub started_ms: u64,
    pub requests: AtomicU64,
    events: mpsc::Sender<Event>,
    stop: CancellationToken,
    /// How it has ended, when it has.
    ended: watch::Receiver<Option<String>>,
}

impl Kind for Lambda {
    type Instance = LambdaInstance;

    fn start(&self, id: InstanceId, lost: Lost) -> BoxFuture<'static, Result<LambdaInstance, String>> {
        self.unit.count_cold_start();
        let start = Start {
            host: self.host.clone(),
            unit: Arc::clone(&self.unit),
            function: Arc::clone(&self.function),
            command: self.command.clone(),
            label: format!("{}#{id}", self.unit.label()).into(),
        };
        start.run(lost).boxed()
    }

    fn stop(&self, instance: Arc<LambdaInstance>) {
        instance.stop.cancel();
    }
}

struct Start {
    host: Host,
    unit: Arc<Unit>,
    function: Arc<Function>,
    command: String,
    label: Arc<str>,
}

impl Start {
    async fn run(self, lost: Lost) -> Result<LambdaInstance, String> {
        let host = self.host.clone();
        let source = self.unit.source(&self.label);
        let place = host.place(&self.unit, &self.label).await.map_err(|error| error.to_string())?;
        let (events, to_hand_out) = mpsc::channel(self.function.concurrency.max(1) as usize);
        let (api, progress) = RuntimeApi::open(to_hand_out).await.map_err(|error| error.to_string())?;
        let command = self.process(&place, &api).map_err(|error| error.to_string())?;
        let mut child = match host.start(&place, &source, command).await {
            Ok(child) => child,
            Err(error) => {
                host.clean_up(&place).await;
                return Err(error.to_string());
            }
        };
        host.log_output(&source, &mut child);
        host.logs.note(&source, &format!("started, process {}", child.pid()));
        let pid = child.pid();
        let stop = host.tasks.token().child_token();
        let (end, ended) = watch::channel(None);
        let owner = Owner { host: host.clone(), source, place, child, api, stop: stop.clone(), end };
        host.tasks.spawn("lambda instance", owner.run(lost));

        match ready(progress, ended.clone()).await {
            Ok(()) => {
                let (started_ms, requests) = (clock::wall_ms(), AtomicU64::new(0));
                Ok(LambdaInstance { label: self.label, pid, started_ms, requests, events, stop, ended })
            }
            Err(why) => {
                stop.cancel();
                Err(why)
            }
        }
    }

    fn process(&self, place: &Place, api: &RuntimeApi) -> std::io::Result<Command> {
        let mut env = self.host.environment(&self.unit, &self.label, place);
        let memory_mb = (self.function.memory.0 / 1_000_000).max(1);
        for (name, value) in [
            ("AWS_LAMBDA_RUNTIME_API", api.address()?.to_string()),
            ("AWS_LAMBDA_FUNCTION_NAME", self.unit.name.to_string()),
            ("AWS_LAMBDA_FUNCTION_VERSION", self.unit.release.number.to_string()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory_mb.to_string()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/ringway/{}", self.unit.app)),
            ("AWS_LAMBDA_LOG_STREAM_NAME", self.label.to_string()),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
            ("LAMBDA_TASK_ROOT", place.release.display().to_string()),
            ("LAMBDA_RUNTIME_DIR", place.release.display().to_string()),
        ] {
            env.insert(name.to_owned(), value);
        }
        // The app may have its own opinion on these.
        for (name, value) in [
            ("_HANDLER", handler(&self.command)),
            ("AWS_REGION", REGION),
            ("AWS_DEFAULT_REGION", REGION),
            ("TZ", ":UTC"),
        ] {
            env.entry(name.to_owned()).or_insert_with(|| value.to_owned());
        }
        let mut command = Command::shell(&self.command);
        command.env = env.into_iter().map(|(name, value)| (name, value.into_bytes())).collect();
        command.cwd = place.release.to_path_buf();
        command.output = Output::Pipe;
        Ok(command)
    }
}

/// The last word of the command: `python3 -m awslambdaric app.handler`.
fn handler(command: &str) -> &str {
    command.split_whitespace().next_back().unwrap_or_default()
}

async fn ready(
    mut progress: watch::Receiver<Progress>,
    mut ended: watch::Receiver<Option<String>>,
) -> Result<(), String> {
    let begun = async {
        match progress.wait_for(|progress| *progress != Progress::Initializing).await.map(|progress| progress.clone()) {
            Ok(Progress::InitFailed(why)) => Err(format!("its initialization failed: {why}")),
            Ok(_) => Ok(()),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        begun = begun => begun,
        how = end_of(&mut ended) => Err(format!("it {how} before it asked for an event")),
        () = tokio::time::sleep(INIT_MAX) => Err(format!("it did not ask for an event within {INIT_MAX:?}")),
    }
}

async fn end_of(ended: &mut watch::Receiver<Option<String>>) -> String {
    match ended.wait_for(Option::is_some).await {
        Ok(how) => how.clone().unwrap_or_default(),
        Err(_) => "was aborted".to_owned(),
    }
}

/// Owns the process and its runtime API, to the end.
struct Owner {
    host: Host,
    source: Source,
    place: Place,
    child: Child,
    api: RuntimeApi,
    stop: CancellationToken,
    end: watch::Sender<Option<String>>,
}

impl Owner {
    async fn run(self, lost: Lost) {
        let Self { host, source, place, mut child, api, stop, end } = self;
        let serving = api.serve();
        tokio::pin!(serving);
        let exited = tokio::select! {
            exit = child.wait() => Some(exit),
            () = stop.cancelled() => None,
            () = &mut serving => None,
        };
        let exit = match exited {
            Some(exit) => exit,
            None => {
                child.terminate();
                tokio::select! {
                    exit = child.wait() => exit,
                    () = tokio::time::sleep(STOP_GRACE) => { child.kill(); child.wait().await }
                    () = &mut serving => child.wait().await,
                }
            }
        };
        let by_itself = exited.is_some();
        host.logs.note(&source, &format!("{}{exit}", if by_itself { "" } else { "stopped: " }));
        end.send_replace(Some(exit.to_string()));
        if by_itself {
            lost();
        }
        host.clean_up(&place).await;
    }
}

/// One request through the function. Goes on to the end (or the function's timeout) even if the client goes away: the
/// instance is not free before.
pub async fn invoke(pool: Arc<FunctionPool<Lambda>>, invocation: Invocation) -> Result<Response<Body>, InvokeError> {
    let lambda = &pool.kind;
    let what = lambda.unit.label();
    let timeout = invocation.timeout.map_or(lambda.function.timeout, |timeout| timeout.min(lambda.function.timeout));
    let deadline = Instant::now() + timeout;
    let (parts, body) = invocation.request.into_parts();
    let body = tokio::time::timeout_at(deadline.into(), collect(body, BODY_MAX))
        .await
        .map_err(|_| InvokeError::BadRequest(format!("the request body did not arrive within {timeout:?}")))??;
    let host = parts.headers.get(http::header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let event = http_event(&EventRequest {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        protocol: &format!("{:?}", parts.version),
        headers: &parts.headers,
        body: &body,
        client: invocation.client.ip(),
        host: parts.uri.host().unwrap_or(host),
        request_id: &invocation.request_id,
        now_ms: clock::wall_ms(),
    });
    let claim = pool.claim(deadline).await?;
    // The time spent waiting for an instance is not the function's.
    let deadline = Instant::now() + timeout;
    let id = format!("{:016x}{:016x}", ringway_rt::random::number(), ringway_rt::random::number());
    let (reply, replied) = oneshot::channel();
    let headers = event_headers(lambda, &id, timeout, &trace_header(&invocation.trace))?;
    let event = Event { id, body: Bytes::from(event), headers, reply };
    let (answer, answered) = oneshot::channel();
    lambda.host.tasks.spawn("lambda invocation", async move {
        let _ = answer.send(deliver(claim, event, replied, deadline, timeout, what).await);
    });
    answered.await.map_err(|_| InvokeError::Internal("this node is stopping".to_owned()))?
}

async fn deliver(
    claim: Claim<Lambda>,
    event: Event,
    replied: oneshot::Receiver<Reply>,
    deadline: Instant,
    timeout: Duration,
    what: String,
) -> Result<Response<Body>, InvokeError> {
    claim.instance.requests.fetch_add(1, Ordering::Relaxed);
    let mut ended = claim.instance.ended.clone();
    if claim.instance.events.send(event).await.is_err() {
        let detail = format!("it {}", end_of(&mut ended).await);
        claim.give_up();
        return Err(InvokeError::AppFailed { what, detail });
    }
    let answered = async {
        match replied.await {
            Ok(reply) => reply,
            // The runtime API goes with its process, whose end says more.
            Err(_) => std::future::pending().await,
        }
    };
    let reply = tokio::select! {
        biased;
        reply = answered => reply,
        how = end_of(&mut ended) => {
            claim.give_up();
            return Err(InvokeError::AppFailed { what, detail: format!("it {how} without an answer") });
        }
        () = tokio::time::sleep_until(deadline.into()) => {
            claim.give_up();
            return Err(InvokeError::TimedOut { what, after: timeout });
        }
    };
    let failed = |detail: String| InvokeError::AppFailed { what: what.clone(), detail };
    match reply {
        Reply::Answer { body, streamed } => {
            let response = if streamed { streamed_reply(&body) } else { http_reply(&body) };
            response.map(|response| response.map(full)).map_err(|error| failed(error.to_string()))
        }
        Reply::Error(why) => Err(failed(why)),
    }
}

fn event_headers(lambda: &Lambda, id: &str, timeout: Duration, trace: &str) -> Result<HeaderMap, InvokeError> {
    let deadline_ms = clock::wall_ms() + u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX / 2);
    let arn = format!("arn:aws:lambda:{REGION}:000000000000:function:{}", lambda.unit.name);
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("content-type", "application/json"),
        ("lambda-runtime-aws-request-id", id),
        ("lambda-runtime-deadline-ms", &deadline_ms.to_string()),
        ("lambda-runtime-invoked-function-arn", &arn),
        ("lambda-runtime-trace-id", trace),
    ] {
        let value = HeaderValue::from_str(value).map_err(|error| InvokeError::Internal(error.to_string()))?;
        headers.insert(name, value);
    }
    Ok(headers)
}
