# The kernels that a tree of nixpkgs offers: from lines such as "6.12" to sets of packages. Lines that
# were removed are still there by name, and throw.
pkgs:
let
  inherit (builtins) attrNames isString listToAttrs match tryEval;
  inherit (pkgs) lib;
  # Younger releases have a set for them, in older ones they are among the packages.
  lines = prefix: set: lib.concatMap
    (name:
      let
        numbers = match "${prefix}_([0-9]+)_([0-9]+)" name;
        works = (tryEval (isString (set.${name}.kernel.drvPath or null))).value;
      in
      lib.optional (numbers != null && works) {
        name = lib.concatStringsSep "." numbers;
        value = set.${name};
      })
    (attrNames set);
in
listToAttrs (lines "linux" (pkgs.linuxKernel.packages or { }) ++ lines "linuxPackages" pkgs)
