# The virtual hardware, and how the store reaches the guest. There is no disk of the guest's own: its
# root is in memory, the store is read-only, and a kernel and an initrd are booted directly.
{ config, lib, options, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.netprop;
  has = path: lib.hasAttrByPath (lib.splitString "." path) options;
  # Sets an option in those releases that have it.
  where = path: value: lib.optionalAttrs (has path) (lib.setAttrByPath (lib.splitString "." path) value);

  stores = {
    "9p" = {
      device = "store";
      fsType = "9p";
      # Nobody changes the host's store paths, so that all of it may be cached.
      options = [ "trans=virtio" "version=9p2000.L" "msize=262144" "cache=loose" "ro" ];
    };
    erofs = { device = "/dev/vda"; fsType = "erofs"; options = [ "ro" ]; };
    squashfs = { device = "/dev/vda"; fsType = "squashfs"; options = [ "ro" ]; };
  };
in
{
  options.netprop = {
    store = mkOption {
      type = types.enum [ "image" "9p" ];
      description = "How the store reaches the guest: as a disk, or shared by the host.";
    };
    storeFileSystem = mkOption {
      type = types.enum (lib.attrNames stores);
      internal = true;
      description = "The file system that is mounted on /nix/store.";
    };
  };

  config = lib.mkMerge [
    {
      fileSystems."/" = {
        device = "tmpfs";
        fsType = "tmpfs";
        options = [ "mode=0755" ];
      };
      fileSystems."/nix/store" = stores.${cfg.storeFileSystem};

      boot.initrd.availableKernelModules = [ "virtio_pci" "virtio_blk" "virtio_net" "virtio_console" ]
        ++ lib.optionals (cfg.store == "9p") [ "9p" "9pnet_virtio" ];
      boot.initrd.kernelModules = [ "virtio_pci" "virtio_blk" "virtio_net" "virtio_console" ];
      # The scratch disk's are loaded when the identity names one.
      boot.initrd.supportedFilesystems = [ cfg.storeFileSystem ];
      boot.initrd.checkJournalingFS = false;

      # A panic's text reaches the console, then the machine reboots; a first stage that fails panics.
      boot.kernelParams = [ "console=ttyS0" "quiet" "panic=-1" "boot.panic_on_fail" ];
      boot.loader.grub.enable = false;
      networking.usePredictableInterfaceNames = false;
      systemd.enableEmergencyMode = false;

      # The host's clock comes with the identity, its memory and processors from QEMU.
      services.timesyncd.enable = false;
      powerManagement.enable = false;
      services.udev.extraRules = ''
        SUBSYSTEM=="virtio-ports", ATTR{name}=="org.netprop.control", TAG+="systemd"
      '';
    }
    (where "boot.initrd.includeDefaultModules" false)
    (where "boot.initrd.services.lvm.enable" false)
    (where "services.lvm.enable" false)
    (where "boot.swraid.enable" false)
    (where "boot.bcache.enable" false)
  ];
}
