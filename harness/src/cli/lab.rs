//! From options to a system that cases can be run on.

use std::sync::Arc;

use hypervisor::Driver;
use hypervisor::accelerator::Accelerator;
use nixgen::BaseChoice;

use super::Fatal;
use super::args::{self, AccelKind, BaseKind, BootKind, ReachKind, SystemKind};
use super::run::Session;
use crate::machines::{Boots, Lab, LabOptions, Reach, SwitchChoice};

/// Prepares what real machines need, where the options ask for these and not for a simulation.
pub(crate) fn open(options: &args::LabOptions, session: &Session) -> Result<Option<Lab>, Fatal> {
    match options.system {
        SystemKind::Simulated => Ok(None),
        SystemKind::Libvirt => {
            let options = lab_options(options)?;
            Ok(Some(Lab::open(options, Arc::clone(&session.observer), session.stop.clone())?))
        }
    }
}

/// The options of the library.
pub(crate) fn lab_options(options: &args::LabOptions) -> Result<LabOptions, Fatal> {
    Ok(LabOptions {
        base: base(options.base),
        nixos: options.nixos.read()?,
        driver: options.connect.clone().map_or(Driver::Embedded, Driver::Uri),
        accelerator: match options.accel {
            AccelKind::Auto => None,
            AccelKind::Kvm => Some(Accelerator::Kvm),
            AccelKind::Tcg => Some(Accelerator::Tcg),
        },
        switch: match options.switch.to_str() {
            Some("fabric") => SwitchChoice::Fabric,
            Some("vde") => SwitchChoice::Vde,
            _ => SwitchChoice::Existing(options.switch.clone()),
        },
        reach: match options.reach {
            ReachKind::Forwarded => Reach::Forwarded,
            ReachKind::Direct => Reach::Direct,
        },
        key: options.key.clone().unwrap_or_default(),
        boots: match options.boot {
            BootKind::Auto => Boots::Auto,
            BootKind::Cold => Boots::Cold,
            BootKind::Warm => Boots::Warm,
        },
        overcommit: options.overcommit,
        snapshots_bound: options.snapshots_bound.saturating_mul(1 << 20),
        boot_limit: options.boot_limit,
        run_directory: options.run_directory.clone(),
        ..LabOptions::default()
    })
}

fn base(kind: BaseKind) -> BaseChoice {
    match kind {
        BaseKind::Auto => BaseChoice::Auto,
        BaseKind::Debian => BaseChoice::Debian,
        BaseKind::Nixos => BaseChoice::Nixos,
    }
}
