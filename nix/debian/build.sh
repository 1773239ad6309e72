# Builds the parts of the `debian` base, one a call: tools, userland, kernel, packages, image or
# disk. It is the builder of the derivations in default.nix, which set the variables read here. The
# same inputs give the same bytes: everything is sorted, and times and uuids are fixed.
set -eu
umask 022
export LC_ALL=C TZ=UTC SOURCE_DATE_EPOCH=0
# A uuid for what needs one; nothing finds its disks by uuid.
uuid=6e657470-726f-4f70-8000-000000000001

# Prints the name and the version of each package.
list() {
	for deb in "$@"; do
		dpkg-deb --show --showformat='${Package} ${Version}\n' "$deb"
	done
}

# Unpacks packages into a directory where /bin, /sbin and /lib* are merged into /usr. Nix lets no
# builder set a set-uid bit, and a guest whose only user is root needs none.
unpack() {
	root=$1
	shift
	for directory in bin sbin lib lib32 lib64 libx32; do
		mkdir -p "$root/usr/$directory"
		ln -s "usr/$directory" "$root/$directory"
	done
	for deb in "$@"; do
		dpkg-deb --fsys-tarfile "$deb" >package.tar &&
			tar --extract --file=package.tar --directory="$root" --keep-directory-symlink \
				--no-same-owner --no-same-permissions || {
			echo "netprop: the package $deb cannot be unpacked" >&2
			exit 1
		}
	done
	rm -f package.tar
}

# The programs that build the other parts, from packages too, so that a host lends as few as it can.
build_tools() {
	# shellcheck disable=SC2154,SC2086 # set by Nix; split on purpose
	unpack "$result/root" $packages
	mkdir "$result/bin"
	libraries=$out/root/usr/lib/x86_64-linux-gnu
	for tool in mkfs.erofs mkfs.xfs mkfs.btrfs mke2fs depmod xz zstd lz4; do
		for directory in bin sbin; do
			[ -L "$result/root/usr/$directory/$tool" ] || [ -e "$result/root/usr/$directory/$tool" ] || continue
			# Programs such as depmod are links to one that goes by the name it is called with.
			link=$(readlink "$result/root/usr/$directory/$tool") && program=usr/bin/${link##*/} ||
				program=usr/$directory/$tool
			# shellcheck disable=SC2154 # set by Nix
			printf '#!%s\nexec %s --library-path %s --argv0 %s %s "$@"\n' "$shell" \
				"$libraries/ld-linux-x86-64.so.2" "$libraries" "$tool" "$out/root/$program" >"$result/bin/$tool"
			chmod 755 "$result/bin/$tool"
		done
		[ -e "$result/bin/$tool" ] || {
			echo "netprop: none of the packages for building has the program $tool" >&2
			exit 1
		}
	done
	# These two are linked statically.
	cp "$result/root/usr/bin/busybox" "$result/root/usr/sbin/ldconfig" "$result/bin/"
}

# What all images share: the packages' files, the guest's scripts, users and keys.
build_userland() {
	# shellcheck disable=SC2086 # split on purpose
	unpack "$result" $packages
	chmod -R u+w "$result"
	trim "$result"
	rm -rf "$result/usr/lib/systemd" "$result/etc/init.d"
	mkdir -p "$result/proc" "$result/sys" "$result/dev" "$result/run" "$result/tmp" "$result/root" "$result/scratch" \
		"$result/etc/netprop" "$result/var/log" "$result/lower" "$result/upper"
	for applet in $("$result/usr/bin/busybox" --list); do
		[ -e "$result/usr/bin/$applet" ] || [ -e "$result/usr/sbin/$applet" ] || [ -L "$result/usr/bin/$applet" ] ||
			ln -s busybox "$result/usr/bin/$applet"
	done
	cp "$identity" "$result/etc/netprop/identity"
	cp "$init" "$result/etc/netprop/init"
	cp "$sshd_config" "$result/etc/ssh/sshd_config"
	printf '%s\n' "$authorized_key" >"$result/etc/ssh/authorized_keys"
	chmod 755 "$result/etc/netprop/init"
	sed 's,^\(root:[^:]*:0:0:root:/root:\).*,\1/bin/sh,' "$result/usr/share/base-passwd/passwd.master" >"$result/etc/passwd"
	echo 'sshd:*:100:65534::/run/sshd:/usr/sbin/nologin' >>"$result/etc/passwd"
	cp "$result/usr/share/base-passwd/group.master" "$result/etc/group"
	sed 's/:.*/:*:19000:0:99999:7:::/' "$result/etc/passwd" >"$result/etc/shadow"
	sed -i 's/^\([^:]*\):[^:]*:/\1:x:/' "$result/etc/passwd"
	printf 'passwd: files\ngroup: files\nhosts: files\nservices: files\nprotocols: files\n' >"$result/etc/nsswitch.conf"
	# shellcheck disable=SC2086 # split on purpose
	list $packages >"$result/etc/netprop/packages"
}

# Removes what nobody reads in a guest.
trim() {
	rm -rf "$1/usr/share/doc" "$1/usr/share/man" "$1/usr/share/locale" "$1/usr/share/info" \
		"$1/usr/share/lintian" "$1/usr/share/bug"
}

# Packages beyond the userland. Their maintainer scripts do not run.
build_packages() {
	# shellcheck disable=SC2086 # split on purpose
	unpack "$result" $packages
	chmod -R u+w "$result"
	trim "$result"
	mkdir -p "$result/etc/netprop"
	# shellcheck disable=SC2086 # split on purpose
	list $packages >"$result/etc/netprop/packages"
}

# Makes a directory of the root. It is left out where a link of the root's would lead elsewhere.
make_directory() {
	case $(readlink -m "$1$2") in
	"$(readlink -f "$1")"/*) mkdir -p "$1$2" ;;
	*) return 1 ;;
	esac
}

# Makes the users and groups that packages declare (sysusers.d(5)), with a home directory each.
add_users() {
	for file in "$1"/usr/lib/sysusers.d/*.conf; do
		[ -e "$file" ] || continue
		# The description is the one field that may have blanks.
		sed -e '/^#/d' -e 's/"[^"]*"/-/' "$file"
	done | while read -r type name id _ home shell; do
		case $type in
		u* | g*) ;;
		*) continue ;;
		esac
		case ${id:--} in
		[0-9]*) id=${id%%:*} ;;
		*)
			id=101
			while grep -q "^[^:]*:[^:]*:$id:" "$1/etc/passwd" "$1/etc/group"; do id=$((id + 1)); done
			;;
		esac
		grep -q "^$name:" "$1/etc/group" || printf '%s:x:%s:\n' "$name" "$id" >>"$1/etc/group"
		[ "${type%"${type#u}"}" = u ] || continue
		grep -q "^$name:" "$1/etc/passwd" && continue
		[ "${home:--}" != - ] || home=/
		[ "${shell:--}" != - ] || shell=/usr/sbin/nologin
		printf '%s:x:%s:%s::%s:%s\n' "$name" "$id" "$id" "$home" "$shell" >>"$1/etc/passwd"
		printf '%s:*:19000:0:99999:7:::\n' "$name" >>"$1/etc/shadow"
		make_directory "$1" "$home" || :
	done
}

# Makes the directories that packages declare (tmpfiles.d(5)). Who they would belong to is not
# kept, as all of the root is its own user's: the mode has to do.
add_directories() {
	for file in "$1"/usr/lib/tmpfiles.d/*.conf; do
		[ -e "$file" ] || continue
		while read -r type path mode _; do
			case $type in
			d* | D* | v* | q* | Q*) ;;
			*) continue ;;
			esac
			case $path in
			/var/run/*) path=${path#/var} ;;
			/*) ;;
			*) continue ;;
			esac
			case $path in
			*%* | */..*) continue ;;
			esac
			make_directory "$1" "$path" || continue
			# Nix lets no builder set the bits that change who a process runs as.
			mode=${mode#[~:]}
			mode=${mode#0}
			case $mode in
			1[0-7][0-7][0-7] | [0-7][0-7][0-7]) chmod "$mode" "$1$path" ;;
			[2-7][0-7][0-7][0-7]) chmod "${mode#?}" "$1$path" ;;
			esac
		done <"$file"
	done
}

# Unpacks the kernel out of a bzImage: a guest that need not do it at each boot starts sooner.
unpack_kernel() {
	sectors=$(od -An -tu1 -j 497 -N 1 "$1" | tr -d ' ')
	offset=$(od -An -tu4 -j 584 -N 4 "$1" | tr -d ' ')
	length=$(od -An -tu4 -j 588 -N 4 "$1" | tr -d ' ')
	# The last four bytes are the unpacked length.
	tail -c +$(((sectors + 1) * 512 + offset + 1)) "$1" | head -c $((length - 4)) >payload
	case $(od -An -tx1 -N 4 payload | tr -d ' \n') in
	02214c18) lz4 -d -q -c <payload >"$2" ;;
	28b52ffd) zstd -d -q -c <payload >"$2" ;;
	fd377a58) xz -d -q -c <payload >"$2" ;;
	1f8b*) gzip -d -q -c <payload >"$2" ;;
	*)
		echo "netprop: $1 is compressed in a way that is not known here" >&2
		exit 1
		;;
	esac
	rm payload
}

# Prints the files of the named modules and all they need, needed ones first; built-in ones have none.
module_files() {
	for module in "$@"; do
		awk -v module="$module" '
			{ path = $1; sub(/:$/, "", path); name = path; sub(/.*\//, "", name); sub(/\.ko$/, "", name)
			  gsub(/-/, "_", name)
			  if (name == module) { for (i = NF; i > 1; i--) print $i; print path } }
		' "$modules/modules.dep"
	done | awk '!seen[$0]++'
}

# A kernel: itself, the initrd that goes with it, and `root`, its modules as they are in the guest.
build_kernel() {
	# shellcheck disable=SC2086 # split on purpose
	unpack kernel $packages
	release=$(ls kernel/usr/lib/modules)
	modules=$PWD/kernel/usr/lib/modules/$release
	find "$modules" -name '*.ko.xz' -exec xz -d -q {} +
	find "$modules" -name '*.ko.zst' -exec zstd -d -q --rm {} +
	depmod -b "$PWD/kernel" "$release"
	mkdir -p "$result"
	unpack_kernel "kernel/boot/vmlinuz-$release" "$result/kernel"

	mkdir -p initrd/bin initrd/lib initrd/dev initrd/proc initrd/sys initrd/lower initrd/upper initrd/root
	cp "$tools/bin/busybox" initrd/bin/busybox
	ln -s busybox initrd/bin/sh
	cp "$initramfs_init" initrd/init
	chmod 755 initrd/init
	# shellcheck disable=SC2086 # split on purpose
	for module in $(module_files $boot_modules); do
		name=${module##*/}
		cp "$modules/$module" "initrd/lib/$name"
		echo "${name%.ko}"
	done >initrd/modules
	find initrd -exec touch -h -d @0 {} +
	(cd initrd && find . | sort | busybox cpio -o -H newc -R 0:0 --renumber-inodes --ignore-devno 2>/dev/null) >"$result/initrd"

	. "$loader"
	make_loader "$result/kernel" "$result/initrd" "$result/loader" "$result/payload"

	mkdir -p "$result/root/usr/lib/modules" "$result/root/etc/netprop"
	mv "$modules" "$result/root/usr/lib/modules/"
	# shellcheck disable=SC2086 # split on purpose
	list $packages >"$result/root/etc/netprop/packages"
}

# Puts together what other parts have unpacked.
build_image() {
	mkdir -p "$result" root
	for file in kernel initrd loader payload; do
		cp --link "$kernel/$file" "$result/" 2>/dev/null || cp "$kernel/$file" "$result/"
	done
	# shellcheck disable=SC2154 # set by Nix
	for part in "$userland" ${further:+"$further"} "$kernel/root"; do
		# Links to the parts' own files where one disk holds both; what is written to is copied first.
		cp -a --link --remove-destination "$part/." root 2>/dev/null ||
			cp -a --remove-destination "$part/." root
		find root -type d ! -perm -u+w -exec chmod u+w {} +
		cat "$part/etc/netprop/packages" >>packages
	done
	sort packages >packages.sorted
	mv -f packages.sorted root/etc/netprop/packages
	for file in passwd group shadow; do
		cp "root/etc/$file" "$file"
		chmod 644 "$file"
		mv -f "$file" "root/etc/$file"
	done
	add_users root
	add_directories root
	ldconfig -r root
	rm -rf root/var/cache/ldconfig
	# All of the root is in memory once it is written to: these need no file systems of their own.
	mkdir -p root/run/netprop root/run/sshd
	chmod 1777 root/tmp
	chmod 700 root/root
	chmod 600 root/etc/shadow
	mkfs.erofs --quiet -T 0 -U $uuid --all-root "$result/root" root >/dev/null
}

# Runs mkfs, and marks what it says against the user's options for whoever reads the log.
format() {
	"$@" "$result/scratch" >said 2>&1 && return
	cat said
	# shellcheck disable=SC2154 # set by Nix
	[ -z "$asked" ] || echo "$name: mkfs refused: $(grep -v '^ *$' said | head -n 1)"
	exit 1
}

build_disk() {
	mkdir "$result"
	truncate -s 512M "$result/scratch"
	asked=$options
	extended=hash_seed=$uuid,lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0
	# Of two options -E, mke2fs heeds the last.
	# shellcheck disable=SC2154,SC2086 # set by Nix; split on purpose
	if [ "$file_system" = ext4 ]; then
		set -- $options
		options=
		while [ $# -gt 0 ]; do
			case $1 in
			-E)
				extended=$extended,${2-}
				[ $# -eq 1 ] || shift
				;;
			*) options="$options $1" ;;
			esac
			shift
		done
	fi
	case $file_system in
	ext4)
		export MKE2FS_CONFIG="$tools/root/etc/mke2fs.conf" E2FSPROGS_FAKE_TIME=1
		format mke2fs -q -t ext4 -U $uuid -E "$extended" $options
		;;
	xfs) format mkfs.xfs -q -m uuid=$uuid $options ;;
	btrfs) format mkfs.btrfs -q -U $uuid $options ;;
	esac
}

# What is cut off half-way leaves nothing in the store: results are moved there when they are whole.
result=$PWD/result
"build_$1"
# shellcheck disable=SC2154 # set by Nix
mv "$result" "$out"
