use std::path::PathBuf;

use expect_test::expect;
use ringway_catalog::{BlobId, Bucket, Secret};
use ringway_manifest::Manifest;

use super::*;

fn config() -> Config {
    Config {
        data_dir: PathBuf::from("/data"),
        own_id: ringway_ring::NodeId::default(),
        node_name: "alpha".to_owned(),
        redis_addr: Some("0.0.0.0:6379".parse().unwrap()),
        front_url: "http://127.0.0.1:8080".to_owned(),
        otlp: Some("http://127.0.0.1:4318".to_owned()),
        path: "/usr/bin:/bin".to_owned(),
    }
}

/// One bucket has a door.
struct Doors;

impl MemcacheDoors for Doors {
    fn address(&self, bucket: &str) -> Option<SocketAddr> {
        (bucket == "shop.user-sessions").then(|| "127.9.8.7:20211".parse().unwrap())
    }
}

fn release() -> Release {
    let mut manifest = Manifest::new("shop");
    manifest.hosts = vec!["*.example.org".to_owned(), "shop.example.org".to_owned()];
    manifest.env.insert("LANG".to_owned(), "de_DE.UTF-8".to_owned());
    manifest.env.insert("MODE".to_owned(), "app".to_owned());
    manifest.env.insert("RINGWAY_APP".to_owned(), "other".to_owned());
    for bucket in ["carts", "user-sessions"] {
        manifest.buckets.insert(bucket.to_owned(), Default::default());
    }
    Release { number: 7, manifest, files: BlobId([0; 32]), files_len: 0, created_ms: 0 }
}

fn catalog() -> Catalog {
    let mut catalog = Catalog::default();
    for (name, token) in [("shop.carts", "secret-1"), ("shop.user-sessions", "secret-2"), ("other.x", "secret-3")] {
        let bucket = Bucket {
            name: name.to_owned(),
            app: None,
            spec: Default::default(),
            token: Secret::new(token),
            created_ms: 0,
        };
        catalog.buckets.insert(name.to_owned(), bucket);
    }
    catalog
}

fn shown(database: bool, component: bool) -> String {
    let (config, release, catalog) = (config(), release(), catalog());
    let env = BTreeMap::from([("MODE".to_owned(), "unit".to_owned())]);
    let facts = Facts {
        config: &config,
        catalog: &catalog,
        memcache: &Doors,
        app: "shop",
        release: &release,
        env: &env,
        instance: "shop/web#1",
        unit: "web",
        database,
        dirs: Dirs {
            temporary: Path::new("/data/run/shop/web-1"),
            files: Path::new("/data/apps/shop/files"),
            database: Path::new("/data/apps/shop/shop.sqlite3"),
        },
    };
    let env = if component { component_environment(&facts) } else { environment(&facts).into_iter().collect() };
    env.into_iter().map(|(name, value)| format!("{name}={value}\n")).collect()
}

#[test]
fn a_process_gets_what_the_app_is_entitled_to_and_facts_cannot_be_overridden() {
    expect![[r#"
        DATABASE_URL=sqlite:////data/apps/shop/shop.sqlite3
        HOME=/data/run/shop/web-1
        LANG=de_DE.UTF-8
        MEMCACHED_SERVERS=127.9.8.7:20211
        MEMCACHED_SERVERS_USER_SESSIONS=127.9.8.7:20211
        MODE=unit
        OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318
        OTEL_SERVICE_NAME=shop/web
        PATH=/usr/bin:/bin
        REDIS_URL=redis://shop.carts:secret-1@127.0.0.1:6379
        REDIS_URL_CARTS=redis://shop.carts:secret-1@127.0.0.1:6379
        REDIS_URL_USER_SESSIONS=redis://shop.user-sessions:secret-2@127.0.0.1:6379
        RINGWAY_APP=shop
        RINGWAY_DATA_DIR=/data/apps/shop/files
        RINGWAY_HOST=shop.example.org
        RINGWAY_INSTANCE=shop/web#1
        RINGWAY_NODE=alpha
        RINGWAY_RELEASE=7
        RINGWAY_URL=http://127.0.0.1:8080
        TMPDIR=/data/run/shop/web-1
    "#]]
    .assert_eq(&shown(true, false));
}

#[test]
fn a_component_gets_no_secrets_that_it_could_not_use() {
    let text = shown(true, true);
    assert!(text.contains("MODE=unit\n") && text.contains("RINGWAY_APP=shop\n"), "{text}");
    assert!(
        !text.contains("secret")
            && !text.contains("MEMCACHED")
            && !text.contains("TMPDIR")
            && !text.contains("DATABASE_URL"),
        "{text}"
    );
}

#[test]
fn an_app_without_a_database_gets_none() {
    assert!(!shown(false, false).contains("DATABASE_URL"));
}
