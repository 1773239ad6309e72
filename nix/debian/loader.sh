# What QEMU boots in the place of an unpacked kernel, so that resetting a machine costs little.
#
# QEMU takes the segments of an ELF kernel for read-only memory: it writes them again each time that a
# machine is reset, which it is when it is put back to a snapshot, and under emulation drops what it
# has translated of the kernel piece by piece (0.1 to 0.2 s on a machine that has run for a while). What lies in the
# initial memory disk it leaves alone. So the kernel lies there, before the archive, and the ELF file that QEMU
# boots is one of a kilobyte that takes it out.

# Prints the number of so many bytes at an offset of a file.
number() {
	od -An -tu"$3" -j "$2" -N "$3" "$1" | tr -d ' '
}

# Writes numbers of four bytes.
words() {
	for word in "$@"; do
		# shellcheck disable=SC2059 # the format is the byte
		for bits in 0 8 16 24; do printf "\\$(printf %03o $((word >> bits & 255)))"; done
	done
}

# Writes numbers of eight bytes that fit into four.
long_words() {
	for long in "$@"; do words "$long" 0; done
}

# Prints the addresses of the kernel's first and last bytes in memory, and writes what lies there in
# between to a file, as far as it is not zero, in whole pages.
flatten() {
	header=$(number "$1" 32 8)
	count=$(number "$1" 56 2)
	first='' last=''
	while [ "$count" -gt 0 ]; do
		if [ "$(number "$1" "$header" 4)" = 1 ]; then
			address=$(number "$1" $((header + 24)) 8)
			: "${first:=$address}"
			last=$((address + $(number "$1" $((header + 40)) 8)))
			tail -c +$(($(number "$1" $((header + 8)) 8) + 1)) "$1" | head -c "$(number "$1" $((header + 32)) 8)" |
				dd of="$2" bs=65536 seek=$((address - first)) oflag=seek_bytes conv=notrunc status=none
		fi
		header=$((header + 56))
		count=$((count - 1))
	done
	# Of lines that are alike, od prints the first one and a star.
	zeros=$(od -Ad -tx8 -w4096 "$2" | tail -n 3 | sed -n '/^\*/{x;p};h' | tr -d '\n' | sed -n 's/^0*\([1-9][0-9]*\)\( 0\{16\}\)*$/\1/p')
	truncate -s "${zeros:-%4096}" "$2"
	echo "$first $last"
}

# Prints the address at which a PVH kernel begins, which is in a note of Xen's with the number 18.
entry() {
	header=$(number "$1" 32 8)
	count=$(number "$1" 56 2)
	while [ "$count" -gt 0 ]; do
		if [ "$(number "$1" "$header" 4)" = 4 ]; then
			note=$(number "$1" $((header + 8)) 8)
			end=$((note + $(number "$1" $((header + 32)) 8)))
			while [ "$note" -lt $end ]; do
				value=$((note + 12 + ($(number "$1" "$note" 4) + 3) / 4 * 4))
				if [ "$(number "$1" $((note + 8)) 4)" = 18 ] && [ "$(number "$1" $((note + 12)) 4)" = 7234904 ]; then
					number "$1" $value 4
					return
				fi
				note=$((value + ($(number "$1" $((note + 4)) 4) + 3) / 4 * 4))
			done
		fi
		header=$((header + 56))
		count=$((count - 1))
	done
	echo "netprop: the kernel has no entry for PVH" >&2
	return 1
}

# Makes the program, and what it takes apart, of a kernel and its archive:
# make_loader VMLINUX INITRD LOADER PAYLOAD
make_loader() {
	start=$(entry "$1")
	range=$(flatten "$1" "$4")
	first=${range% *} last=${range#* }
	copied=$(wc -c <"$4")
	cat "$2" >>"$4"
	program >"$3"
}

# Prints the program. It is entered as every PVH kernel is (xen/docs/misc/pvh.pandoc): 32 bits,
# flat, no paging, EBX at the hvm_start_info, whose first module is the initial memory disk. It makes
# copies of both that it may write to, and leaves the archive where it is, which is above the kernel.
program() {
	base=$((0x100000)) code=$((0x100000 + 64 + 2 * 56)) # where it is loaded, and begins
	info=$((base + 1024)) module=$((base + 1024 + 64))
	# The ELF header and two program headers: all of it, and the note with the entry.
	printf '\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\76\0\1\0\0\0'
	long_words $code 64 0
	printf '\0\0\0\0\100\0\70\0\2\0\0\0\0\0\0\0'
	words 1 7
	long_words 0 $base $base 1152 1152 8
	words 4 4
	long_words 280 $((base + 280)) $((base + 280)) 20 20 4
	printf '\374\211\336\277' && words $info        # cld; mov esi, ebx; mov edi, info
	printf '\271' && words 14 && printf '\363\245'  # mov ecx, 14; rep movsd
	printf '\213\65' && words $((info + 16))        # mov esi, [info + 16]
	printf '\277' && words $module                  # mov edi, module
	printf '\271' && words 8 && printf '\363\245'   # mov ecx, 8; rep movsd
	printf '\307\5' && words $((info + 16)) $module # mov dword [info + 16], module
	printf '\213\65' && words $module               # mov esi, [module]
	printf '\277' && words "$first"                 # mov edi, first
	printf '\271' && words $((copied / 4))          # mov ecx, copied / 4
	printf '\363\245\211\362\271'                   # rep movsd; mov edx, esi; mov ecx,
	words $(((last - first - copied) / 4))          #   (last - first - copied) / 4
	printf '\61\300\363\253'                        # xor eax, eax; rep stosd
	printf '\211\25' && words $module               # mov [module], edx
	printf '\201\55' && words $((module + 8)) "$copied" # sub dword [module + 8], copied
	printf '\273' && words $info                    # mov ebx, info
	printf '\270' && words "$start" && printf '\377\340\0\0\0\0' # mov eax, start; jmp eax
	words 4 4 18 7234904 $code                      # the note
	head -c 852 /dev/zero
}
