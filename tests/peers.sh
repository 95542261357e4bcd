#!/bin/sh
# Real peers for the tests come from the system's packages. As root with CI=true or PEERS=install they are
# installed; otherwise the one line that would is printed, and the suite runs without them and says so.
set -u
wanted=""
{ [ -x /usr/sbin/dovecot ] && [ -x /usr/lib/dovecot/imap ]; } || wanted="$wanted dovecot-imapd"
command -v chromium >/dev/null 2>&1 || wanted="$wanted chromium"
[ -z "$wanted" ] && exit 0
line="apt-get install -y --no-install-recommends$wanted"
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 && { [ "${CI:-}" = true ] || [ "${PEERS:-}" = install ]; }; then
    echo "Installing test peers:$wanted"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq && $line -qq >/dev/null || { echo "Could not install test peers. Tried: $line" >&2; exit 1; }
else
    echo "Some tests need programs that are not here:$wanted. To have them run too: sudo $line"
fi
