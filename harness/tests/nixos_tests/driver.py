# A driver in the place of NixOS's, with machines in memory that do what the model says: scripts have to pass.
#
# Called with a file of JSON, a list of scripts and their machines; prints a list of what went wrong in each.
# A bug has cuts not be heeded ("deaf"), synced files be lost by a crash ("forgetful"), services live on that are
# killed ("undead"), or clocks not be set ("stuck").
import contextlib
import json
import re
import shlex
import sys
import time
import traceback

# Lines that change nothing which a script asks for: ways that are worse, disks that are synced, full or not, and
# machines that are kept busy or no longer.
OF_NO_CONSEQUENCE = [
    r"set -e; tc qdisc del dev eth1 root ",
    r"sync$",
    r"size=\d+ number=0\nwhile .*fallocate",
    r"rm -f /scratch/\.netprop-fill\.",
    r"number=0\nwhile .*netprop-busy",
    r"while read -r name size _; do\n.*MemAvailable",
    r"for file in /run/netprop-busy\.",
]
SERVICE = {"KILL": "down", "STOP": "stopped", "CONT": "going"}


class Machine:
    def __init__(self, name, address, network):
        self.name, self.address, self.network = name, address, network
        self.files, self.is_on, self.is_paused = {}, False, False
        self.forget()

    def forget(self):
        self.dropped, self.service, self.ahead = set(), "down", 0

    def start(self):
        if not self.is_on:
            self.forget()
        self.is_on = True

    def stop(self):
        assert self.is_on, f"{self.name} is off"
        self.is_on = self.is_paused = False

    def crash(self):
        self.stop()
        if BUG == "forgetful":
            self.files = {}

    def shutdown(self):
        assert not self.is_paused, f"{self.name} is paused"
        self.stop()

    def wait_for_unit(self, unit):
        assert unit == "multi-user.target" and self.is_on

    # Whatever is waited for is there.
    def wait_until_succeeds(self, command):
        assert self.is_on and not self.is_paused

    def send_monitor_command(self, command):
        assert self.is_on
        self.is_paused = {"stop": True, "cont": False}[command]

    def succeed(self, command):
        status, said = self.execute(command)
        assert status == 0, f"{command} fails"
        return said

    def execute(self, command):
        assert self.is_on and not self.is_paused, f"{self.name} takes no commands"
        words = shlex.split(command)
        if words[0] == "sh":
            return 0, self.run(words[2])
        if words[0] == "ping":
            return (0 if self.reaches(self.network[words[-1]]) else 1), ""
        if words[0] == "test":
            return (0 if words[2] in self.files else 1), ""
        if words[0] == "cat":
            return 0, self.files[words[1]]
        assert words[0] == "date", command
        if words[1] == "-s":
            self.set_ahead(int(words[2][1:]) - time.time())
        return 0, str(int(time.time() + self.ahead))

    def reaches(self, other):
        is_cut = other.address in self.dropped or self.address in other.dropped
        return other.is_on and not other.is_paused and (not is_cut or BUG == "deaf")

    def set_ahead(self, seconds):
        if BUG != "stuck":
            self.ahead = seconds

    # Lines of shell, by what is told apart in them.
    def run(self, text):
        written = re.match(r"printf %s (\d+) .* (\S+) \|\| {", text)
        if written:
            self.files[written[2]] = written[1]
        elif text.startswith("set -e; iptables -F INPUT"):
            self.dropped = set(re.findall(r"-s (\S+) -j DROP", text))
        elif "/proc/uptime" in text:
            steps = re.findall(r"\bahead (-?\d+)", text)
            assert steps or "adjtimex -t " in text, text
            # Each is ahead of what the clock was at first.
            self.set_ahead(self.ahead + int(steps[-1] if steps else 0))
            return "1.5\n1.7\n"
        elif text.endswith("echo silent"):
            return self.service + "\n"
        elif "netprop-counter" in text:
            signals = [SERVICE[signal] for signal in re.findall(r"kill -([A-Z]+)", text)]
            is_undead = BUG == "undead" and signals == ["down"]
            if signals and self.service != "down" and not is_undead:
                self.service = signals[0]
            if "setsid" in text and self.service == "down":
                self.service = "going"
        else:
            assert any(re.match(known, text, re.DOTALL) for known in OF_NO_CONSEQUENCE), f"unknown lines: {text}"
        return ""


@contextlib.contextmanager
def subtest(title):
    yield


def run(test):
    network = {}
    for name, address in test["machines"]:
        network[address] = Machine(name, address, network)
    machines = {machine.name: machine for machine in network.values()}
    try:
        exec(test["script"], {"subtest": subtest, **machines})
    except Exception:
        return traceback.format_exc()


with open(sys.argv[1], encoding="utf-8", newline="") as file:
    tests = json.load(file)
BUG = sys.argv[2] if len(sys.argv) > 2 else ""
with contextlib.redirect_stdout(sys.stderr):
    results = [run(test) for test in tests]
print(json.dumps(results))
