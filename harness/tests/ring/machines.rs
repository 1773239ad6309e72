/// expected ; came .
fn machines_000000000000() -> Result<(), Box<dyn std::error::Error>> {
    let Some(lab) = harness::machines::Lab::for_test()? else { return Ok(()) };
    let specification = harness::model::MachineSpec::new(lab.bounds()?)?;
    harness::check_case(
        &specification,
        &harness::machines::MachineSystem::of(&lab),
        &harness::Case {
            // subnet 172.16.2.0/24
            // machine a  172.16.2.9  kernel 6.12  96 MiB  ext4
            initial: harness::from_json(r#"{"subnet":"172.16.2.0/24","machines":[{"id":"a","uuid":"07070707-0707-0707-0707-070707070707","address":"172.16.2.9","kernel":"6.12","memory":96,"file_system":"ext4","running":false}]}"#),
            commands: vec![
                // Boot a
                harness::from_json(r#"{"boot":"a"}"#),
            ],
            lanes: vec![],
            finally: vec![],
        },
    );
    Ok(())
}
