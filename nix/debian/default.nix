# The parts of the `debian` base as derivations, in a list: the images, then the formatted disks.
# Every argument is plain text, and none of them is a machine's identity: networks of equal software
# are the same derivations. What images have in common is unpacked once: a derivation for each
# kernel, one for each userland, one for each set of further packages.
{ system
, shell # the host's shell and the directories of the host's programs that build.sh runs
, path
, authorizedKey # the line that lets the tester in as root
, bootModules # what the initramfs loads
, tools # packages, each { file, sha256 }: what builds the other parts
, images # a list of { name, kernel, kernelPackages, userland, packages }
, disks # a list of { name, fileSystem, options }
}:
let
  package = { file, sha256 }: builtins.path {
    path = /. + file;
    inherit sha256;
    recursive = false;
    name = "package.deb";
  };
  packages = map package;
  part = name: what: attributes: derivation ({
    name = "netprop-${name}";
    inherit system shell;
    builder = shell;
    args = [ ./build.sh what ];
    PATH = path;
    preferLocalBuild = true;
  } // attributes);
  toolsPart = part "tools" "tools" { packages = packages tools; };
  withTools = { PATH = "${toolsPart}/bin:${path}"; tools = toolsPart; };
  userland = files: part "userland" "userland" (withTools // {
    packages = packages files;
    identity = ../guest/identity;
    init = ./init;
    sshd_config = ./sshd_config;
    authorized_key = authorizedKey;
  });
  kernel = { kernel, kernelPackages, ... }: part "kernel-${kernel}" "kernel" (withTools // {
    packages = packages kernelPackages;
    initramfs_init = ./initramfs-init;
    loader = ./loader.sh;
    boot_modules = bootModules;
  });
  further = files: part "packages" "packages" (withTools // { packages = packages files; });
  image = image: part image.name "image" (withTools // {
    kernel = kernel image;
    userland = userland image.userland;
    further = if image.packages == [ ] then "" else further image.packages;
  });
  disk = { name, fileSystem, options }: part name "disk" (withTools // {
    file_system = fileSystem;
    inherit options;
  });
in
map image images ++ map disk disks
