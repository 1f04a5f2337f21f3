//! The composition root: every part is made here and handed what it needs as ports. Nobody else knows who implements what.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use ringway_app::AppTier;
use ringway_cache::CacheTier;
use ringway_catalog::{Addresses, Secret};
use ringway_cluster::{Cluster, LiveLookups, NodeWish, WallClock};
use ringway_control::Control;
use ringway_control::api::IssuedToken;
use ringway_data::{DataTier, FoundedRing};
use ringway_front::{Front, Limits, TlsConfig};
use ringway_observe::{Identity, Metrics, OtlpConfig, RequestRate, Tracer, process};
use ringway_ports::ProposeError;
use ringway_rt::{Tasks, clock, random};
use ringway_sandbox::{SPAWNER_ARGUMENT, Spawner};
use tracing::warn;

use crate::config::LOCAL_AUTHORITY_DIR;
use crate::data_dir::DataDir;
use crate::doors::Doors;
use crate::open_files;
use crate::{AdminFile, Config, Error, Ready, Start, TlsFiles};

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Parts that come after the requests' own get at least this, even if the drain took all.
const STOP_MIN: Duration = Duration::from_millis(500);

/// All parts of a running node.
pub struct Node {
    pub ready: Ready,
    pub cluster: Arc<Cluster>,
    spawner: Spawner,
    data_tasks: Tasks,
    cache_tasks: Tasks,
    app: Arc<AppTier>,
    front: Arc<Front>,
    control: Arc<Control>,
    observe: Tasks,
}

impl Node {
    pub async fn build(config: &Config, start: Start, data_dir: &DataDir) -> Result<Self, Error> {
        if let Start::Join { token } = &start {
            ringway_cluster::Token::parse(token).map_err(ringway_cluster::Error::from)?;
        }
        let program = Path::new("/proc/self/exe");
        let spawner =
            Spawner::start(program, [SPAWNER_ARGUMENT]).await.map_err(|fault| Error::part("the spawner")(&fault))?;
        let metrics = Metrics::install();
        let connections_max = open_files::connections_max();
        let doors = Doors::open(&config.listen)?;
        let addresses = doors.addresses(config.advertise)?;
        let Doors { peer, admin, redis, memcache, http, https } = doors;

        let cluster = Arc::new(open_cluster(config, start, data_dir, peer, &addresses).await?);
        let observe = Tasks::new("observe");
        let tracer = start_tracer(config, &cluster, &observe)?;
        let data_tasks = Tasks::new("data");
        let ring = FoundedRing::start(cluster.own_id(), cluster.control_log.clone(), cluster.ring.clone(), &data_tasks);
        let doors = (redis, memcache);
        let data = open_data(config, &cluster, data_dir, doors, ring.clone(), data_tasks.clone(), connections_max);
        let cache_tasks = Tasks::new("cache");
        let cache = open_cache(config, &cluster, ring, cache_tasks.clone());
        let app = open_app(config, &cluster, data_dir, &spawner, &addresses, tracer.clone(), data.clone())?;
        let behind = (app.clone(), cache.clone());
        let front = open_front(config, &cluster, data_dir, (http, https), behind, tracer, connections_max)?;
        let receiver = front.clone();
        cluster.set_on_http(Arc::new(move |from, stream| receiver.serve_peer_stream(from, stream)));
        let rate = RequestRate::new(front.requests_counter());
        metrics.run(&observe);
        rate.run(&observe);
        let admin_file = AdminFile {
            url: format!("http://{}", addresses.admin),
            token: AdminFile::token_before(data_dir.path()).unwrap_or_else(random::token),
            pid: std::process::id(),
        };
        let cluster_id = cluster.cluster_id().to_owned();
        let control = Control::new(
            control_config(&admin_file, data_dir),
            control_deps(&cluster, data.clone(), cache, app.clone(), front.clone(), metrics, rate),
        );

        // Everybody has registered with the transport: now others may call.
        cluster.start()?;
        cluster.ready().await;
        data.start().map_err(Error::Socket)?;
        app.start();
        front.start()?;
        control.serve(admin).map_err(Error::Socket)?;
        admin_file
            .write(data_dir.path())
            .map_err(|source| Error::DataDir { path: data_dir.path().to_owned(), source })?;
        let ready = Ready {
            name: config.name.clone(),
            version: VERSION,
            cluster_id,
            addresses,
            isolation: spawner.isolation(),
            admin: admin_file,
        };
        Ok(Self { ready, cluster, spawner, data_tasks, cache_tasks, app, front, control, observe })
    }

    /// In reverse: no new requests, those under way until the deadline, then what carried them.
    pub async fn stop(self, within: Duration) {
        let start = Instant::now();
        let left = || within.saturating_sub(start.elapsed()).max(STOP_MIN);
        self.front.stop(left()).await;
        self.control.stop(left()).await;
        self.app.stop(left()).await;
        self.cache_tasks.stop(left()).await;
        self.data_tasks.stop(left()).await;
        self.cluster.stop(left()).await;
        self.spawner.stop(left()).await;
        self.observe.stop(left()).await;
    }
}

async fn open_cluster(
    config: &Config,
    start: Start,
    data_dir: &DataDir,
    listener: std::net::TcpListener,
    addresses: &Addresses,
) -> Result<Cluster, Error> {
    let path = data_dir.path();
    let settings = ringway_cluster::Config { data_dir: path.to_owned(), listener, clock: WallClock::default() };
    let wish = NodeWish {
        name: config.name.clone(),
        zone: config.zone.clone(),
        capacity: config.capacity,
        addresses: addresses.clone(),
        ring: config.ring,
    };
    let cluster = match (start, Cluster::exists(path)) {
        (Start::OpenOrFound, true) => Cluster::open(settings, addresses.clone()).await?,
        (Start::OpenOrFound, false) => match Cluster::unfinished_join(path) {
            Some(token) => Cluster::join(settings, &token, wish).await?,
            None => Cluster::found(settings, wish).await?,
        },
        (Start::Join { token }, false) => Cluster::join(settings, &token, wish).await?,
        (Start::Join { .. }, true) => return Err(Error::Member { path: path.to_owned() }),
    };
    Ok(cluster)
}

fn start_tracer(config: &Config, cluster: &Cluster, tasks: &Tasks) -> Result<Arc<Tracer>, Error> {
    let part = Error::part("the trace exporter");
    let otlp = OtlpConfig::from_env(|name| std::env::var(name).ok()).map_err(|fault| part(&fault))?;
    let identity =
        Identity { node_id: cluster.own_id().to_string(), node_name: config.name.clone(), version: VERSION.to_owned() };
    Tracer::start(&otlp, &identity, tasks).map_err(|fault| part(&fault))
}

fn open_data(
    config: &Config,
    cluster: &Cluster,
    data_dir: &DataDir,
    (redis, memcache): (Option<std::net::TcpListener>, Option<std::net::TcpListener>),
    ring: Arc<FoundedRing>,
    tasks: Tasks,
    connections_max: usize,
) -> Arc<DataTier> {
    let settings = ringway_data::Config {
        dir: data_dir.join("buckets"),
        redis,
        memcache,
        memcache_bucket: config.memcache_bucket.clone(),
        clients_max: connections_max.min(ringway_data::config::CLIENTS_MAX),
        redis_redirect: config.redis_redirect,
        // A random number that all nodes of the cluster have.
        hash_seed: u64::from_str_radix(cluster.cluster_id(), 16).unwrap_or_default(),
    };
    DataTier::new(settings, &*cluster.control_log, ring, cluster.peers.clone(), cluster.membership.clone(), tasks)
}

fn open_cache(config: &Config, cluster: &Cluster, ring: Arc<FoundedRing>, tasks: Tasks) -> Arc<CacheTier> {
    let settings = ringway_cache::Config { memory_max: config.cache_memory, ..ringway_cache::Config::default() };
    let deps = ringway_cache::Deps {
        peers: cluster.peers.clone(),
        membership: cluster.membership.clone(),
        control: cluster.control_log.clone(),
        placement: ring,
    };
    CacheTier::start(settings, deps, tasks)
}

fn open_app(
    config: &Config,
    cluster: &Cluster,
    data_dir: &DataDir,
    spawner: &Spawner,
    addresses: &Addresses,
    tracer: Arc<Tracer>,
    memcache: Arc<DataTier>,
) -> Result<Arc<AppTier>, Error> {
    let part = Error::part("the app tier");
    let wasm = ringway_wasm::Config {
        instances_max: config.wasm_instances_max,
        ..ringway_wasm::Config::new(data_dir.join("compiled"))
    };
    let variable = |name: &str| std::env::var(name).ok();
    let settings = ringway_app::Config {
        data_dir: data_dir.path().to_owned(),
        own_id: cluster.own_id(),
        node_name: config.name.clone(),
        redis_addr: addresses.redis,
        front_url: addresses.http.map(|address| format!("http://{address}")).unwrap_or_default(),
        otlp: variable("OTEL_EXPORTER_OTLP_ENDPOINT"),
        path: variable("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".to_owned()),
    };
    let deps = ringway_app::Deps {
        spawner: spawner.clone(),
        wasm: ringway_wasm::Engine::new(wasm).map_err(|fault| part(&fault))?,
        blobs: cluster.blobs.clone(),
        control: cluster.control_log.clone(),
        membership: cluster.membership.clone(),
        telemetry: tracer,
        memcache,
    };
    AppTier::new(settings, deps).map_err(|fault| part(&fault))
}

fn open_front(
    config: &Config,
    cluster: &Cluster,
    data_dir: &DataDir,
    (http, https): (Option<std::net::SocketAddr>, Option<std::net::SocketAddr>),
    (app, cache): (Arc<AppTier>, Arc<CacheTier>),
    tracer: Arc<Tracer>,
    connections_max: usize,
) -> Result<Arc<Front>, Error> {
    let local = data_dir.join(LOCAL_AUTHORITY_DIR);
    let tls = match config.tls.clone() {
        Some(TlsFiles::Pair { certificate, key }) => TlsConfig::Files { certificate, key },
        Some(TlsFiles::Directory(dir)) => TlsConfig::Directory { dir, local },
        None => TlsConfig::SelfSigned { dir: local },
    };
    let settings = ringway_front::Config {
        http,
        https,
        tls,
        threads: config.threads,
        limits: Limits { connections_max: connections_max.min(Limits::default().connections_max), ..Limits::default() },
        hot_bytes_max: ringway_front::HOT_BYTES_MAX,
        trusted_proxies: Vec::new(),
    };
    let deps = ringway_front::Deps {
        invoke: app,
        peers: cluster.peers.clone(),
        membership: cluster.membership.clone(),
        control: cluster.control_log.clone(),
        telemetry: tracer,
        cache: Some(cache),
    };
    Ok(Arc::new(Front::new(settings, deps)?))
}

fn control_config(admin: &AdminFile, data_dir: &DataDir) -> ringway_control::Config {
    ringway_control::Config {
        token: Secret::new(admin.token.clone()),
        version: VERSION.to_owned(),
        started_ms: clock::wall_ms(),
        upload_dir: data_dir.join("uploads"),
        hosts: Vec::new(),
        metrics_open: false,
    }
}

fn control_deps(
    cluster: &Arc<Cluster>,
    data: Arc<DataTier>,
    cache: Arc<CacheTier>,
    app: Arc<AppTier>,
    front: Arc<Front>,
    metrics: Metrics,
    rate: RequestRate,
) -> ringway_control::Deps {
    let (issuer, leaver) = (cluster.clone(), cluster.clone());
    let (progress, loads, transfers) = (data.clone(), data.clone(), data.clone());
    let lookups = LiveLookups::new(
        cluster.control_log.clone(),
        cluster.membership.clone(),
        cluster.peers.clone(),
        data.clone(),
        cluster.ring.clone(),
    );
    ringway_control::Deps {
        control_log: cluster.control_log.clone(),
        membership: cluster.membership.clone(),
        peers: cluster.peers.clone(),
        instances: app,
        kv: data,
        cache,
        blobs: cluster.blobs.clone(),
        metrics_render: Arc::new(move || metrics.render()),
        request_rate: Arc::new(move || rate.history()),
        memory: Arc::new(process::resident_bytes),
        issue_token: Box::new(move |ttl| issue(issuer.clone(), ttl).boxed()),
        leave: Box::new(move || {
            let cluster = leaver.clone();
            async move { cluster.leave().await.map_err(proposal) }.boxed()
        }),
        transfer_progress: Arc::new(move || {
            progress
                .transfer_progress()
                .map(|progress| (progress.partitions_done as u64, progress.partitions_total as u64))
        }),
        fetches: Arc::new(move || transfers.transfers().into_iter().map(fetch).collect()),
        partition_loads: Arc::new(move || loads.partition_loads()),
        lookups,
        explain: front,
        ring: cluster.ring.clone(),
    }
}

fn fetch(transfer: ringway_data::Transfer) -> ringway_control::Fetch {
    ringway_control::Fetch {
        from: transfer.from,
        partitions_done: transfer.partitions_done as u64,
        partitions_total: transfer.partitions_total as u64,
        bytes_done: transfer.bytes_done,
        bytes_total: transfer.bytes_total,
        bytes_per_second: transfer.bytes_per_second,
        eta_ms: transfer.eta.map(|eta| eta.as_millis() as u64),
        state: match transfer.state {
            ringway_data::TransferState::Fetching => "moving".to_owned(),
            ringway_data::TransferState::Waiting => "waiting".to_owned(),
            ringway_data::TransferState::Failing(why) => format!("tries again: {why}"),
        },
    }
}

async fn issue(cluster: Arc<Cluster>, ttl: Duration) -> Result<IssuedToken, ProposeError> {
    let expires_ms = clock::wall_ms().saturating_add(ttl.as_millis() as u64);
    let token = cluster.issue_token(ttl).await.map_err(proposal)?;
    Ok(IssuedToken { token, expires_ms })
}

/// The cluster's own errors that are no refusals can only mean that nobody agrees.
fn proposal(fault: ringway_cluster::Error) -> ProposeError {
    match fault {
        ringway_cluster::Error::Propose(why) => why,
        other => {
            warn!(%other, "a change could not be proposed");
            ProposeError::Stopping
        }
    }
}
