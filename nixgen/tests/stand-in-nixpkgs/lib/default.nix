# The functions of nixpkgs's lib that `nix/nixos` uses.
let
  inherit (builtins) attrNames concatLists elemAt filter hasAttr head isAttrs length listToAttrs match readFile split stringLength substring;
  lib = builtins // rec {
    last = list: elemAt list (length list - 1);
    init = list: builtins.genList (elemAt list) (length list - 1);
    optional = condition: value: if condition then [ value ] else [ ];
    optionals = condition: values: if condition then values else [ ];
    optionalString = condition: text: if condition then text else "";
    concatStrings = builtins.concatStringsSep "";
    optionalAttrs = condition: set: if condition then set else { };
    unique = builtins.foldl' (seen: value: if builtins.elem value seen then seen else seen ++ [ value ]) [ ];
    concatMap = f: list: concatLists (map f list);
    splitString = separator: text: filter builtins.isString (split (escape [ "." ] separator) text);
    stringToCharacters = text: builtins.genList (index: substring index 1 text) (stringLength text);
    escape = letters: builtins.replaceStrings letters (map (letter: "\\${letter}") letters);
    escapeShellArgs = builtins.concatStringsSep " ";
    hasPrefix = prefix: text: substring 0 (stringLength prefix) text == prefix;
    removePrefix = prefix: text:
      if hasPrefix prefix text then substring (stringLength prefix) (stringLength text) text else text;
    fileContents = file: head (match "([^\n]*)\n*" (readFile file));
    versionOlder = a: b: builtins.compareVersions b a == 1;
    versionAtLeast = a: b: !versionOlder a b;
    mapAttrsToList = f: set: map (name: f name set.${name}) (attrNames set);
    genAttrs = names: f: listToAttrs (map (name: { inherit name; value = f name; }) names);
    hasAttrByPath = path: set: path == [ ] || (isAttrs set && hasAttr (head path) set && hasAttrByPath (builtins.tail path) set.${head path});
    attrByPath = path: default: set:
      if path == [ ] then set
      else if isAttrs set && hasAttr (head path) set then attrByPath (builtins.tail path) default set.${head path}
      else default;
    setAttrByPath = path: value: if path == [ ] then value else { ${head path} = setAttrByPath (builtins.tail path) value; };
    mkMerge = contents: { _type = "merge"; inherit contents; };
    mkOverride = priority: content: { _type = "override"; inherit priority content; };
    mkDefault = mkOverride 1000;
    mkForce = mkOverride 50;
    mkOption = option: option // { _type = "option"; };
    types = { str = "string"; enum = values: values; };
  };
in
lib
