# What can be seen in a guest, a fact a line: snapshots.rs runs it on machines that booted and on ones that
# began from a snapshot, and compares.

echo "hostname $(cat /proc/sys/kernel/hostname) $(cat /etc/hostname) $(hostname)"
echo "machine-id $(cat /etc/machine-id)"
sed 's/^/hosts /' /etc/hosts
for nic in eth0 eth1; do
	for what in address addr_assign_type mtu operstate flags name_assign_type; do
		echo "$nic $what $(cat /sys/class/net/$nic/$what)"
	done
done
ls /sys/class/net | sed 's/^/nic /'
ip -o -4 address | sed 's/^[0-9]*:/address/; s/ valid_lft.*//'
# What a router has advertised comes a second after the link is up.
ip -o -6 address | grep -v ' dynamic ' | sed 's/^[0-9]*:/address/; s/ valid_lft.*//; s/ tentative//'
ip link show eth1 | sed 's/^[0-9]*://; s/^/link /'
ip route | sed 's/^/route /'
echo "neighbours on the data network: $(ip neigh show dev eth1 | wc -l)"
sed 's/^/mount /' /proc/mounts
echo "cmdline $(cat /proc/cmdline)"
echo "release $(uname -a)"
sed 's/ .*//; s/^/module /' /proc/modules | sort
sed -n 's/^MemTotal: */memory /p' /proc/meminfo
ls -lA --full-time /scratch | sed 's/^/scratch /'
echo "scratch writes $(echo here >/scratch/mark && sync && cat /scratch/mark && rm /scratch/mark)"
echo "host key $(sha256sum </run/netprop/ssh_host_ed25519_key)"
ls -l /run/netprop/ssh_host_ed25519_key | sed 's/ *[A-Z][a-z][a-z] .*//; s/^/host key /'
df -k /scratch | sed 's/^/room /'

# What writable places hold: type, mode, owner, and what is in it. Logs and process numbers tell of the time,
# and the host key of the network.
places='/etc /root /run /tmp /var'
find $places /dev /scratch -xdev | sort | while read -r path; do
	stat -c 'file %F %a %u:%g %t,%T %N' "$path"
done
find $places -xdev -type f ! -name '*.pid' ! -name '*.log' ! -name 'ssh_host_*' | sort |
	xargs sha256sum | sed 's/^/content /'

# The kernel's settings but for counters, what is drawn by lot, and what follows from how much memory was free
# at some moment of the boot.
grep -r '' /proc/sys 2>/dev/null | sort | sed 's/^/sysctl /' |
	grep -v -E '/(random/|fs/(file-nr|inode-nr|inode-state|dentry-state)|kernel/(ns_last_pid|pty/nr)|vm/[a-z]*_reserve_kbytes)'
for file in cmdline consoles devices filesystems swaps partitions; do
	sed "s/^/$file /" /proc/$file
done
# Which clock source it is is left out: a kernel gives up the processor's own where a busy host keeps it waiting.
grep -v -E '^(cpu MHz|bogomips)' /proc/cpuinfo | sed 's/^/processor /'
ls /sys/block /sys/bus/pci/devices /sys/bus/virtio/devices /sys/class | sed 's/^/device /'
cat /proc/1/cgroup /proc/1/environ /proc/1/limits | tr '\0' '\n' | sed 's/^/init /'

# What runs, as whom and with what; what belongs to the asking is none of the guest's own.
for process in /proc/[0-9]*; do
	read -r name <$process/comm && [ "$(readlink $process/exe)" ] || continue
	case $name in sshd | timeout | sh | sort | grep | ls | sed | readlink | busybox | tr) continue ;; esac
	echo "process $name: $(tr '\0' ' ' <$process/cmdline) in $(readlink $process/cwd)"
	grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp|Umask)' $process/status | sed "s/^/process $name: /"
	sed "s/^/process $name: /" $process/limits
	echo "process $name: opens $(ls -l $process/fd | sed 's/.* -> //; s/\[[0-9]*\]//' | sort | tr '\n' ' ')"
done 2>/dev/null | sort

# What listens, by its address; no connection of ours is among it.
for protocol in tcp tcp6 udp udp6 raw; do
	sed -n 's/^ *[0-9]*: \([0-9A-F:]*\) [0-9A-F:]* \(0A\|07\) .*/\1/p' /proc/net/$protocol 2>/dev/null |
		sort | sed "s/^/listens $protocol /"
done
sed -n 's/.* \([@/][^ ]*\)$/listens unix \1/p' /proc/net/unix | sort
