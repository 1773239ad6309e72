{ imports = [ ./imports-in-a-circle.nix ]; }
