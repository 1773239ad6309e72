/// expected an answer that the post-condition allows; came 1
#[test]
fn steps_000000000001() {
    let model = Steps { size: 3 };
    harness::check_case(
        &model,
        &Counters,
        &harness::Case {
            initial: 0,
            commands: vec![
                true,
            ],
            lanes: vec![],
            finally: vec![],
        },
    );
}
