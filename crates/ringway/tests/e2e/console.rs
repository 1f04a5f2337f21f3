//! The console in a real browser.

use ringway_testkit::{run, run_in};

use crate::{cluster, deploy, root, served};

#[test]
fn the_console_shows_nodes_apps_and_the_ring_in_chromium() {
    let cluster = cluster(3);
    let node = &cluster.nodes[0];
    cluster.scratch.write("site/public/index.html", "hello");
    deploy(node, &cluster.scratch.join("site"));
    served(node, "site.localhost", "/");
    let url = node.json(&["open", "--print"])["url"].as_str().expect("an address").to_owned();
    // A lookup that has to go from virtual node to virtual node, drawn on the ring.
    let url = format!("{url}&lookup=cart:7&via=neighbours&walk=virtual&from=n2");
    let artifacts = root().join("target/artifacts");
    std::fs::create_dir_all(&artifacts).expect("target is writable");
    let screenshot = artifacts.join("console.png");
    let _ = std::fs::remove_file(&screenshot);
    let profile = cluster.scratch.join("profile");
    let common = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--hide-scrollbars",
        "--force-prefers-reduced-motion",
        "--window-size=1280,1100",
        "--virtual-time-budget=4000",
    ];
    let profile_flag = format!("--user-data-dir={}", profile.display());
    let shot_flag = format!("--screenshot={}", screenshot.display());
    let dump = run("chromium", &[&common[..], &[&profile_flag, "--dump-dom", &url]].concat()).ok();
    for expected in
        ["n1", "n2", "n3", "site", "<svg", "class=\"hop", "is-end", "answers for it", "best of 32 virtual nodes"]
    {
        assert!(dump.contains(expected), "{expected} is missing in the page");
    }
    run_in(&cluster.scratch, "chromium", &[&common[..], &[&profile_flag, &shot_flag, &url]].concat()).ok();
    let size = std::fs::metadata(&screenshot).expect("the screenshot is there").len();
    assert!(size > 20_000, "the page is not empty: {size} bytes");
}
