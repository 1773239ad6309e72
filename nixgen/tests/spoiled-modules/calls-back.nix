import ./calls-in-a-circle.nix
