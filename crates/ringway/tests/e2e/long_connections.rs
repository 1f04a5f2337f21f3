//! Connections that are more than a request and an answer, by clients and servers of another language: gRPC and WebSocket, through
//! the node that runs the service and through those that do not.

use std::process::Command;

use ringway_testkit::Cluster;
use ringway_testkit::programs::finish;

use crate::{deploy, python_path, root};

fn with_service(app: &str, server: &str, more: &str) -> Cluster {
    let cluster = crate::cluster(2);
    let dir = cluster.scratch.join(app);
    let source = root().join("crates/ringway/tests/clients").join(server);
    cluster.scratch.write(&format!("{app}/{server}"), std::fs::read(source).expect("the server's source"));
    let manifest = format!(
        "name = \"{app}\"\n[[route]]\npath = \"/*\"\nto = \"main\"\n[service.main]\nrun = \"python3 {server}\"\n{more}\
         [service.main.env]\nPYTHONPATH = {:?}\n",
        python_path().display()
    );
    cluster.scratch.write(&format!("{app}/ringway.toml"), manifest);
    deploy(&cluster.nodes[0], &dir);
    cluster
}

/// Runs a client against all nodes.
fn serves(cluster: &Cluster, client: &str) {
    let nodes: Vec<String> = cluster.nodes.iter().map(|node| node.http().to_string()).collect();
    let program = root().join("crates/ringway/tests/clients").join(client);
    let mut command = Command::new("python3");
    command.arg(program).env("NODES", nodes.join(" ")).env("PYTHONPATH", python_path());
    let finished = finish(&mut command);
    assert!(finished.success && finished.out.trim_end().ends_with("fine"), "{}{}", finished.out, finished.err);
}

#[test]
fn grpc_works_in_all_four_kinds_of_calls() {
    serves(&with_service("chat", "grpc_server.py", "protocol = \"h2c\"\n"), "grpc_client.py");
}

#[test]
fn websockets_carry_messages_of_any_size() {
    serves(&with_service("talk", "websocket_server.py", ""), "websocket_client.py");
}
