//! The official Lambda runtime clients, unmodified: `awslambdaric` for Python, the crate `lambda_runtime` for Rust.

use ringway_testkit::{get, request};

use crate::{binary, cluster, deploy, python_path, served};

#[test]
fn the_python_client_runs_a_handler_and_reports_its_errors() {
    let cluster = cluster(1);
    let node = &cluster.nodes[0];
    cluster.scratch.write(
        "py/handler.py",
        "def handle(event, context):\n    if event['rawPath'] == '/fail':\n        raise ValueError('my own fault')\n    return {'statusCode': 201, 'headers': {'x-id': context.aws_request_id}, 'body': f\"{event['rawPath']} {context.function_name} {event.get('body')}\"}\n",
    );
    let manifest = format!(
        "name = \"py\"\n[[route]]\npath = \"/*\"\nto = \"hello\"\n[function.hello]\nlambda = \"python3 -m awslambdaric handler.handle\"\n[function.hello.env]\nPYTHONPATH = {:?}\n",
        python_path().display().to_string()
    );
    cluster.scratch.write("py/ringway.toml", manifest);
    deploy(node, &cluster.scratch.join("py"));
    let answer = request(node.http(), "POST", "py.localhost", "/x", &[("Content-Type", "text/plain")], b"payload")
        .expect("the front end answers");
    assert_eq!((answer.status, answer.text().as_str()), (201, "/x hello payload"));
    assert!(!answer.headers["x-id"].is_empty());
    let failed = get(node.http(), "py.localhost", "/fail").expect("the front end answers");
    assert_eq!(failed.status, 502, "{}", failed.text());
    assert!(!failed.text().contains("my own fault"), "details stay in the log");
    assert!(node.cli(&["logs", "py"]).ok().contains("my own fault"));
    assert_eq!(
        get(node.http(), "py.localhost", "/y").expect("the front end answers").status,
        201,
        "the instance goes on"
    );
}

#[test]
fn the_rust_client_runs_a_handler() {
    let cluster = cluster(1);
    let node = &cluster.nodes[0];
    let fixture = binary().with_file_name("ringway-lambda-fixture");
    assert!(fixture.exists(), "it is built with the whole workspace: cargo nextest run --workspace");
    std::fs::create_dir_all(cluster.scratch.join("rs")).expect("the scratch directory is writable");
    std::fs::copy(fixture, cluster.scratch.join("rs/bootstrap")).expect("the fixture can be copied");
    cluster.scratch.write(
        "rs/ringway.toml",
        "name = \"rs\"\n[[route]]\npath = \"/*\"\nto = \"hello\"\n[function.hello]\nlambda = \"./bootstrap\"\n",
    );
    deploy(node, &cluster.scratch.join("rs"));
    assert_eq!(served(node, "rs.localhost", "/first").text(), "lambda_runtime saw GET /first");
    assert_eq!(served(node, "rs.localhost", "/second").text(), "lambda_runtime saw GET /second");
}
