{ pkgs, ... }: { environment.systemPackages = [ pkgz.redis ]; }
