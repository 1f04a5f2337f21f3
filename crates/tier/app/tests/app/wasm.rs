use std::sync::Arc;
use std::time::Duration;

use ringway_catalog::Release;
use ringway_manifest::{Bytes, FunctionRun};
use ringway_ports::{InstanceState, Instances, InvokeError, full};

use crate::site::{Files, Site, function, get, invocation, price, request};

/// The engine's own test component; its source is beside it.
const COMPONENT: &[u8] = include_bytes!("../../../../base/wasm/tests/fixtures/guest.wasm");

fn component() -> FunctionRun {
    FunctionRun::Wasm { file: "price.wasm".to_owned() }
}

async fn site(wasm: &[u8]) -> (Site, Arc<Release>) {
    let site = Site::new().await;
    let release = site.deploy(
        Files::new().file("price.wasm", wasm),
        function(component(), |function| {
            function.idle = Duration::from_millis(300);
            function.timeout = Duration::from_secs(5);
            function.memory = Bytes(32 << 20);
            function.env.insert("MODE".to_owned(), "fast".to_owned());
        }),
    );
    (site, release)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_answers_with_its_environment_and_goes_when_idle() {
    let (site, release) = site(COMPONENT).await;
    assert_eq!(site.get(&release, price(), "/hello").await, "hello from a component\n");
    let env = site.get(&release, price(), "/env").await;
    assert!(env.contains("MODE=fast") && env.contains("RINGWAY_APP=shop"), "{env}");
    assert!(!env.contains("PATH=") && !env.contains("HOME="), "{env}");
    let echo = site.invoke(invocation(&release, price(), request("POST", "/echo", full("hi")))).await.unwrap();
    assert_eq!(echo.text(), "hi");
    site.get(&release, price(), "/log").await;
    site.until("its lines are logged", |site| site.logs().contains("shop/price#1 ")).await;
    site.until("it is cold", |site| site.tier.list()[0].state == InstanceState::Cold).await;
    assert_eq!(site.get(&release, price(), "/hello").await, "hello from a component\n");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_that_fails_fails_its_own_request_alone() {
    let (site, release) = site(COMPONENT).await;
    let trap = site.invoke(get(&release, price(), "/trap")).await.unwrap_err();
    assert!(matches!(&trap, InvokeError::AppFailed { what, .. } if what == "shop/price"), "{trap:?}");
    let silent = site.invoke(get(&release, price(), "/silent")).await.unwrap_err();
    assert!(matches!(&silent, InvokeError::AppFailed { .. }), "{silent:?}");
    let hungry = site.invoke(get(&release, price(), "/eat")).await.unwrap_err();
    assert!(matches!(&hungry, InvokeError::AppFailed { detail, .. } if detail.contains("memory")), "{hungry:?}");
    let mut endless = get(&release, price(), "/loop");
    endless.timeout = Some(Duration::from_millis(500));
    let endless = site.invoke(endless).await.unwrap_err();
    assert!(matches!(&endless, InvokeError::TimedOut { .. }), "{endless:?}");
    assert_eq!(site.get(&release, price(), "/hello").await, "hello from a component\n");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_component_is_said_to_be_none() {
    for (wasm, expected) in [(&b"hello"[..], "something else than WebAssembly"), (b"\0asm\x01\0\0\0", "a core module")]
    {
        let (site, release) = site(wasm).await;
        let error = site.invoke(get(&release, price(), "/hello")).await.unwrap_err();
        assert!(matches!(&error, InvokeError::NotStarting { detail, .. } if detail.contains(expected)), "{error:?}");
        assert!(site.logs().contains(expected), "{}", site.logs());
        site.stop().await;
    }
}
