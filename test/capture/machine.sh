#!/bin/bash
# machine.sh ROOT FOLDER: one light host in a chroot over ROOT, with FOLDER/conf copied into
# its /etc and its logs in FOLDER/log; ends when it is killed.
set -eu
root=$1 folder=$2
mount -t tmpfs tmpfs "$folder/layer"
mkdir -p "$folder/layer/up" "$folder/layer/work" "$folder/layer/root"
mount -t overlay overlay -o "lowerdir=$root,upperdir=$folder/layer/up,workdir=$folder/layer/work" "$folder/layer/root"
root=$folder/layer/root
hostname mx1
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs tmpfs "$root/dev"
for device in null:3 zero:5 random:8 urandom:9; do
  mknod -m 666 "$root/dev/${device%:*}" c 1 "${device#*:}"
done
mount --bind "$folder/log" "$root/var/log"
rm -rf "$root/etc/dovecot"
cp -r "$folder/conf" "$root/etc/dovecot"
cp "$folder/conf/pam" "$root/etc/pam.d/dovecot"
for service in imap pop3; do cp "$folder/conf/pam" "$root/etc/pam.d/$service"; done
chmod 755 "$root" "$root/etc/dovecot"
# shellcheck disable=SC2016
chroot "$root" bash -c '
  for user in alice bob; do id -u $user >/dev/null 2>&1 || useradd $user; done
  printf "alice:right\nbob:right\n" | chpasswd 2>/dev/null
  mkdir -p /tmp/mail && chmod 777 /tmp/mail
  [ -e /etc/dovecot/rsyslog.conf ] && rsyslogd -i /run/rsyslog.pid -f /etc/dovecot/rsyslog.conf
  [ -e /etc/dovecot/backend.conf ] && dovecot -c /etc/dovecot/backend.conf
  [ -e /etc/dovecot/tokens.py ] && { python3 /etc/dovecot/tokens.py & }
  exec dovecot -F -c /etc/dovecot/dovecot.conf'
