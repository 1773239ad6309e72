# A shell with everything that building, testing and running netprop takes. Its guests are NixOS: only
# the Debian base needs apt.
{ pkgs ? import <nixpkgs> { } }:
let
  workspace = (builtins.fromTOML (builtins.readFile ./Cargo.toml)).workspace.package;
  # Where the release's compiler is too old, rustup fetches one that is not.
  rust =
    if pkgs.lib.versionAtLeast pkgs.rustc.version workspace.rust-version
    then with pkgs; [ cargo clippy rustc rustfmt ]
    else [ pkgs.rustup ];
in
pkgs.mkShell {
  nativeBuildInputs = rust ++ [ (pkgs.pkg-config or pkgs.pkgconfig) ];
  buildInputs = import ./nix/libraries.nix pkgs ++ import ./nix/programs.nix pkgs;
  # Guests are made of the nixpkgs that this shell is made of.
  NIX_PATH = "nixpkgs=${toString pkgs.path}";
}
