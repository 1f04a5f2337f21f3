//! Driver: certificates from files, read again when they change.
//!
//! In a directory: `NAME.pem` (or `NAME.crt`) with `NAME.key`, and `NAME/fullchain.pem` with `NAME/privkey.pem`, as certbot lays
//! them out. A pair that cannot be used does not touch what is served: the old certificate of that name stays.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::sign::CertifiedKey;
use tracing::info;

use super::certificate::Certificate;
use super::certificate_map::CertificateMap;
use super::certificate_source::{CertificateSource, Trouble, Watched};
use super::expiry::Expiry;

/// Longer is no certificate.
const FILE_LEN_MAX: u64 = 1 << 20;
const PAIRS_MAX: usize = 10_000;
const REMEDY: &str = "put a renewed one in its place, and it is used at once";

#[derive(Debug)]
pub struct CertificateFiles {
    place: Place,
    map: ArcSwap<CertificateMap>,
}

#[derive(Debug)]
enum Place {
    Pair(Pair),
    Directory(PathBuf),
}

/// Two files that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pair {
    label: String,
    chain: PathBuf,
    key: PathBuf,
}

impl CertificateFiles {
    /// One pair, which must be good.
    pub fn pair(chain: PathBuf, key: PathBuf, now: Duration) -> Result<Self, Trouble> {
        let label = chain.display().to_string();
        Self::open(Place::Pair(Pair { label, chain, key }), now).and_then(|(files, troubles)| {
            match troubles.into_iter().next() {
                Some(trouble) => Err(trouble),
                None => Ok(files),
            }
        })
    }

    /// A directory of pairs. It must be there; pairs that are no good are told.
    pub fn directory(dir: PathBuf, now: Duration) -> Result<(Self, Vec<Trouble>), Trouble> {
        Self::open(Place::Directory(dir), now)
    }

    fn open(place: Place, now: Duration) -> Result<(Self, Vec<Trouble>), Trouble> {
        let files = Self { place, map: ArcSwap::default() };
        files.pairs()?;
        let troubles = files.refresh(now);
        Ok((files, troubles))
    }

    fn pairs(&self) -> Result<(Vec<Pair>, Vec<Trouble>), Trouble> {
        match &self.place {
            Place::Pair(pair) => Ok((vec![pair.clone()], Vec::new())),
            Place::Directory(dir) => pairs_in(dir).map_err(|error| Trouble {
                about: dir.display().to_string(),
                text: format!("the directory of certificates cannot be read: {error}"),
            }),
        }
    }

    /// The new certificates, each from its pair or, where that is no good, as it was.
    fn load(&self, pairs: &[Pair], now: Duration, troubles: &mut Vec<Trouble>) -> Vec<Certificate> {
        let before = self.map.load();
        let old: BTreeMap<&str, &Certificate> =
            before.all().iter().map(|certificate| (&*certificate.label, certificate)).collect();
        let mut all = Vec::new();
        for pair in pairs {
            let old = old.get(pair.label.as_str()).copied();
            match pair.read().and_then(|read| better(read, old, now)) {
                Ok(read) => all.push(old.filter(|old| old.is_same(&read)).cloned().unwrap_or_else(|| told(read, old))),
                Err(trouble) => {
                    let stays = if old.is_some() { "; the one from before is still used" } else { "" };
                    troubles.push(Trouble { text: format!("{}{stays}", trouble.text), ..trouble });
                    all.extend(old.cloned());
                }
            }
        }
        all
    }
}

/// A good one is not given up for one that clients refuse: it may have been put there too early, or be an old one.
fn better(read: Certificate, old: Option<&Certificate>, now: Duration) -> Result<Certificate, Trouble> {
    if read.is_valid(now) || !old.is_some_and(|old| old.is_valid(now)) {
        return Ok(read);
    }
    let text = if read.valid_from > now { "is not valid yet" } else { "has expired" };
    Err(Trouble { about: read.label.to_string(), text: text.to_owned() })
}

fn told(read: Certificate, old: Option<&Certificate>) -> Certificate {
    let what = if old.is_some() { "replaced" } else { "read" };
    info!(certificate = &*read.label, names = read.names.join(" "), what, "a certificate is used from now on");
    read
}

impl CertificateSource for CertificateFiles {
    fn find(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        self.map.load().find(name).cloned()
    }

    fn default_one(&self) -> Option<Arc<CertifiedKey>> {
        self.map.load().default_one().cloned()
    }

    fn refresh(&self, now: Duration) -> Vec<Trouble> {
        let (pairs, mut troubles) = match self.pairs() {
            Ok(found) => found,
            // Nothing is forgotten because a directory is away for a moment.
            Err(trouble) => return vec![trouble],
        };
        let all = self.load(&pairs, now, &mut troubles);
        if all.is_empty() && !self.map.load().all().is_empty() {
            let about = self.watched().first().map(|watched| watched.dir.display().to_string()).unwrap_or_default();
            let text = "all certificates are gone; those from before are still used".to_owned();
            troubles.push(Trouble { about, text });
            return troubles;
        }
        self.map.store(Arc::new(CertificateMap::new(all)));
        troubles
    }

    fn watched(&self) -> Vec<Watched> {
        // Not the file itself: whoever replaces it puts another one in its place.
        let parent = |path: &Path| match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => Watched { dir: parent.to_owned(), deep: false },
            _ => Watched { dir: PathBuf::from("."), deep: false },
        };
        match &self.place {
            Place::Pair(pair) => vec![parent(&pair.chain), parent(&pair.key)],
            Place::Directory(dir) => vec![Watched { dir: dir.clone(), deep: true }],
        }
    }

    fn expiries(&self) -> Vec<Expiry> {
        let expiry = |certificate: &Certificate| Expiry {
            label: Arc::clone(&certificate.label),
            valid_until: certificate.valid_until,
            remedy: REMEDY,
        };
        self.map.load().all().iter().map(expiry).collect()
    }
}

impl Pair {
    fn read(&self) -> Result<Certificate, Trouble> {
        let chain = bytes(&self.chain)?;
        let key = bytes(&self.key)?;
        Certificate::from_pem(&self.label, &chain, &key)
            .map_err(|text| Trouble { about: self.chain.display().to_string(), text })
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>, Trouble> {
    let trouble = |text: String| Trouble { about: path.display().to_string(), text };
    let file = fs::File::open(path).map_err(|error| trouble(format!("cannot be read: {error}")))?;
    let mut bytes = Vec::new();
    file.take(FILE_LEN_MAX + 1).read_to_end(&mut bytes).map_err(|error| trouble(format!("cannot be read: {error}")))?;
    if bytes.len() as u64 > FILE_LEN_MAX { Err(trouble("longer than 1 MiB".to_owned())) } else { Ok(bytes) }
}

/// By name, so that every node that has the same files has the same order.
fn pairs_in(dir: &Path) -> io::Result<(Vec<Pair>, Vec<Trouble>)> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        names.extend(entry?.file_name().into_string().ok());
    }
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    let (mut pairs, mut troubles) = (Vec::new(), Vec::new());
    for name in &names {
        match pair(dir, name, &names) {
            Some(Ok(pair)) if pairs.len() < PAIRS_MAX => pairs.push(pair),
            Some(Ok(pair)) => {
                let text = format!("there are more than {PAIRS_MAX} certificates: this one is not read");
                troubles.push(Trouble { about: pair.chain.display().to_string(), text });
            }
            Some(Err(trouble)) => troubles.push(trouble),
            None => {}
        }
    }
    Ok((pairs, troubles))
}

/// What an entry of the directory begins; None if it is only the other half of a pair, or no certificate at all.
fn pair(dir: &Path, name: &str, names: &[String]) -> Option<Result<Pair, Trouble>> {
    let path = dir.join(name);
    let has = |name: &str| names.iter().any(|other| other == name);
    let alone = |missing: &str| {
        Some(Err(Trouble { about: path.display().to_string(), text: format!("has no {missing} beside it") }))
    };
    if let Some(stem) = name.strip_suffix(".key") {
        let chain = [format!("{stem}.pem"), format!("{stem}.crt")].into_iter().find(|chain| has(chain));
        let Some(chain) = chain else { return alone(&format!("{stem}.pem or {stem}.crt")) };
        return Some(Ok(Pair { label: stem.to_owned(), chain: dir.join(chain), key: path }));
    }
    if let Some(stem) = name.strip_suffix(".pem").or_else(|| name.strip_suffix(".crt")) {
        let key = format!("{stem}.key");
        return if has(&key) { None } else { alone(&key) };
    }
    let (chain, key) = (path.join("fullchain.pem"), path.join("privkey.pem"));
    match (chain.is_file(), key.is_file()) {
        (true, true) => Some(Ok(Pair { label: name.to_owned(), chain, key })),
        (true, false) => alone(&format!("{name}/privkey.pem")),
        _ => None,
    }
}
