# What netprop is linked to.
pkgs: [ pkgs.libvirt pkgs.libssh2 pkgs.openssl pkgs.zlib ]
