//! Tests whole networks of machines by property: runner, shrinker, replay and the netprop command.
