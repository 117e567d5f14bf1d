#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The guest's init: loads the modules, then runs commands that come in on a virtio-serial port.
#
# One request is one line, "ID BASE64-OF-A-SHELL-SCRIPT"; its answer is one line, "ID STATUS SIZE",
# followed by SIZE bytes of output. The port is a plain byte stream: no echo, no line discipline.
export PATH=/usr/bin:/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
echo 1 >/proc/sys/kernel/sysrq

while read -r module options; do
    # shellcheck disable=SC2086  # options are words
    insmod "$module" $options || echo "lab: $module does not load"
done </lib/modules/order

port=
while [ -z "$port" ]; do
    for name in /sys/class/virtio-ports/*/name; do
        if [ "$(cat "$name" 2>/dev/null)" = lab.agent ]; then
            port=/dev/$(basename "$(dirname "$name")")
        fi
    done
    [ -n "$port" ] || sleep 0.05
done

exec 3<>"$port"
echo "ready 0 0" >&3
while read -r id script <&3; do
    echo "$script" | base64 -d >/run/script
    sh /run/script </dev/null >/run/output 2>&1 3>&-
    echo "$id $? $(stat -c %s /run/output)" >&3
    cat /run/output >&3
done
echo "lab: the port is closed"
poweroff -f
