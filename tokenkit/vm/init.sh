#!/bin/busybox sh
# The guest's first program, in the initramfs: the host's files become /, and what is written to
# them stays in memory. Commands without a path are busybox's own, which needs /proc to find them.

/bin/busybox mount -t proc proc /proc
mount -t devtmpfs devtmpfs /dev
while read -r module; do insmod "/modules/$module"; done </modules/order

# serial ports: by the first the host hears what becomes of COMMAND, by the others what it writes
tries=0
until ls /dev/vport*p1 /dev/vport*p2 /dev/vport*p3 >/dev/null 2>&1; do
  usleep 5000
  tries=$((tries + 1))
  [ $tries -lt 2000 ] || {
    echo "there are no virtio-serial ports"
    poweroff -f
  }
done
set -- /dev/vport*p1
exec 3>"$1"
echo alive >&3

or_end() {
  "$@" || {
    echo "trouble the guest cannot $*" >&3
    poweroff -f
  }
}

share=trans=virtio,version=9p2000.L,msize=512000
or_end mount -t 9p -o "ro,cache=loose,$share" root /lower
mount -t tmpfs upper /upper
mkdir /upper/files /upper/work
or_end mount -t overlay -o lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work root /root

mkdir -p /root/proc /root/sys /root/dev /root/run /root/lib/modules
mount -t proc proc /root/proc
mount -t sysfs sysfs /root/sys
mount -t devtmpfs devtmpfs /root/dev
mkdir -p /root/dev/shm /root/dev/pts
ln -s /proc/self/fd /root/dev/fd
for name in 0:stdin 1:stdout 2:stderr; do ln -s fd/${name%:*} /root/dev/${name#*:}; done
mount -t tmpfs -o mode=1777 shm /root/dev/shm
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /root/dev/pts
mount -t tmpfs -o mode=755 run /root/run
mkdir -p /root/run/lock /root/run/tokenkit/job
or_end mount -t 9p -o "$share" job /root/run/tokenkit/job
or_end mount --bind "/root$(cat /modules/folder)" /root/lib/modules
# an ordinary user's guest cannot look into the host's /root
ls /root/root >/dev/null 2>&1 || mount -t tmpfs -o mode=700 home /root/root

cp /bin/busybox /session.sh /root/run/tokenkit/
exec switch_root /root /run/tokenkit/busybox sh /run/tokenkit/session.sh
