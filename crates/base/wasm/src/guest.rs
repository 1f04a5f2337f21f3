//! Driver: what one request's instance owns on our side, and all it can reach.

use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{
    Error as HttpError, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

use crate::log_lines::LogStream;
use crate::memory_limit::MemoryLimit;

/// Streams, headers, bodies and timers that a component may hold at a time.
const RESOURCES_MAX: usize = 10_000;

/// What a component may hand us of its response in one go; two such pieces wait for the client at most.
const RESPONSE_PIECE_BYTES_MAX: usize = 64 * 1024;

/// The data of a store.
pub struct Guest {
    pub memory: MemoryLimit,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    table: ResourceTable,
    egress: NoEgress,
}

impl Guest {
    /// No files, no sockets, no standard input; clocks and random numbers are the host's.
    pub fn new(env: &[(String, String)], memory: MemoryLimit, stdout: LogStream, stderr: LogStream) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES_MAX);
        let wasi = WasiCtxBuilder::new()
            .envs(env)
            .stdout(stdout)
            .stderr(stderr)
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .build();
        Self { memory, wasi, http: WasiHttpCtx::new(), table, egress: NoEgress }
    }
}

/// All of WASI 0.2 can be imported, because what the languages' standard libraries import they import whether they use it
/// or not. That there is nothing behind most of it is [`Guest::new`]'s work.
pub fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    Ok(linker)
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.egress, table: &mut self.table, ctx: &mut self.http }
    }
}

/// The component's own requests: refused, with the error that says so.
struct NoEgress;

type Sent = (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), HttpError>> + Send>);

impl WasiHttpHooks for NoEgress {
    fn send_request(
        &mut self,
        _request: http::Request<WasiBody>,
        _options: Option<RequestOptions>,
        _sent: Box<dyn Future<Output = Result<(), HttpError>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, HttpError>> + Send> {
        Box::new(std::future::ready(Err(HttpError::HttpRequestDenied)))
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        RESPONSE_PIECE_BYTES_MAX
    }
}
