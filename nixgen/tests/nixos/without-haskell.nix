# The checker of shell scripts is written in Haskell, whose packages a tree may lack.
final: prev: { shellcheck-minimal = prev.emptyDirectory // { compiler.bootstrapAvailable = false; }; }
