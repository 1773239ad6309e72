# Builds the parts of the `debian` base, one a call: tools, userland, image or scratch. It is the
# builder of the derivations in default.nix, which set the variables read here. The same inputs
# give the same bytes: everything is sorted, and times and uuids are fixed.
set -eu
umask 022
export LC_ALL=C TZ=UTC SOURCE_DATE_EPOCH=0
# A uuid for what needs one; nothing finds its disks by uuid.
uuid=6e657470-726f-4f70-8000-000000000001

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
	rm -rf "$result/usr/share/doc" "$result/usr/share/man" "$result/usr/share/locale" "$result/usr/share/info" \
		"$result/usr/share/lintian" "$result/usr/share/bug" "$result/usr/lib/systemd" "$result/etc/init.d"
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
	ldconfig -r "$result"
	rm -rf "$result/var/cache/ldconfig"
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

build_image() {
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

	cp -a "$userland" root
	chmod -R u+w root
	mkdir -p root/usr/lib/modules
	cp -a "$modules" root/usr/lib/modules/
	# All of the root is in memory once it is written to: these need no file systems of their own.
	mkdir -p root/run/netprop root/run/sshd
	chmod 1777 root/tmp
	chmod 700 root/root
	chmod 600 root/etc/shadow
	mkfs.erofs --quiet -T 0 -U $uuid --all-root "$result/root" root >/dev/null
}

build_scratch() {
	mkdir "$result"
	truncate -s 512M "$result/scratch"
	case $file_system in
	ext4)
		MKE2FS_CONFIG=$tools/root/etc/mke2fs.conf E2FSPROGS_FAKE_TIME=1 mke2fs -q -t ext4 -U $uuid \
			-E hash_seed=$uuid,lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0 "$result/scratch"
		;;
	xfs) mkfs.xfs -q -m uuid=$uuid "$result/scratch" ;;
	btrfs) mkfs.btrfs -q -U $uuid "$result/scratch" ;;
	esac
}

# What is cut off half-way leaves nothing in the store: results are moved there when they are whole.
result=$PWD/result
"build_$1"
# shellcheck disable=SC2154 # set by Nix
mv "$result" "$out"
