#!/bin/busybox sh
# The guest of the contract suite: see src/contract.rs for what it has to do.
export PATH=/bin
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
echo 1 >/proc/sys/kernel/sysrq
for module in $(cat /modules/order); do
    insmod "/modules/$module.ko"
done
mkdir -p /etc/acpi/PWRF /var/log
printf '#!/bin/sh\npoweroff -f\n' >/etc/acpi/PWRF/00000080
chmod 755 /etc/acpi/PWRF/00000080
acpid -f &
for port in /sys/class/virtio-ports/*; do
    [ "$(cat "$port/name")" = org.netprop.control ] && control=/dev/${port##*/}
done
if [ -z "$control" ]; then
    echo "no control port"
    while :; do sleep 1000; done
fi
exec 3<>"$control"

panic() {
    echo c >/proc/sysrq-trigger
}

# Writes a text to each sector of a block, which is a page: nothing has to be read for that, and the
# kernel writes it in one request when dd closes the disk. The disk is told to flush with fsync alone.
put() {
    for sector in 0 1 2 3 4 5 6 7; do printf '%-512s' "${1#* }"; done |
        dd of=/dev/vda bs=4096 seek="${1%% *}" iflag=fullblock conv="$2notrunc"
}

echo "contract guest is up"
echo "hello 1" >&3
while read -r word rest <&3; do
    case $word in
    contract)
        case $rest in
        never) while :; do sleep 1000; done ;;
        panic) panic ;;
        fail*) echo "failed ${rest#fail }" >&3 ;;
        esac
        ;;
    prepare | resumed) echo "ready" >&3 ;;
    end) break ;;
    esac
done
echo "ready" >&3
while read -r word rest <&3; do
    case $word in
    say) echo "$rest" >&3 ;;
    resumed) echo "ready" >&3 ;;
    print) echo "$rest" && echo "printed" >&3 ;;
    flood)
        # 300 KiB in blocks, which an emulated serial port takes long enough for as it is.
        line=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde
        block=$(i=0 && while [ $i -lt 64 ]; do echo $line && i=$((i + 1)); done)
        i=0
        while [ $i -lt 75 ]; do echo "$block" && i=$((i + 1)); done
        echo "flooded" >&3
        ;;
    remember)
        printf '%-512s' "$rest" | dd of=/dev/vda conv=fsync 2>/dev/null
        echo "remembered" >&3
        ;;
    recall) echo $(dd if=/dev/vda bs=512 count=1 2>/dev/null) >&3 ;;
    put) put "$rest" && echo "put" >&3 ;;
    keep) if put "$rest" fsync,; then echo "kept" >&3; else echo "not kept" >&3; fi ;;
    count)
        # Keeps 1, 2, 3 … in a block, says each once it is kept, and leaves writes unflushed in between.
        i=1
        while put "$rest $i" fsync, && echo $i >&3; do put "$((rest + 1)) $i" && i=$((i + 1)); done 2>/dev/null
        ;;
    get)
        if text=$(dd if=/dev/vda bs=4096 skip="$rest" count=1); then
            # Each sector's text, with one blank between two.
            echo $text >&3
        else
            echo "not got" >&3
        fi
        ;;
    address) ip address add "$rest" dev eth0 && ip link set eth0 up && echo "addressed" >&3 ;;
    ping)
        # An address and how many seconds to wait.
        if ping -c 1 -W "${rest#* }" "${rest% *}" >/dev/null; then
            echo "answered" >&3
        else
            echo "unanswered" >&3
        fi
        ;;
    note) note=$rest && echo "noted" >&3 ;;
    read) echo "$note" >&3 ;;
    panic) panic ;;
    poweroff) poweroff -f ;;
    esac
done
