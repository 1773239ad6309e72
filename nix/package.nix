# netprop as a package. The tests of whole machines need KVM or much time, and the ones of nixgen Nix
# itself: neither is there while a package is built, so that it runs those of the other crates.
{ lib, rustPlatform, pkg-config, makeWrapper, pkgs }:
rustPlatform.buildRustPackage {
  pname = "netprop";
  version = (builtins.fromTOML (builtins.readFile ../Cargo.toml)).workspace.package.version;
  src = lib.cleanSource ../.;
  cargoLock.lockFile = ../Cargo.lock;
  nativeBuildInputs = [ pkg-config makeWrapper ];
  buildInputs = import ./libraries.nix pkgs;
  cargoBuildFlags = [ "--package" "harness" "--bin" "netprop" ];
  cargoTestFlags = [ "--package" "model" ];
  postInstall = ''
    wrapProgram $out/bin/netprop --prefix PATH : ${lib.makeBinPath (import ./programs.nix pkgs)} \
      --set-default NIX_PATH nixpkgs=${toString pkgs.path}
  '';
  meta = {
    description = "Tests whole networks of virtual machines by property";
    license = with lib.licenses; [ mit asl20 ];
    mainProgram = "netprop";
    platforms = [ "x86_64-linux" ];
  };
}
