# What boots a configuration, as one directory: `kernel`, `initrd`, `command-line` and `root`, the
# closure as a read-only file system for /nix/store. Where the host shares its store over 9p, `store`
# is the directory to share, and `root` an empty disk: the scratch disk stays the second one.
{ config, pkgs }:
let
  inherit (pkgs) lib;
  inherit (config.system) build;
  toplevel = build.toplevel;
  kernel = config.boot.kernelPackages.kernel;
  make = {
    erofs = {
      tools = [ pkgs.erofs-utils ];
      # From a copy, since older erofs-utils take no list of files. Times and ids are the same for
      # every file, and the uuid is fixed: the same closure gives the same bytes.
      command = ''
        mkdir root
        xargs -d '\n' cp -a --reflink=auto -t root < $closure/store-paths
        mkfs.erofs --quiet -T 0 -U 6e657470-726f-4f70-8000-000000000001 --all-root $out/root root
      '';
    };
    squashfs = {
      tools = [ pkgs.squashfsTools ];
      # A fast compression: guests unpack it at each boot.
      command = ''
        mksquashfs $(cat $closure/store-paths) $out/root -keep-as-directory -all-root -no-progress -comp gzip
      '';
    };
    "9p" = {
      tools = [ ];
      # The path of the system is in the command line, which keeps its closure in the host's store.
      command = ''
        truncate -s 1M $out/root
        echo ${builtins.storeDir} > $out/store
      '';
    };
  }.${config.netprop.storeFileSystem};
in
pkgs.runCommand "netprop-image-${kernel.version}"
({
  nativeBuildInputs = make.tools;
  # In a file: no shell reads it. 18.03 names NICs by udev's rules alone, younger releases by both.
  commandLine = lib.concatStringsSep " " (
    lib.unique (config.boot.kernelParams ++ [ "net.ifnames=0" ]) ++ [ "init=${toplevel}/init" ]
  );
  passAsFile = [ "commandLine" ];
  preferLocalBuild = true;
} // lib.optionalAttrs (config.netprop.storeFileSystem != "9p") {
  closure = pkgs.closureInfo { rootPaths = [ toplevel ]; };
}) ''
  mkdir $out
  cp ${build.kernel}/${config.system.boot.loader.kernelFile} $out/kernel
  cp ${build.initialRamdisk}/${config.system.boot.loader.initrdFile or "initrd"} $out/initrd
  cp $commandLinePath $out/command-line
  ${make.command}
''
