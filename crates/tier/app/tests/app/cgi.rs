use std::process::Command;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use ringway_manifest::{FunctionRun, Target};
use ringway_ports::{Body, Invocation, Invoke, InvokeError, empty, full};

use crate::site::{Answer, Files, PATIENCE, Site, function, get, invocation, price, request};

fn scripts() -> Target {
    Target::Cgi { path: "cgi-bin".to_owned() }
}

async fn run(script: &str) -> (Site, Result<Answer, InvokeError>) {
    run_with(script, |invocation| invocation).await
}

async fn run_with(script: &str, change: impl FnOnce(Invocation) -> Invocation) -> (Site, Result<Answer, InvokeError>) {
    let site = Site::new().await;
    let files = Files::new().script("cgi-bin/hello", &format!("#!/bin/sh\n{script}\n"));
    let release = site.deploy(files, |_| {});
    let invocation = change(get(&release, scripts(), "/hello/more%20path?q=1"));
    let answer = site.invoke(invocation).await;
    (site, answer)
}

fn detail(answer: Result<Answer, InvokeError>) -> String {
    match answer {
        Err(InvokeError::AppFailed { what, detail }) => format!("{what}: {detail}"),
        other => panic!("{other:?}"),
    }
}

/// Whether a process with this text in its command line runs.
fn runs(text: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    processes.into_iter().any(|entry| {
        let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&command).replace('\0', " ").contains(text)
    })
}

#[tokio::test]
async fn a_script_is_told_about_the_request_and_answers_it() {
    let (site, answer) = run(
        "echo 'Status: 201 Made'; echo 'Content-Type: text/plain'; echo 'X-A: 1'; echo; \
         echo $REQUEST_METHOD $SCRIPT_NAME \"$PATH_INFO\" $QUERY_STRING $REMOTE_ADDR $SERVER_NAME $HTTP_TRACEPARENT $RINGWAY_APP; \
         echo note >&2; pwd",
    )
    .await;
    let answer = answer.unwrap();
    assert_eq!(answer.status, 201);
    assert_eq!(answer.headers["x-a"], "1");
    let text = answer.text();
    let trace = "00-00000000000000000000000000000001-0000000000000002-00";
    assert!(
        text.starts_with(&format!("GET /hello /more path q=1 192.0.2.7 shop.example.org {trace} shop\n")),
        "{text}"
    );
    assert!(text.ends_with("/cgi-bin\n"), "{text}");
    site.until("the error output is logged", |site| site.logs().contains("Err note")).await;
    site.stop().await;
}

#[tokio::test]
async fn a_large_body_goes_in_and_comes_out_while_it_is_read() {
    let body = vec![b'x'; 3 << 20];
    let (site, answer) = run_with("echo 'Content-Type: a/b'; echo; cat", |invocation| Invocation {
        request: request("POST", "/hello", full(body.clone())),
        ..invocation
    })
    .await;
    assert_eq!(answer.unwrap().body.unwrap().len(), body.len());
    site.stop().await;
}

#[tokio::test]
async fn a_body_of_unknown_length_is_measured_first() {
    let pieces = (0..50).map(|_| Ok(Frame::data(Bytes::from(vec![b'x'; 20_000]))));
    let body: Body = StreamBody::new(stream::iter(pieces).boxed()).boxed_unsync();
    let (site, answer) = run_with("echo 'Content-Type: a/b'; echo; echo $CONTENT_LENGTH; wc -c", |invocation| {
        Invocation { request: request("POST", "/hello", body), ..invocation }
    })
    .await;
    assert_eq!(answer.unwrap().text(), "1000000\n1000000\n");
    site.stop().await;
}

#[tokio::test]
async fn a_script_that_never_reads_its_input_still_answers() {
    let body = vec![b'x'; 3 << 20];
    let (site, answer) = run_with("echo 'Content-Type: a/b'; echo; echo done", |invocation| Invocation {
        request: request("POST", "/hello", full(body)),
        ..invocation
    })
    .await;
    assert_eq!(answer.unwrap().text(), "done\n");
    site.stop().await;
}

#[tokio::test]
async fn scripts_that_print_nonsense_are_said_to() {
    for (script, expected) in [
        ("echo '<html>'", "where a header field is expected"),
        ("printf '\\001\\002\\377\\n\\n'", "where a header field is expected"),
        ("echo 'HTTP/1.1 200 OK'; echo", "non-parsed-header"),
        ("echo; echo hello", "no Content-Type, Location or Status"),
        ("echo 'Status: abc'; echo", "invalid status"),
        ("echo 'Content-Type: a/b'", "ended before the empty line after the header fields; it exited with status 0"),
        ("exit 3", "it exited with status 3"),
        ("kill -9 $$", "it was ended by SIGKILL"),
        ("yes 'X-A: 1'", "without an empty line"),
    ] {
        let (site, answer) = run(script).await;
        let detail = detail(answer);
        assert!(detail.starts_with("shop/cgi-bin/hello: ") && detail.contains(expected), "{script}: {detail}");
        site.stop().await;
    }
}

#[tokio::test]
async fn a_script_that_hangs_is_killed_with_all_it_has_started() {
    let begun = Instant::now();
    let (site, answer) = run_with("sleep 4321.01 & sleep 4321.02", |invocation| Invocation {
        timeout: Some(Duration::from_millis(300)),
        ..invocation
    })
    .await;
    assert!(matches!(answer, Err(InvokeError::TimedOut { .. })), "{answer:?}");
    assert!(begun.elapsed() < PATIENCE);
    site.until("both are gone", |_| !runs("sleep 4321.0")).await;
    site.stop().await;
}

#[tokio::test]
async fn a_script_that_falls_silent_breaks_the_body_off() {
    let (site, answer) = run_with("echo 'Content-Type: a/b'; echo; echo begun; sleep 4322", |invocation| Invocation {
        timeout: Some(Duration::from_millis(500)),
        ..invocation
    })
    .await;
    let error = answer.unwrap().body.unwrap_err();
    assert!(error.contains("was silent for 500ms"), "{error}");
    site.until("it is gone", |_| !runs("sleep 4322")).await;
    site.stop().await;
}

#[tokio::test]
async fn a_body_shorter_than_promised_breaks_off_and_a_longer_one_is_cut() {
    let (site, answer) = run("echo 'Content-Type: a/b'; echo 'Content-Length: 10'; echo; printf 12345").await;
    assert!(answer.unwrap().body.unwrap_err().contains("5 bytes before the length it promised"));
    site.stop().await;
    let (site, answer) = run("echo 'Content-Type: a/b'; echo 'Content-Length: 3'; echo; printf 12345").await;
    assert_eq!(answer.unwrap().text(), "123");
    site.stop().await;
}

#[tokio::test]
async fn when_the_client_goes_the_script_goes() {
    let site = Site::new().await;
    let files = Files::new()
        .script("cgi-bin/hello", "#!/bin/sh\necho 'Content-Type: a/b'; echo; echo begun; exec sleep 4323\n");
    let release = site.deploy(files, |_| {});
    let response = site.tier.invoke(get(&release, scripts(), "/hello")).await.unwrap();
    site.until("it runs", |_| runs("sleep 4323")).await;
    drop(response);
    site.until("it is gone", |_| !runs("sleep 4323")).await;
    site.stop().await;
}

#[tokio::test]
async fn only_scripts_in_the_directory_are_found_and_only_executable_ones_run() {
    let site = Site::new().await;
    let files = Files::new()
        .script("cgi-bin/hello", "#!/bin/sh\necho 'Location: /other'; echo\n")
        .script("cgi-bin/bare", "no first line\n")
        .file("cgi-bin/text", "#!/bin/sh\n")
        .script("secret", "#!/bin/sh\n");
    let release = site.deploy(files, |_| {});
    for path in ["/none", "/", "", "/..%2Fsecret", "/%2e%2e/secret", "/.hidden"] {
        let answer = site.invoke(get(&release, scripts(), if path.is_empty() { "/" } else { path })).await;
        assert!(matches!(answer, Err(InvokeError::NotFound(_))), "{path}: {answer:?}");
    }
    let bad = site.invoke(get(&release, scripts(), "/hello/%00")).await;
    assert!(matches!(bad, Err(InvokeError::BadRequest(_))), "{bad:?}");
    let text = site.invoke(get(&release, scripts(), "/text")).await.unwrap_err();
    assert!(
        matches!(&text, InvokeError::NotStarting { detail, .. } if detail.contains("chmod +x cgi-bin/text")),
        "{text}"
    );
    let bare = site.invoke(get(&release, scripts(), "/bare")).await.unwrap_err();
    assert!(matches!(&bare, InvokeError::NotStarting { detail, .. } if detail.contains("#!/bin/sh")), "{bare}");
    // One script as the target, mounted below the root.
    let one = Target::Cgi { path: "cgi-bin/hello".to_owned() };
    let answer = site.invoke(Invocation { mount: 4, ..get(&release, one, "/app/x") }).await.unwrap();
    assert_eq!((answer.status, answer.headers["location"].to_str().unwrap()), (302, "/other"));
    site.stop().await;
}

#[tokio::test]
async fn a_function_may_be_a_script() {
    let site = Site::new().await;
    let files =
        Files::new().script("price", "#!/bin/sh\necho 'Content-Type: a/b'; echo; echo $SCRIPT_NAME $PATH_INFO $MODE\n");
    let run = FunctionRun::Cgi { script: "price".to_owned() };
    let release = site.deploy(
        files,
        function(run, |function| {
            function.env.insert("MODE".to_owned(), "fast".to_owned());
        }),
    );
    let answer = site.invoke(Invocation { mount: 6, ..get(&release, price(), "/price/7") }).await.unwrap();
    assert_eq!(answer.text(), "/price /7 fast\n");
    site.stop().await;
}

/// What CGI is held against: git's own server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn git_clones_and_pushes_through_http_backend() {
    let site = Site::new().await;
    let files = Files::new().script("cgi-bin/git", "#!/bin/sh\nexec git http-backend\n");
    let project_root = site.dir.join("data/apps/shop/files");
    let release = site.deploy(files, |manifest| {
        for (name, value) in [("GIT_HTTP_EXPORT_ALL", "1"), ("REMOTE_USER", "somebody")] {
            manifest.env.insert(name.to_owned(), value.to_owned());
        }
        manifest.env.insert("GIT_PROJECT_ROOT".to_owned(), project_root.display().to_string());
    });
    // Makes the app's directories.
    let unknown = site.invoke(get(&release, scripts(), "/git/none/info/refs")).await.unwrap();
    assert_eq!(unknown.status, 404);
    let address = site.serve(release, scripts(), 0).await;
    let home = site.dir.join("home");
    std::fs::create_dir_all(&home).unwrap();
    let git = |dir: &str, arguments: &[&str]| {
        let mut command = Command::new("git");
        command
            .current_dir(site.dir.join(dir))
            .env("HOME", &home)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0");
        command
            .args(["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "protocol.version=2"])
            .args(arguments);
        let output = tokio::task::block_in_place(|| command.output().unwrap());
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "git {arguments:?}: {text}\n{}", site.logs());
    };
    git(".", &["init", "-q", "--bare", "data/apps/shop/files/repo.git"]);
    let url = format!("http://{address}/git/repo.git");
    git(".", &["clone", "-q", &url, "one"]);
    // Larger than what git sends with a length: it comes in chunks.
    let noise: Vec<u8> = (0..300_000u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    std::fs::write(site.dir.join("one/noise"), &noise).unwrap();
    git("one", &["add", "noise"]);
    git("one", &["commit", "-q", "-m", "first"]);
    git("one", &["push", "-q", "origin", "HEAD:refs/heads/main"]);
    git(".", &["clone", "-q", "-b", "main", &url, "two"]);
    assert_eq!(std::fs::read(site.dir.join("two/noise")).unwrap(), noise);
    site.stop().await;
}

#[tokio::test]
async fn a_client_that_breaks_off_its_body_ends_the_script() {
    let first = stream::once(async { Ok(Frame::data(Bytes::from_static(b"half"))) });
    // Late: by then the shell has closed the script's output.
    let then = stream::once(async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        Err::<Frame<Bytes>, ringway_ports::BodyError>("connection reset".into())
    });
    let body: Body = StreamBody::new(first.chain(then).boxed()).boxed_unsync();
    let (site, answer) = run_with("exec cat > /dev/null", |invocation| {
        let mut request = request("POST", "/hello", body);
        request.headers_mut().insert("content-length", "100".parse().unwrap());
        Invocation { request, ..invocation }
    })
    .await;
    assert!(matches!(&answer, Err(InvokeError::BadRequest(why)) if why.contains("connection reset")), "{answer:?}");
    site.stop().await;
}

#[tokio::test]
async fn more_scripts_than_allowed_wait_for_their_turn() {
    let site = Site::new().await;
    let files = Files::new().script("price", "#!/bin/sh\necho 'Content-Type: a/b'; echo; ls $RINGWAY_DATA_DIR | wc -l; touch $RINGWAY_DATA_DIR/$$; sleep 0.05; rm $RINGWAY_DATA_DIR/$$\n");
    let run = FunctionRun::Cgi { script: "price".to_owned() };
    let release = site.deploy(files, function(run, |function| function.instances_max = 1));
    let requests = (0..6).map(|_| site.invoke(invocation(&release, price(), request("GET", "/", empty()))));
    for answer in futures_util::future::join_all(requests).await {
        assert_eq!(answer.unwrap().text().trim(), "0", "another one was running");
    }
    site.stop().await;
}
