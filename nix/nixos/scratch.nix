# A formatted disk, sparse and raw, that machines get an overlay on. All disks have one uuid: nothing
# finds them by it. `mkfsOptions` are words that mkfs is given besides those here, and `name` is distinct for them.
pkgs: { name, fileSystem, mkfsOptions }:
let
  uuid = "6e657470-726f-4f70-8000-000000000001";
  make = {
    ext4 = {
      tools = [ pkgs.e2fsprogs ];
      command = "mke2fs -q -t ext4 -U ${uuid} -E hash_seed=${uuid},lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0";
    };
    xfs = { tools = [ pkgs.xfsprogs ]; command = "mkfs.xfs -q -m uuid=${uuid}"; };
    btrfs = { tools = [ pkgs.btrfs-progs ]; command = "mkfs.btrfs -q -U ${uuid}"; };
  }.${fileSystem} or (throw "netprop: no scratch disk can be made with the file system ${fileSystem}");
in
pkgs.runCommand "netprop-${name}"
{
  nativeBuildInputs = make.tools;
  # mke2fs takes its times from it.
  E2FSPROGS_FAKE_TIME = "1";
} ''
  mkdir $out
  truncate -s 512M $out/scratch
  ${make.command} ${pkgs.lib.escapeShellArgs mkfsOptions} $out/scratch 2> said || {
    cat said
    ${pkgs.lib.optionalString (mkfsOptions != [ ]) ''
      # It is marked for whoever reads the log, where several are built at once.
      echo "netprop-${name}: mkfs refused: $(grep -v '^ *$' said | head -n 1)"
    ''}
    exit 1
  }
''
