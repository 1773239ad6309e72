{
  description = "Tests whole networks of virtual machines by property";

  inputs.nixpkgs.url = "nixpkgs";

  outputs = { self, nixpkgs }:
    let
      # The host's systems; guests are x86_64.
      systems = [ "x86_64-linux" ];
      forEach = make: nixpkgs.lib.genAttrs systems (system: make nixpkgs.legacyPackages.${system});
    in
    {
      packages = forEach (pkgs: rec {
        netprop = pkgs.callPackage ./nix/package.nix { };
        default = netprop;
      });

      apps = forEach (pkgs:
        let
          program = "${self.packages.${pkgs.stdenv.hostPlatform.system}.netprop}/bin/netprop";
          run = pkgs.writeShellScript "netprop-run" ''exec ${program} run "$@"'';
        in
        {
          # Words after `--` are for `netprop run`.
          default = {
            type = "app";
            program = "${run}";
            meta.description = "Test ten generated networks";
          };
          netprop = {
            type = "app";
            inherit program;
            meta.description = "Run, replay, check the host, or clean up";
          };
        });

      devShells = forEach (pkgs: { default = import ./shell.nix { inherit pkgs; }; });

      # The tests that need no virtual machine run while the package is built.
      checks = forEach (pkgs: { inherit (self.packages.${pkgs.stdenv.hostPlatform.system}) netprop; });
    };
}
