//! Bugs in what belongs to somebody: a lock, and money.

use model::Case;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use crate::bug::{Bug, Planted};

/// A lock's commands, by one of three clients.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) enum Lock {
    Take(u8),
    Release(u8),
}

/// A lock that counts how often its owner asks for it, though it answers no to the second time.
#[derive(Debug)]
pub(crate) struct Counts;

impl Bug for Counts {
    type State = Option<u8>;
    type Command = Lock;
    type Response = bool;
    type Sut = (Option<u8>, u32);
    const COMMANDS: usize = 4;

    fn initial() -> BoxedStrategy<Option<u8>> {
        Just(None).boxed()
    }

    fn command(_: &Option<u8>) -> BoxedStrategy<Lock> {
        prop_oneof![(0_u8..3).prop_map(Lock::Take), (0_u8..3).prop_map(Lock::Release)].boxed()
    }

    fn right(owner: &mut Option<u8>, command: &Lock) -> bool {
        match command {
            Lock::Take(client) if owner.is_none() => *owner = Some(*client),
            Lock::Release(client) if *owner == Some(*client) => *owner = None,
            _ => return false,
        }
        true
    }

    fn sut(owner: &Option<u8>) -> Self::Sut {
        (*owner, 0)
    }

    fn wrong((owner, depth): &mut Self::Sut, command: &Lock) -> bool {
        match command {
            Lock::Take(client) if *owner == Some(*client) => *depth += 1,
            Lock::Release(client) if *owner == Some(*client) && *depth > 0 => {
                *depth -= 1;
                return true;
            }
            _ => return Self::right(owner, command),
        }
        false
    }

    /// All by the first client.
    fn is_smallest(case: &Case<Planted<Self>>) -> bool {
        case.commands.iter().all(|command| matches!(command, Lock::Take(0) | Lock::Release(0)))
    }
}

/// A bank's commands.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) enum Bank {
    Deposit { to: u8, amount: u8 },
    Transfer { from: u8, to: u8, amount: u8 },
    Balance(u8),
}

/// A bank that makes money of a transfer from an account to itself.
#[derive(Debug)]
pub(crate) struct ToItself;

impl Bug for ToItself {
    type State = [u32; 3];
    type Command = Bank;
    type Response = u32;
    type Sut = [u32; 3];
    const COMMANDS: usize = 3;

    fn initial() -> BoxedStrategy<[u32; 3]> {
        Just([0; 3]).boxed()
    }

    fn command(_: &[u32; 3]) -> BoxedStrategy<Bank> {
        let account = || 0_u8..3;
        prop_oneof![
            (account(), 1_u8..100).prop_map(|(to, amount)| Bank::Deposit { to, amount }),
            (account(), account(), 1_u8..100).prop_map(|(from, to, amount)| Bank::Transfer {
                from,
                to,
                amount
            }),
            account().prop_map(Bank::Balance),
        ]
        .boxed()
    }

    fn right(accounts: &mut [u32; 3], command: &Bank) -> u32 {
        match *command {
            Bank::Deposit { to, amount } => accounts[usize::from(to)] += u32::from(amount),
            Bank::Transfer { from, to, amount } => {
                let moved = accounts[usize::from(from)].min(u32::from(amount));
                accounts[usize::from(from)] -= moved;
                accounts[usize::from(to)] += moved;
            }
            Bank::Balance(account) => return accounts[usize::from(account)],
        }
        0
    }

    fn sut(accounts: &[u32; 3]) -> [u32; 3] {
        *accounts
    }

    fn wrong(sut: &mut [u32; 3], command: &Bank) -> u32 {
        if let Bank::Transfer { from, to, amount } = *command
            && from == to
        {
            sut[usize::from(to)] += sut[usize::from(to)].min(u32::from(amount));
            return 0;
        }
        Self::right(sut, command)
    }

    /// One unit on the first account.
    fn is_smallest(case: &Case<Planted<Self>>) -> bool {
        case.commands
            == [
                Bank::Deposit { to: 0, amount: 1 },
                Bank::Transfer { from: 0, to: 0, amount: 1 },
                Bank::Balance(0),
            ]
    }
}
