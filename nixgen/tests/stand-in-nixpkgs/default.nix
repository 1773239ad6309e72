# A few packages, each a line of shell that the host's shell runs.
{ system, overlays, config }:
let
  lib = import ./lib;
  runCommand = name: attributes: text: derivation ({
    inherit name system;
    builder = "/bin/sh";
    args = [ "-euc" "PATH=$PATH:/usr/bin:/bin; for tool in $nativeBuildInputs; do PATH=$tool/bin:$PATH; done; if [ -n \"\${commandLine-}\" ]; then commandLinePath=$PWD/commandLine; printf %s \"$commandLine\" > $commandLinePath; fi\n${text}" ];
    nativeBuildInputs = [ ];
    PATH = "/usr/bin:/bin";
  } // removeAttrs attributes [ "passAsFile" ]) // { inherit name; };
  program = name: version: text: runCommand "${name}-${version}" { } ''
    mkdir -p $out/bin
    printf '#!/bin/sh\n%s\n' '${text}' > $out/bin/${name}
    chmod 755 $out/bin/${name}
  '' // { inherit version; };
  # A file with some bytes at a place: what tells a file system or a kernel.
  bytes = place: octal: "head -c ${toString place} /dev/zero; printf \"${octal}\"; head -c 70000 /dev/zero";
  kernel = version: {
    kernel = runCommand "linux-${version}" { } "mkdir $out; (${bytes 514 "HdrS"}) > $out/bzImage" // { inherit version; };
  };
  # The last argument of mkfs is its file.
  mkfs = name: place: octal: program name "1" "for file; do [ \"$file\" != --refused ] || { echo \"no such option\" >&2; exit 1; }; done; (${bytes place octal}) > $file";
  self = {
    inherit lib runCommand;
    path = ./.;
    runtimeShell = "/bin/sh";
    writeScript = name: text: runCommand name { inherit text; } "printf %s \"$text\" > $out; chmod 755 $out";
    closureInfo = { rootPaths }: runCommand "closure-info" { inherit rootPaths; } "mkdir $out; printf '%s\n' $rootPaths > $out/store-paths";
    linuxPackages_6_6 = kernel "6.6.1";
    linuxPackages_6_12 = kernel "6.12.3";
    linuxPackages_6_13 = throw "linux 6.13 was removed";
    fping = program "fping" "5.1" "exit 0";
    redis = program "redis" "7.2.4" "exit 0";
    redis_6 = program "redis" "6.2.7" "exit 0";
    bash = program "bash" "5" "exit 0";
    gnugrep = program "gnugrep" "3" "exit 0";
    coreutils = program "coreutils" "9" "exit 0";
    kmod = program "kmod" "31" "exit 0";
    iproute2 = program "iproute2" "6" "exit 0";
    util-linux = program "util-linux" "2" "exit 0";
    systemd = program "systemd" "256" "exit 0";
    e2fsprogs = mkfs "mke2fs" 1080 "\\123\\357";
    xfsprogs = mkfs "mkfs.xfs" 0 "XFSB";
    btrfs-progs = mkfs "mkfs.btrfs" 65600 "_BHRfS_M";
    # One block of 4096 bytes: the directory is its last argument, the file the one before.
    erofs-utils = program "mkfs.erofs" "1.8" "for argument; do file=\${last-}; last=$argument; done; (head -c 1024 /dev/zero; printf \"\\342\\341\\365\\340\"; head -c 8 /dev/zero; printf \"\\014\"; head -c 23 /dev/zero; printf \"\\001\"; head -c 3035 /dev/zero) > $file";
    squashfsTools = program "mksquashfs" "4.6" "exit 1";
  };
in
builtins.foldl' (packages: overlay: packages // overlay packages packages) self overlays
