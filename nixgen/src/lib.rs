//! Turns a network into a Nix expression, builds it and describes each machine as libvirt XML.
