# Merges modules, in the simplest way that does for `nix/nixos`.
{ system, modules, specialArgs ? { } }:
let
  lib = import ../../lib;
  inherit (builtins) attrNames concatLists concatMap filter foldl' head isAttrs isFunction isList isPath isString map;
  arguments = { inherit lib config options; pkgs = config.nixpkgs.pkgs or ownPackages; } // specialArgs;
  ownPackages = import ../.. { inherit system; overlays = config.nixpkgs.overlays or [ ]; config = { }; };

  # Modules with what they import, each as a set with `config` and `options`.
  load = module:
    let
      value = if isPath module || isString module then import module else module;
      set = if isFunction value then value arguments else value;
      config = if set ? config || set ? options then set.config or { } else removeAttrs set [ "imports" ];
    in
    concatMap load (set.imports or [ ]) ++ [ { inherit config; options = set.options or { }; } ];
  loaded = concatMap load (modules ++ [ ../system.nix ]);

  options = foldl' merge (import ../../options.nix) (map (module: module.options) loaded);
  merge = a: b:
    if isAttrs a && isAttrs b && !(a ? _type) && !(b ? _type)
    then a // builtins.mapAttrs (name: value: if a ? ${name} then merge a.${name} value else value) b
    else b;

  # What a definition defines, with its priority: the lowest one counts.
  definitions = priority: value:
    if value._type or null == "merge" then concatMap (definitions priority) value.contents
    else if value._type or null == "override" then definitions value.priority value.content
    else [ { inherit priority value; } ];
  combine = path: found:
    let
      lowest = foldl' (least: one: if one.priority < least then one.priority else least) 9999 found;
      values = map (one: one.value) (filter (one: one.priority == lowest) found);
      isSet = value: isAttrs value && value.type or null != "derivation" && !(value ? outPath) && path != [ "nixpkgs" "pkgs" ] && path != [ "boot" "kernelPackages" ];
      names = attrNames (foldl' (all: value: all // value) { } values);
    in
    if builtins.all isSet values then
      builtins.listToAttrs (map
        (name: {
          inherit name;
          value = combine (path ++ [ name ]) (concatMap (value: if value ? ${name} then definitions 100 value.${name} else [ ]) values);
        })
        names)
    else if builtins.all isList values then concatLists values
    else if path == [ "services" "openssh" "extraConfig" ] then builtins.concatStringsSep "\n" values
    else if builtins.length values == 1 || builtins.all (value: value == head values) values then head values
    else throw "The option `${builtins.concatStringsSep "." path}' has conflicting definition values:";
  config = combine [ ] (concatMap (module: definitions 100 module.config) loaded);
in
{ inherit config options; }
