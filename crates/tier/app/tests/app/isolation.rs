use ringway_manifest::Target;
use ringway_ports::{Invoke, InvokeError};

use crate::site::{Files, Site, work};

async fn printed(script: &str) -> String {
    let site = Site::new().await;
    std::fs::create_dir_all(site.dir.join("data/keys")).unwrap();
    std::fs::write(site.dir.join("data/keys/node.pem"), "private key").unwrap();
    let files =
        Files::new().script("cgi-bin/look", &format!("#!/bin/sh\necho 'Content-Type: a/b'; echo; ({script}) 2>&1\n"));
    let release = site.deploy(files, |_| {});
    let text = site.get(&release, Target::Cgi { path: "cgi-bin".to_owned() }, "/look").await;
    let fenced = !site.tier.isolation().contains("no landlock");
    site.stop().await;
    if fenced { text } else { "this kernel has no landlock".to_owned() }
}

#[tokio::test]
async fn an_app_reads_neither_keys_nor_blobs_and_writes_only_what_is_its_own() {
    let text = printed(
        "data=$RINGWAY_DATA_DIR/../../..; cat $data/keys/node.pem; ls $data; echo x > $DOCUMENT_ROOT/cgi-bin/look; \
         echo kept > $RINGWAY_DATA_DIR/file && cat $RINGWAY_DATA_DIR/file; echo tmp > $TMPDIR/file && cat $TMPDIR/file",
    )
    .await;
    if text == "this kernel has no landlock" {
        return;
    }
    assert!(!text.contains("private key"), "{text}");
    assert_eq!(text.matches("ermission denied").count(), 3, "{text}");
    assert!(text.ends_with("kept\ntmp\n"), "{text}");
}

#[tokio::test]
async fn nothing_of_the_nodes_environment_is_handed_on() {
    let text = printed("env | cut -d= -f1 | sort | tr '\\n' ' '").await;
    for name in text.split_whitespace() {
        let known = ["RINGWAY_", "HTTP_", "REQUEST_", "SERVER_", "SCRIPT_", "REMOTE_", "OTEL_"];
        let exact = [
            "PATH",
            "LANG",
            "HOME",
            "TMPDIR",
            "PWD",
            "OLDPWD",
            "SHLVL",
            "_",
            "GATEWAY_INTERFACE",
            "QUERY_STRING",
            "DOCUMENT_ROOT",
            "REDIRECT_STATUS",
        ];
        assert!(exact.contains(&name) || known.iter().any(|prefix| name.starts_with(prefix)), "{name} in {text}");
    }
}

#[tokio::test]
async fn the_files_of_a_release_are_unpacked_for_the_front_end() {
    let site = Site::new().await;
    let release = site.deploy(Files::new().file("public/index.html", "hi"), |_| {});
    let target = Target::Static { dir: "public".to_owned() };
    let (one, two) =
        tokio::join!(site.tier.files(work(&release, target.clone())), site.tier.files(work(&release, target.clone())));
    assert_eq!(one.as_ref().unwrap(), two.as_ref().unwrap());
    assert_eq!(std::fs::read_to_string(one.unwrap().join("public/index.html")).unwrap(), "hi");
    let mut missing = ringway_catalog::Release::clone(&release);
    missing.files = ringway_catalog::BlobId([9; 32]);
    let error = site.tier.files(work(&std::sync::Arc::new(missing), target)).await.unwrap_err();
    assert!(matches!(error, InvokeError::Internal(_)), "{error:?}");
    site.stop().await;
}
