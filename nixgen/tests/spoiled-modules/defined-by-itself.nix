{ config, ... }: { networking.hostId = config.networking.hostId; }
