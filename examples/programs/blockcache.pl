#!/usr/bin/perl
# A block cache: blocks of 2 to 56 KiB come in, grow while they are filled, are sealed against writes, are recycled, and leave again,
# singly or a whole generation at once. Workers share the job, and now and then a child marks what is in the cache. Small,
# deterministic, and with a busy memory life: this is the program of the shipped trace. x86-64 Linux.
# usage: blockcache.pl BLOCKS-PER-WORKER
use strict;
use threads;
no warnings 'threads';    # a child leaves while the workers run

use constant { PAGE => 4096, MPROTECT => 10, MADVISE => 28, READ => 1, WRITE => 3, DONTNEED => 4 };

# The whole pages inside a block: address and length; none in a small block.
sub inside {
    my ($start) = unpack('J', pack('p', $_[0]));
    my $first = ($start + PAGE - 1) & ~(PAGE - 1);
    my $length = (($start + length($_[0])) & ~(PAGE - 1)) - $first;
    return ($first, $length > 0 ? $length : 0);
}

sub work {
    my ($seed, $blocks) = @_;
    my $state = $seed;
    my $draw = sub { $state = ($state * 1103515245 + 12345) & 0x7fffffff; ($state >> 8) % $_[0] };
    my (%cache, %sealed, @order);
    my $sum = 0;
    my $seal = sub {
        my ($name, $rights) = @_;
        my ($first, $length) = inside($cache{$name});
        return if !$length or syscall(MPROTECT, $first, $length, $rights) != 0;
        $sealed{$name} = $rights == READ;
    };
    my $drop = sub {
        my ($name) = @_;
        $seal->($name, WRITE) if $sealed{$name};
        delete $cache{$name};
    };
    for my $number (1 .. $blocks) {
        my $line = chr(65 + $number % 26) x 64;
        $cache{$number} = $line x (32 + 4 * $draw->(26));
        $cache{$number} .= substr($cache{$number}, 0, 2048) for 1 .. $draw->($number % 2 ? 4 : 24);
        push @order, $number;
        $seal->($number, READ) if $number % 4 != 1;
        $sum = ($sum + ord(substr($cache{$_}, $draw->(length $cache{$_}), 1))) & 0xffff for @order;
        if (@order > 9) {    # a generation leaves, the newest first
            $drop->(pop @order) while @order > 1;
        }
        elsif (@order > 6) {
            my $name = $order[$draw->(scalar @order)];
            my ($first, $length) = inside($cache{$name});
            if ($length && $number % 2) {    # recycle: forget the contents, write a few lines
                $seal->($name, WRITE) if $sealed{$name};
                syscall(MADVISE, $first, $length, DONTNEED);
                substr($cache{$name}, PAGE * $_, 64) = $line for 1 .. length($cache{$name}) / PAGE - 1;
            }
            else {
                $drop->($name);
                @order = grep { $_ != $name } @order;
            }
        }
        if ($number % 16 == 0) {    # a report: many small lines for a short time
            my @report = map { $line x 50 } 1 .. 40 + $number;
            $sum = ($sum + @report) & 0xffff;
        }
        if ($seed == 1 && $number % 40 == 0) {
            my $child = fork();
            die "fork: $!\n" unless defined $child;
            if (!$child) {
                for (@order) {
                    $seal->($_, WRITE) if $sealed{$_};
                    substr($cache{$_}, 0, 1) = '!';
                }
                exit(0);
            }
            waitpid($child, 0);
        }
    }
    $drop->($_) for @order;    # sealed memory must not go back to malloc
    return $sum;
}

my $blocks = shift // 200;
my $sum = 0;
if ($blocks > 1) {
    my @workers = map { threads->create(\&work, $_, $blocks) } 2;
    $sum = work(1, $blocks);
    $sum += $_->join() for @workers;
}
print "$sum\n";
