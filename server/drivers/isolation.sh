# shellcheck shell=sh
# Closes this host to the clusters of one installation. Runs in a short-lived container that has the
# host's network namespace and NET_ADMIN; server/drivers/isolation.py and clean-restart.sh start it.
#
# apply CHAIN BRIDGES POOL    make the rules, or put back what is missing; again is no error
# remove CHAIN                take the rules away
# listen CHAIN GATEWAY SUBNET SECONDS
#                             listen on two ports of GATEWAY, the first of which is let through
#
# CHAIN-I hears what clusters send to addresses of the host, CHAIN-F what they send through it. Both
# are told by the name of the bridge that it comes from, which begins with BRIDGES: a node can forge
# its address, but not its bridge. Networks of older versions have a name of Docker's, and POOL.
set -eu
verb=$1 chain=$2

# The iptables that Docker uses here: the one that has Docker's chain. Else the one that works.
find_filter() { # find_filter iptables|ip6tables
  for each in "$1-nft" "$1-legacy"; do
    if "$each" -w 5 -S DOCKER-USER > /dev/null 2>&1; then echo "$each"; return; fi
  done
  for each in "$1-nft" "$1-legacy"; do
    if "$each" -w 5 -S FORWARD > /dev/null 2>&1; then echo "$each"; return; fi
  done
}

hook() { if "$1" -w 5 -S DOCKER-USER > /dev/null 2>&1; then echo DOCKER-USER; else echo FORWARD; fi; }

is_new=
jump() { # jump FILTER FROM CONDITION... TO
  filter=$1 from=$2
  shift 2
  if ! "$filter" -w 5 -C "$from" "$@" 2> /dev/null; then
    "$filter" -w 5 -I "$from" 1 "$@"
    is_new=1
  fi
}

begin() {
  printf '%s\n' '*filter' ":$chain-I - [0:0]" ":$chain-F - [0:0]" \
    "-A $chain-I -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN" \
    "-A $chain-F -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN"
  # What a bridge passes between the nodes of one cluster comes by here as well on many a host.
  if [ "$1" = bridged ]; then echo "-A $chain-F -m physdev --physdev-is-bridged -j RETURN"; fi
}

to_port_53() { # to_port_53 CHAIN ADDRESS
  for each in udp tcp; do echo "-A $1 -d $2 -p $each --dport 53 -j RETURN"; done
}

# Where clouds have their metadata, and in it the credentials of the machine: most of them (RFC 3927),
# Alibaba Cloud, Azure's WireServer, and what Oracle's first generation has.
metadata4="169.254.0.0/16 100.100.100.200 168.63.129.16 192.0.0.192"
metadata6="fd00:ec2::/32 fd20:ce::/32" # AWS, Google

rules4() {
  begin "$1"
  # Docker asks the host's resolver in a node's name; some clouds have theirs beside the metadata.
  # shellcheck disable=SC2013 # addresses have no spaces
  for resolver in $(sed -n 's/^nameserver[[:space:]]*//p' /etc/resolv.conf); do
    case $resolver in 127.* | *:*) ;; *) to_port_53 "$chain-I" "$resolver" ;; esac
  done
  for each_cloud in $metadata4; do
    to_port_53 "$chain-F" "$each_cloud"
    echo "-A $chain-F -d $each_cloud -j DROP"
  done
  # A port that a container publishes on an address of the host.
  echo "-A $chain-F -m conntrack --ctstate DNAT -j DROP"
  # Docker keeps its networks apart as well; without physdev that has to do.
  if [ "$1" = bridged ]; then printf '%s\n' "-A $chain-F -o $bridges+ -j DROP" "-A $chain-F -d $pool -j DROP"; fi
  printf '%s\n' "-A $chain-I -j DROP" COMMIT
}

rules6() {
  begin "$1"
  for each_cloud in $metadata6; do echo "-A $chain-F -d $each_cloud -j DROP"; done
  # The clusters' networks have IPv4 only.
  if [ "$1" = bridged ]; then echo "-A $chain-F -j DROP"; fi
  printf '%s\n' "-A $chain-I -j DROP" COMMIT
}

restore() { # restore FILTER RULES
  "$2" bridged | "$1-restore" -w 5 --noflush 2> /dev/null || "$2" '' | "$1-restore" -w 5 --noflush
}

apply() { # apply BRIDGES POOL
  bridges=$1 pool=$2
  filter4=$(find_filter iptables)
  [ -n "$filter4" ] || { echo "iptables does not work on this host" >&2; exit 1; }
  restore "$filter4" rules4
  for way in "INPUT I" "$(hook "$filter4") F"; do
    jump "$filter4" "${way% ?}" -i br-+ -s "$pool" -j "$chain-${way#* }"
    jump "$filter4" "${way% ?}" -i "$bridges+" -j "$chain-${way#* }"
  done
  filter6=
  if [ -e /proc/net/if_inet6 ]; then filter6=$(find_filter ip6tables); fi
  if [ -n "$filter6" ]; then
    restore "$filter6" rules6
    jump "$filter6" INPUT -i "$bridges+" -j "$chain-I"
    jump "$filter6" "$(hook "$filter6")" -i "$bridges+" -j "$chain-F"
  fi
  echo "${is_new:+made }$filter4"
}

remove() {
  for filter in $(find_filter iptables) $(find_filter ip6tables); do
    "$filter" -w 5 -S | grep -E -- " -j $chain-[IF]\$" | while read -r _ rule; do
      # shellcheck disable=SC2086 # the words of a rule
      "$filter" -w 5 -D $rule
    done
    for each in "$chain-I" "$chain-F"; do
      if "$filter" -w 5 -F "$each" 2> /dev/null; then "$filter" -w 5 -X "$each"; fi
    done
  done
}

# Whoever can reach both ports is not kept away; whoever can reach neither has no way to the host at
# all, and proves nothing about the rules.
listen() { # listen GATEWAY SUBNET SECONDS
  exec perl -MIO::Socket::INET -e '
    my ($filter, $chain, $gateway, $subnet, $seconds) = @ARGV;
    my @listening = map {
      IO::Socket::INET->new(LocalAddr => $gateway, Listen => 5, Proto => "tcp") or die "$gateway: $!"
    } 1 .. 2;
    my ($open, $closed) = map { $_->sockport } @listening;
    my @rule = ("-s", $subnet, "-d", $gateway, "-p", "tcp", "--dport", $open, "-j", "ACCEPT");
    system($filter, "-w", "5", "-I", $chain, "1", @rule) == 0 or die "no rule";
    my $end = sub { system($filter, "-w", "5", "-D", $chain, @rule); exit 0 };
    $SIG{TERM} = $SIG{ALRM} = $end;
    $| = 1;
    print "listening $open $closed\n";
    alarm $seconds;
    sleep 1 while 1;
  ' "$(find_filter iptables)" "$chain-I" "$@"
}

shift 2
"$verb" "$@"
