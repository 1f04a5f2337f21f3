//! Driver: who this node is, on disk in `<data dir>/cluster/`: its key and certificate, and the cluster's authority.
//!
//! The key is written before a join is asked for, so that a join whose answer got lost can be repeated as the same node;
//! `membership.json` is written last and says that the node is a member.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use rcgen::KeyPair;
use ringway_ring::NodeId;
use ringway_rt::files::{self, PRIVATE};
use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};

use crate::certificates;
use crate::error::Error;

const KEY: &str = "node.key";
const CERTIFICATE: &str = "node.der";
const AUTHORITY: &str = "authority.der";
const AUTHORITY_KEY: &str = "authority.key";
const MEMBERSHIP: &str = "membership.json";
/// The token of a join that has begun and not ended.
const JOINING: &str = "joining";

#[derive(Debug)]
pub struct Identity {
    pub id: NodeId,
    pub key: KeyPair,
    pub certificate: CertificateDer<'static>,
    pub authority: CertificateDer<'static>,
    pub authority_key: KeyPair,
    pub cluster_id: String,
    /// Where other nodes were when this one joined, until it has a catalog of its own.
    pub first_peers: BTreeMap<NodeId, SocketAddr>,
}

#[derive(Serialize, Deserialize)]
struct Membership {
    cluster_id: String,
    #[serde(default)]
    first_peers: BTreeMap<NodeId, SocketAddr>,
}

/// The directory for a node's cluster files.
pub fn directory(data_dir: &Path) -> PathBuf {
    data_dir.join("cluster")
}

/// Notes that a join begins, before the cluster is asked: it may take the node in, and this process end before it knows.
pub fn note_joining(data_dir: &Path, token: &str) -> Result<(), Error> {
    let path = directory(data_dir).join(JOINING);
    files::write_atomic(&path, token.as_bytes(), PRIVATE).map_err(|source| Error::Disk { path, source })
}

/// The join has ended: this node is a member, or was refused.
pub fn forget_joining(data_dir: &Path) -> Result<(), Error> {
    let path = directory(data_dir).join(JOINING);
    match fs::remove_file(&path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(Error::Disk { path, source }),
        _ => Ok(()),
    }
}

/// The token of a join that was cut off.
pub fn unfinished_join(data_dir: &Path) -> Option<String> {
    fs::read_to_string(directory(data_dir).join(JOINING)).ok()
}

impl Identity {
    /// Whether a node lives in this data directory.
    pub fn exists(data_dir: &Path) -> bool {
        directory(data_dir).join(MEMBERSHIP).exists()
    }

    /// The first node of a new cluster.
    pub fn found(data_dir: &Path) -> Result<Self, Error> {
        let key = load_or_make_key(data_dir)?;
        let authority_key = certificates::make_key()?;
        let cluster_id = format!("{:016x}", ringway_rt::random::number());
        let authority = certificates::make_authority(&authority_key, &cluster_id)?;
        let (id, certificate) = certificates::sign_own(&authority, &authority_key, &key)?;
        let identity =
            Self { id, key, certificate, authority, authority_key, cluster_id, first_peers: BTreeMap::new() };
        identity.save(data_dir)?;
        Ok(identity)
    }

    pub fn load(data_dir: &Path) -> Result<Self, Error> {
        let dir = directory(data_dir);
        let key = read_key(&dir.join(KEY))?;
        let authority_key = read_key(&dir.join(AUTHORITY_KEY))?;
        let certificate = CertificateDer::from(read(&dir.join(CERTIFICATE))?);
        let authority = CertificateDer::from(read(&dir.join(AUTHORITY))?);
        let path = dir.join(MEMBERSHIP);
        let membership: Membership =
            serde_json::from_slice(&read(&path)?).map_err(|e| Error::Damaged { path, why: e.to_string() })?;
        let id = certificates::id_of_certificate(&certificate)
            .ok_or_else(|| Error::Damaged { path: dir.join(CERTIFICATE), why: "it names no node".into() })?;
        let Membership { cluster_id, first_peers } = membership;
        Ok(Self { id, key, certificate, authority, authority_key, cluster_id, first_peers })
    }

    pub fn save(&self, data_dir: &Path) -> Result<(), Error> {
        let dir = directory(data_dir);
        write(&dir.join(CERTIFICATE), &self.certificate)?;
        write(&dir.join(AUTHORITY), &self.authority)?;
        write(&dir.join(AUTHORITY_KEY), self.authority_key.serialize_pem().as_bytes())?;
        let membership = Membership { cluster_id: self.cluster_id.clone(), first_peers: self.first_peers.clone() };
        let json = serde_json::to_vec_pretty(&membership).expect("plain data always encodes");
        write(&dir.join(MEMBERSHIP), &json)
    }
}

/// The key of this data directory, made and written if there is none yet.
pub fn load_or_make_key(data_dir: &Path) -> Result<KeyPair, Error> {
    let dir = directory(data_dir);
    files::create_private_dir(&dir).map_err(|source| Error::Disk { path: dir.clone(), source })?;
    let path = dir.join(KEY);
    if path.exists() {
        return read_key(&path);
    }
    let key = certificates::make_key()?;
    write(&path, key.serialize_pem().as_bytes())?;
    Ok(key)
}

fn read_key(path: &Path) -> Result<KeyPair, Error> {
    let bytes = read(path)?;
    let text = String::from_utf8_lossy(&bytes);
    KeyPair::from_pem(&text).map_err(|e| Error::Damaged { path: path.to_owned(), why: e.to_string() })
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|source| Error::Disk { path: path.to_owned(), source })
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    files::write_atomic(path, bytes, PRIVATE).map_err(|source| Error::Disk { path: path.to_owned(), source })
}
