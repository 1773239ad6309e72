//! A planted bug of real machines: they go deaf.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use harness::machines::{Lab, LiveNetwork, MachineSystem};
use harness::{Moment, Moments, Outcome, Purpose, System, SystemError};
use model::machines::{Command, Response};
use model::{MachineId, MachineSpec, Network};

/// Real machines, of which each answers no pings once a second Boot was asked of it: the kernel is told so
/// over SSH, and everything else is as it is.
pub(crate) struct DeafOnMachines<'lab> {
    system: MachineSystem<'lab>,
    /// Whether networks are saved in the middle of a case.
    pub(crate) saves: bool,
    /// Whether a second Boot takes some seconds more.
    pub(crate) slow: bool,
    /// How many Boots had been asked for at each moment, by its number.
    saved: Mutex<HashMap<u64, Boots>>,
}

/// How many Boots each machine was asked for.
type Boots = HashMap<MachineId, u32>;

/// A network, and what it was asked for.
type Deaf<'lab> = (LiveNetwork<'lab>, Boots);

impl<'lab> DeafOnMachines<'lab> {
    pub(crate) fn new(lab: &'lab Lab) -> Self {
        Self { system: MachineSystem::new(lab), saves: true, slow: false, saved: Mutex::default() }
    }

    /// The moments of the networks without what is beside them.
    fn inner(&self) -> Option<&dyn Moments<MachineSpec, LiveNetwork<'lab>>> {
        if self.saves { self.system.moments() } else { None }
    }
}

impl<'lab> System<MachineSpec> for DeafOnMachines<'lab> {
    type Sut = Deaf<'lab>;

    fn can_create_new_sut(&self, network: &Network) -> Result<(), SystemError> {
        self.system.can_create_new_sut(network)
    }

    fn new_sut(&self, network: &Network) -> Result<Self::Sut, SystemError> {
        self.new_sut_for(network, Purpose::default())
    }

    fn new_sut_for(&self, network: &Network, purpose: Purpose) -> Result<Self::Sut, SystemError> {
        Ok((self.system.new_sut_for(network, purpose)?, Boots::new()))
    }

    fn is_reused(&self, (live, _): &Self::Sut) -> bool {
        self.system.is_reused(live)
    }

    fn moments(&self) -> Option<&dyn Moments<MachineSpec, Self::Sut>> {
        self.inner().map(|_| self as &dyn Moments<_, _>)
    }

    fn destroy_sut(&self, (live, _): Self::Sut) -> Result<(), SystemError> {
        self.system.destroy_sut(live)
    }

    fn run(
        &self,
        (live, boots): &mut Self::Sut,
        command: &Command,
    ) -> Result<Outcome<Response>, SystemError> {
        let outcome = self.system.run(live, command)?;
        // An upgrade boots a machine too, but is not asked for by that name.
        let (id, asked) = match command {
            Command::Boot(id) => (id, 1),
            Command::Upgrade { machine, .. } | Command::Downgrade { machine, .. } => (machine, 0),
            _ => return Ok(outcome),
        };
        let boots = boots.entry(id.clone()).or_default();
        *boots += asked;
        if *boots >= 2 {
            let deafen = "echo 1 > /proc/sys/net/ipv4/icmp_echo_ignore_all";
            let wait = if self.slow { "sleep 4; " } else { "" };
            let output = live.run(id, &remote::Command::new(format!("{wait}{deafen}")))?;
            assert!(output.ending.is_success(), "{output:?}");
        }
        Ok(outcome)
    }
}

impl<'lab> Moments<MachineSpec, Deaf<'lab>> for DeafOnMachines<'lab> {
    fn save(&self, (live, boots): &mut Deaf<'lab>, age: Duration) -> Result<Option<Moment>, SystemError> {
        let Some(inner) = self.inner() else { return Ok(None) };
        let moment = inner.save(live, age)?;
        if let Some(moment) = &moment {
            let mut saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
            saved.insert(moment.number(), boots.clone());
        }
        Ok(moment)
    }

    fn can_go_back(&self, network: &Network, wanted: &[Moment]) -> Result<(), SystemError> {
        self.inner().map_or(Ok(()), |inner| inner.can_go_back(network, wanted))
    }

    fn go_back(
        &self,
        network: &Network,
        wanted: &[Moment],
    ) -> Result<Option<(Deaf<'lab>, Moment)>, SystemError> {
        let Some(inner) = self.inner() else { return Ok(None) };
        let Some((live, moment)) = inner.go_back(network, wanted)? else { return Ok(None) };
        let saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        let boots = saved.get(&moment.number()).cloned().unwrap_or_default();
        Ok(Some(((live, boots), moment)))
    }
}
