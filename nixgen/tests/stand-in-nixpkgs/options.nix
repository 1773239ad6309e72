# Some options that the releases of NixOS that this stands for have.
{ services.openssh.settings = { }; documentation.enable = { }; nix.enable = { }; }
