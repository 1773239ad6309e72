{ services.openssh.enable = "yes"; }
