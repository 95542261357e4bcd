#!/bin/sh
# Real peers for the tests come from the system's packages. As root with CI=true or PEERS=install they are
# installed; otherwise the one line that would is printed, and the suite runs without them and says so.
#
# Cyrus and Courier can't be installed beside Dovecot: their packages exclude one another. They are unpacked into
# .venv/peers, each into a folder of its own, with what they need and the system lacks; tests/fakes run them there.
set -u
peers="${TEST_PEERS:-.venv/peers}"
wanted=""
apart=""
{ [ -x /usr/sbin/dovecot ] && [ -x /usr/lib/dovecot/imap ]; } || wanted="$wanted dovecot-imapd"
command -v chromium >/dev/null 2>&1 || wanted="$wanted chromium"
[ -x "$peers/cyrus/usr/lib/cyrus/bin/master" ] || apart="$apart cyrus"
[ -x "$peers/courier/usr/bin/imapd" ] || apart="$apart courier"
[ -z "$wanted$apart" ] && exit 0

# What `apt-get install` would bring that is not here yet. Mail transports and tools for maintainers are not needed.
missing() {
    apt-get install --simulate --no-install-recommends "$@" | awk '/^Inst / && $3 !~ /^\[/ { print $2 }' |
        grep -Ev '^(exim4|db[0-9.]*-util|gawk|gnutls-bin|libsigsegv)' | sed 's/:.*//'
}

unpack() {
    name=$1
    shift
    new="$peers/$name.new"
    rm -rf "$new" "${peers:?}/$name"
    mkdir -p "$new/debs" || return 1
    # shellcheck disable=SC2046
    (cd "$new/debs" && apt-get download -qq $(missing "$@") 2>/dev/null) || return 1
    for package in "$new"/debs/*.deb; do
        dpkg-deb -x "$package" "$new" || return 1
    done
    rm -rf "$new/debs"
    mv "$new" "$peers/$name"
}

line="apt-get install -y --no-install-recommends$wanted"
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 && { [ "${CI:-}" = true ] || [ "${PEERS:-}" = install ]; }; then
    echo "Installing test peers:$wanted$apart"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq || { echo "Could not ask for packages. Tried: apt-get update" >&2; exit 1; }
    if [ -n "$wanted" ]; then
        $line -qq >/dev/null || { echo "Could not install test peers. Tried: $line" >&2; exit 1; }
    fi
    for name in $apart; do
        case $name in
            cyrus) unpack cyrus cyrus-imapd cyrus-common ;;
            courier) unpack courier courier-imap gamin courier-authlib-userdb ;;
        esac || { echo "Could not unpack $name into $peers" >&2; exit 1; }
    done
else
    [ -z "$wanted" ] || echo "Some tests need programs that are not here:$wanted. To have them run too: sudo $line"
    [ -z "$apart" ] || echo "Some tests need mail servers that are not here:$apart. To have them run too, as root: PEERS=install make test"
fi
