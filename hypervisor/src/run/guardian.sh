# Ends what a run of netprop leaves behind, and removes its directory.
#
# Runs under any POSIX shell, outside of the runner's process group and session. The run
# directory comes as the first line of standard input, which is a pipe whose other end only the
# runner holds: it closes when the runner dies, however it dies. A second line "done" means that
# the runner has cleaned up by itself. The directory is never in our own command line,
# environment or working directory, nor in that of a program started here, so none of us is
# taken for one of the run's processes.
exec 2>/dev/null
trap '' INT TERM HUP QUIT PIPE USR1 USR2
LC_ALL=C
export LC_ALL
cd /
IFS= read -r dir || exit 0
case $dir in
/*/r-????????) ;;
*) exit 0 ;;
esac
echo ready
exec >/dev/null
IFS= read -r word && [ "$word" = done ] && exit 0

nap() { sleep 0.1 || sleep 1; }

# Whether the text $1 names the directory or something in it, rather than a longer path.
names() {
    case $1 in
    "$dir" | "$dir"[!A-Za-z0-9._-]*) return 0 ;;
    *[!A-Za-z0-9._/-]"$dir" | *[!A-Za-z0-9._/-]"$dir"[!A-Za-z0-9._-]*) return 0 ;;
    esac
    return 1
}

# Whether process $1 belongs to the run; the same rules as in processes.rs.
belongs() {
    [ "$1" != $$ ] && [ "$1" != "$PPID" ] || return 1
    environment=$(tr '\000' '\n' <"/proc/$1/environ")
    case "
$environment
" in
    *"
NETPROP_RUN=$dir
"*) return 0 ;;
    esac
    # A process at a terminal is somebody who looks at the run: a pager, a shell.
    IFS= read -r stat <"/proc/$1/stat" || return 1
    set -- "$1" ${stat##*) }
    [ "$6" = 0 ] || return 1
    names "$environment" && return 0
    names "$(tr '\000' '\n' <"/proc/$1/cmdline")" && return 0
    names "$(readlink "/proc/$1/cwd")"
}

# Prints the run's processes. A few programs look at all processes at once, since one for each
# process would take seconds; what they find is then looked at closely.
find_processes() {
    {
        printf '%s\n' "$dir" | grep -lsaF -f - /proc/[0-9]*/environ /proc/[0-9]*/cmdline
        ls -ld /proc/[0-9]*/cwd | while IFS= read -r line; do
            case $line in
            *" -> $dir" | *" -> $dir/"* | *" -> $dir (deleted)") line=${line#* /proc/} && echo "/proc/$line" ;;
            esac
        done
    } | cut -d / -f 3 | sort -un | while read -r pid; do
        belongs "$pid" && echo "$pid"
    done
}

# Builds are asked first, so that they let go of what they hold elsewhere.
asked=
for pid in $(find_processes); do
    IFS= read -r name <"/proc/$pid/comm" || continue
    case $name in nix*) kill -TERM "$pid" && asked="$asked $pid" ;; esac
done
round=0
while [ -n "$asked" ] && [ $round -lt 15 ]; do
    nap
    left=
    for pid in $asked; do kill -0 "$pid" && left="$left $pid"; done
    asked=$left
    round=$((round + 1))
done

# What is killed may have been starting something else, so look until nothing is found.
round=0
while [ $round -lt 50 ]; do
    found=$(find_processes)
    [ -n "$found" ] || break
    for pid in $found; do kill -KILL "$pid"; done
    nap
    round=$((round + 1))
done

# The lock goes last, since a directory without it is not taken for a run's.
remove() {
    for file in "$dir"/* "$dir"/.[!.]*; do
        [ "$file" = "$dir/lock" ] || rm -rf -- "$file"
    done
    rm -rf -- "$dir"
}
remove || {
    chmod -R u+rwx -- "$dir"
    remove
}
exit 0
