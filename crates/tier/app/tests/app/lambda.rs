use std::time::Duration;

use ringway_manifest::{Function, FunctionRun};
use ringway_ports::{InstanceState, Instances, InvokeError, full};

use crate::site::{Files, Site, function, get, invocation, price, request};

/// What every runtime client does, in the standard library.
const RUNTIME: &str = r#"
import http.client, json, os, sys, time, traceback
api = os.environ["AWS_LAMBDA_RUNTIME_API"]
connection = http.client.HTTPConnection(api)
def call(method, path, body=None):
    connection.request(method, "/2018-06-01/runtime" + path, body)
    response = connection.getresponse()
    return response, response.read()
def run(handler):
    while True:
        response, body = call("GET", "/invocation/next")
        id = response.headers["Lambda-Runtime-Aws-Request-Id"]
        try:
            answer = json.dumps(handler(json.loads(body), response.headers))
        except Exception as error:
            call("POST", f"/invocation/{id}/error", json.dumps({"errorType": type(error).__name__, "errorMessage": str(error)}))
            continue
        call("POST", f"/invocation/{id}/response", answer)
"#;

fn lambda() -> FunctionRun {
    FunctionRun::Lambda { command: "python3 -S app.py".to_owned() }
}

fn files(handler: &str) -> Files {
    Files::new().file("runtime.py", RUNTIME).file("app.py", format!("from runtime import *\ncount = 0\n{handler}\n"))
}

async fn site(handler: &str, change: impl FnOnce(&mut Function)) -> (Site, std::sync::Arc<ringway_catalog::Release>) {
    let site = Site::new().await;
    let release = site.deploy(files(handler), function(lambda(), change));
    (site, release)
}

fn states(site: &Site) -> Vec<InstanceState> {
    site.tier.list().into_iter().map(|view| view.state).collect()
}

const COUNTING: &str = "
def handler(event, headers):
    global count
    count += 1
    return {'statusCode': 200, 'headers': {'X-Count': str(count)}, 'body': event['rawPath'] + ' ' + event.get('body', '-')}
run(handler)";

#[tokio::test]
async fn a_function_starts_on_the_first_request_is_used_again_and_goes_when_idle() {
    let (site, release) = site(COUNTING, |function| function.idle = Duration::from_millis(500)).await;
    assert_eq!(states(&site), [InstanceState::Cold]);
    let first = site.invoke(invocation(&release, price(), request("POST", "/price/7?x=1", full("hi")))).await.unwrap();
    assert_eq!((first.status, first.text().as_str()), (200, "/price/7 hi"));
    let second = site.invoke(get(&release, price(), "/price/8")).await.unwrap();
    assert_eq!((second.headers["x-count"].to_str().unwrap(), second.text().as_str()), ("2", "/price/8 -"));
    site.until("it is cold again", |site| states(site) == [InstanceState::Cold]).await;
    let third = site.invoke(get(&release, price(), "/")).await.unwrap();
    assert_eq!(third.headers["x-count"], "1", "a new process");
    site.stop().await;
}

#[tokio::test]
async fn another_request_at_the_same_time_gets_another_instance() {
    let (site, release) = site(
        "
def handler(event, headers):
    time.sleep(0.3)
    return os.getpid()
run(handler)",
        |_| {},
    )
    .await;
    let both = [site.invoke(get(&release, price(), "/")), site.invoke(get(&release, price(), "/"))];
    let pids: Vec<String> =
        futures_util::future::join_all(both).await.into_iter().map(|one| one.unwrap().text()).collect();
    assert_ne!(pids[0], pids[1]);
    site.stop().await;
}

#[tokio::test]
async fn a_function_finds_the_environment_and_headers_that_clients_rely_on() {
    let (site, release) = site(
        "
def handler(event, headers):
    names = ['_HANDLER', 'LAMBDA_TASK_ROOT', 'AWS_LAMBDA_FUNCTION_NAME', 'AWS_LAMBDA_FUNCTION_VERSION',
             'AWS_LAMBDA_FUNCTION_MEMORY_SIZE', 'AWS_REGION', 'RINGWAY_APP']
    assert os.environ['LAMBDA_TASK_ROOT'] == os.getcwd()
    left = int(headers['Lambda-Runtime-Deadline-Ms']) - time.time() * 1000
    return {'env': [os.environ[name] for name in names if name != 'LAMBDA_TASK_ROOT'], 'in_time': 0 < left < 10000,
            'trace': headers['Lambda-Runtime-Trace-Id'], 'arn': headers['Lambda-Runtime-Invoked-Function-Arn'],
            'header': event['headers']['traceparent']}
run(handler)",
        |_| {},
    )
    .await;
    let value: serde_json::Value = serde_json::from_str(&site.get(&release, price(), "/").await).unwrap();
    assert_eq!(value["env"], serde_json::json!(["app.py", "price", "1", "128", "ringway", "shop"]));
    assert_eq!(value["in_time"], true);
    assert_eq!(value["trace"], "Root=1-00000000-000000000000000000000001;Parent=0000000000000002;Sampled=0");
    assert_eq!(value["arn"], "arn:aws:lambda:ringway:000000000000:function:price");
    assert_eq!(value["header"], "00-00000000000000000000000000000001-0000000000000002-00");
    site.stop().await;
}

#[tokio::test]
async fn an_error_of_the_function_is_told_and_the_instance_lives() {
    let (site, release) = site(
        "
def handler(event, headers):
    if event['rawPath'] == '/bad': raise ValueError('no such price')
    if event['rawPath'] == '/odd': return {'statusCode': 'what'}
    return os.getpid()
run(handler)",
        |_| {},
    )
    .await;
    let before = site.get(&release, price(), "/").await;
    let error = site.invoke(get(&release, price(), "/bad")).await.unwrap_err();
    assert!(
        matches!(&error, InvokeError::AppFailed { detail, .. } if detail == "ValueError: no such price"),
        "{error}"
    );
    let error = site.invoke(get(&release, price(), "/odd")).await.unwrap_err();
    assert!(matches!(&error, InvokeError::AppFailed { .. }), "{error}");
    assert_eq!(site.get(&release, price(), "/").await, before);
    site.stop().await;
}

#[tokio::test]
async fn a_function_that_dies_in_a_request_fails_that_one_alone() {
    let (site, release) = site(
        "
def handler(event, headers):
    if event['rawPath'] == '/die': os._exit(9)
    return os.getpid()
run(handler)",
        |_| {},
    )
    .await;
    let before = site.get(&release, price(), "/").await;
    let error = site.invoke(get(&release, price(), "/die")).await.unwrap_err();
    assert!(
        matches!(&error, InvokeError::AppFailed { detail, .. } if detail.contains("exited with status 9")),
        "{error}"
    );
    assert_ne!(site.get(&release, price(), "/").await, before);
    site.stop().await;
}

#[tokio::test]
async fn a_function_that_takes_too_long_is_ended() {
    let (site, release) = site(
        "
def handler(event, headers):
    if event['rawPath'] == '/slow': time.sleep(4324)
    return os.getpid()
run(handler)",
        |function| function.timeout = Duration::from_millis(1500),
    )
    .await;
    let before = site.get(&release, price(), "/").await;
    let error = site.invoke(get(&release, price(), "/slow")).await.unwrap_err();
    assert!(matches!(&error, InvokeError::TimedOut { .. }), "{error}");
    assert_ne!(site.get(&release, price(), "/").await, before, "nobody gets the one that hangs");
    site.stop().await;
}

#[tokio::test]
async fn functions_that_do_not_start_are_said_to() {
    for (handler, expected) in [
        ("sys.exit(4)", "it exited with status 4 before it asked for an event"),
        (
            "call('POST', '/init/error', json.dumps({'errorType': 'ImportError', 'errorMessage': 'no module'}))\ntime.sleep(100)",
            "its initialization failed: ImportError: no module",
        ),
    ] {
        let (site, release) = site(handler, |_| {}).await;
        let error = site.invoke(get(&release, price(), "/")).await.unwrap_err();
        assert!(matches!(&error, InvokeError::NotStarting { detail, .. } if detail == expected), "{error:?}");
        site.stop().await;
    }
}

#[tokio::test]
async fn a_request_that_is_too_large_is_refused() {
    let (site, release) = site(COUNTING, |_| {}).await;
    let large = full(vec![0; 6 << 20]);
    let error = site.invoke(invocation(&release, price(), request("POST", "/", large))).await.unwrap_err();
    assert!(matches!(error, InvokeError::TooLarge(_)), "{error}");
    site.stop().await;
}

#[tokio::test]
async fn the_instances_of_an_old_release_go_when_a_new_one_is_deployed() {
    let (site, release) = site(COUNTING, |_| {}).await;
    site.get(&release, price(), "/").await;
    let new = site.deploy(files(&COUNTING.replace("'rawPath'", "'version'")), function(lambda(), |_| {}));
    assert_eq!(site.get(&new, price(), "/").await, "2.0 -");
    site.until("the old one is gone", |site| site.tier.list().iter().all(|view| view.release == 2)).await;
    site.stop().await;
}
