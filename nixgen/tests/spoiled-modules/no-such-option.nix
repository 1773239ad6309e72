{ services.reddis.enable = true; }
