/// expected Counted(4); came Counted(0).
#[test]
fn ring_forgets_that_it_is_full() {
    harness::check_case(
        &Ring,
        &Buffers::of_environment(),
        &harness::Case {
            initial: [].into(),
            commands: vec![
                RingCommand::Put(0),
                RingCommand::Put(0),
                RingCommand::Put(0),
                RingCommand::Put(0),
                RingCommand::Count,
            ],
            lanes: vec![],
            finally: vec![],
        },
    );
}
