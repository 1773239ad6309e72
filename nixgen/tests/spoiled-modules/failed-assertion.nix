{ assertions = [ { assertion = false; message = "redis needs more memory"; } ]; }
