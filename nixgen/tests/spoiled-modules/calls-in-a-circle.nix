import ./calls-back.nix
