# What every system has: what `nix/nixos/image.nix` asks for, made of a few bytes.
{ config, pkgs, ... }:
{
  boot.kernelParams = [ "loglevel=4" ];
  systemd.package = pkgs.systemd;
  systemd.services."sshd@".serviceConfig.ExecStart = "-/bin/sshd -i -f /etc/ssh/sshd_config";
  system.boot.loader = { kernelFile = "bzImage"; initrdFile = "initrd"; };
  system.build = {
    kernel = config.boot.kernelPackages.kernel;
    initialRamdisk = pkgs.runCommand "initrd" { } "mkdir $out; printf 070701 > $out/initrd";
    # It refers to what a system would: its packages, and the service with the identity's script.
    toplevel = pkgs.runCommand "nixos-system"
      {
        packages = config.environment.systemPackages;
        identity = config.systemd.services.netprop-identity.serviceConfig.ExecStart;
        note = config.environment.etc.note.text or "";
      } "mkdir $out; echo $packages $identity > $out/init; echo \"$note\" > $out/note";
  };
}
