/// expected Some(1); came Some(2)
#[test]
fn queue_a0fe12e42e84() {
    queue().check_case(
        &harness::Case {
            initial: [].into(),
            commands: vec![
                Some(1),
                Some(2),
                None,
            ],
            lanes: vec![],
            finally: vec![],
        },
        Vec::new, give,
    );
}
