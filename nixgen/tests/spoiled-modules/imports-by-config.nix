{ config, lib, ... }: { imports = lib.optional config.services.openssh.enable ./circle-back.nix; }
