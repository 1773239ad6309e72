/// expected Some(2); came Some(1)
#[test]
fn queue_bbe2a0b6ea75() {
    queue().check_case(
        &harness::Case {
            initial: [].into(),
            commands: vec![
                Some(2),
                Some(1),
                None,
            ],
            lanes: vec![],
            finally: vec![],
        },
        Vec::new, give,
    );
}
