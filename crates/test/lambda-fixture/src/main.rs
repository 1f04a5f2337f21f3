//! A function on AWS's own client crate, unmodified, for the end-to-end tests.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(answer)).await
}

async fn answer(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let http = &event.payload["requestContext"]["http"];
    let (method, path) = (http["method"].as_str().unwrap_or_default(), http["path"].as_str().unwrap_or_default());
    Ok(json!({ "statusCode": 200, "body": format!("lambda_runtime saw {method} {path}") }))
}
