use std::time::{Duration, Instant};

use ringway_manifest::{Replicas, Service};
use ringway_ports::{InstanceState, Instances, Invoke, InvokeError, Lease};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::site::{Files, PATIENCE, Site, service, web, work};

/// Answers every request with a text and its process id.
const SERVER: &str = r#"
import http.server, os, signal, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        text = f"{open('text').read()} {os.getpid()} {os.environ.get('PORT')} {os.environ.get('RINGWAY_INSTANCE')}".encode()
        status = 500 if self.path == "/up" and os.path.exists(os.environ["RINGWAY_DATA_DIR"] + "/sick") else 200
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    def log_message(self, *args):
        pass
signal.signal(signal.SIGTERM, lambda *_: (print("bye", flush=True), os._exit(0)))
print("listening", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"#;

fn files(text: &str) -> Files {
    Files::new().file("server.py", SERVER).file("text", text)
}

fn healthy(service: &mut Service) {
    service.health = Some("/up".to_owned());
}

const RUN: &str = "python3 -S server.py";

async fn ask(lease: &Lease) -> String {
    let mut stream = tokio::net::TcpStream::connect(lease.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text.rsplit("\r\n\r\n").next().unwrap().to_owned()
}

fn warm(site: &Site) -> usize {
    let ready = |state| matches!(state, InstanceState::Warm | InstanceState::Busy);
    site.tier.list().iter().filter(|view| ready(view.state)).count()
}

#[tokio::test]
async fn a_service_runs_without_being_asked_and_serves_on_its_port() {
    let site = Site::new().await;
    let release = site.deploy(files("one"), service(RUN, healthy));
    site.until("it is healthy", |site| warm(site) == 1).await;
    let lease = site.tier.lease(work(&release, web())).await.unwrap();
    assert_eq!(&*lease.instance, "shop/web#1");
    let answer = ask(&lease).await;
    let view = site.tier.list().remove(0);
    assert_eq!(answer, format!("one {} {} shop/web#1", view.pid.unwrap(), view.port.unwrap()));
    assert_eq!((view.state, view.in_flight, view.requests), (InstanceState::Busy, 1, 1));
    drop(lease);
    assert_eq!(site.tier.list().remove(0).in_flight, 0);
    site.until("its output is logged", |site| site.logs().contains("shop/web#1 Out listening")).await;
    site.stop().await;
}

#[tokio::test]
async fn requests_go_to_the_least_busy_of_several_instances() {
    let site = Site::new().await;
    let release = site.deploy(
        files("one"),
        service(RUN, |service| {
            healthy(service);
            service.replicas = Replicas { min: 2, max: 2 };
        }),
    );
    site.until("both are healthy", |site| warm(site) == 2).await;
    let one = site.tier.lease(work(&release, web())).await.unwrap();
    let two = site.tier.lease(work(&release, web())).await.unwrap();
    assert_ne!(one.address, two.address);
    drop((one, two));
    site.stop().await;
}

#[tokio::test]
async fn a_killed_instance_is_started_again() {
    let site = Site::new().await;
    let release = site.deploy(files("one"), service(RUN, healthy));
    let pid = ask(&site.tier.lease(work(&release, web())).await.unwrap()).await.split(' ').nth(1).unwrap().to_owned();
    std::process::Command::new("kill").args(["-9", &pid]).status().unwrap();
    site.until("it has been started again", |site| {
        site.tier.list().iter().any(|view| view.restarts == 1 && view.state == InstanceState::Warm)
    })
    .await;
    let answer = ask(&site.tier.lease(work(&release, web())).await.unwrap()).await;
    assert_ne!(answer.split(' ').nth(1).unwrap(), pid);
    site.stop().await;
}

#[tokio::test]
async fn a_service_that_exits_at_once_is_said_to_and_disturbs_nobody() {
    let site = Site::new().await;
    let release = site.deploy(Files::new(), |manifest| {
        service("sh -c 'echo no database >&2; exit 7'", |_| {})(manifest);
        manifest.services.insert("good".to_owned(), Service::new("python3 -S -m http.server $PORT"));
    });
    let begun = Instant::now();
    let error = site.tier.lease(work(&release, web())).await.err().unwrap();
    assert!(
        matches!(&error, InvokeError::NotStarting { what, detail } if what == "shop/web" && detail.contains("exited with status 7")),
        "{error:?}"
    );
    assert!(begun.elapsed() < Duration::from_secs(5), "nobody waits for a hopeless case");
    site.until("what it said is logged", |site| site.logs().contains("Err no database")).await;
    let view = site.tier.list().into_iter().find(|view| view.unit == "web").unwrap();
    assert!(view.note.contains("exited with status 7"), "{}", view.note);
    let good = ringway_manifest::Target::Service("good".to_owned());
    site.tier.lease(work(&release, good)).await.unwrap();
    site.stop().await;
}

#[tokio::test]
async fn a_program_that_does_not_exist_is_said_to() {
    let site = Site::new().await;
    let release = site.deploy(Files::new(), service("no-such-program --port $PORT", |_| {}));
    let error = site.tier.lease(work(&release, web())).await.err().unwrap().to_string();
    assert!(error.contains("exited with status 127"), "{error}");
    site.until("the shell's words are logged", |site| site.logs().contains("no-such-program: not found")).await;
    site.stop().await;
}

#[tokio::test]
async fn an_instance_that_becomes_sick_is_replaced() {
    let site = Site::new().await;
    let release = site.deploy(files("one"), service(RUN, healthy));
    let lease = site.tier.lease(work(&release, web())).await.unwrap();
    std::fs::write(site.dir.join("data/apps/shop/files/sick"), "").unwrap();
    // Each complaint of a request hurries a check; the third that fails is one too many.
    site.until("it is ended", |site| {
        lease.guard.failed();
        site.logs().contains("ended: failed 3 health checks: /up answered with status 500")
    })
    .await;
    drop(lease);
    std::fs::remove_file(site.dir.join("data/apps/shop/files/sick")).unwrap();
    site.until("it was started again", |site| {
        site.tier.list().iter().any(|view| view.restarts >= 1 && view.state == InstanceState::Warm)
    })
    .await;
    site.stop().await;
}

#[tokio::test]
async fn one_that_ignores_sigterm_is_killed() {
    let site = Site::new().await;
    let run = "python3 -S -c 'import signal,os,http.server as h; signal.signal(15, signal.SIG_IGN); h.HTTPServer((\"127.0.0.1\", int(os.environ[\"PORT\"])), h.BaseHTTPRequestHandler).serve_forever()'";
    site.deploy(Files::new(), service(run, |service| service.stop_timeout = Duration::from_millis(300)));
    site.until("it is healthy", |site| warm(site) == 1).await;
    site.remove_app();
    site.until("it is gone", |site| site.tier.list().is_empty()).await;
    site.stop().await;
}

#[tokio::test]
async fn a_new_release_takes_over_without_a_gap() {
    let site = Site::new().await;
    let one = site.deploy(files("one"), service(RUN, healthy));
    site.until("one is healthy", |site| warm(site) == 1).await;
    let held = site.tier.lease(work(&one, web())).await.unwrap();
    let two = site.deploy(files("two"), service(RUN, healthy));
    let switched = async {
        loop {
            let lease = site.tier.lease(work(&two, web())).await.unwrap();
            if ask(&lease).await.starts_with("two ") {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, switched).await.unwrap();
    assert!(ask(&held).await.starts_with("one "), "the old instance finishes what it has");
    drop(held);
    site.until("the old one is gone", |site| site.tier.list().iter().all(|view| view.release == 2)).await;
    assert!(site.logs().contains("Out bye"), "it was asked to go: {}", site.logs());
    site.stop().await;
}

#[tokio::test]
async fn while_a_new_release_does_not_become_healthy_the_old_one_serves() {
    let site = Site::new().await;
    site.deploy(files("one"), service(RUN, healthy));
    site.until("one is healthy", |site| warm(site) == 1).await;
    let two = site.deploy(files("two"), service("false", healthy));
    site.until("two has failed often", |site| {
        site.tier.list().iter().any(|view| view.release == 2 && view.restarts >= 3)
    })
    .await;
    let lease = site.tier.lease(work(&two, web())).await.unwrap();
    assert!(ask(&lease).await.starts_with("one "));
    drop(lease);
    let three = site.deploy(files("three"), service(RUN, healthy));
    site.until("only three is left", |site| site.tier.list().iter().all(|view| view.release == 3)).await;
    assert!(ask(&site.tier.lease(work(&three, web())).await.unwrap()).await.starts_with("three "));
    site.stop().await;
}

#[tokio::test]
async fn with_no_replicas_the_first_request_starts_one_and_it_goes_when_idle() {
    let site = Site::new().await;
    let release = site.deploy(
        files("one"),
        service(RUN, |service| {
            healthy(service);
            service.replicas = Replicas { min: 0, max: 1 };
            service.idle = Duration::from_millis(300);
        }),
    );
    let lease = site.tier.lease(work(&release, web())).await.unwrap();
    assert_eq!(&*lease.instance, "shop/web#1", "none was started before");
    assert!(ask(&lease).await.starts_with("one "));
    // Longer than it may be idle.
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(warm(&site), 1, "it is in use");
    drop(lease);
    site.until("it is gone", |site| site.tier.list().is_empty()).await;
    site.stop().await;
}

#[tokio::test]
async fn stopping_the_tier_ends_all_instances_politely() {
    let site = Site::new().await;
    let release = site.deploy(files("one"), service(RUN, healthy));
    site.tier.lease(work(&release, web())).await.unwrap();
    site.tier.stop(PATIENCE).await;
    assert!(site.logs().contains("Out bye"), "{}", site.logs());
    let refused = site.tier.lease(work(&release, web())).await.err().unwrap();
    assert!(refused.to_string().contains("stopping"), "{refused}");
    site.stop().await;
}
