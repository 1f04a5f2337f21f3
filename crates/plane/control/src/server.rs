//! Driver: connections to the admin API, HTTP/1.1.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use ringway_ports::Body;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tracing::{debug, warn};

use crate::control::Control;
use crate::guard::Guard;
use crate::reply::failure;
use crate::request::Call;
use crate::{Error, router};

const CONNECTIONS_MAX: usize = 256;
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
const HEAD_BYTES_MAX: usize = 64 << 10;
const HEADERS_MAX: usize = 64;
/// After an accept that failed, most likely for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

pub(crate) async fn accept(control: Arc<Control>, listener: TcpListener, address: SocketAddr) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let stopping = control.tasks.stopping();
    tokio::pin!(stopping);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stopping => return,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                warn!(%error, "the admin listener could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(permit) = room.clone().try_acquire_owned() else {
            metrics::counter!("ringway_control_connections_refused_total").increment(1);
            continue;
        };
        let connection = serve(control.clone(), stream, address);
        control.tasks.spawn("admin connection", async move {
            connection.await;
            drop(permit);
        });
    }
}

async fn serve(control: Arc<Control>, stream: TcpStream, address: SocketAddr) {
    let stopping = control.tasks.stopping();
    let service = service_fn(move |request| {
        let control = control.clone();
        async move { Ok::<_, Infallible>(answer(control, request, address).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection, stopping);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = &mut stopping => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "an admin connection ended early");
    }
}

async fn answer(control: Arc<Control>, request: Request<Incoming>, address: SocketAddr) -> Response<Body> {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = handle(control, request, address).await.unwrap_or_else(|error| {
        if matches!(error, Error::Internal(_)) {
            warn!(%method, path, %error, "an admin request failed");
        }
        failure(error)
    });
    debug!(%method, path, status = response.status().as_u16(), "admin request");
    response
}

async fn handle(
    control: Arc<Control>,
    request: Request<Incoming>,
    address: SocketAddr,
) -> Result<Response<Body>, Error> {
    let guard = Guard {
        token: &control.config.token,
        hosts: &control.config.hosts,
        is_open_to_scrapers: control.config.metrics_open || address.ip().is_loopback(),
    };
    guard.check_origin(request.uri(), request.headers())?;
    let found = router::find(request.method(), request.uri().path());
    // Who has no token does not learn what there is.
    let (route, params) = match found {
        Ok(found) => found,
        Err(error) => {
            guard.check_access(crate::guard::Access::Token, request.headers())?;
            return Err(error);
        }
    };
    guard.check_access(route.access, request.headers())?;
    let call = Call::new(request, params);
    let answered = tokio::time::timeout(route.within, (route.handler)(control, call)).await;
    answered.unwrap_or(Err(Error::TooSlow(route.within)))
}
