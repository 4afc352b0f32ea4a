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
for device in null:3 zero:5 full:7 random:8 urandom:9; do
  mknod -m 666 "$root/dev/${device%:*}" c 1 "${device#*:}"
done
ln -s /proc/self/fd "$root/dev/fd"
mount --bind "$folder/log" "$root/var/log"
rm -rf "$root/etc/dovecot"
cp -r "$folder/conf" "$root/etc/dovecot"
for service in dovecot imap pop3 other; do cp "$folder/conf/pam" "$root/etc/pam.d/$service"; done
chmod 755 "$root" "$root/etc/dovecot"
# shellcheck disable=SC2016
chroot "$root" bash -c '
  set -eu
  cd /etc/dovecot
  chmod 1777 /tmp
  mkdir -p /tmp/mail && chmod 777 /tmp/mail
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=mx1 -keyout key.pem -out cert.pem 2>/dev/null
  sqlite3 users.db "create table users (userid text, password text);
    insert into users values (\"alice\", \"right\"), (\"bob\", \"right\");"
  chmod 644 users.db
  [ ! -e rsyslog.conf ] || rsyslogd -i /run/rsyslog.pid -f /etc/dovecot/rsyslog.conf
  . /etc/dovecot/start
  exec dovecot -F -c /etc/dovecot/dovecot.conf'
