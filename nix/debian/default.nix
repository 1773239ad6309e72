# The derivations of the `debian` base. Every argument is a store path or plain text: nothing
# here knows a machine's identity.
{ system, shell, path, authorizedKey, guest, bootModules, tools, userland, kernels, fileSystems }:
let
  package = { file, sha256 }: builtins.path {
    path = file;
    inherit sha256;
    recursive = false;
    name = "package.deb";
  };
  part = name: what: attributes: derivation ({
    inherit name system;
    builder = shell;
    args = [ ./build.sh what ];
    PATH = path;
    preferLocalBuild = true;
  } // attributes);
  toolsPart = part "netprop-tools" "tools" { debs = map package tools; };
  withTools = { PATH = "${toolsPart}/bin:${path}"; tools = toolsPart; };
  userlandPart = part "netprop-userland" "userland" (withTools // {
    debs = map package userland;
    inherit guest;
    authorized_key = authorizedKey;
  });
in
{
  images = builtins.mapAttrs (version: debs: part "netprop-image-${version}" "image" (withTools // {
    debs = map package debs;
    userland = userlandPart;
    inherit guest;
    boot_modules = bootModules;
  })) kernels;
  scratch = builtins.listToAttrs (map (fileSystem: {
    name = fileSystem;
    value = part "netprop-scratch-${fileSystem}" "scratch" (withTools // { file_system = fileSystem; });
  }) fileSystems);
}
