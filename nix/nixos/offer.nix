# What a tree of nixpkgs offers, and which one it is.
{ nixpkgs, system, overlays }:
let
  pkgs = import nixpkgs { inherit system overlays; config = { }; };
  inherit (pkgs) lib;
  revision = nixpkgs + "/.git-revision";
in
{
  release = lib.fileContents (nixpkgs + "/.version");
  # Trees that were released have it; a checkout of one's own may be anything.
  revision = if builtins.pathExists revision then lib.fileContents revision else null;
  kernels = lib.sort lib.versionOlder (builtins.attrNames (import ./kernels.nix pkgs));
}
