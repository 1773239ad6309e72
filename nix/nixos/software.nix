# The software that machines ask for, as a module. `kernel` is a line such as "6.12"; `packages` maps
# names of nixpkgs (attribute paths such as `redis` or `python3Packages.requests`) to a version or
# null, which stands for nixpkgs's own; `names` are the machines, for messages.
{ kernel, packages, names, ... }:
{ config, lib, pkgs, ... }:
let
  inherit (builtins) attrNames filter isAttrs match parseDrvName tryEval;
  release = lib.fileContents (pkgs.path + "/.version");
  machines = lib.concatStringsSep ", " names;
  refuse = text: throw "netprop: machine(s) ${machines}: ${text}";
  attempt = value: (tryEval value).value;

  kernels = import ./kernels.nix pkgs;
  lines = lib.sort lib.versionOlder (attrNames kernels);
  kernelPackages = kernels.${kernel} or (refuse (
    "nixpkgs ${release} has no kernel ${kernel}: use one of ${lib.concatStringsSep ", " lines}"
  ));

  versionOf = package: package.version or (parseDrvName package.name).version;
  # A version stands for all that refine it: 15 for 15.4, but not for 150.
  satisfies = wanted: package:
    let version = versionOf package; in version == wanted || lib.hasPrefix "${wanted}." version;
  isPackage = value: isAttrs value && value.type or null == "derivation";

  package = name: wanted:
    let
      path = lib.splitString "." name;
      set = lib.attrByPath (lib.init path) { } pkgs;
      base = lib.last path;
      # The package itself, and those that are named for a version of it: redis_6, nodejs-10_x.
      related = attribute:
        attribute == base || match "${lib.escape (lib.stringToCharacters "+.") base}[_-]?[0-9][0-9a-zA-Z_]*" attribute != null;
      usable = attribute: attempt (isPackage set.${attribute} && builtins.isString (versionOf set.${attribute}));
      candidates = filter usable (filter related (attrNames set));
      tell = attribute: "${attribute} ${versionOf set.${attribute}}";
      fitting = filter (attribute: satisfies wanted set.${attribute}) candidates;
    in
    if !(isAttrs set && set ? ${base}) then refuse "nixpkgs ${release} has no package ${name}"
    else if wanted == null then
      if isPackage set.${base} then set.${base}
      else refuse "${name} of nixpkgs ${release} is a set of packages: name one of them"
    else if lib.elem base fitting then set.${base}
    else if fitting != [ ] then set.${lib.head fitting}
    else refuse (
      "nixpkgs ${release} has no version ${wanted} of the package ${name}: it has "
      + lib.concatStringsSep ", " (map tell candidates)
    );
in
{
  boot.kernelPackages = kernelPackages;
  # Kernels have erofs from 5.4 on, and younger releases of nixpkgs the tool for it. To ask
  # `config.boot.kernelPackages` instead would be circular: file systems may patch the kernel.
  netprop.storeFileSystem =
    if config.netprop.store == "9p" then "9p"
    else if lib.versionAtLeast kernelPackages.kernel.version "5.4" && pkgs ? erofs-utils then "erofs"
    else "squashfs";
  environment.systemPackages = lib.mapAttrsToList package packages;
  # What a machine that was asked for them says that it has.
  environment.etc."netprop/packages".text = lib.concatStrings (
    lib.mapAttrsToList (name: wanted: "${name} ${versionOf (package name wanted)}\n") packages
  );
}
