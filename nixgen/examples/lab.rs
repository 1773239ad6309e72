//! scratch, not committed: lab NETWORK ACCEL PORT CONSOLE CONTROL SCRATCH SWITCH EMULATOR
use nixgen::*;
use std::fs;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let network: model::Network = serde_json::from_str(&fs::read_to_string(&a[1]).unwrap()).unwrap();
    let run = tempfile::tempdir().unwrap();
    let built = Builder::new(BuildOptions::new(run.path()).unwrap()).unwrap().build(&network).unwrap();
    for (i, (m, im)) in built.machines().enumerate() {
        let mut w = Wiring::default();
        if a.len() > 2 {
            let d = &a[2];
            w.console = Console::Socket(format!("{d}/con{i}").into());
            w.control = Control::Socket(format!("{d}/ctl{i}").into());
            w.scratch = Some(format!("{d}/scratch{i}.qcow2").into());
            w.management = Management::Forwarded { port: 2610 + i as u16 };
            w.data = Data::Switch(format!("{d}/sw").into());
            let _ = fs::remove_file(format!("{d}/scratch{i}.qcow2"));
            std::process::Command::new("qemu-img")
                .args(["create", "-q", "-f", "qcow2", "-F", "raw", "-b"])
                .arg(&im.scratch[&m.file_system])
                .arg(format!("{d}/scratch{i}.qcow2"))
                .status()
                .unwrap();
            fs::write(format!("{d}/d{i}.xml"), domain_xml(m, &network, im, &w).unwrap()).unwrap();
        }
        println!("{} {}", m.kernel, im.kernel.parent().unwrap().display());
        for (f, p) in &im.scratch {
            println!("{f} {}", p.display());
        }
    }
}
