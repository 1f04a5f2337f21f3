//! The fixture is a real Lambda client: without a runtime API it cannot run. (This test also makes cargo build the program, which
//! the end-to-end tests deploy.)

use std::process::Command;

#[test]
fn without_a_runtime_api_the_client_says_which_variable_is_missing() {
    let ended = Command::new(env!("CARGO_BIN_EXE_ringway-lambda-fixture"))
        .env_remove("AWS_LAMBDA_RUNTIME_API")
        .output()
        .expect("the fixture was built");
    assert!(!ended.status.success());
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(said.contains("AWS_LAMBDA"), "{said}");
}
