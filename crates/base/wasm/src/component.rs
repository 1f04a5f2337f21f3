//! Core: is this file a component we can serve with? And the loaded component.

use std::path::{Path, PathBuf};

use wasmtime::component::Linker;
use wasmtime_wasi_http::p2::bindings::ProxyPre;

use crate::error::Error;
use crate::guest::Guest;

pub(crate) const HANDLER: &str = "wasi:http/incoming-handler@0.2";

/// How much of a file [`check_kind`] wants to see.
pub(crate) const KIND_BYTES: u64 = 16;

/// The first eight bytes: a magic number, the version, and whether this is a module or a component.
const MAGIC: [u8; 4] = *b"\0asm";
const MODULE: [u8; 4] = [1, 0, 0, 0];
const COMPONENT: [u8; 4] = [0x0d, 0, 1, 0];

/// A component that is compiled, linked and ready to be instantiated any number of times.
pub struct Component {
    pub(crate) pre: ProxyPre<Guest>,
    path: PathBuf,
}

impl std::fmt::Debug for Component {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Component").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Component {
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Imports and exports are compared here, so that a deploy fails and not the first request.
    pub(crate) fn link(
        linker: &Linker<Guest>,
        compiled: &wasmtime::component::Component,
        path: &Path,
    ) -> Result<Self, Error> {
        let pre = linker
            .instantiate_pre(compiled)
            .map_err(|error| Error::MissingImport { path: path.to_owned(), why: format!("{error:#}") })?;
        let pre = ProxyPre::new(pre).map_err(|_| Error::MissingExport { path: path.to_owned(), export: HANDLER })?;
        Ok(Self { pre, path: path.to_owned() })
    }
}

/// Tells the usual mix-ups apart before the compiler says something about an offset.
pub(crate) fn check_kind(bytes: &[u8], path: &Path) -> Result<(), Error> {
    let (what, help) = match bytes.first_chunk::<8>() {
        Some([magic @ .., v0, v1, v2, v3]) if *magic == MAGIC => match [*v0, *v1, *v2, *v3] {
            COMPONENT => return Ok(()),
            MODULE => ("a core module".to_owned(), "make a component of it with `wasm-tools component new`"),
            version => (format!("WebAssembly of an unknown version {version:02x?}"), "build it for wasm32-wasip2"),
        },
        _ if bytes.starts_with(b"(component") => {
            ("WebAssembly text".to_owned(), "make it binary with `wasm-tools parse`")
        }
        _ => ("something else than WebAssembly".to_owned(), "build it for wasm32-wasip2"),
    };
    Err(Error::NotAComponent { path: path.to_owned(), what, help })
}

#[cfg(test)]
mod tests;
