use ringway_manifest::Manifest;

use super::*;

const HOUR_MS: u64 = 3_600_000;

pub(crate) fn node(number: u8) -> NodeInfo {
    let address = |port: u16| std::net::SocketAddr::from(([127, 0, 0, number], port));
    NodeInfo {
        id: NodeId::from_bytes([number; 16]),
        name: format!("n{number}"),
        zone: String::new(),
        capacity: 1,
        addresses: Addresses {
            peer: address(7401),
            http: Some(address(8080)),
            https: None,
            redis: None,
            admin: address(7400),
        },
        joined_ms: 0,
        state: NodeState::Active,
    }
}

pub(crate) fn apply(catalog: &mut Catalog, command: Command) -> Result<Outcome, Refusal> {
    catalog.apply(Stamped { now_ms: HOUR_MS, command })
}

#[test]
fn a_peer_to_peer_ring_never_has_a_layout_and_joins_do_not_wait_for_one_another() {
    let mut catalog = Catalog::default();
    let found = Command::Found { cluster_id: "c".into(), node: node(1), ring: RingKind::Chord { vnodes: 8 } };
    assert_eq!(apply(&mut catalog, found), Ok(Outcome::Done));
    assert_eq!(join(&mut catalog, 2), Ok(Outcome::Done));
    assert_eq!(join(&mut catalog, 3), Ok(Outcome::Done));
    assert_eq!(apply(&mut catalog, Command::Leave { node: node(2).id }), Ok(Outcome::Done));
    assert_eq!(apply(&mut catalog, Command::Remove { node: node(2).id }), Ok(Outcome::Done));
    assert!(catalog.layout.is_empty() && !catalog.is_moving());
    assert_eq!(catalog.nodes.len(), 2);
}

#[test]
fn a_peer_to_peer_ring_keeps_eventual_buckets_only() {
    let mut catalog = Catalog { ring: RingKind::Chord { vnodes: 8 }, ..Catalog::default() };
    let mut bucket =
        Bucket { name: "b".into(), app: None, spec: Default::default(), token: Secret::new("t"), created_ms: 0 };
    assert_eq!(apply(&mut catalog, Command::PutBucket(bucket.clone())), Ok(Outcome::Done));
    bucket.spec.consistency = ringway_manifest::Consistency::Strict;
    let refusal = apply(&mut catalog, Command::PutBucket(bucket)).unwrap_err().to_string();
    assert!(refusal.contains("asks for strict") && refusal.contains("--ring chord"), "{refusal}");
}

pub(crate) fn founded() -> Catalog {
    let mut catalog = Catalog::default();
    let outcome =
        apply(&mut catalog, Command::Found { cluster_id: "c".into(), node: node(1), ring: RingKind::Managed });
    assert_eq!(outcome, Ok(Outcome::LayoutChanged { epoch: 1 }));
    catalog
}

pub(crate) fn join(catalog: &mut Catalog, number: u8) -> Result<Outcome, Refusal> {
    let id = format!("t{number}");
    apply(catalog, Command::IssueToken(JoinToken::new(id.clone(), b"secret", 2 * HOUR_MS)))?;
    apply(catalog, Command::Join { token_id: id, token_secret: Secret::new("secret"), node: node(number) })
}

/// Everybody says that it has everything.
pub(crate) fn settle(catalog: &mut Catalog) {
    for node in catalog.layout.members().to_vec() {
        apply(catalog, Command::Synced { node, epoch: catalog.epoch, partitions: None }).unwrap();
    }
    assert!(!catalog.is_moving());
}

/// Nodes 1 to `count`, settled.
pub(crate) fn cluster(count: u8) -> Catalog {
    let mut catalog = founded();
    for number in 2..=count {
        join(&mut catalog, number).unwrap();
        settle(&mut catalog);
    }
    catalog
}

fn manifest(text: &str) -> Manifest {
    ringway_manifest::parse("ringway.toml", text).unwrap().manifest
}

fn deploy(catalog: &mut Catalog, text: &str) -> Result<Outcome, Refusal> {
    let manifest = manifest(text);
    let bucket_tokens = manifest.buckets.keys().map(|name| (name.clone(), Secret::new("fresh"))).collect();
    apply(catalog, Command::Deploy { manifest, files: BlobId([7; 32]), files_len: 1, bucket_tokens })
}

const SHOP: &str = "name = \"shop\"\n[kv.cart]\nttl = \"1h\"\n[[route]]\npath = \"/\"\nto = \"static:public\"\n";

#[test]
fn a_token_admits_one_node_once_and_in_time() {
    let mut catalog = founded();
    join(&mut catalog, 2).unwrap();
    settle(&mut catalog);
    let with = |id: &str, secret: &str| Command::Join {
        token_id: id.into(),
        token_secret: Secret::new(secret),
        node: node(3),
    };
    assert_eq!(apply(&mut catalog, with("t2", "secret")), Err(Refusal::TokenUsed { by: "n2".into() }));
    assert_eq!(apply(&mut catalog, with("t2", "guess!")), Err(Refusal::TokenUnknown));
    assert_eq!(apply(&mut catalog, with("t9", "secret")), Err(Refusal::TokenUnknown));
    apply(&mut catalog, Command::IssueToken(JoinToken::new("t3".into(), b"secret", HOUR_MS - 120_000))).unwrap();
    assert_eq!(apply(&mut catalog, with("t3", "secret")), Err(Refusal::TokenExpired { minutes_ago: 2 }));
    assert_eq!(catalog.nodes.len(), 2);
}

#[test]
fn names_and_addresses_are_unique() {
    let mut catalog = founded();
    apply(&mut catalog, Command::IssueToken(JoinToken::new("t".into(), b"s", 2 * HOUR_MS))).unwrap();
    let mut same_name = node(2);
    same_name.name = "n1".into();
    let mut same_address = node(2);
    same_address.addresses.peer = node(1).addresses.peer;
    let with = |node: NodeInfo| Command::Join { token_id: "t".into(), token_secret: Secret::new("s"), node };
    assert!(matches!(apply(&mut catalog, with(same_name)), Err(Refusal::NameTaken { .. })));
    assert!(matches!(apply(&mut catalog, with(same_address)), Err(Refusal::AddressTaken { .. })));
    assert!(apply(&mut catalog, with(node(2))).is_ok(), "a refused attempt does not use up the token");
}

#[test]
fn releases_are_numbered_kept_to_a_bound_and_rolled_back() {
    let mut catalog = founded();
    for number in 1..=12 {
        assert_eq!(deploy(&mut catalog, SHOP), Ok(Outcome::Released { app: "shop".into(), release: number }));
    }
    assert_eq!(catalog.apps["shop"].releases.len(), app::RELEASES_MAX);
    let back = |to| Command::Rollback { app: "shop".into(), to };
    assert_eq!(apply(&mut catalog, back(None)), Ok(Outcome::Released { app: "shop".into(), release: 11 }));
    assert_eq!(apply(&mut catalog, back(Some(5))), Ok(Outcome::Released { app: "shop".into(), release: 5 }));
    assert!(matches!(apply(&mut catalog, back(Some(2))), Err(Refusal::NoRelease { .. })), "forgotten by now");
    assert_eq!(
        deploy(&mut catalog, SHOP),
        Ok(Outcome::Released { app: "shop".into(), release: 13 }),
        "numbers are never reused"
    );
}

#[test]
fn a_bucket_keeps_its_token_over_deploys_and_its_data_when_a_release_forgets_it() {
    let mut catalog = founded();
    deploy(&mut catalog, SHOP).unwrap();
    catalog.buckets.get_mut("shop.cart").unwrap().token = Secret::new("first");
    deploy(&mut catalog, SHOP).unwrap();
    deploy(&mut catalog, "name = \"shop\"\n[[route]]\npath = \"/\"\nto = \"static:public\"\n").unwrap();
    assert_eq!(catalog.buckets["shop.cart"].token, Secret::new("first"));
    let on_disk = SHOP.replace("ttl = \"1h\"", "storage = \"disk\"");
    assert!(matches!(deploy(&mut catalog, &on_disk), Err(Refusal::BucketFixed { .. })));
    assert_eq!(catalog.apps["shop"].current, 3, "the refused release is not there");
}

fn change(catalog: &mut Catalog, change: BucketChange) -> Result<Outcome, Refusal> {
    apply(catalog, Command::ChangeBucket { name: "shop.cart".into(), change })
}

#[test]
fn a_bucket_changes_what_was_asked_for_and_nothing_else() {
    let mut catalog = founded();
    deploy(&mut catalog, SHOP).unwrap();
    let before = catalog.buckets["shop.cart"].clone();
    let wish = BucketChange { replicas: Some(2), ops_per_second: Some(100), ttl_ms: Some(0), ..Default::default() };
    assert_eq!(change(&mut catalog, wish), Ok(Outcome::Done));
    let after = catalog.buckets["shop.cart"].clone();
    let expected =
        ringway_manifest::Bucket { replicas: 2, ops_per_second: Some(100), ttl: None, ..before.spec.clone() };
    assert_eq!(after, Bucket { spec: expected, ..before });
    change(&mut catalog, BucketChange { ops_per_second: Some(0), ..Default::default() }).unwrap();
    assert_eq!(catalog.buckets["shop.cart"].spec.ops_per_second, None);
}

#[test]
fn where_the_keys_of_a_bucket_are_is_fixed_and_a_refusal_changes_nothing() {
    let mut catalog = founded();
    deploy(&mut catalog, SHOP).unwrap();
    let before = catalog.buckets.clone();
    let storage = Some(ringway_manifest::Storage::Disk);
    let refusal = change(&mut catalog, BucketChange { storage, ..Default::default() }).unwrap_err().to_string();
    assert!(refusal.contains("its storage cannot change from memory to disk"), "{refusal}");
    let refusal = change(&mut catalog, BucketChange { together: Some(true), ..Default::default() }).unwrap_err();
    assert!(refusal.to_string().contains("its together cannot change from false to true"), "{refusal}");
    let refusal = change(&mut catalog, BucketChange { replicas: Some(9), ..Default::default() }).unwrap_err();
    assert_eq!(refusal.to_string(), "bucket shop.cart: `replicas`: 9 is not between 1 and 3");
    let gone = Command::ChangeBucket { name: "gone".into(), change: BucketChange::default() };
    assert!(matches!(apply(&mut catalog, gone), Err(Refusal::NoBucket { .. })));
    assert_eq!(catalog.buckets, before);
    let together = SHOP.replace("ttl = \"1h\"", "together = true");
    assert!(matches!(deploy(&mut catalog, &together), Err(Refusal::BucketFixed { .. })));
}

#[test]
fn a_host_belongs_to_one_app_and_the_first_app_stays_the_default() {
    let mut catalog = founded();
    assert!(catalog.default_app().is_none());
    deploy(&mut catalog, &SHOP.replace("name = \"shop\"", "name = \"shop\"\nhosts = [\"shop.example\"]")).unwrap();
    let blog = "name = \"blog\"\nhosts = [\"shop.example\"]\n[[route]]\npath = \"/\"\nto = \"static:public\"\n";
    assert!(matches!(deploy(&mut catalog, blog), Err(Refusal::HostTaken { .. })));
    let manifest = manifest(&blog.replace("shop", "blog"));
    let command = Command::Deploy { manifest, files: BlobId([7; 32]), files_len: 1, bucket_tokens: vec![] };
    catalog.apply(Stamped { now_ms: 2 * HOUR_MS, command }).unwrap();
    assert_eq!(catalog.default_app().map(|app| app.name.as_str()), Some("shop"), "blog sorts first but came later");
    assert!(catalog.apps["shop"].answers_host("Shop.Example"));
    assert!(catalog.apps["blog"].answers_host("blog.localhost"));
    assert!(!catalog.apps["blog"].answers_host("shop.example"));
}

#[test]
fn the_catalog_survives_its_own_json_and_shows_no_secret() {
    let mut catalog = founded();
    deploy(&mut catalog, SHOP).unwrap();
    join(&mut catalog, 2).unwrap();
    let json = serde_json::to_string(&catalog).unwrap();
    assert_eq!(serde_json::from_str::<Catalog>(&json).unwrap(), catalog);
    assert!(!format!("{catalog:?}").contains("fresh"), "Debug output ends up in logs");
}

#[test]
fn a_service_moves_only_when_its_own_node_is_lost() {
    let mut catalog = founded();
    for number in 2..=5 {
        join(&mut catalog, number).unwrap();
        settle(&mut catalog);
    }
    let all = nodes_for(&catalog, |_| true, "shop", "web", 2);
    assert_eq!(all.len(), 2);
    let bystander = catalog.nodes.keys().copied().find(|id| !all.contains(id)).unwrap();
    assert_eq!(nodes_for(&catalog, |id| id != bystander, "shop", "web", 2), all);
    let after = nodes_for(&catalog, |id| id != all[0], "shop", "web", 2);
    assert_eq!(after[0], all[1], "the survivor stays");
    assert_eq!(after.len(), 2);
}
