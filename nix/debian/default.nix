# The parts of the `debian` base as derivations, in a list: the image of each kernel, then the
# scratch disk of each file system. Every argument is plain text, and none of them is a machine's
# identity: networks of equal software are the same derivations.
{ system
, shell # the host's shell and the directories of the host's programs that build.sh runs
, path
, authorizedKey # the line that lets the tester in as root
, bootModules # what the initramfs loads
, tools # packages, each { file, sha256 }: what builds the other parts
, userland # packages of the guest
, kernels # a list of { version, packages }
, fileSystems # names that build.sh knows
}:
let
  package = { file, sha256 }: builtins.path {
    path = /. + file;
    inherit sha256;
    recursive = false;
    name = "package.deb";
  };
  packages = map package;
  # Store names have no tilde, which a kernel's version may have.
  storeName = builtins.replaceStrings [ "~" ] [ "-" ];
  part = name: what: attributes: derivation ({
    name = "netprop-${storeName name}";
    inherit system shell;
    builder = shell;
    args = [ ./build.sh what ];
    PATH = path;
    preferLocalBuild = true;
  } // attributes);
  toolsPart = part "tools" "tools" { packages = packages tools; };
  withTools = { PATH = "${toolsPart}/bin:${path}"; tools = toolsPart; };
  userlandPart = part "userland" "userland" (withTools // {
    packages = packages userland;
    identity = ../guest/identity;
    init = ./init;
    sshd_config = ./sshd_config;
    authorized_key = authorizedKey;
  });
  image = kernel: part "image-${kernel.version}" "image" (withTools // {
    packages = packages kernel.packages;
    userland = userlandPart;
    initramfs_init = ./initramfs-init;
    boot_modules = bootModules;
  });
  scratch = fileSystem: part "scratch-${fileSystem}" "scratch" (withTools // { file_system = fileSystem; });
in
map image kernels ++ map scratch fileSystems
