{ pkgs, ... }: { environment.systemPackages = [ pkgs.rediss ]; }
