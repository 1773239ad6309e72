{ imports = [ ./circle-back.nix ]; }
