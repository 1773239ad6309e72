# Takes the machine's identity over the control port. The protocol is the script of all bases,
# ../guest/identity; this adds what differs with systemd.
#
# The unit counts as started once an identity was taken: whatever comes after network.target finds the
# data NIC with its address, /scratch mounted and the machine's name. `ready` waits for all of that.
{ config, lib, pkgs, ... }:
let
  shell = pkgs.runtimeShell or pkgs.stdenv.shell;
  device = "dev-virtio\\x2dports-org.netprop.control.device";
  # What systemd would start for a connection, told to check its configuration instead.
  check = lib.removePrefix "-" (
    lib.replaceStrings [ " -i " ] [ " -t " ] config.systemd.services."sshd@".serviceConfig.ExecStart
  );
  script = pkgs.writeScript "netprop-identity" ''
    #!${shell}
    . ${../guest/identity}

    # A service's own check runs whatever the machine has.
    export PATH=$PATH:/run/current-system/sw/bin

    # systemd starts what needs no identity by itself.
    base_prepare() {
    	:
    }

    base_load() {
    	modprobe "$1"
    }

    # Connections are taken from then on, and served once network.target is reached.
    base_start_sshd() {
    	reason=$(${check} 2>&1) || {
    		reason="sshd: $(printf '%s' "$reason" | tr -d '\r' | tail -n 1)"
    		return 1
    	}
    	reason='systemd does not start sshd.socket'
    	systemctl start sshd.socket
    }

    # The shell around it leaves its status for whoever waits, and what the service has left behind lives on, as on
    # every base.
    base_start_service() {
    	systemd-run --quiet --unit="netprop-service-$1" --property=WorkingDirectory="$3" \
    		--property=RemainAfterExit=yes \
    		--setenv=PATH=/run/current-system/sw/bin ${shell} -c \
    		"${shell} '$2' >'$SERVICES/$1.log' 2>&1 </dev/null; echo \$? >'$SERVICES/$1.ended'"
    }

    # Once a boot: what the user's units do later is theirs.
    base_settle() {
    	[ -z "$settled" ] || return 0
    	systemd-notify --ready
    	systemctl start netprop-settled.target
    	settled=yes
    	failed=$(systemctl list-units --state=failed --plain --no-legend | while read -r unit _; do printf ' %s' "$unit"; done)
    	reason="these units failed:$failed"
    	[ -z "$failed" ]
    }

    base_power_off() {
    	systemctl poweroff
    	# What was to end is ended by systemd, this script included.
    	sleep infinity
    }

    settled=
    mkdir -p /scratch "$NETPROP_RUN_DIR"
    netprop_find_port || {
    	echo 'netprop: the control port is not there' >&2
    	exit 1
    }
    netprop_serve
  '';
in
{
  systemd.services.netprop-identity = {
    description = "Identity of this machine, from the control port";
    wantedBy = [ "multi-user.target" ];
    requires = [ device ];
    after = [ device "local-fs.target" "network-addresses-eth0.service" ];
    before = [ "network.target" ];
    wants = [ "network.target" ];
    path = [
      pkgs.bash
      pkgs.coreutils
      pkgs.gnugrep
      pkgs.kmod
      (pkgs.iproute2 or pkgs.iproute)
      (pkgs.util-linux or pkgs.utillinux)
      config.systemd.package
    ];
    # A configuration that is switched to in the guest must not take its identity away.
    restartIfChanged = false;
    serviceConfig = {
      Type = "notify";
      NotifyAccess = "all";
      ExecStart = "${script}";
      # The host decides how long it waits.
      TimeoutStartSec = 0;
    };
  };

  # Reached when everything that multi-user.target wants has started or failed.
  systemd.targets.netprop-settled = {
    description = "All units of this machine have settled";
    after = [ "multi-user.target" ];
  };
}
