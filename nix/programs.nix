# What netprop runs: machines, the switch, Nix, and the tools of shell scripts.
pkgs: [ (pkgs.qemu_kvm or pkgs.qemu) pkgs.vde2 pkgs.nix pkgs.coreutils pkgs.gnugrep pkgs.procps ]
