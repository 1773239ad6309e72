# What all guests have in common: a way in for the tester, two NICs, and nothing that a test of
# servers can do without. What a user may want otherwise is only a default.
{ config, lib, options, pkgs, ... }:
let
  inherit (lib) mkDefault mkForce mkOption types;
  has = path: lib.hasAttrByPath (lib.splitString "." path) options;
  # Sets an option in those releases that have it.
  where = path: value: lib.optionalAttrs (has path) (lib.setAttrByPath (lib.splitString "." path) value);
  hostKey = "/run/netprop/ssh_host_ed25519_key";
in
{
  options.netprop.authorizedKey = mkOption {
    type = types.str;
    description = "The line of authorized_keys that lets the tester in as root.";
  };

  config = lib.mkMerge [
    {
      users.users.root.openssh.authorizedKeys.keys = [ config.netprop.authorizedKey ];
      # systemd itself listens, from when the identity has brought the host key.
      services.openssh = {
        enable = true;
        startWhenNeeded = true;
        hostKeys = mkForce [ ];
        extraConfig = ''
          HostKey ${hostKey}
          PrintLastLog no
        '';
      };
      systemd.sockets.sshd = {
        wantedBy = mkForce [ ];
        # A test may hold as many sessions as it likes.
        socketConfig.MaxConnections = 1000;
      };
      environment.systemPackages = [ pkgs.fping pkgs.e2fsprogs pkgs.xfsprogs pkgs.btrfs-progs ];

      networking = {
        # Its name, and who else is there, comes with the identity.
        hostName = mkForce "";
        useDHCP = false;
        firewall.enable = mkDefault false;
        # Management. There is no default route: nothing may leak past the network under test.
        interfaces.eth0.ipv4.addresses = [ { address = "169.254.77.15"; prefixLength = 24; } ];
      };
      # A file instead of a link into the store, so that the identity can replace it.
      environment.etc.hosts.mode = "0644";
      # The identity mounts them, and mkfs makes them.
      boot.supportedFilesystems = [ "ext4" "xfs" "btrfs" ];

      fonts.fontconfig.enable = mkDefault false;
      programs.command-not-found.enable = mkDefault false;
      security.polkit.enable = mkDefault false;
      security.sudo.enable = mkDefault false;
      services.udisks2.enable = mkDefault false;
      systemd.coredump.enable = mkDefault false;
      system.stateVersion = mkDefault (lib.fileContents (pkgs.path + "/.version"));
    }
    (
      if has "services.openssh.settings" then {
        services.openssh.settings = {
          PermitRootLogin = "prohibit-password";
          PasswordAuthentication = false;
          KbdInteractiveAuthentication = false;
          UseDns = false;
        };
      } else {
        services.openssh = {
          permitRootLogin = "prohibit-password";
          passwordAuthentication = false;
          challengeResponseAuthentication = false;
          extraConfig = "UseDNS no";
        };
      }
    )
    # As on other bases, services have ten seconds to finish.
    (
      if has "systemd.settings.Manager" then { systemd.settings.Manager.DefaultTimeoutStopSec = mkDefault "10s"; }
      else { systemd.extraConfig = "DefaultTimeoutStopSec=10s"; }
    )
    # Where hostKeys is empty, nothing is to be made.
    (where "services.openssh.generateHostKeys" false)
    (
      if has "documentation.enable" then { documentation.enable = mkDefault false; }
      else {
        programs.man.enable = mkDefault false;
        services.nixosManual.enable = mkDefault false;
      }
    )
    (where "documentation.man.enable" (mkDefault false))
    (where "environment.defaultPackages" (mkDefault [ ]))
    (where "nix.enable" (mkDefault false))
    (where "boot.enableContainers" (mkDefault false))
    (where "services.logrotate.enable" (mkDefault false))
    (where "system.switch.enable" (mkDefault false))
    (where "system.tools.nixos-rebuild.enable" (mkDefault false))
    (where "system.disableInstallerTools" (mkDefault true))
    (where "programs.nano.enable" (mkDefault false))
    (where "programs.fuse.enable" (mkDefault false))
    (where "services.speechd.enable" (mkDefault false))
    (where "xdg.autostart.enable" (mkDefault false))
    (where "xdg.icons.enable" (mkDefault false))
    (where "xdg.menus.enable" (mkDefault false))
    (where "xdg.mime.enable" (mkDefault false))
    (where "xdg.sounds.enable" (mkDefault false))
  ];
}
