# The guest's first program once the host's files are /: devices, keys, COMMAND, and the end.
# Commands without a path are busybox's own; what the host wrote for this run is in $job.
job=/run/tokenkit/job

ifconfig lo up
[ -r /etc/hostname ] && hostname -F /etc/hostname

# 3 is the channel to the host, which no program of the host's sees
/lib/systemd/systemd-udevd --daemon >/dev/null 2>&1 </dev/null 3>&- || {
  echo "trouble systemd-udevd does not start: apt-get install udev" >&3
  poweroff -f
}
# of what is there already only /dev/uhid matters; the rest of a PC would take seconds
/bin/udevadm trigger --settle --sysname-match=uhid </dev/null 3>&-

# pipes, as programs expect them, which may be opened anew by way of /dev/stderr
mkfifo /run/tokenkit/stdout /run/tokenkit/stderr
set -- /dev/vport*p2 /dev/vport*p3
cat </run/tokenkit/stdout >"$1" 3>&- &
stdout=$!
cat </run/tokenkit/stderr >"$2" 3>&- &
stderr=$!
echo running >&3
env -i /bin/sh $job/command >/run/tokenkit/stdout 2>/run/tokenkit/stderr </dev/null 3>&-
status=$?

# what COMMAND left running ends with it, so that the pipes have an end; again for what was begun
# meanwhile
for turn in 1 2; do
  for process in /proc/[0-9]*; do
    case ${process#/proc/} in
      $$ | $stdout | $stderr) ;;
      *) kill -9 ${process#/proc/} ;;
    esac
  done
done 2>/dev/null
wait $stdout $stderr

env -i /bin/sh $job/bring </dev/null 3>&-
echo "status $status" >&3
poweroff -f
