# The parts of the `nixos` base as derivations, in a list: the image of each configuration, then the
# scratch disk of each format. No argument is a machine's identity: machines of equal software
# are the same derivations. The tree of nixpkgs is read once for all of them.
{ nixpkgs # a tree of nixpkgs, release 18.03 or later
, system
, authorizedKey # the line that lets the tester in as root
, store # how the store reaches guests: "image" (the disk `root`) or "9p" (shared by the host)
, configurations # a list of { kernel, packages, modules, machine, names }, see software.nix
, disks # a list of { name, fileSystem, mkfsOptions }, see scratch.nix
, overlays ? [ ] # of nixpkgs, for all configurations
}:
let
  # No user's configuration of nixpkgs is looked for: it would not be pinned with the tree.
  pkgs = import nixpkgs { inherit system overlays; config = { }; };
  inherit (pkgs) lib;
  evalConfig = import (nixpkgs + "/nixos/lib/eval-config.nix");
  common = [
    ./common.nix
    ./qemu.nix
    ./identity.nix
    { netprop = { inherit authorizedKey store; }; }
  ];

  # Modules of the user may ask for a nixpkgs of their own (`nixpkgs.config`, `nixpkgs.overlays`),
  # which NixOS makes only where none is given to it. All others share the one above.
  nixpkgsModule = { modules, ... }:
    if modules == [ ] then { nixpkgs.pkgs = pkgs; } else { nixpkgs = { inherit overlays; }; };

  evaluate = configuration: evalConfig {
    inherit system;
    modules = common ++ [
      (import ./software.nix configuration)
      (nixpkgsModule configuration)
    ] ++ map (file: /. + file) configuration.modules;
    specialArgs = { inherit (configuration) machine; };
  };

  # The path of the derivation is computed inside, since an error is told with this context only
  # where it arises while this is evaluated.
  image = configuration:
    let
      inherit (evaluate configuration) config;
      derivation = import ./image.nix { inherit config pkgs; };
    in
    builtins.addErrorContext
      "while evaluating the software of machine(s) ${lib.concatStringsSep ", " configuration.names}"
      (builtins.seq derivation.drvPath (derivation // { inherit config; }));
in
map image configurations ++ map (import ./scratch.nix pkgs) disks
