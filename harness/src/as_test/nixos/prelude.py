import shlex
import time


# Lines of shell as one command, whatever quotes they have.
def lines(text):
    return "sh -c " + shlex.quote(text)


def boot(machine):
    machine.start()
    machine.wait_for_unit("multi-user.target")


# Whether an echo request is answered, of which one is sent each second.
def ping(machine, address, seconds):
    status, said = machine.execute(f"ping -c 1 -w {seconds} {address}")
    assert status in (0, 1), said
    return status == 0


# What is in a file, or None where there is none. Zeros are what a power cut leaves of what was not synced.
def read(machine, path):
    if machine.execute(f"test -e {path}")[0] != 0:
        return None
    return machine.succeed(f"cat {path}").strip("\0")


# By how many seconds a clock is ahead.
def ahead(machine):
    before = time.time()
    told = int(machine.succeed("date +%s"))
    return told - (before + time.time()) / 2


def set_clock(machine, seconds_ahead):
    machine.succeed(f"date -s @{int(time.time()) + seconds_ahead}")


# Changes a clock; the one that counts since the machine began has to go on as if nothing had been.
def watched(machine, text):
    before, after = [float(line) for line in machine.succeed(lines(text)).split()]
    assert 0 <= after - before < 25, f"the monotonic clock went from {before} to {after}"


