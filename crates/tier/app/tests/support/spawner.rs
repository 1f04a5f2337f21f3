//! The spawner process of the tests: what the `ringway` binary is when called with the hidden argument.

fn main() -> std::io::Result<()> {
    ringway_sandbox::spawner_main()
}
