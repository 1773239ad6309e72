{ ... }:
{
  services.redis.enable = true
}
