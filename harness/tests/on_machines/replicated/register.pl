# A register that machines replicate: Attiya, Bar-Noy, Dolev, "Sharing memory robustly in
# message-passing systems" (1995), with several writers, and with leases for reads.
#
#   perl register.pl BUG OWN OTHER... -- serve
#   perl register.pl BUG OWN OTHER... -- (write N | read | lease) SECONDS
#
# BUG is none, no-majority, stale-read, unsynced or wall-clock; then come the addresses of all
# replicas, this machine's first. A client asks the replicas itself. It says `stored`, `value N` or
# `leased`; `unavailable` where no majority answered in time and nothing was changed; `unknown` where
# the value may be there by now, or later, or never.
#
# A replica has a stamp and a value. A write asks a majority for their stamps and stores its value
# under a greater one at a majority; a read asks a majority, takes what has the greatest stamp, and
# stores that at a majority before it answers. Whoever holds a lease reads at its own replica alone:
# a majority has promised to take nothing from others until it is over.
#
# Requests are datagrams `ID WORD...`, answers `ID WORD...`, and any of them may be asked again:
#   get                        -> STAMP VALUE LEASED
#   store STAMP VALUE FROM     -> stored | wait SECONDS
#   grant FROM                 -> STAMP VALUE | wait SECONDS
#   hold STAMP END             -> held | lost
use strict;
use warnings;

# As Linux has them: under emulation a client would spend most of its time on loading Socket.pm.
my ($INET, $DATAGRAM) = (2, 2);
my ($PORT, $STATE, $MARK) = (7000, 'register', 'register-granted');
# How long a promise lasts, how much earlier its holder takes it to be over, and how long a client
# waits for an answer before it asks again.
my ($LEASE, $MARGIN, $AGAIN) = (3, 1.5, 0.2);

my $bug = shift @ARGV;
my @replicas;
push @replicas, shift @ARGV while $ARGV[0] ne '--';
shift @ARGV;
my $own = $replicas[0];
my $majority = int(@replicas / 2) + 1;
my ($number) = grep { (sort @replicas)[$_] eq $own } 0 .. $#replicas;

# Seconds since the machine started, which nobody sets.
sub uptime {
    open my $file, '<', '/proc/uptime' or die "/proc/uptime: $!";
    return (split ' ', <$file>)[0];
}

# What a replica has to say for itself.
sub note { print STDERR "@_\n" }

# What the holder of a lease goes by.
sub lease_clock { return $bug eq 'wall-clock' ? time : uptime() }

sub sync {
    my ($path) = @_;
    return if $bug eq 'unsynced';
    sysopen my $file, $path, 0 or die "$path: $!";
    $file->sync or die "$path: $!";
}

# Has a file be there with this content, whenever the power fails, before it returns.
sub keep {
    my ($name, $content) = @_;
    open my $file, '>', "$name.new" or die "$name.new: $!";
    print $file $content;
    close $file or die "$name.new: $!";
    sync("$name.new");
    rename "$name.new", $name or die "$name: $!";
    sync('.');
}

sub place {
    my ($address, $port) = @_;
    return pack 'S n C4 x8', $INET, $port, split /\./, $address;
}

sub address {
    my ($place) = @_;
    return join '.', (unpack 'S n C4', $place)[2 .. 5];
}

sub udp {
    my ($port) = @_;
    socket my $socket, $INET, $DATAGRAM, 0 or die "socket: $!";
    bind $socket, place($own, $port) or die "bind: $!";
    return $socket;
}

# The replica: what it has, whom it has made a promise, and until when it holds a lease itself.
my ($stamp, $value, $holder, $until, $end) = (0, 0, '', 0, 0);

# How many seconds it may take nothing from this machine.
sub wait_for_others {
    my ($from) = @_;
    my $left = $holder eq $from ? 0 : $until - uptime();
    # What it answers by itself stays what it is.
    my $leased = $from eq $own ? 0 : $end - lease_clock();
    $left = $leased if $leased > $left;
    return $left > 0 ? $left : 0;
}

sub put {
    my ($new_stamp, $new_value) = @_;
    return if $new_stamp <= $stamp;
    keep($STATE, "$new_stamp $new_value\n");
    ($stamp, $value) = ($new_stamp, $new_value);
    note("has $value under stamp $stamp", $bug eq 'unsynced' ? 'in memory' : 'on the disk');
    # Its own copy may be ahead of a majority from now on.
    $end = 0;
}

sub answer {
    my ($word, @rest) = @_;
    return join ' ', $stamp, $value, lease_clock() < $end ? 1 : 0 if $word eq 'get';
    if ($word eq 'store') {
        my ($new_stamp, $new_value, $from) = @rest;
        my $left = $new_stamp > $stamp ? wait_for_others($from) : 0;
        return "wait $left" if $left;
        put($new_stamp, $new_value);
        return 'stored';
    }
    if ($word eq 'grant') {
        my ($from) = @rest;
        my $left = wait_for_others($from);
        return "wait $left" if $left;
        keep($MARK, '') unless -e $MARK;
        ($holder, $until) = ($from, uptime() + $LEASE);
        note("promises $from to take nothing from others for $LEASE s");
        return "$stamp $value";
    }
    if ($word eq 'hold') {
        my ($held_stamp, $new_end) = @rest;
        # What came meanwhile is on no majority yet, for all that is known.
        return 'lost' if $held_stamp != $stamp;
        $end = $new_end;
        note("has a lease until $end; its clock says", lease_clock());
        return 'held';
    }
    return 'what';
}

sub serve {
    require IO::Handle;
    if (open my $file, '<', $STATE) {
        ($stamp, $value) = split ' ', <$file>;
    }
    # It may have made a promise that it has forgotten.
    ($holder, $until) = ('nobody', uptime() + $LEASE) if -e $MARK;
    my $socket = udp($PORT);
    note("begins with $value under stamp $stamp");
    while (1) {
        my $from = recv $socket, my $request, 1024, 0;
        next unless defined $from;
        my ($id, @words) = split ' ', $request;
        send $socket, "$id " . answer(@words), 0, $from;
    }
}

# The client. Phases have numbers, so that no late answer counts for another one.
my ($client, $phase, $patience, $session) = (undef, 0, 0, int rand 1e9);

# Asks replicas until so many have answered; gives what each has said, by address. Those that say
# `wait` are asked once more when that is over, and waited for.
sub ask {
    my ($needed, $request, @asked) = @_;
    my $id = join '.', $session, ++$phase;
    my $give_up = uptime() + $patience;
    my (%answers, %next);
    while ((my $now = uptime()) < $give_up && keys %answers < $needed) {
        for my $address (grep { !exists $answers{$_} && ($next{$_} // 0) <= $now } @asked) {
            # Where there is no way there at the moment, there may be one next time.
            send $client, "$id $request", 0, place($address, $PORT);
            $next{$address} = $now + $AGAIN;
        }
        vec(my $readable = '', fileno $client, 1) = 1;
        next unless select $readable, undef, undef, $AGAIN / 4;
        my $from = recv $client, my $text, 1024, 0;
        next unless defined $from;
        my ($answered, @words) = split ' ', $text;
        next if $answered ne $id;
        my $address = address($from);
        if ($words[0] eq 'wait') {
            $next{$address} = uptime() + $words[1];
            $give_up = $next{$address} + $patience;
        } else {
            $answers{$address} = \@words;
        }
    }
    return %answers;
}

# What is newest of some answers: its stamp and its value.
sub newest {
    my (%answers) = @_;
    return @{ (sort { $b->[0] <=> $a->[0] } values %answers)[0] }[0, 1];
}

# Has so many replicas hold a value: whether they do.
sub store {
    my ($needed, $stamp, $value) = @_;
    my %stored = ask($majority, "store $stamp $value $own", @replicas);
    return keys %stored >= $needed;
}

sub run {
    my ($word, $new) = @_;
    my $needed = $word eq 'write' && $bug eq 'no-majority' ? 1 : $majority;
    my $request = $word eq 'lease' ? "grant $own" : 'get';
    my $began = lease_clock();
    # Its own replica first, which has to be among those that promise.
    my %answers = ask(1, $request, $own);
    return 'unavailable' unless %answers;
    my ($own_stamp, $own_value, $is_leased) = @{ $answers{$own} };
    return "value $own_value" if $word eq 'read' && $is_leased;
    %answers = (%answers, ask($majority - 1, $request, grep { $_ ne $own } @replicas));
    return 'unavailable' if keys %answers < $needed;
    my ($stamp, $value) = newest(%answers);
    if ($word eq 'write') {
        my $next = (int($stamp / 16) + 1) * 16 + $number;
        return store($needed, $next, $new) ? 'stored' : 'unknown';
    }
    return "value $own_value" if $word eq 'read' && $bug eq 'stale-read';
    return 'unavailable' unless store($needed, $stamp, $value);
    return "value $value" if $word eq 'read';
    my $end = $began + $LEASE - $MARGIN;
    my %held = ask(1, "hold $stamp $end", $own);
    return %held && $held{$own}[0] eq 'held' ? 'leased' : 'unavailable';
}

if ($ARGV[0] eq 'serve') {
    serve();
} else {
    $patience = pop @ARGV;
    $client = udp(0);
    print run(@ARGV), "\n";
}
